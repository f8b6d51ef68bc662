/**
 * What a slice needs in order to exchange rows with the slices of other subtasks: one channel per exchange and pair of
 * subtasks, first in first out and reliable within a life. Channels carry bytes; what the bytes say is a {@link Message}.
 */
import type { Frame } from '../frame/frame.ts'
import type { Key } from '../schema/types.ts'

/** The channels of one subtask. Threads (`mesh.ts`) and a single thread (`local-mesh.ts`) implement it. */
export interface SubtaskLinks {
  writer(exchange: number, to: number): MessageWriter
  reader(exchange: number, from: number): MessageReader
  /**
   * `callback` runs - at least once, later, never inside `write` or `read` - when there may be messages to read or room
   * to write: once after this call, and after a `read` that gave nothing or a `write` that was refused. So read every
   * channel until it is empty, and drain what waits, before waiting for news. There is one callback; a second call
   * replaces it.
   */
  onNews(callback: () => void): void
  /** Words that all subtasks see: see `standings.ts`. */
  readonly standings: BigInt64Array<SharedArrayBuffer>
  /** No news from now on. */
  close(): void
}

export interface MessageWriter {
  /** Copies `message` into the channel. False when there is no room now; news comes when there is. */
  write(message: Uint8Array): boolean
  /** How full the channel is, 0 to 1. */
  readonly fill: number
  /** Bytes that the channel holds. */
  readonly size: number
}

export interface MessageReader {
  /**
   * The next message, or undefined. It starts at a multiple of 8 of its buffer, which holds other messages too, and stays
   * as it is; whoever keeps it longer than its batch copies it.
   */
  read(): Uint8Array<ArrayBuffer> | undefined
  /** How full the channel is, 0 to 1. */
  readonly fill: number
}

export type Message =
  | { readonly kind: 'rows'; readonly rows: RowBatch }
  /** The channel's watermark after all rows before it. */
  | { readonly kind: 'watermark'; readonly watermark: number }
  /** The channel holds nobody back until its next rows or watermark. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'barrier'; readonly epoch: number }
  /** The bounded input of the producer is used up; barriers may still follow. */
  | { readonly kind: 'end' }

export interface RowBatch {
  readonly length: number
  /** Each row stands for several: it holds what a sender has added up for a key, as {@link partialFields}. */
  readonly partial: boolean
  /** Set when all rows have one shape: read them as views or plain rows by `frame.layout`. Otherwise see `rows`. */
  readonly frame: Frame | undefined
  /** Plain rows when `frame` is undefined. */
  readonly rows: readonly unknown[] | undefined
  /** A Float64Array when all keys are numbers, otherwise an array; empty for exchanges without keys. */
  readonly keys: ArrayLike<Key>
  /** Event time per row, NaN without. */
  readonly times: Float64Array<ArrayBuffer>
  /** Per row what the producer attached: its watermark before the row; in batch mode the rank of the row's partition. */
  readonly marks: Float64Array<ArrayBuffer>
  /** Hash of the key per row, so that the receiver need not compute it; undefined without keys. */
  readonly hashes: Int32Array<ArrayBuffer> | undefined
}
