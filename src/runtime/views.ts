/** Which user functions may be given a lazy view of a frame instead of a plain row. */
import { columnsOf } from '../frame/fields.ts'

/**
 * True when `fn` only reads fields of its row, and none after it has returned: a view behaves exactly like a plain row
 * then, and a source may use the memory of a frame again once the chain is done with it.
 */
export function readsFieldsOnly(fn: unknown, parameter: number = 0): boolean {
  if (typeof fn !== 'function') return false
  const use = columnsOf(fn as (row: never) => unknown, parameter)
  return use.fields !== undefined && !use.captured
}
