/**
 * The receiving end of one channel: messages of one exchange from one subtask, in order.
 *
 * There is one queue: what was read ahead of its turn waits here in front of what the channel holds. A capture keeps
 * everything in front of a barrier that has not come, and reads ahead until it has (decision 0047).
 */
import type { Message, MessageReader, RowBatch } from '../exchange/contract.ts'
import { MessageDecoder } from '../exchange/decode.ts'
import type { ExchangeEdge } from './stages.ts'

/** Rows of a message, some of which may have been processed. */
export interface RestOfRows {
  readonly rows: RowBatch
  /** The first row that was not. */
  from: number
}

/** What was in front of a barrier when the stage was cut. */
export type CapturedMessage =
  | (RestOfRows & { readonly kind: 'rows' })
  | Exclude<Message, { readonly kind: 'rows' | 'barrier' }>

interface Capture {
  readonly epoch: number
  readonly messages: CapturedMessage[]
  complete: boolean
}

export class ChannelInput {
  readonly edge: ExchangeEdge
  readonly from: number
  /** The only fields of rows that anybody reads behind the exchange; undefined for whole rows. */
  readonly fields: readonly string[] | undefined
  /** Name of the channel among those of its exchange. */
  readonly channel: string
  /** A barrier of this epoch has come: nothing is read before the other channels of the stage have brought it too. */
  behind: number | undefined
  /** The sender's input is used up. */
  ended = false
  /** Rows that were processed. */
  rows = 0
  /** Nothing could be read since then. */
  quietSinceMs: number | undefined
  /** The first message has come: it says from where the sender's event time starts, or that the sender has no input. */
  heard = false
  /** The message in work. */
  rest: RestOfRows | undefined
  /** Read ahead of their turn. */
  readonly #ahead: Message[] = []
  readonly #reader: MessageReader
  readonly #decoder = new MessageDecoder()
  #capture: Capture | undefined

  constructor(
    edge: ExchangeEdge,
    from: number,
    reader: MessageReader,
    fields: readonly string[] | undefined,
  ) {
    this.edge = edge
    this.fields = fields
    this.from = from
    this.channel = `subtask-${from}`
    this.#reader = reader
  }

  /** Looks for the first message, which `next` gives later unless it was taken. */
  listen(): boolean {
    if (this.heard) return true
    if (this.#ahead.length === 0) this.#readOne()
    this.heard = this.#ahead.length > 0
    return this.heard
  }

  /** The next message, when it only tells of time. */
  takeGreeting(): Message | undefined {
    const [first] = this.#ahead
    if (first === undefined || first.kind === 'rows' || first.kind === 'barrier') return undefined
    return this.#ahead.shift()
  }

  /** The next message, unless a barrier holds the channel. */
  next(): Message | undefined {
    if (this.behind !== undefined) return undefined
    if (this.#ahead.length === 0 && !this.#readOne()) return undefined
    return this.#ahead.shift()
  }

  /** Something can be read. */
  get ready(): boolean {
    return (
      this.behind === undefined &&
      (this.rest !== undefined || this.#ahead.length > 0 || this.#reader.fill > 0)
    )
  }

  /** How full the way to this end is, 0 to 1. */
  get fill(): number {
    return this.#reader.fill
  }

  /** The stage is cut now. What comes before the barrier is kept for the snapshot as well as processed. */
  capture(epoch: number): void {
    const capture: Capture = { epoch, messages: [], complete: false }
    this.#capture = capture
    if (this.rest !== undefined) capture.messages.push({ kind: 'rows', ...this.rest })
    for (const [index, message] of this.#ahead.entries()) {
      if (this.#keep(message, capture)) {
        this.#ahead.splice(index, 1)
        return
      }
    }
  }

  /** What was captured, when the barrier has come. Until then the sender gets room by reading ahead. */
  captured(): readonly CapturedMessage[] | undefined {
    const capture = this.#capture
    if (capture === undefined) return undefined
    while (!capture.complete && this.#readOne());
    if (!capture.complete) return undefined
    this.#capture = undefined
    return capture.messages
  }

  /** The attempt was given up. */
  forgetCapture(): void {
    this.#capture = undefined
  }

  /** What an earlier life left on the way, before anything is read. */
  restore(messages: readonly Message[]): void {
    this.#ahead.push(...messages)
  }

  #readOne(): boolean {
    const bytes = this.#reader.read()
    if (bytes === undefined) return false
    const message = this.#decoder.decode(bytes)
    // The barrier has nobody to tell: the stage is behind it already.
    if (this.#capture === undefined || !this.#keep(message, this.#capture))
      this.#ahead.push(message)
    return true
  }

  /** True for the barrier that ends the capture. */
  #keep(message: Message, capture: Capture): boolean {
    if (capture.complete) return false
    if (message.kind === 'rows')
      capture.messages.push({ kind: 'rows', rows: message.rows, from: 0 })
    else if (message.kind !== 'barrier') capture.messages.push(message)
    else capture.complete = message.epoch === capture.epoch
    return capture.complete
  }
}
