/**
 * What the checkpoint driver and the subtasks say to each other: plain data, safe for structured clone, the same
 * inline and between threads.
 *
 * A subtask that gets `checkpoint` sends the barrier through its slice, freezes its state there, writes it to its data
 * object, prepares its sinks and answers `prepared`. Prepared output stays with the subtask, and in every later
 * answer, until `commit` of that epoch or a later one: when an attempt fails, its output belongs to the next.
 */
import type { Ledger } from './ledger.ts'
import type { SnapshotKind, StoredChannel, SubtaskSnapshot } from './manifest.ts'

export type SubtaskMessage =
  | {
      readonly kind: 'checkpoint'
      readonly generation: number
      readonly epoch: number
      /** `final`: sources read nothing after this barrier. */
      readonly snapshot: SnapshotKind
      /** All subtasks have used up their input. */
      readonly finished: boolean
      /** Stages that the barrier has not passed after so long are cut where they are; infinite for never. */
      readonly alignedMs: number
      /** A step with less state than this writes all of it each time. */
      readonly wholeBelowBytes: number
    }
  /** Everything prepared up to this epoch is to be shown. Answered by `committed`. */
  | { readonly kind: 'commit'; readonly epoch: number }
  /** The attempt is over: stop writing, drop the frozen picture. Not answered. */
  | { readonly kind: 'abort'; readonly epoch: number }

/** A subtask as the driver sees it. Messages arrive in order; `send` may answer before it returns. */
export interface SubtaskPort {
  send(message: SubtaskMessage): void
}

export interface SubtaskAck extends SubtaskSnapshot {
  readonly epoch: number
  /** Some stage was cut before all barriers had come to it. */
  readonly captured: boolean
  /** Where each channel stood, if stages may be cut in this way. */
  readonly channels: readonly StoredChannel[]
  /** Since this life of the job began; buffers open with what was restored. */
  readonly ledger: Ledger
}

export type SubtaskReport =
  | { readonly kind: 'prepared'; readonly ack: SubtaskAck }
  | {
      readonly kind: 'prepare-failed'
      readonly subtask: number
      readonly epoch: number
      readonly error: ReportedError
    }
  | { readonly kind: 'committed'; readonly subtask: number; readonly epoch: number }
  | {
      readonly kind: 'commit-failed'
      readonly subtask: number
      readonly epoch: number
      readonly error: ReportedError
    }
  /** The input of this subtask is used up; it still takes part in checkpoints. */
  | { readonly kind: 'finished'; readonly subtask: number }

/** An error as plain data. */
export interface ReportedError {
  readonly message: string
  readonly code?: string
}
