/** Errors across threads. */
import { DiskError } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import type { SentError } from './worker-messages.ts'

const depthMax = 4

export function sendError(error: unknown, depth: number = 0): SentError {
  const plain = { stack: undefined, coded: undefined, disk: undefined, cause: undefined }
  if (!(error instanceof Error) && !isTidemillError(error))
    return { ...plain, message: `thrown value: ${String(error)}` }
  const { message, stack, cause } = error
  const sent: SentError = {
    ...plain,
    message,
    stack,
    cause: cause !== undefined && depth < depthMax ? sendError(cause, depth + 1) : undefined,
  }
  if (isTidemillError(error)) {
    const { code, kind, remedy, details } = error
    return { ...sent, coded: { code, kind, remedy, details } }
  }
  if (error instanceof DiskError) return { ...sent, disk: { errno: error.errno, path: error.path } }
  return sent
}

export function receiveError(sent: SentError): Error {
  const error = withClass(sent)
  if (sent.stack !== undefined) error.stack = sent.stack
  return error
}

function withClass({ message, coded, disk, cause: sentCause }: SentError): Error {
  const cause = sentCause === undefined ? undefined : receiveError(sentCause)
  if (coded !== undefined) {
    const { code, kind, remedy, details } = coded
    return new TidemillError(
      { code, kind, title: message, remedy },
      { details, ...(cause === undefined ? {} : { cause }) },
    )
  }
  if (disk !== undefined) {
    const error = new DiskError(disk.errno, disk.path, '')
    error.message = message
    return error
  }
  return new Error(message, cause === undefined ? undefined : { cause })
}
