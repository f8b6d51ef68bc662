/**
 * What the runtime and a stateful step promise each other. A step never blocks: it takes one row or one piece of time
 * at a time and passes results on by calling its outputs, which are functions of the generated chain.
 *
 * Order of calls: `connect` for each used output, `restore` blocks, `finishRestore`, then records, `advance`,
 * `advanceProcessing`, `flushEpoch` + `freeze` at every barrier, and at the end of bounded input one `advance` to the
 * end of time and `finish`.
 */
import type { StateHolder } from '../state/contract.ts'

/** Takes one result row; `timestampMs` is its event time, NaN where the stream has none. */
export type Emit = (row: unknown, timestampMs: number) => void

/** Event time as a step sees it: the minimum over its inputs, as of the rows before the current one. */
export interface EventClock {
  watermark(): number
  /** Asks for `advance` as soon as the watermark reaches `dueMs`. */
  schedule(dueMs: number): void
}

/** Processing time, never going backwards within a life. */
export interface ProcessingClock {
  nowMs(): number
  /** Asks for `advanceProcessing` at `dueMs`. */
  schedule(dueMs: number): void
}

export interface Operator extends StateHolder {
  readonly name: string
  /** Where rows of this output go; an output that is never connected has no consumer. */
  connect(output: string, emit: Emit): void
  finishRestore(): void
  /** Earliest event time at which something fires; +Infinity when nothing waits. */
  nextDue(): number
  /** Fires timers and windows up to and including what `watermarkMs` allows, in order of time. */
  advance(watermarkMs: number): void
  nextProcessingDue(): number
  advanceProcessing(nowMs: number): void
  /** Emits what is held back until the end of an epoch; called right before `freeze`. */
  flushEpoch(): void
  /** The bounded input has ended and the final watermark was given. */
  finish(): void
  counts(): OperatorCounts
}

/** Cumulative since the state was born; part of the snapshot, so that the ledger balances across restarts. */
export interface OperatorCounts {
  readonly received: number
  readonly accepted: number
  readonly late: number
  readonly skipped: number
  readonly deadLettered: number
  /** Entries held, for steps that buffer; `before + added = released + expired + after` holds over them. */
  readonly buffered: number
  readonly keys: number
}
