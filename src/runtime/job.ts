/**
 * One job on one machine, over all its lives.
 *
 *   open state directory ─▶ compare with the program ─▶ start subtasks and checkpoint driver ─▶ outcome
 *          ▲                                                                                 │ failed
 *          └──────────── wait ◀── release, unless trying again is no use ◀────────────────────┘
 *
 * A life that goes on from a snapshot with rows in flight begins where the subtasks of that snapshot stood, as many, reads
 * nothing, and ends with a final checkpoint: then the rows have arrived, and any number of subtasks can go on.
 *
 * Every life claims the next generation and adopts the newest committed epoch, exactly as after a crash of the process:
 * there is one way to recover, and it is always used.
 */
import type { Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import {
  type CheckpointDriver,
  createCheckpointDriver,
  type DriverStatus,
  type JobDescription,
} from '../checkpoint/driver.ts'
import { emptyLedger, type Ledger } from '../checkpoint/ledger.ts'
import { hasRowsInFlight, type Manifest } from '../checkpoint/manifest.ts'
import type { SubtaskMessage, SubtaskReport } from '../checkpoint/messages.ts'
import type { SnapshotId } from '../checkpoint/names.ts'
import { assertRestorable } from '../checkpoint/restore.ts'
import { importSnapshot } from '../checkpoint/snapshot-copy.ts'
import {
  openStateDirectory,
  type StateDirectory,
  wrapStorageError,
} from '../checkpoint/state-directory.ts'
import { connectorErrors } from '../connectors/errors.ts'
import { afterFailure, type FailedLives, isDiskFull } from './after-failure.ts'
import { runtimeErrors } from './errors.ts'
import { mergeProgress, type SliceProgress } from './progress.ts'
import { type Talking, watchSilence } from './silence.ts'

/** What a subtask needs to start. Plain data: it crosses threads by structured clone. */
export interface SubtaskSpec {
  readonly subtask: number
  readonly subtasks: number
  readonly generation: number
  readonly mode: 'stream' | 'batch'
  readonly stateDirectory: string
  /** The epoch to continue from; its absence means that the state is born now. */
  readonly manifest: Manifest | undefined
  /** Rows in flight arrive, and nothing is read. */
  readonly arriving?: boolean
}

export interface SubtaskCallbacks {
  report(report: SubtaskReport): void
  /** The subtask ended by itself and did not finish its work. */
  failed(error: unknown): void
}

export interface SubtaskHandle extends Talking {
  send(message: SubtaskMessage): void
  /** Ends the subtask without a checkpoint; resolves when nothing of it runs any more. */
  stop(): Promise<void>
  /** What it is doing; `undefined` until it has said so. */
  progress(): SliceProgress | undefined
  /** The stage whose steps run at this moment, where another thread can see it. */
  stage?(): number | undefined
  /** The step and the function that run at this moment, read off the stack of a thread that says nothing. */
  where?(): Promise<string | undefined>
}

/** Starts subtasks: in this thread, in worker threads, in a simulation. */
export interface SubtaskHost {
  start(spec: SubtaskSpec, callbacks: SubtaskCallbacks): SubtaskHandle
}

export interface JobOptions {
  readonly env: Env
  readonly job: string
  readonly description: JobDescription
  readonly host: SubtaskHost
  readonly mode: 'stream' | 'batch'
  readonly stateDirectory: string
  readonly intervalMs: number
  /** How long barriers may take to align before rows in front of them are stored; default 1,000. */
  readonly alignedMs?: number | 'never' | undefined
  /** See `DriverOptions`. */
  readonly wholeBelowBytes?: number | undefined
  readonly acceptParameters: boolean
  /** The first life starts from this older snapshot, and newer ones become invalid. */
  readonly restore?: SnapshotId | undefined
  /** Where a state directory without snapshots takes its first one from: a savepoint's folder. */
  readonly from?: string | undefined
  readonly subtasks: number
  /** Failed lives in a row, without committed work between them, after which the job fails; full disks do not count. Default 3. */
  readonly attemptsMax?: number
  readonly onLife?: (life: {
    readonly generation: number
    readonly epoch: number | undefined
    readonly attempt: number
  }) => void
  readonly onCommitted?: (manifest: Manifest) => void
}

export interface JobOutcome {
  /** `already-finished`: a bounded job was complete when it was started again. */
  readonly status: 'finished' | 'stopped' | 'already-finished'
  /** Whether the last epoch holds everything that was read; a stop in the middle of batch mode commits nothing. */
  readonly complete: boolean
  readonly epoch: number
  readonly ledger: Ledger
  readonly durationMs: number
}

export interface SubtaskStatus {
  readonly progress: SliceProgress | undefined
  /** Since it was last heard. */
  readonly silentMs: number
  /** The stage whose steps run at this moment, where another thread can see it. */
  readonly stage: number | undefined
}

export interface RunningJob {
  readonly outcome: Promise<JobOutcome>
  /** Final checkpoint, then the end. */
  stop(): void
  checkpoint(): Promise<Manifest>
  savepoint(folder: string): Promise<Manifest>
  status(): {
    readonly driver: DriverStatus | undefined
    readonly progress: SliceProgress | undefined
    /** Each subtask by itself. */
    readonly subtasks?: readonly SubtaskStatus[]
  }
  /** The step and the function that a silent subtask does not come back from; its thread is interrupted for a moment. */
  where(subtask: number): Promise<string | undefined>
}

export function startJob(options: JobOptions): RunningJob {
  const controller = new JobController(options)
  return {
    outcome: controller.run(),
    stop: () => controller.stop(),
    checkpoint: () => controller.driver().checkpoint(),
    savepoint: (folder) => controller.driver().savepoint(folder),
    status: () => controller.status(),
    where: (subtask) => controller.where(subtask),
  }
}

type LifeEnd =
  /** Nothing is in flight any more. */
  | { readonly kind: 'arrived' }
  | {
      readonly kind: 'done'
      readonly status: JobOutcome['status']
      readonly complete: boolean
      readonly manifest: Manifest | undefined
    }
  | { readonly kind: 'failed'; readonly error: unknown; readonly progressed: boolean }

class JobController {
  readonly #options: JobOptions
  readonly #env: Env
  #driver: CheckpointDriver | undefined
  #handles: readonly SubtaskHandle[] = []
  #stopping = false
  #lastProgress: SliceProgress | undefined
  #interruptWait: (() => void) | undefined
  /** Watches the subtasks of this life from now on. */
  #expectAnswers: (() => void) | undefined
  #restore: SnapshotId | undefined

  constructor(options: JobOptions) {
    this.#options = options
    this.#env = options.env
    this.#restore = options.restore
  }

  driver(): CheckpointDriver {
    if (this.#driver === undefined)
      throw new TidemillError(runtimeErrors.stopped, { message: 'it is not running now' })
    return this.#driver
  }

  stop(): void {
    this.#stopping = true
    this.#driver?.stop()
    this.#expectAnswers?.()
    this.#interruptWait?.()
  }

  status(): ReturnType<RunningJob['status']> {
    return {
      driver: this.#driver?.status(),
      progress:
        mergeProgress(this.#handles.map((handle) => handle.progress())) ?? this.#lastProgress,
      subtasks: this.#handles.map((handle) => ({
        progress: handle.progress(),
        silentMs: handle.silentMs?.() ?? 0,
        stage: handle.stage?.(),
      })),
    }
  }

  async where(subtask: number): Promise<string | undefined> {
    return await this.#handles[subtask]?.where?.()
  }

  async run(): Promise<JobOutcome> {
    const startedMs = this.#env.clock.monoMs()
    let before: FailedLives | undefined
    for (;;) {
      const end = await this.#oneLife((before?.failures ?? 0) + 1)
      if (end.kind === 'done') return this.#outcome(end, startedMs)
      before = end.kind === 'arrived' ? undefined : await this.#afterFailure(end, before)
    }
  }

  async #oneLife(attempt: number): Promise<LifeEnd> {
    let directory: StateDirectory
    try {
      directory = await this.#open()
    } catch (error) {
      // Nothing ran, so nothing can be repeated: only room on the disk is worth waiting for.
      if (!isDiskFull(error)) throw error
      return { kind: 'failed', error, progressed: false }
    }
    const { adopted, generation } = directory
    try {
      if (adopted?.finished === true) return await this.#showResults(directory, adopted)
      this.#options.onLife?.({ generation, epoch: adopted?.epoch, attempt })
      const arriving = adopted !== undefined && hasRowsInFlight(adopted)
      const end = await this.#live(directory, arriving)
      if (arriving && end.kind === 'done' && !this.#stopping) return { kind: 'arrived' }
      return end.kind === 'done' ? { ...end, manifest: end.manifest ?? adopted } : end
    } finally {
      await directory.release()
    }
  }

  /** Waits as long as it makes sense before the next life, or throws why there is none. */
  async #afterFailure(
    { error, progressed }: LifeEnd & { readonly kind: 'failed' },
    before: FailedLives | undefined,
  ): Promise<FailedLives> {
    const attemptsMax = this.#options.attemptsMax ?? 3
    const full = isDiskFull(error)
    const failuresBefore = progressed ? 0 : (before?.failures ?? 0)
    const life: FailedLives = {
      failures: full ? failuresBefore : failuresBefore + 1,
      fullDisks: full ? (progressed ? 0 : (before?.fullDisks ?? 0)) + 1 : 0,
      error,
    }
    const next = afterFailure(life, before, attemptsMax)
    if (next.kind === 'give-up' || this.#stopping) throw firstCause(error, before)
    const { waitMs } = next
    const message = next.noRoom
      ? `the disk is full: the job waits for space and looks again in ${waitMs} ms`
      : `the job failed and starts again in ${waitMs} ms from its last epoch`
    const counted = next.noRoom ? {} : { attempt: life.failures, attemptsMax }
    this.#env.host.log('warn', message, { ...factsOf(error), ...counted })
    await this.#wait(waitMs)
    return life
  }

  async #open(): Promise<StateDirectory> {
    const { env, job, stateDirectory, description, acceptParameters, from } = this.#options
    if (from !== undefined) await importSnapshot({ env, from, directory: stateDirectory })
    const restore = this.#restore
    const directory = await openStateDirectory({
      env,
      directory: stateDirectory,
      job,
      ...(restore === undefined ? {} : { restore }),
    })
    this.#restore = undefined
    const { adopted } = directory
    try {
      if (adopted !== undefined) {
        assertRestorable(adopted, { ...description, acceptParameters })
      }
      return directory
    } catch (error) {
      await directory.release()
      throw error
    }
  }

  /** The last epoch of a finished job may have been published by a life that ended before its sinks showed it. */
  async #showResults(directory: StateDirectory, manifest: Manifest): Promise<LifeEnd> {
    const { host, mode, subtasks, stateDirectory } = this.#options
    const { generation } = directory
    const handles: SubtaskHandle[] = []
    try {
      await Promise.all(
        Array.from(
          { length: subtasks },
          (_, subtask) =>
            new Promise<void>((resolve, reject) => {
              const spec = { subtask, subtasks, generation, mode, stateDirectory, manifest }
              const report = ({ kind }: SubtaskReport): void => {
                if (kind === 'committed') resolve()
              }
              handles.push(host.start(spec, { report, failed: reject }))
            }),
        ),
      )
      return { kind: 'done', status: 'already-finished', complete: true, manifest }
    } catch (error) {
      return {
        kind: 'failed',
        error: wrapStorageError(error, 'running a subtask'),
        progressed: false,
      }
    } finally {
      await Promise.all(handles.map((handle) => handle.stop()))
    }
  }

  /** From adopted epoch to outcome; nothing of the life runs when this resolves. */
  async #live(directory: StateDirectory, arriving: boolean): Promise<LifeEnd> {
    const { env, host, intervalMs, alignedMs, wholeBelowBytes, description, stateDirectory } =
      this.#options
    const mode = arriving ? 'stream' : this.#options.mode
    const subtasks = (arriving && directory.adopted?.parallelism) || this.#options.subtasks
    const workBefore = workIn(directory.adopted)
    let progressed = false
    let failed: (error: unknown) => void = () => {}
    const failure = new Promise<LifeEnd>((resolve) => {
      failed = (error) =>
        resolve({ kind: 'failed', error: wrapStorageError(error, 'running a subtask'), progressed })
    })
    const early: SubtaskReport[] = []
    let receive = (report: SubtaskReport): void => void early.push(report)
    const handles = Array.from({ length: subtasks }, (_, subtask) =>
      host.start(
        {
          subtask,
          subtasks,
          generation: directory.generation,
          mode,
          stateDirectory,
          manifest: directory.adopted,
          arriving,
        },
        { report: (report) => receive(report), failed },
      ),
    )
    this.#handles = handles
    const driver = createCheckpointDriver({
      env,
      directory,
      subtasks: handles,
      job: description,
      intervalMs: mode === 'batch' ? Number.POSITIVE_INFINITY : intervalMs,
      ...(alignedMs === undefined
        ? {}
        : { alignedMs: alignedMs === 'never' ? Number.POSITIVE_INFINITY : alignedMs }),
      ...(wholeBelowBytes === undefined ? {} : { wholeBelowBytes }),
      onCommitted: (manifest) => {
        // An epoch in which nothing happened is no progress: a job that always fails at the same row may commit many.
        progressed ||= manifest.finished || workIn(manifest) > workBefore
        this.#options.onCommitted?.(manifest)
      },
      onAttemptFailed: ({ epoch, failures, error }) =>
        env.host.log('warn', `checkpoint ${epoch} failed, the job goes on: ${error.message}`, {
          code: error.code,
          failures,
        }),
    })
    this.#driver = driver
    receive = (report) => driver.receive(report)
    for (const report of early) driver.receive(report)
    let unwatch: (() => void) | undefined
    this.#expectAnswers = () => {
      unwatch ??= watchSilence(env.clock, handles, env.clock.monoMs(), failed)
    }
    if (this.#stopping) this.#expectAnswers()
    if (this.#stopping || arriving) driver.stop()
    const driven = driver.outcome.then((outcome): LifeEnd => {
      if (outcome.kind === 'failed') return { kind: 'failed', error: outcome.error, progressed }
      if (outcome.kind === 'closed') {
        return { kind: 'failed', error: new TidemillError(runtimeErrors.stopped), progressed }
      }
      const complete = outcome.kind === 'finished' || outcome.final
      return { kind: 'done', status: outcome.kind, complete, manifest: outcome.manifest }
    })
    const end = await Promise.race([driven, failure])
    this.#lastProgress = mergeProgress(handles.map((handle) => handle.progress()))
    this.#driver = undefined
    this.#expectAnswers = undefined
    unwatch?.()
    driver.close()
    await Promise.all(handles.map((handle) => handle.stop()))
    this.#handles = []
    return end
  }

  #outcome(
    { status, complete, manifest }: LifeEnd & { readonly kind: 'done' },
    startedMs: number,
  ): JobOutcome {
    return {
      status,
      complete,
      epoch: manifest?.epoch ?? 0,
      ledger: manifest?.ledger.total ?? emptyLedger,
      durationMs: this.#env.clock.monoMs() - startedMs,
    }
  }

  async #wait(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#env.clock.timer(ms, resolve)
      this.#interruptWait = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#interruptWait = undefined
  }
}

/** A life that could not begin for want of its input hides why there was to be one. */
function firstCause(error: unknown, before: FailedLives | undefined): unknown {
  const isHiding = isTidemillError(error) && error.code === connectorErrors.standardInputTaken.code
  return isHiding && before !== undefined ? before.error : error
}

/** Rows that came in or went out in all epochs up to this one. */
function workIn(manifest: Manifest | undefined): number {
  const { sources, sinks } = manifest?.ledger.total ?? emptyLedger
  return (
    sources.reduce((sum, { read }) => sum + read, 0) +
    sinks.reduce((sum, { received }) => sum + received, 0)
  )
}

function factsOf(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: String(error) }
  if (!isTidemillError(error)) return { error: error.message }
  return { error: error.message, code: error.code, ...error.details }
}
