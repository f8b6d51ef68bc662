/** What a row becomes when a step refuses it. */
import { isTidemillError } from '../base/errors.ts'
import type { PlanNode } from '../graph/plan.ts'
import { nameOf } from '../graph/roles.ts'
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

/** A row whose event time cannot be used; `value` is what its function returned or threw. */
export function rejectedTime(
  node: PlanNode,
  input: unknown,
  value: unknown,
  position: string = '',
): RejectedRow {
  const thrown = value instanceof Error
  const reason = thrown ? value : new TypeError(`not a usable event time: ${String(value)}`)
  const rejected = rejectedRow(nameOf(node), input, reason, position)
  return { ...rejected, error: { ...rejected.error, code: runtimeErrors.badTime.code } }
}

export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : `thrown value: ${String(error)}`
}
