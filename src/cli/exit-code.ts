/** Exit codes: 0 done, 1 the job failed, 2 usage, 3 damaged data, 4 the state is owned by another process. */
import { isTidemillError } from '../base/errors.ts'
import { checkpointErrors } from '../checkpoint/errors.ts'
import { cliErrors } from './errors.ts'

const usageCodes: ReadonlySet<string> = new Set([cliErrors.usage.code, cliErrors.noJobFile.code])

export function exitCodeOf(error: unknown): number {
  if (!isTidemillError(error)) return 1
  if (usageCodes.has(error.code)) return 2
  if (error.code === checkpointErrors.locked.code) return 4
  return error.kind === 'fatal' ? 3 : 1
}
