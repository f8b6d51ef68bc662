/** What a row becomes when a step refuses it. */
import { isTidemillError } from '../base/errors.ts'
import { runtimeErrors } from './errors.ts'
import type { RejectedRow } from './chain.ts'

/** `input` with the reason why `operator` refused it. Anything thrown is accepted, `null` too. */
export function rejectedRow(
  operator: string,
  input: unknown,
  error: unknown,
  position: string = '',
): RejectedRow {
  const code = isTidemillError(error) ? error.code : runtimeErrors.userFunction.code
  return { input, operator, attempt: 1, position, error: { code, message: messageOf(error) } }
}

export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : `thrown value: ${String(error)}`
}
