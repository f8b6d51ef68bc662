/**
 * When checkpoints start, what they wait for and what follows, as a pure state machine: events in, commands out. No
 * clock, no disk, no threads; `driver.ts` runs it, a test explores every interleaving of it.
 *
 *                 due, request, stop, all finished
 *        ┌─ idle ──────────────────────────────────▶ collecting ─ all prepared ─▶ publishing
 *        │   ▲                                          │                            │
 *        │   │◀──── a subtask failed, time-out ─────────┘                            │
 *        │   │◀──── the manifest could not be published ─────────────────────────────┤
 *        │   │                                                                       ▼ published = committed
 *        │   └──── retired ──── retiring ◀── all subtasks committed ──────────── committing
 *        ▼                         │                                                 │
 *      ended ◀── after final ──────┘                failed ◀── commit failed, time-out, ownership or data lost
 *
 * Laws: one attempt at a time; an epoch number is used once, also when its attempt fails; `commit` is sent for an
 * epoch only after it was published, and `publish` only after every subtask has prepared; older snapshots retire only
 * after the epoch was committed everywhere.
 */
import { assert } from '../base/assert.ts'
import type { SnapshotKind } from './manifest.ts'

export interface CoordinatorOptions {
  readonly subtasks: number
  /** From one start to the next; `Infinity`: only on request. */
  readonly intervalMs: number
  /** Work gets at least this much time between the end of an attempt and the next start. */
  readonly minPauseMs: number
  /** For an attempt until all have prepared, and again for its commit. */
  readonly timeoutMs: number
  /** The job fails after so many failed attempts in a row; 0 means never. */
  readonly failuresMax: number
}

export type Phase =
  | 'idle'
  | 'collecting'
  | 'publishing'
  | 'committing'
  | 'retiring'
  | 'ended'
  | 'failed'

export interface Attempt {
  readonly epoch: number
  readonly kind: SnapshotKind
  /** All input was used up when it started. */
  readonly finished: boolean
  /** Subtasks that have not prepared (collecting) or not committed (committing), ascending. */
  readonly missing: readonly number[]
  /** Who asked for it. */
  readonly requests: readonly number[]
  readonly startedMs: number
}

export interface CheckpointRequest {
  readonly id: number
  readonly kind: 'checkpoint' | 'savepoint'
}

export interface CoordinatorState {
  readonly options: CoordinatorOptions
  readonly phase: Phase
  readonly nextEpoch: number
  readonly attempt: Attempt | undefined
  /** Subtasks whose input is used up, ascending. */
  readonly finished: readonly number[]
  readonly requests: readonly CheckpointRequest[]
  readonly stopping: boolean
  /** Attempts that failed since the last success. */
  readonly failures: number
  /** When the next periodic attempt starts. */
  readonly dueMs: number
}

/** Why something failed, as plain data. */
export interface FailureReason {
  readonly message: string
  readonly code?: string
}

export type CoordinatorEvent =
  | { readonly kind: 'due' }
  | { readonly kind: 'request'; readonly request: CheckpointRequest }
  /** Take a final checkpoint, then end. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'prepared'; readonly epoch: number; readonly subtask: number }
  | {
      readonly kind: 'prepare-failed'
      readonly epoch: number
      readonly subtask: number
      readonly reason: FailureReason
    }
  | { readonly kind: 'timed-out'; readonly epoch: number }
  | { readonly kind: 'published' }
  /** Nothing was published. */
  | { readonly kind: 'publish-failed'; readonly reason: FailureReason }
  | { readonly kind: 'committed'; readonly epoch: number; readonly subtask: number }
  | {
      readonly kind: 'commit-failed'
      readonly epoch: number
      readonly subtask: number
      readonly reason: FailureReason
    }
  | { readonly kind: 'retired' }
  | { readonly kind: 'finished'; readonly subtask: number }
  /** Something that only a restart with recovery can repair. */
  | { readonly kind: 'broken'; readonly reason: FailureReason }

export type CoordinatorCommand =
  /** Call back with `due` at this monotonic time; replaces an earlier call. */
  | { readonly kind: 'schedule'; readonly atMs: number }
  | {
      readonly kind: 'trigger'
      readonly epoch: number
      readonly snapshot: SnapshotKind
      readonly finished: boolean
    }
  | { readonly kind: 'arm-timeout'; readonly epoch: number; readonly atMs: number }
  | {
      readonly kind: 'publish'
      readonly epoch: number
      readonly snapshot: SnapshotKind
      readonly finished: boolean
    }
  | { readonly kind: 'commit'; readonly epoch: number }
  | { readonly kind: 'retire'; readonly epoch: number; readonly requests: readonly number[] }
  /** The attempt is over; subtasks drop what they kept for it, but not the output they prepared. */
  | {
      readonly kind: 'abort'
      readonly epoch: number
      readonly failures: number
      readonly reason: FailureReason
    }
  | { readonly kind: 'answer'; readonly requests: readonly number[]; readonly epoch: number }
  | {
      readonly kind: 'refuse'
      readonly requests: readonly number[]
      readonly reason: FailureReason
    }
  /** `final`: the last epoch holds everything that was read. */
  | { readonly kind: 'end'; readonly final: boolean; readonly finished: boolean }
  | { readonly kind: 'fail'; readonly reason: FailureReason; readonly tooMany: boolean }

export interface Step {
  readonly state: CoordinatorState
  readonly commands: readonly CoordinatorCommand[]
}

/** The state at the start of a life; the first command schedules the first attempt. */
export function startCoordinator(
  options: CoordinatorOptions,
  nextEpoch: number,
  nowMs: number,
): Step {
  const state: CoordinatorState = {
    options,
    phase: 'idle',
    nextEpoch,
    attempt: undefined,
    finished: [],
    requests: [],
    stopping: false,
    failures: 0,
    dueMs: nowMs + options.intervalMs,
  }
  return { state, commands: schedule(state) }
}

export function stepCoordinator(
  state: CoordinatorState,
  event: CoordinatorEvent,
  nowMs: number,
): Step {
  const rule = table[state.phase][event.kind]
  if (rule === 'ignore') return { state, commands: [] }
  assert(rule !== 'impossible', `event ${event.kind} cannot happen while ${state.phase}`)
  // The table is keyed by the kind of the event, so the rule takes exactly this event.
  return (rule as Rule<CoordinatorEvent>)(state, event, nowMs)
}

type EventKind = CoordinatorEvent['kind']
type EventOf<Kind extends EventKind> = Extract<CoordinatorEvent, { kind: Kind }>
type Rule<Event> = (state: CoordinatorState, event: Event, nowMs: number) => Step
type Row = { readonly [Kind in EventKind]: Rule<EventOf<Kind>> | 'ignore' | 'impossible' }

/** Late news of an earlier attempt are ignored; what only the driver can say at the wrong time is impossible. */
const table: Readonly<Record<Phase, Row>> = {
  idle: {
    due: (state, _event, nowMs) =>
      nowMs < state.dueMs ? { state, commands: schedule(state) } : trigger(state, nowMs),
    request: (state, event, nowMs) => trigger(queued(state, event.request), nowMs),
    stop: (state, _event, nowMs) => trigger({ ...state, stopping: true }, nowMs),
    finished: (state, event, nowMs) => {
      const next = noted(state, event.subtask)
      return allFinished(next) ? trigger(next, nowMs) : { state: next, commands: [] }
    },
    broken,
    prepared: 'ignore',
    'prepare-failed': 'ignore',
    'timed-out': 'ignore',
    committed: 'ignore',
    'commit-failed': 'impossible',
    published: 'impossible',
    'publish-failed': 'impossible',
    retired: 'impossible',
  },
  collecting: {
    prepared(state, event) {
      const attempt = without(state, event)
      if (attempt === undefined) return { state, commands: [] }
      if (attempt.missing.length > 0) return { state: { ...state, attempt }, commands: [] }
      const { epoch, kind: snapshot, finished } = attempt
      const next: CoordinatorState = { ...state, phase: 'publishing', attempt }
      return { state: next, commands: [{ kind: 'publish', epoch, snapshot, finished }] }
    },
    'prepare-failed': (state, event, nowMs) =>
      event.epoch === state.attempt?.epoch
        ? attemptFailed(state, event.reason, nowMs)
        : { state, commands: [] },
    'timed-out'(state, event, nowMs) {
      const { attempt, options } = state
      if (attempt?.epoch !== event.epoch) return { state, commands: [] }
      const message = `epoch ${attempt.epoch} took longer than ${options.timeoutMs} ms; subtasks not prepared: ${attempt.missing.join(', ')}`
      return attemptFailed(state, { message }, nowMs)
    },
    request: later,
    stop: stopLater,
    finished: finishedLater,
    broken,
    due: 'ignore',
    committed: 'ignore',
    'commit-failed': 'impossible',
    published: 'impossible',
    'publish-failed': 'impossible',
    retired: 'impossible',
  },
  publishing: {
    published(state, _event, nowMs) {
      const { options } = state
      const attempt: Attempt = { ...running(state), missing: everySubtask(options) }
      return {
        state: { ...state, phase: 'committing', attempt, failures: 0 },
        commands: [
          { kind: 'arm-timeout', epoch: attempt.epoch, atMs: nowMs + options.timeoutMs },
          { kind: 'commit', epoch: attempt.epoch },
        ],
      }
    },
    'publish-failed': (state, event, nowMs) => attemptFailed(state, event.reason, nowMs),
    request: later,
    stop: stopLater,
    finished: finishedLater,
    broken,
    due: 'ignore',
    'timed-out': 'ignore',
    prepared: 'ignore',
    'prepare-failed': 'ignore',
    committed: 'ignore',
    'commit-failed': 'impossible',
    retired: 'impossible',
  },
  committing: {
    committed(state, event) {
      const attempt = without(state, event)
      if (attempt === undefined) return { state, commands: [] }
      if (attempt.missing.length > 0) return { state: { ...state, attempt }, commands: [] }
      const next: CoordinatorState = { ...state, phase: 'retiring', attempt }
      const { epoch, requests } = attempt
      return { state: next, commands: [{ kind: 'retire', epoch, requests }] }
    },
    'commit-failed': (state, event) => fail(state, event.reason, false),
    'timed-out'(state, event) {
      const { attempt, options } = state
      if (attempt?.epoch !== event.epoch) return { state, commands: [] }
      const message = `the commit of epoch ${attempt.epoch} took longer than ${options.timeoutMs} ms; subtasks: ${attempt.missing.join(', ')}`
      return fail(state, { message }, false)
    },
    request: later,
    stop: stopLater,
    finished: finishedLater,
    broken,
    due: 'ignore',
    prepared: 'ignore',
    'prepare-failed': 'ignore',
    published: 'impossible',
    'publish-failed': 'impossible',
    retired: 'impossible',
  },
  retiring: {
    retired(state, _event, nowMs) {
      const { epoch, requests, kind, finished } = running(state)
      const answer: readonly CoordinatorCommand[] =
        requests.length > 0 ? [{ kind: 'answer', requests, epoch }] : []
      if (kind === 'final') return end(state, answer, true, finished)
      const next = goIdle(state, nowMs)
      return { state: next.state, commands: [...answer, ...next.commands] }
    },
    request: later,
    stop: stopLater,
    finished: finishedLater,
    broken,
    due: 'ignore',
    'timed-out': 'ignore',
    prepared: 'ignore',
    'prepare-failed': 'ignore',
    committed: 'ignore',
    'commit-failed': 'ignore',
    published: 'impossible',
    'publish-failed': 'impossible',
  },
  ended: { ...terminal('the job has ended') },
  failed: { ...terminal('the job has failed') },
}

function terminal(message: string): Row {
  return {
    request: (state, event) => ({
      state,
      commands: [{ kind: 'refuse', requests: [event.request.id], reason: { message } }],
    }),
    due: 'ignore',
    stop: 'ignore',
    prepared: 'ignore',
    'prepare-failed': 'ignore',
    'timed-out': 'ignore',
    published: 'ignore',
    'publish-failed': 'ignore',
    committed: 'ignore',
    'commit-failed': 'ignore',
    retired: 'ignore',
    finished: 'ignore',
    broken: 'ignore',
  }
}

/** Starts an attempt; only from `idle`. */
function trigger(state: CoordinatorState, nowMs: number): Step {
  const { options, nextEpoch: epoch, requests } = state
  const finished = allFinished(state)
  const kind: SnapshotKind =
    finished || state.stopping
      ? 'final'
      : requests.some((request) => request.kind === 'savepoint')
        ? 'savepoint'
        : 'checkpoint'
  const attempt: Attempt = {
    epoch,
    kind,
    finished,
    missing: everySubtask(options),
    requests: requests.map((request) => request.id),
    startedMs: nowMs,
  }
  return {
    state: { ...state, phase: 'collecting', nextEpoch: epoch + 1, attempt, requests: [] },
    commands: [
      { kind: 'arm-timeout', epoch, atMs: nowMs + options.timeoutMs },
      { kind: 'trigger', epoch, snapshot: kind, finished },
    ],
  }
}

/** After an attempt: the next one at once when somebody waits for it, else when it is due. */
function goIdle(state: CoordinatorState, nowMs: number, patient: boolean = false): Step {
  const { options, attempt } = state
  const startedMs = attempt?.startedMs ?? nowMs
  const dueMs = Math.max(startedMs + options.intervalMs, nowMs + options.minPauseMs)
  const idle: CoordinatorState = { ...state, phase: 'idle', attempt: undefined, dueMs }
  const urgent = idle.stopping || allFinished(idle)
  if (idle.requests.length > 0 || (urgent && !patient)) return trigger(idle, nowMs)
  if (!urgent) return { state: idle, commands: schedule(idle) }
  // A final attempt that failed is repeated, but not in a tight loop and not only after a long interval.
  const soon = {
    ...idle,
    dueMs: nowMs + Math.max(options.minPauseMs, Math.min(options.intervalMs, 1_000)),
  }
  return { state: soon, commands: schedule(soon) }
}

function attemptFailed(state: CoordinatorState, reason: FailureReason, nowMs: number): Step {
  const { epoch, requests, kind } = running(state)
  const failures = state.failures + 1
  const commands: CoordinatorCommand[] = [{ kind: 'abort', epoch, failures, reason }]
  if (requests.length > 0) commands.push({ kind: 'refuse', requests, reason })
  const next: CoordinatorState = { ...state, failures }
  const { failuresMax } = state.options
  if (failuresMax > 0 && failures >= failuresMax)
    return withFirst(commands, fail({ ...next, attempt: undefined }, reason, true))
  // Somebody wants the process to go away: what was not committed is read again by the next life.
  if (kind === 'final' && state.stopping) return end(next, commands, false, false)
  return withFirst(commands, goIdle(next, nowMs, kind === 'final'))
}

function end(
  state: CoordinatorState,
  first: readonly CoordinatorCommand[],
  final: boolean,
  finished: boolean,
): Step {
  const refused = state.requests.map((request) => request.id)
  const commands: CoordinatorCommand[] = [...first]
  if (refused.length > 0)
    commands.push({ kind: 'refuse', requests: refused, reason: { message: 'the job has ended' } })
  commands.push({ kind: 'end', final, finished })
  return { state: { ...state, phase: 'ended', attempt: undefined, requests: [] }, commands }
}

function fail(state: CoordinatorState, reason: FailureReason, tooMany: boolean): Step {
  const requests = [
    ...(state.attempt?.requests ?? []),
    ...state.requests.map((request) => request.id),
  ]
  const commands: CoordinatorCommand[] =
    requests.length > 0 ? [{ kind: 'refuse', requests, reason }] : []
  commands.push({ kind: 'fail', reason, tooMany })
  return { state: { ...state, phase: 'failed', attempt: undefined, requests: [] }, commands }
}

function broken(state: CoordinatorState, event: EventOf<'broken'>): Step {
  return fail(state, event.reason, false)
}

function later(state: CoordinatorState, event: EventOf<'request'>): Step {
  return { state: queued(state, event.request), commands: [] }
}

function stopLater(state: CoordinatorState): Step {
  return { state: { ...state, stopping: true }, commands: [] }
}

function finishedLater(state: CoordinatorState, event: EventOf<'finished'>): Step {
  return { state: noted(state, event.subtask), commands: [] }
}

function queued(state: CoordinatorState, request: CheckpointRequest): CoordinatorState {
  return { ...state, requests: [...state.requests, request] }
}

function noted(state: CoordinatorState, subtask: number): CoordinatorState {
  assert(subtask >= 0 && subtask < state.options.subtasks, 'the subtask exists')
  if (state.finished.includes(subtask)) return state
  return { ...state, finished: [...state.finished, subtask].sort((a, b) => a - b) }
}

/** The attempt with one subtask less to wait for; `undefined` for news of another attempt or news already known. */
function without(
  state: CoordinatorState,
  event: { readonly epoch: number; readonly subtask: number },
): Attempt | undefined {
  const attempt = running(state)
  if (event.epoch !== attempt.epoch || !attempt.missing.includes(event.subtask)) return undefined
  return { ...attempt, missing: attempt.missing.filter((subtask) => subtask !== event.subtask) }
}

function running(state: CoordinatorState): Attempt {
  assert(state.attempt !== undefined, `there is an attempt while ${state.phase}`)
  return state.attempt
}

function allFinished(state: CoordinatorState): boolean {
  return state.finished.length === state.options.subtasks
}

function everySubtask(options: CoordinatorOptions): readonly number[] {
  return Array.from({ length: options.subtasks }, (_, subtask) => subtask)
}

function schedule(state: CoordinatorState): readonly CoordinatorCommand[] {
  return Number.isFinite(state.dueMs) ? [{ kind: 'schedule', atMs: state.dueMs }] : []
}

function withFirst(first: readonly CoordinatorCommand[], step: Step): Step {
  return { state: step.state, commands: [...first, ...step.commands] }
}
