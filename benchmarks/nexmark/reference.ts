/**
 * The oracle: one naive single-threaded function per query over all rows at once, with arrays and
 * maps and no thought of speed. Rows may come in any order; where two rows of one time compete, the
 * order of the array counts as arrival.
 */
import type { NexmarkEvent } from './event.ts'
import { q15, q16, q17, q18, q19 } from './reference/aggregates.ts'
import { q20, q23, q3, q4, q6, q9 } from './reference/joins.ts'
import { c0, c1, c2, c3 } from './reference/patterns.ts'
import { q0, q1, q10, q13, q14, q2, q21, q22 } from './reference/stateless.ts'
import { q11, q5, q7, q8 } from './reference/windows.ts'
import type { QueryName, ResultRows } from './results.ts'

export const reference: {
  readonly [Query in QueryName]: (rows: readonly NexmarkEvent[]) => ResultRows[Query][]
} = {
  q0,
  q1,
  q2,
  q3,
  q4,
  q5,
  q6,
  q7,
  q8,
  q9,
  q10,
  q11,
  q13,
  q14,
  q15,
  q16,
  q17,
  q18,
  q19,
  q20,
  q21,
  q22,
  q23,
  c0,
  c1,
  c2,
  c3,
}
