/** What a row becomes when a step refuses it. */
import { isTidemillError } from '../base/errors.ts'
import { latestTimestamp, timestampMin } from '../base/time.ts'
import { durationText } from '../graph/explain.ts'
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
  const far = farTime(node, value)
  const reason = thrown ? value : new TypeError(far ?? `not a usable event time: ${String(value)}`)
  const rejected = rejectedRow(nameOf(node), input, reason, position)
  return { ...rejected, error: { ...rejected.error, code: runtimeErrors.badTime.code } }
}

/** Says of a time beyond the limits of its step what it is beyond; undefined for what is no time at all. */
export function farTime(node: PlanNode, value: unknown): string | undefined {
  if (node.kind !== 'event-time' || typeof value !== 'number') return undefined
  if (!(value > timestampMin && value <= latestTimestamp)) return undefined
  const limits = [
    ...(node.notAfter === undefined ? [] : [`after ${new Date(node.notAfter).toISOString()}`]),
    ...(node.maxFuture === undefined
      ? []
      : [`more than ${durationText(node.maxFuture)} after its record was appended`]),
  ]
  return `${new Date(value).toISOString()} is ${limits.join(', or ')}`
}

export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : `thrown value: ${String(error)}`
}
