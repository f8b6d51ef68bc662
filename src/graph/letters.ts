/** Records that a step sets aside, with what a person needs to judge them. They travel as ordinary rows. */
import type { Duration, Timestamp } from '../base/time.ts'

/**
 * What every set-aside record says. A sink of letters, such as `deadLetters()`, takes late and rejected records alike.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Letter {
  /** The name of the step or source that set the record aside. */
  readonly operator: string
}

/**
 * A record that came after the last window it belongs to had closed.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Late<Row> extends Letter {
  readonly record: Row
  /** Event time of the record. */
  readonly timestamp: Timestamp
  /** How far the step's watermark had passed the last instant of the last window the record belongs to, in milliseconds. */
  readonly lateBy: Duration
}

/**
 * A record that a step could not handle.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Rejected<Row> extends Letter {
  /** What the step was given: a row, or for a source the text or bytes that did not decode. */
  readonly input: Row
  /**
   * Where the record came from as its source tells it, e.g. `orders.csv:17`. Empty when it is not known: behind steps that keep
   * state, whose rows have no one origin, and with several workers behind a `keyBy`, where rows come from another thread.
   */
  readonly position: string
  /** 1 for the first try; a record replayed from dead letters has been tried before. */
  readonly attempt: number
  readonly error: RejectionCause
}

/**
 * Why a record was rejected.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface RejectionCause {
  /** A code of this project; `TM1901` for an error that a user function threw. */
  readonly code: string
  readonly message: string
}
