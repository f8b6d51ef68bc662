/** Which user functions may be given a lazy view of a frame instead of a plain row. */
import { columnsOf } from '../frame/fields.ts'

const known: WeakMap<object, Map<number, boolean>> = new WeakMap()

/** True when `fn` only reads fields of its row, so that a view behaves exactly like a plain row. */
export function readsFieldsOnly(fn: unknown, parameter: number = 0): boolean {
  if (typeof fn !== 'function') return false
  let answers = known.get(fn)
  if (answers === undefined) {
    answers = new Map()
    known.set(fn, answers)
  }
  let answer = answers.get(parameter)
  if (answer === undefined) {
    answer = columnsOf(fn as (row: never) => unknown, parameter).fields !== undefined
    answers.set(parameter, answer)
  }
  return answer
}
