/** The model that the samples share, and the parts of them that are not what a sample is about. */
import {
  type Codec,
  field,
  float,
  instant,
  int,
  type Letter,
  type Pipeline,
  pipeline,
  type Sink,
  type Source,
  type Stream,
  struct,
  text,
  type TypeOf,
} from 'tidemill'

export const order = struct('order', {
  orderId: field(1, text),
  shopId: field(2, int),
  userId: field(3, text),
  amount: field(4, float),
  placedAt: field(5, instant),
})
export const alert = struct('alert', { user: field(1, text), orders: field(2, int) })
export type Order = TypeOf<typeof order>
export type Alert = TypeOf<typeof alert>

export declare function lines(path: string): Source<string>
export declare function stdout<T>(): Sink<T>
export declare function memorySink<T>(): Sink<T> & { readonly records: readonly T[] }
export declare function deadLetters(): Sink<Letter>
export declare function topic<T>(options: {
  readonly topic: string
  readonly value: Codec<T>
}): Source<T>
export declare function topicSink<T>(options: {
  readonly topic: string
  readonly value: Codec<T>
}): Sink<T>

export declare const orders: Stream<Order>
export declare const timed: Stream<Order, 'event-time'>
export const app: Pipeline = pipeline('samples')
