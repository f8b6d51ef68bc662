/** What the main thread and a worker thread say to each other. Everything is plain data. */
import type { JobDescription } from '../checkpoint/driver.ts'
import type { SubtaskMessage, SubtaskReport } from '../checkpoint/messages.ts'
import type { ErrorDetails, ErrorKind } from '../base/errors.ts'
import type { MeshMemory } from '../exchange/mesh.ts'
import type { RunOptions } from '../graph/executor.ts'
import type { SubtaskSpec } from '../runtime/job.ts'
import type { SliceProgress } from '../runtime/progress.ts'

/** What a worker is started with. */
export interface WorkerInput {
  readonly params: readonly (readonly [string, string])[]
  /** The plan is wanted as text. */
  readonly explain?: boolean
}

/** The job as the module built it. */
export interface LoadedJob {
  readonly job: string
  readonly description: JobDescription
  /** What the module itself passed to `run`. */
  readonly options: Pick<
    RunOptions,
    'mode' | 'state' | 'checkpointInterval' | 'alignedCheckpointTimeout' | 'workers'
  >
  /** Exchanges of the plan when several subtasks run it. */
  readonly exchanges: number
  /** Groups of sources that are kept together in event time. */
  readonly groups: number
  /** The plan for a person, when it was asked for: functions, and so what they read, do not cross threads. */
  readonly explanation?: string
}

export type ToWorker =
  /** Comes first. The thread starts without it, while the job is still being bundled. */
  | { readonly kind: 'load'; readonly jobUrl: string }
  | StartMessage
  | { readonly kind: 'message'; readonly message: SubtaskMessage }
  | { readonly kind: 'stop' }

export interface StartMessage {
  readonly kind: 'start'
  readonly spec: SubtaskSpec
  /** Shared memory between the subtasks of this life, when there are several. */
  readonly mesh: MeshMemory | undefined
  /** One Int32: the stage that runs. */
  readonly cell: SharedArrayBuffer
  /** An earlier life of the job ran in this process: what can be read once per process may be gone. */
  readonly again: boolean
}

export type FromWorker =
  | { readonly kind: 'loaded'; readonly job: LoadedJob }
  | { readonly kind: 'report'; readonly report: SubtaskReport }
  | { readonly kind: 'progress'; readonly progress: SliceProgress }
  | { readonly kind: 'failed'; readonly error: SentError }
  /** Nothing of the subtask runs any more. */
  | { readonly kind: 'stopped' }

/** An error that crossed threads: structured clone would lose its class and code. */
export interface SentError {
  readonly message: string
  readonly stack: string | undefined
  readonly coded:
    | {
        readonly code: `TM${number}`
        readonly kind: ErrorKind
        readonly remedy: string
        readonly details: ErrorDetails
      }
    | undefined
  /** An error of the disk: whether it is full decides what follows. */
  readonly disk: { readonly errno: string; readonly path: string } | undefined
  readonly cause: SentError | undefined
}
