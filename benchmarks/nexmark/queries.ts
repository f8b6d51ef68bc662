/**
 * The queries on the public API, as a user would write them: streams in, streams out, and nothing of the engine's
 * inside. The functions only read fields, so over frames they run on lazy views.
 */
import type { Stream } from 'tidemill'
import { q15, q16, q17 } from './queries/aggregates.ts'
import { q0, q1, q13, q14, q2, q21, q22 } from './queries/stateless.ts'
import { q11, q12, q5, q7, q8 } from './queries/windows.ts'
import type { BidderWindow, ResultRows } from './results.ts'
import type { EventRow } from './schema.ts'

/** Result rows of the queries here; q12 has no fixed result, but it has rows. */
export type QueryRows = Pick<
  ResultRows,
  | 'q0'
  | 'q1'
  | 'q2'
  | 'q5'
  | 'q7'
  | 'q8'
  | 'q11'
  | 'q13'
  | 'q14'
  | 'q15'
  | 'q16'
  | 'q17'
  | 'q21'
  | 'q22'
> & { readonly q12: BidderWindow }

export type EngineQuery = keyof QueryRows

/** Any time mode will do: results go to a sink. */
type Results<Row> = Stream<Row> | Stream<Row, 'event-time'>

export const queries: {
  readonly [Query in EngineQuery]: (events: Stream<EventRow>) => Results<QueryRows[Query]>
} = { q0, q1, q2, q5, q7, q8, q11, q12, q13, q14, q15, q16, q17, q21, q22 }

export const engineQueries = Object.keys(queries) as readonly EngineQuery[] // the keys of the table above

/**
 * Queries whose rows replace earlier ones, and what tells the rows of one group. The others only ever add rows.
 */
export const groupOf: {
  readonly [Query in EngineQuery]?: (row: QueryRows[Query]) => string | number
} = {
  q15: (row) => row.day,
  q16: (row) => `${row.channel}|${row.day}`,
  q17: (row) => numberOfDay(row.day) * 2 ** 40 + row.auction,
}

const days: Map<string, number> = new Map()

/** Days by the order in which they are asked for: a number tells groups apart at less cost than a text made for it. */
function numberOfDay(day: string): number {
  let number = days.get(day)
  if (number === undefined) {
    number = days.size
    days.set(day, number)
  }
  return number
}
