/** Which user functions may be given a lazy view of a frame instead of a plain row. */
import { columnsOf } from '../frame/fields.ts'

/** True when `fn` only reads fields of its row, so that a view behaves exactly like a plain row. */
export function readsFieldsOnly(fn: unknown, parameter: number = 0): boolean {
  if (typeof fn !== 'function') return false
  return columnsOf(fn as (row: never) => unknown, parameter).fields !== undefined
}
