/** Errors across threads. */
import { isTidemillError, TidemillError } from '../base/errors.ts'
import type { SentError } from './worker-messages.ts'

const depthMax = 4

export function sendError(error: unknown, depth: number = 0): SentError {
  const cause =
    error instanceof Error && error.cause !== undefined && depth < depthMax
      ? sendError(error.cause, depth + 1)
      : undefined
  if (isTidemillError(error)) {
    const { code, kind, remedy, details, message, stack } = error
    return { message, stack, coded: { code, kind, remedy, details }, cause }
  }
  if (error instanceof Error)
    return { message: error.message, stack: error.stack, coded: undefined, cause }
  return { message: `thrown value: ${String(error)}`, stack: undefined, coded: undefined, cause }
}

export function receiveError(sent: SentError): Error {
  const cause = sent.cause === undefined ? undefined : receiveError(sent.cause)
  const { coded } = sent
  const error = coded
    ? new TidemillError(
        { code: coded.code, kind: coded.kind, title: sent.message, remedy: coded.remedy },
        { details: coded.details, ...(cause === undefined ? {} : { cause }) },
      )
    : new Error(sent.message, cause === undefined ? undefined : { cause })
  if (sent.stack !== undefined) error.stack = sent.stack
  return error
}
