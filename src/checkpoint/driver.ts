/**
 * Runs the coordinator's state machine against a state directory, a clock and the subtasks of one job.
 *
 * The order of a commit: (1) every subtask has made its state and its sink output durable and said so; (2) the ledger
 * balances; (3) the manifest is published - this is the commit; (4) no newer owner is there; (5) subtasks commit their
 * sinks; (6) the new snapshot is read back; (7) older ones retire. A failure up to (3) fails the attempt and the job
 * goes on; one after (3) fails the job, whose next life finds the manifest and commits again.
 */
import { DiskError, type Env, type TimerHandle } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import {
  type CoordinatorCommand,
  type CoordinatorEvent,
  type CoordinatorOptions,
  type CoordinatorState,
  type FailureReason,
  type Phase,
  startCoordinator,
  stepCoordinator,
} from './coordinator.ts'
import { directoryStorage } from './directory-storage.ts'
import { checkpointErrors } from './errors.ts'
import {
  checkContinuation,
  checkLedger,
  continueLedger,
  emptyLedger,
  epochLedger,
  formatLedgerProblem,
  type Ledger,
  mergeLedgers,
} from './ledger.ts'
import type {
  Manifest,
  SnapshotKind,
  StoredPlan,
  StoredSchema,
  SubtaskSnapshot,
} from './manifest.ts'
import type { SubtaskAck, SubtaskPort, SubtaskReport } from './messages.ts'
import type { SnapshotId } from './names.ts'
import { copySnapshot } from './snapshot-copy.ts'
import { type StateDirectory, withAlternatives, wrapStorageError } from './state-directory.ts'

/** What manifests say about the job itself. */
export interface JobDescription {
  readonly plan: StoredPlan
  /** The plan's fingerprint before the renames that the program declares. */
  readonly formerFingerprint?: string
  readonly parameters: Readonly<Record<string, string>>
  readonly maxParallelism: number
  readonly schemas: readonly StoredSchema[]
  readonly versions: Readonly<Record<string, string>>
}

export interface DriverOptions {
  readonly env: Env
  readonly directory: StateDirectory
  /** Subtask i is at index i. */
  readonly subtasks: readonly SubtaskPort[]
  readonly job: JobDescription
  /** Default 1,000. `Infinity`: only on request and at the end. */
  readonly intervalMs?: number
  /**
   * How long barriers of checkpoints may take to align before what is in front of them is stored; savepoints and final
   * checkpoints always align. Default 1,000; `Infinity`: always.
   */
  readonly alignedMs?: number
  /** A step with less state than this writes all of it in every checkpoint, others what has changed. Default 64 KiB. */
  readonly wholeBelowBytes?: number
  /** Default 0: the interval alone says how often. */
  readonly minPauseMs?: number
  /** Default 600,000. */
  readonly timeoutMs?: number
  /** Failed attempts in a row after which the job fails; default 0, never. */
  readonly failuresMax?: number
  /** Snapshots to keep; default and least 2, so that one rotten file is not the end. */
  readonly keep?: number
  /**
   * Objects up to this size are read back completely before an older snapshot goes; of larger ones header, index and
   * trailer. Default 32 MiB, about 30 ms.
   */
  readonly readBackBytesMax?: number
  /** Every sink has shown the epoch. */
  readonly onCommitted?: (manifest: Manifest) => void
  readonly onAttemptFailed?: (failure: AttemptFailure) => void
}

export interface AttemptFailure {
  readonly epoch: number
  /** Including this one, since the last success. */
  readonly failures: number
  readonly error: TidemillError
}

export type DriverOutcome =
  /** The bounded input is used up and committed. */
  | { readonly kind: 'finished'; readonly manifest: Manifest }
  /** Stopped on request; `final`: the last epoch holds everything that was read. */
  | { readonly kind: 'stopped'; readonly final: boolean; readonly manifest: Manifest | undefined }
  /** Restart from the last committed epoch, or give up, as the error's kind says. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** `close` was called first. */
  | { readonly kind: 'closed' }

export interface DriverStatus {
  readonly phase: Phase
  /** Of the attempt that runs. */
  readonly epoch: number | undefined
  /** Subtasks that the attempt waits for. */
  readonly waitingFor: readonly number[]
  readonly committed: SnapshotId | undefined
  /** Monotonic time of the last commit in this life. */
  readonly committedAtMs: number | undefined
  /** From trigger to published manifest, of the last commit. */
  readonly durationMs: number | undefined
  readonly failures: number
}

export interface CheckpointDriver {
  /** Takes what a subtask says. */
  receive(report: SubtaskReport): void
  /** A checkpoint as soon as possible; resolves when it is committed. */
  checkpoint(): Promise<Manifest>
  /** A checkpoint, copied to `folder`, which no retention touches. */
  savepoint(folder: string): Promise<Manifest>
  /** Final checkpoint, then the end. */
  stop(): void
  /** Ends without a checkpoint: nothing is sent or published any more. An open publication finishes unseen. */
  close(): void
  readonly outcome: Promise<DriverOutcome>
  status(): DriverStatus
}

export function createCheckpointDriver(options: DriverOptions): CheckpointDriver {
  const driver = new Driver(options)
  driver.start()
  return driver
}

interface PendingRequest {
  readonly folder: string | undefined
  readonly resolve: (manifest: Manifest) => void
  readonly reject: (error: unknown) => void
}

class Driver implements CheckpointDriver {
  readonly outcome: Promise<DriverOutcome>
  readonly #options: DriverOptions
  readonly #env: Env
  readonly #directory: StateDirectory
  readonly #keep: number
  readonly #readBackBytesMax: number
  readonly #alignedMs: number
  readonly #wholeBelowBytes: number
  readonly #baseLedger: Ledger
  readonly #coordinator: CoordinatorOptions
  #state: CoordinatorState
  #settle: (outcome: DriverOutcome) => void = () => {}
  #over = false
  /** Events that came while one is applied: a port may answer inside `send`. */
  readonly #queue: CoordinatorEvent[] = []
  #applying = false
  #due: TimerHandle | undefined
  #timeout: TimerHandle | undefined
  #acks = new Map<number, SubtaskAck>()
  readonly #requests = new Map<number, PendingRequest>()
  #nextRequest = 1
  #triggeredAtMs = 0
  #durationMs: number | undefined
  #committedAtMs: number | undefined
  #published: Manifest | undefined
  #ledger: Ledger
  /** The error object behind the last reason, which is only its text. */
  #cause: unknown

  constructor(options: DriverOptions) {
    this.#options = options
    this.#env = options.env
    this.#directory = options.directory
    this.#keep = atLeast('keep', options.keep ?? 2, 2)
    this.#readBackBytesMax = options.readBackBytesMax ?? 32 << 20
    this.#alignedMs = atLeast('alignedMs', options.alignedMs ?? 1_000, 0)
    this.#wholeBelowBytes = options.wholeBelowBytes ?? 64 << 10
    this.#coordinator = {
      subtasks: atLeast('subtasks', options.subtasks.length, 1),
      intervalMs: atLeast('intervalMs', options.intervalMs ?? 1_000, 1),
      minPauseMs: atLeast('minPauseMs', options.minPauseMs ?? 0, 0),
      timeoutMs: atLeast('timeoutMs', options.timeoutMs ?? 600_000, 1),
      failuresMax: atLeast('failuresMax', options.failuresMax ?? 0, 0),
    }
    this.#published = options.directory.adopted
    this.#baseLedger = this.#ledger = options.directory.adopted?.ledger.total ?? emptyLedger
    this.#state = startCoordinator(this.#coordinator, options.directory.nextEpoch, 0).state
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  start(): void {
    const now = this.#env.clock.monoMs()
    const step = startCoordinator(this.#coordinator, this.#directory.nextEpoch, now)
    this.#state = step.state
    for (const command of step.commands) this.#run(command)
  }

  receive(report: SubtaskReport): void {
    switch (report.kind) {
      case 'prepared':
        this.#prepared(report.ack)
        return
      case 'prepare-failed':
      case 'commit-failed': {
        const { kind, subtask, epoch, error } = report
        const reason = { ...error, message: `subtask ${subtask}: ${error.message}` }
        this.#apply({ kind, subtask, epoch, reason })
        return
      }
      case 'committed':
      case 'finished':
        this.#apply(report)
        return
    }
  }

  checkpoint(): Promise<Manifest> {
    return this.#request('checkpoint', undefined)
  }

  savepoint(folder: string): Promise<Manifest> {
    return this.#request('savepoint', folder)
  }

  stop(): void {
    this.#apply({ kind: 'stop' })
  }

  close(): void {
    this.#finish({ kind: 'closed' })
  }

  status(): DriverStatus {
    const { phase, attempt, failures } = this.#state
    return {
      phase,
      epoch: attempt?.epoch,
      waitingFor: attempt?.missing ?? [],
      committed: this.#published && idOf(this.#published),
      committedAtMs: this.#committedAtMs,
      durationMs: this.#durationMs,
      failures,
    }
  }

  #request(kind: 'checkpoint' | 'savepoint', folder: string | undefined): Promise<Manifest> {
    return new Promise((resolve, reject) => {
      if (this.#over) {
        reject(attemptError({ message: 'the job has ended' }, undefined))
        return
      }
      const id = this.#nextRequest++
      this.#requests.set(id, { folder, resolve, reject })
      this.#apply({ kind: 'request', request: { id, kind } })
    })
  }

  #prepared(ack: SubtaskAck): void {
    const { attempt, phase } = this.#state
    const current =
      phase === 'collecting' &&
      attempt?.epoch === ack.epoch &&
      attempt.missing.includes(ack.subtask)
    if (current) {
      if (this.#acks.size === 0) this.#env.host.crashPoint('coord.ack.first')
      this.#acks.set(ack.subtask, ack)
      if (this.#acks.size === this.#options.subtasks.length)
        this.#env.host.crashPoint('coord.ack.last')
    }
    this.#apply({ kind: 'prepared', epoch: ack.epoch, subtask: ack.subtask })
  }

  #apply(event: CoordinatorEvent): void {
    this.#queue.push(event)
    if (this.#applying) return
    this.#applying = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (this.#over) continue
        const step = stepCoordinator(this.#state, next, this.#env.clock.monoMs())
        this.#state = step.state
        for (const command of step.commands) this.#run(command)
      }
    } catch (error) {
      // Often a promise or a timer of a subtask is below this call, and what it threw would concern nobody.
      this.#finish({ kind: 'failed', error })
    } finally {
      this.#applying = false
    }
  }

  #run(command: CoordinatorCommand): void {
    switch (command.kind) {
      case 'schedule':
        this.#due?.cancel()
        this.#due = this.#timer(command.atMs, { kind: 'due' })
        return
      case 'arm-timeout':
        this.#timeout?.cancel()
        this.#timeout = this.#timer(command.atMs, { kind: 'timed-out', epoch: command.epoch })
        return
      case 'trigger':
        this.#trigger(command.epoch, command.snapshot, command.finished)
        return
      case 'publish':
        this.#inBackground(this.#publish(command.epoch, command.snapshot, command.finished))
        return
      case 'commit':
        this.#env.host.crashPoint('coord.notify.before')
        for (const port of this.#options.subtasks)
          port.send({ kind: 'commit', epoch: command.epoch })
        this.#env.host.crashPoint('coord.notify.after')
        return
      case 'retire':
        this.#timeout?.cancel()
        this.#inBackground(this.#retire(command.requests))
        return
      case 'abort':
        this.#abort(command.epoch, command.failures, command.reason)
        return
      case 'answer':
        for (const id of command.requests)
          this.#answer(id, (request) => request.resolve(this.#last()))
        return
      case 'refuse':
        for (const id of command.requests)
          this.#answer(id, (request) => request.reject(this.#error(command.reason)))
        return
      case 'end':
        this.#finish(
          command.finished
            ? { kind: 'finished', manifest: this.#last() }
            : { kind: 'stopped', final: command.final, manifest: this.#published },
        )
        return
      case 'fail':
        this.#finish({ kind: 'failed', error: this.#failure(command.reason, command.tooMany) })
        return
    }
  }

  #trigger(epoch: number, snapshot: SnapshotKind, finished: boolean): void {
    this.#due?.cancel()
    this.#acks = new Map()
    this.#triggeredAtMs = this.#env.clock.monoMs()
    this.#env.host.crashPoint('coord.trigger')
    const { generation } = this.#directory
    const alignedMs = snapshot === 'checkpoint' ? this.#alignedMs : Number.POSITIVE_INFINITY
    const wholeBelowBytes = this.#wholeBelowBytes
    const request = { generation, epoch, snapshot, finished, alignedMs, wholeBelowBytes }
    for (const port of this.#options.subtasks) port.send({ kind: 'checkpoint', ...request })
  }

  async #publish(epoch: number, snapshot: SnapshotKind, finished: boolean): Promise<void> {
    this.#timeout?.cancel()
    const manifest = this.#manifest(epoch, snapshot, finished)
    try {
      await this.#directory.publish(manifest)
    } catch (error) {
      // Nothing is visible after a plain disk error: the attempt fails and the job goes on.
      if (!(error instanceof DiskError)) throw error
      this.#cause = error
      this.#apply({ kind: 'publish-failed', reason: reasonOf(error) })
      return
    }
    this.#published = manifest
    this.#ledger = manifest.ledger.total
    this.#committedAtMs = this.#env.clock.monoMs()
    this.#durationMs = this.#committedAtMs - this.#triggeredAtMs
    this.#apply({ kind: 'published' })
  }

  #manifest(epoch: number, kind: SnapshotKind, finished: boolean): Manifest {
    const acks = [...this.#acks.values()].sort((a, b) => a.subtask - b.subtask)
    const { job } = this.#options
    const captured = acks.some((ack) => ack.captured)
    return {
      job: this.#directory.job,
      generation: this.#directory.generation,
      epoch,
      kind,
      finished,
      plan: job.plan,
      parameters: job.parameters,
      maxParallelism: job.maxParallelism,
      parallelism: acks.length,
      subtasks: acks.map((ack) => snapshotOf(ack, captured)),
      schemas: job.schemas,
      ledger: this.#balance(epoch, acks),
      createdMs: this.#env.clock.wallMs(),
      bootId: this.#env.host.bootId,
      versions: job.versions,
    }
  }

  /** The ledgers of this epoch, which balance, or TM1508. */
  #balance(epoch: number, acks: readonly SubtaskAck[]): Manifest['ledger'] {
    const life = mergeLedgers(acks.map((ack) => ack.ledger))
    const total = continueLedger(this.#baseLedger, life)
    const delta = epochLedger(this.#ledger, total)
    const problems = [
      ...checkContinuation(this.#baseLedger, life),
      ...checkLedger(life),
      ...checkLedger(total),
      ...checkLedger(delta),
    ]
    if (problems.length === 0) return { total, epoch: delta }
    const lines = [...new Set(problems.map(formatLedgerProblem))]
    throw new TidemillError(checkpointErrors.ledgerImbalance, {
      message: lines.slice(0, 10).join('; '),
      details: { epoch, problems: lines.length },
    })
  }

  /** Exports, reads the new snapshot back, then lets older ones go. */
  async #retire(requests: readonly number[]): Promise<void> {
    const manifest = this.#last()
    this.#options.onCommitted?.(manifest)
    for (const id of requests) await this.#export(id, manifest)
    const older = this.#directory.retained.slice(0, -1)
    try {
      if (this.#directory.retained.length > this.#keep) {
        await this.#directory.verify(idOf(manifest), this.#readBackBytesMax)
        this.#env.host.crashPoint('coord.readback')
        await this.#directory.retire(this.#keep)
        this.#env.host.crashPoint('coord.retire')
      }
    } catch (error) {
      if (!(error instanceof DiskError))
        throw await withAlternatives(this.#directory.storage, older, error)
      // The epoch is committed; old files that could not be removed go with the next one.
      this.#env.host.log('warn', `older checkpoints could not be removed: ${error.message}`)
    }
    this.#apply({ kind: 'retired' })
  }

  /** A savepoint that cannot be copied concerns who asked for it, not the job. */
  async #export(id: number, manifest: Manifest): Promise<void> {
    const folder = this.#requests.get(id)?.folder
    if (folder === undefined) return
    try {
      await copySnapshot(
        this.#directory.storage,
        manifest,
        await directoryStorage(this.#env, folder),
      )
    } catch (error) {
      const wrapped = wrapStorageError(error, `writing a savepoint to ${folder}`)
      if (!isTidemillError(wrapped)) throw error
      this.#answer(id, (request) => request.reject(wrapped))
    }
  }

  #abort(epoch: number, failures: number, reason: FailureReason): void {
    this.#timeout?.cancel()
    for (const port of this.#options.subtasks) port.send({ kind: 'abort', epoch })
    const error = this.#error(reason).with({ epoch, failures })
    this.#env.host.log('warn', error.message, { code: error.code, epoch, failures })
    this.#options.onAttemptFailed?.({ epoch, failures, error })
    this.#inBackground(this.#directory.discard(epoch))
  }

  #answer(id: number, answer: (request: PendingRequest) => void): void {
    const request = this.#requests.get(id)
    this.#requests.delete(id)
    if (request !== undefined) answer(request)
  }

  #last(): Manifest {
    const manifest = this.#published
    if (manifest === undefined) throw new Error('no manifest was published')
    return manifest
  }

  #timer(atMs: number, event: CoordinatorEvent): TimerHandle {
    // Whole milliseconds, upwards: a rest too small to move the clock would come back as a timer for ever.
    const delayMs = Math.max(0, Math.ceil(atMs - this.#env.clock.monoMs()))
    return this.#env.clock.timer(delayMs, () => this.#apply(event))
  }

  /** Owns the promise of background work: what it throws fails the job. */
  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      const wrapped = wrapStorageError(error, 'publishing a checkpoint')
      this.#cause = wrapped
      this.#apply({ kind: 'broken', reason: reasonOf(wrapped) })
    })
  }

  #error(reason: FailureReason): TidemillError {
    const cause = this.#takeCause(reason)
    return isTidemillError(cause) ? cause : attemptError(reason, cause)
  }

  #failure(reason: FailureReason, tooMany: boolean): unknown {
    const cause = this.#takeCause(reason)
    if (tooMany) {
      return new TidemillError(checkpointErrors.tooManyFailures, {
        message: `${this.#state.failures}, the last one because ${reason.message}`,
        details: { failures: this.#state.failures },
        ...(cause === undefined ? {} : { cause }),
      })
    }
    if (cause !== undefined) return cause
    return new TidemillError(checkpointErrors.commitFailed, {
      message: reason.message,
      ...(reason.code === undefined ? {} : { details: { code: reason.code } }),
    })
  }

  /** The error object behind a reason, if this reason was made from it. */
  #takeCause(reason: FailureReason): unknown {
    const cause = this.#cause
    return cause !== undefined && reasonOf(cause).message === reason.message ? cause : undefined
  }

  #finish(outcome: DriverOutcome): void {
    if (this.#over) return
    this.#over = true
    this.#due?.cancel()
    this.#timeout?.cancel()
    const reason = attemptError({ message: 'the job has ended' }, undefined)
    for (const id of [...this.#requests.keys()])
      this.#answer(id, (request) => request.reject(reason))
    this.#settle(outcome)
  }
}

function snapshotOf(ack: SubtaskAck, captured: boolean): SubtaskSnapshot {
  const { subtask, object, bases = [], positions, watermarks, sinks, random, channels } = ack
  const state = bases.length === 0 ? { object } : { object, bases }
  const snapshot = { subtask, ...state, positions, watermarks, sinks, random }
  return captured ? { ...snapshot, channels } : snapshot
}

function attemptError(reason: FailureReason, cause: unknown): TidemillError {
  return new TidemillError(checkpointErrors.attemptFailed, {
    message: reason.message,
    ...(reason.code === undefined ? {} : { details: { cause: reason.code } }),
    ...(cause === undefined ? {} : { cause }),
  })
}

function reasonOf(error: unknown): FailureReason {
  if (isTidemillError(error)) return { message: error.message, code: error.code }
  if (error instanceof DiskError) return { message: error.message, code: error.errno }
  return { message: error instanceof Error ? error.message : String(error) }
}

function idOf(manifest: Manifest): SnapshotId {
  return { generation: manifest.generation, epoch: manifest.epoch }
}

function atLeast(name: string, value: number, min: number): number {
  if (value >= min) return value
  throw new TidemillError(checkpointErrors.optionInvalid, {
    message: `${name} is ${value}, it must be at least ${min}`,
  })
}
