/**
 * What a source and a sink promise to the runtime, and nothing about how the runtime keeps its side.
 *
 * A **source** is an enumerator (which partitions exist) and readers (rows of one partition, with positions). A
 * position says which rows were consumed: a reader opened at the position after row n yields row n + 1 first, always
 * the same rows in the same order - that is what makes a source replayable.
 *
 * A **sink** takes rows of one epoch after the other. Transactional sinks make an epoch durable in `prepare`, show it
 * in `commit`, and can finish or undo it after a crash from nothing but the bytes that `prepare` returned.
 */
import type { Env } from '../base/env.ts'
import type { Frame } from '../frame/frame.ts'
import type { Codec, Schema } from '../schema/types.ts'

/** Names one partition of a source; stable across restarts, unique inside the source. */
export type PartitionId = string

/** Where a reader stands, as data that the checkpoint stores. Opaque to the runtime. */
export type Position = Uint8Array

/**
 * Describes a source; made by connector functions such as `lines(path)`. Frozen data and functions, no open
 * resources: the same descriptor is used by the plan, by tests and by every worker.
 */
export interface Source<Out> {
  readonly role: 'source'
  /** The connector's name as `explain` shows it, e.g. `lines`. */
  readonly connector: string
  /** What `explain` prints, without secrets. */
  readonly describe: Readonly<Record<string, string | number | boolean>>
  /** Known when rows have a declared structure. */
  readonly schema: Schema<Out> | undefined
  readonly bounded: boolean
  /** True when the source never ends in stream mode and ends in batch mode, at what is there when it is opened. */
  readonly endsInBatch?: boolean
  /** Opens the source in the process that reads it. `fields` are the only ones needed, when that is known. */
  open(context: SourceContext): Promise<SourceHandle<Out>>
}

export interface SourceContext {
  readonly env: Env
  /** The name the program gave this source. */
  readonly name: string
  readonly fields: readonly string[] | undefined
  /** Batch mode: a source that can only stream for ever refuses to open. */
  readonly mode: 'stream' | 'batch'
}

/** An open source. */
export interface SourceHandle<Out> {
  /** All partitions that exist now, in a stable order. Called again from time to time for unbounded sources. */
  partitions(): Promise<readonly PartitionId[]>
  /** A reader from `position`, or from the start when it is undefined. Throws when the position's data is gone (F14). */
  reader(partition: PartitionId, position: Position | undefined): Promise<PartitionReader<Out>>
  /** Positions up to here are in a committed epoch: the source may release or pin data. */
  committed?(positions: ReadonlyMap<PartitionId, Position>): Promise<void>
  close(): Promise<void>
}

export interface PartitionReader<Out> {
  /**
   * The next rows. Resolves to a batch with rows; to `'idle'` when nothing is there now but more may come (call again
   * later; `wait` says when); to `'end'` when the partition is exhausted for ever.
   */
  read(): Promise<SourceBatch<Out> | 'idle' | 'end'>
  /**
   * The synchronous twin of `read`, tried before it: rows that are in memory already need no promise. `undefined` says
   * that `read` has to be asked. Never called while a `read` or `wait` is in flight.
   */
  poll?(): SourceBatch<Out> | 'idle' | 'end' | undefined
  /** Resolves when `read` is worth calling again, or after `maxMs`. Only after `'idle'`. */
  wait(maxMs: number): Promise<void>
  /** The position after the last row that `read` returned. */
  position(): Position
  /** Unread records or bytes, when the source knows. */
  lag?(): Promise<number | undefined>
  close(): Promise<void>
}

/** Up to a few thousand rows of one partition, in order. Either plain rows or one frame. */
export type SourceBatch<Out> = RowBatch<Out> | FrameBatch

export interface RowBatch<Out> {
  readonly kind: 'rows'
  readonly rows: readonly Out[]
  /** Records that could not become rows, in order; their policy is the runtime's business. */
  readonly rejected: readonly RejectedInput[]
  /** Event times that came with the rows, NaN where there is none; absent when the source knows none. */
  readonly timestamps?: ArrayLike<number>
  /** As of a frame. */
  readonly appendedMs?: number
  /** Human-readable place of row `index`, for errors and dead letters; called rarely. */
  locate(index: number): string
}

export interface FrameBatch {
  readonly kind: 'frame'
  /** May lie in memory that the reader uses again: rows are taken from it before the reader is asked for more. */
  readonly frame: Frame
  /**
   * The wall clock when a store took these rows, if it has kept that: the same for every reader, and never going back
   * within a partition.
   */
  readonly appendedMs?: number
  locate(index: number): string
}

/** A record that the source could not decode. */
export interface RejectedInput {
  /** The record as it was read, possibly cut at a documented limit. */
  readonly raw: string | Uint8Array
  /** File, topic or other container. */
  readonly source: string
  /** Line number, offset or byte position in it, in the container's own unit; lines count from 1. */
  readonly position: number
  readonly error: { readonly code: string; readonly message: string }
  /** Index of the row before which it stood, so that order can be told. */
  readonly beforeRow: number
}

/** How often a row of an epoch can appear in the outside world. */
export type SinkGuarantee = 'transactional' | 'upsert' | 'at-least-once'

/** Describes a sink; made by connector functions such as `stdout()`. */
export interface Sink<In> {
  readonly role: 'sink'
  readonly connector: string
  readonly describe: Readonly<Record<string, string | number | boolean>>
  readonly guarantee: SinkGuarantee
  /**
   * True when `write` only reads declared fields of a row, and none after it has returned, so that it may be given a lazy
   * view of a frame.
   */
  readonly acceptsViews?: boolean
  /** Present when a row belongs to one partition of the sink, however many subtasks write it. */
  readonly partitioning?: SinkPartitioning<In>
  open(context: SinkContext): Promise<SinkWriter<In>>
  /** Present when the sink takes rows of this codec only. */
  readonly value?: Codec<In>
}

/**
 * A sink whose partitions have one writer each. Partition p belongs to subtask p modulo the number of subtasks that write the
 * sink; rows are sent to it before they are written, so that the partition of a row is the same for any number of them.
 */
export interface SinkPartitioning<In> {
  /** How many partitions there are. Asked after the sinks were opened; every subtask must hear the same number. */
  count(context: Pick<SinkContext, 'env'>): Promise<number>
  /** The partition of a row, from 0 to below `count`. */
  of(row: In, count: number): number
}

export interface SinkContext {
  readonly env: Env
  readonly name: string
  readonly job: string
  /** Which parallel instance this is, and of how many. */
  readonly subtask: number
  readonly subtasks: number
  /** Grows with every start of the job; in the names of what this life writes. */
  readonly generation: number
  /** Where the job keeps its state; `undefined` for a job without one. */
  readonly stateDirectory?: string | undefined
  /** True when the state directory is new: a sink with published results of another life refuses (TM1730). */
  readonly fresh: boolean
}

/** An open sink of one subtask. Epochs are prepared in order and committed in order. */
export interface SinkWriter<In> {
  /**
   * Takes one row of the current epoch, synchronously. It must copy what it keeps: `row` may be a view.
   * `timestampMs` is the row's event time, NaN for untimed streams.
   */
  write(row: In, timestampMs: number): void
  /** Takes rows `from`..`to` of a frame; optional fast path, equal to `write` of each. */
  writeFrame?(frame: Frame, from: number, to: number): void
  /**
   * True when buffers are full: the runtime calls `flush`, and stops what feeds the sink until that has resolved. The batch
   * in work may be written nevertheless, a few thousand rows at most.
   */
  readonly full: boolean
  /**
   * Moves buffered rows towards the outside; not a promise of durability for transactional sinks. One flush at a time,
   * and beside everything else: while it is pending `write`, `prepare` and `commit` may be called, and while they are
   * pending it may be called. `close` comes when it has settled.
   */
  flush(): Promise<void>
  /**
   * Ends `epoch` at its call: everything written since the previous prepare becomes durable but not visible, also what a
   * pending `flush` has in its hands; what is written later belongs to the next epoch. Resolves to what
   * `commit`, `abort` and `recover` need, at most 64 KiB; empty when the epoch wrote nothing.
   */
  prepare(epoch: number): Promise<Uint8Array>
  /** Shows the epoch. Idempotent: also after a crash in the middle, also when it is already shown. */
  commit(epoch: number, prepared: Uint8Array): Promise<void>
  /** Called once after open and before the first write, with every prepared epoch of the restored checkpoint. */
  recover(committed: readonly PreparedEpoch[]): Promise<void>
  /** Counts for the ledger since open. */
  counts(): SinkCounts
  close(): Promise<void>
}

export interface PreparedEpoch {
  readonly epoch: number
  readonly prepared: Uint8Array
}

export interface SinkCounts {
  readonly received: number
  readonly skipped: number
  readonly deadLettered: number
}
