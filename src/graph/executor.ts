/**
 * What runs a plan, seen from the program that built it. The package's entry point hands an executor to `pipeline`;
 * the builder never sees more of the runtime than this.
 */
import type { AbortSignalLike } from '../base/env.ts'
import type { Duration } from '../base/time.ts'
import type { Plan } from './plan.ts'

/**
 * How one run differs from the defaults.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface RunOptions {
  /**
   * `batch` reads a bounded input to its end, per key in event-time order, so that nothing is late. Default `stream`.
   */
  readonly mode?: 'stream' | 'batch'
  /** Directory of checkpoints and state, relative to the working directory. Default `.tidemill/<job>`. */
  readonly state?: string
  /** Time between the starts of two checkpoints. Default 1 s. */
  readonly checkpointInterval?: Duration
  /**
   * How long the barriers of a checkpoint wait for the rows in front of them, where a receiver is slow. After that the
   * rows are stored with the checkpoint: it takes more room, and a job that goes on from it lets them arrive first.
   * Savepoints and the checkpoint of an orderly stop always wait. Default 1 s.
   *
   * What an epoch shows then need not hold all effects of a record that has some: others may still be on the way, and
   * come with a later epoch. `never` has each epoch show all effects of its records together, and lets checkpoints take as
   * long as the slowest receiver.
   */
  readonly alignedCheckpointTimeout?: Duration | 'never'
  /**
   * How many subtasks share the work, each with its part of the partitions and of the keys. Default 1. `tidemill run`
   * gives each a thread; a job that runs inside a program has them all in the calling thread: same results, no speed-up.
   * State that was made with another number is redistributed.
   */
  readonly workers?: number
  /** Stops the job when aborted, after a final checkpoint. */
  readonly signal?: AbortSignalLike
}

/**
 * How a job is started in the background.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface StartOptions extends RunOptions {
  /** Begins from this savepoint instead of from the job's own last checkpoint. */
  readonly from?: string
}

/**
 * How a job ended.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface JobResult {
  readonly job: string
  /** `finished`: the whole input was read. `stopped`: asked to stop, a later start goes on from here. */
  readonly status: 'finished' | 'stopped'
  /** The last committed epoch. */
  readonly epoch: number
  readonly records: RecordCounts
  readonly durationMs: number
}

/**
 * What became of the records of a job, over all its lives.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface RecordCounts {
  readonly read: number
  readonly written: number
  readonly late: number
  readonly rejected: number
}

/**
 * A running job. Disposing stops it after a final checkpoint.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Job extends AsyncDisposable {
  readonly name: string
  /** Settles when the job ends: rejects with the coded error of a failed job. */
  readonly finished: Promise<JobResult>
  /**
   * Takes a checkpoint and copies it to `folder`, where no retention touches it; the job goes on. Start from it with
   * `start({ from: folder })` on an empty state directory.
   */
  savepoint(folder: string): Promise<void>
  /** Takes a final checkpoint and ends the job. Calling it again waits for the same end. */
  stop(): Promise<JobResult>
}

/** Runs plans. `runtime/` implements it, `testing/` has one on virtual time. */
export interface JobExecutor {
  run(plan: Plan, options: RunOptions): Promise<JobResult>
  start(plan: Plan, options: StartOptions): Promise<Job>
}
