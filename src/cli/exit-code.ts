/** Exit codes: 0 done, 1 the job failed, 2 usage, 3 damaged data, 4 owned by another process. */
import { isTidemillError } from '../base/errors.ts'
import { checkpointErrors } from '../checkpoint/errors.ts'
import { logErrors } from '../log/errors.ts'
import { streamErrors } from '../stream/errors.ts'
import { cliErrors } from './errors.ts'

/** What another command line would cure. */
const usage: ReadonlySet<string> = new Set([
  cliErrors.usage.code,
  cliErrors.noJobFile.code,
  cliErrors.noPage.code,
  cliErrors.inputUnreadable.code,
  cliErrors.noDeadLetters.code,
  streamErrors.parameterMissing.code,
  checkpointErrors.parametersChanged.code,
  checkpointErrors.noSnapshot.code,
  logErrors.topicUnknown.code,
  logErrors.topicExists.code,
  logErrors.topicInvalid.code,
])

const owned: ReadonlySet<string> = new Set([
  checkpointErrors.locked.code,
  checkpointErrors.ownershipLost.code,
  logErrors.locked.code,
  logErrors.fenced.code,
])

export function exitCodeOf(error: unknown): number {
  if (!isTidemillError(error)) return 1
  if (usage.has(error.code)) return 2
  if (owned.has(error.code)) return 4
  return error.kind === 'fatal' ? 3 : 1
}
