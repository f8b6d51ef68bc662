/**
 * The system `loop` of the benchmark: what a careful programmer writes for one query on one thread,
 * without engine, checkpoints or parallelism. An engine's figure is quoted with its ratio to these,
 * measured next to it, because the ratio separates the engine from the machine.
 */
import type { Checksum } from './checksum.ts'
import type { NexmarkEvent } from './event.ts'
import { Q15, Q16, Q17 } from './loops/aggregates.ts'
import { q0, q1, q13, q14, q2, q21, q22 } from './loops/stateless.ts'
import { Q11, Q12, Q5, Q7, Q8 } from './loops/windows.ts'

/**
 * One run of a query. Rows come in order of arrival, in one call or in several; every output column
 * of every result row goes to the sink.
 */
export interface Loop {
  rows(rows: readonly NexmarkEvent[], sink: Checksum): void
  /** No more rows: what is still open goes out. */
  end(sink: Checksum): void
}

export type LoopName =
  | 'q0'
  | 'q1'
  | 'q2'
  | 'q5'
  | 'q7'
  | 'q8'
  | 'q11'
  | 'q12'
  | 'q13'
  | 'q14'
  | 'q15'
  | 'q16'
  | 'q17'
  | 'q21'
  | 'q22'

export const loops: { readonly [Name in LoopName]: () => Loop } = {
  q0: stateless(q0),
  q1: stateless(q1),
  q2: stateless(q2),
  q5: () => new Q5(),
  q7: () => new Q7(),
  q8: () => new Q8(),
  q11: () => new Q11(),
  q12: () => new Q12(),
  q13: stateless(q13),
  q14: stateless(q14),
  q15: () => new Q15(),
  q16: () => new Q16(),
  q17: () => new Q17(),
  q21: stateless(q21),
  q22: stateless(q22),
}

/** The whole input at once. */
export function runLoop(name: LoopName, rows: readonly NexmarkEvent[], sink: Checksum): void {
  const loop = loops[name]()
  loop.rows(rows, sink)
  loop.end(sink)
}

function stateless(rows: Loop['rows']): () => Loop {
  return () => ({ rows, end: () => {} })
}
