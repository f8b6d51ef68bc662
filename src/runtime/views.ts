/** Which user functions may be given a lazy view of a frame instead of a plain row. */
import { columnsOf } from '../frame/fields.ts'

const known: WeakMap<object, boolean> = new WeakMap()

/** True when `fn` only reads fields of its row, so that a view behaves exactly like a plain row. */
export function readsFieldsOnly(fn: unknown): boolean {
  if (typeof fn !== 'function') return false
  let answer = known.get(fn)
  if (answer === undefined) {
    answer = columnsOf(fn as (row: never) => unknown).fields !== undefined
    known.set(fn, answer)
  }
  return answer
}
