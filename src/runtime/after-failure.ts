/**
 * What follows a failed life. A pure function: the caller waits, counts and logs.
 *
 * - Damage, bugs, and what the program or its input would show again end the job at once.
 * - A user function may depend on more than its record - memory, a clock, a service. It gets one more life; the same
 *   failure at the same record ends the job.
 * - A full disk ends nothing: the job waits for room, as long as it takes, and no life is counted.
 * - Everything else gets a few lives in a row.
 */
import { DiskError } from '../base/env.ts'
import { isTidemillError } from '../base/errors.ts'
import { connectorErrors } from '../connectors/errors.ts'
import { logErrors } from '../log/errors.ts'
import { runtimeErrors } from './errors.ts'

export interface FailedLives {
  /** Lives in a row that failed without committed work between them; full disks do not count. */
  readonly failures: number
  /** Lives in a row that met a full disk. */
  readonly fullDisks: number
  readonly error: unknown
}

export type NextStep =
  | { readonly kind: 'give-up' }
  /** `noRoom`: not a failure of the job, it goes on as soon as there is space. */
  | { readonly kind: 'retry'; readonly waitMs: number; readonly noRoom: boolean }

/** First wait before a new life, doubled each time up to the most. */
const backoffMs = 100
const backoffMsMax = 30_000
/** Somebody who has just freed space should not wait long; a look costs a recovery. */
const noRoomMsMax = 10_000

/** `before`: the life before this one, if it failed too. */
export function afterFailure(
  life: FailedLives,
  before: FailedLives | undefined,
  attemptsMax: number,
): NextStep {
  const { error } = life
  if (isDiskFull(error)) {
    return { kind: 'retry', waitMs: doubled(life.fullDisks, noRoomMsMax), noRoom: true }
  }
  if (life.failures >= attemptsMax || isFinal(error)) return { kind: 'give-up' }
  if (before !== undefined && isSameUserFailure(error, before.error)) return { kind: 'give-up' }
  return { kind: 'retry', waitMs: doubled(life.failures, backoffMsMax), noRoom: false }
}

function doubled(times: number, max: number): number {
  return Math.min(backoffMs * 2 ** (times - 1), max)
}

const thrownByUserCode: ReadonlySet<string> = new Set([
  runtimeErrors.userFunction.code,
  connectorErrors.userSink.code,
])

/** Trying again would show the same damage or the same mistake, or hide a bug. */
function isFinal(error: unknown): boolean {
  if (!isTidemillError(error)) return false
  if (error.kind === 'user') return !thrownByUserCode.has(error.code)
  return error.kind === 'fatal' || error.kind === 'bug'
}

function isSameUserFailure(error: unknown, before: unknown): boolean {
  return (
    isTidemillError(error) &&
    isTidemillError(before) &&
    error.kind === 'user' &&
    error.code === before.code &&
    error.details['operator'] === before.details['operator'] &&
    error.details['record'] === before.details['record']
  )
}

const noRoom: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const noRoomCodes: ReadonlySet<unknown> = new Set([
  logErrors.diskFull.code,
  connectorErrors.outputDiskFull.code,
])

/**
 * Space, quota or a size limit was used up, here or in a cause. A reason that came as text from a subtask carries the
 * code in its details.
 */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof DiskError) return noRoom.has(error.errno)
  if (!(error instanceof Error)) return false
  if (isTidemillError(error)) {
    const { kind, code, details } = error
    if (kind === 'user' || kind === 'bug') return false
    if (noRoomCodes.has(code) || noRoom.has(details['errno'])) return true
    if (noRoomCodes.has(details['code']) || noRoomCodes.has(details['cause'])) return true
  }
  return isDiskFull(error.cause)
}
