/**
 * The system `loop` of the benchmark: what a careful programmer writes for one query on one thread,
 * without engine, checkpoints or parallelism. An engine's figure is quoted with its ratio to these,
 * measured next to it, because the ratio separates the engine from the machine.
 */
import type { Checksum } from './checksum.ts'
import type { NexmarkEvent } from './event.ts'
import { q15, q16, q17 } from './loops/aggregates.ts'
import { q0, q1, q13, q14, q2, q21, q22 } from './loops/stateless.ts'
import { q11, q12, q5, q7, q8 } from './loops/windows.ts'

/**
 * Reads all rows once, in order of arrival, and gives every output column of every result row to
 * the sink.
 */
export type Loop = (rows: readonly NexmarkEvent[], sink: Checksum) => void

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

export const loops: { readonly [Name in LoopName]: Loop } = {
  q0,
  q1,
  q2,
  q5,
  q7,
  q8,
  q11,
  q12,
  q13,
  q14,
  q15,
  q16,
  q17,
  q21,
  q22,
}
