/** What a simulated run is held against. */
import type { Ledger } from '../../checkpoint/ledger.ts'

/** The committed rows of each sink, as text. */
export type CommittedRows = ReadonlyMap<string, readonly string[]>

/** One finished run of a job, beside a run of the same job on the same input in which nothing went wrong. */
export interface CheckedRun {
  readonly rows: CommittedRows
  readonly undisturbedRows: CommittedRows
  /** What became of all records, over all lives. */
  readonly ledger: Ledger
}

/**
 * A promise that every simulated run must keep.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Check {
  readonly name: string
  /** What is wrong with the run, or `undefined`. */
  problem(run: CheckedRun): string | undefined
}

/**
 * Every row of the undisturbed run is in the output exactly once, in whatever order, and nothing else is.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function exactlyOnce(): Check {
  return {
    name: 'exactly once',
    problem({ rows, undisturbedRows }) {
      for (const [sink, expected] of undisturbedRows) {
        const difference = describeDifference(expected, rows.get(sink) ?? [])
        if (difference !== undefined) return `sink "${sink}": ${difference}`
      }
      return undefined
    },
  }
}

/** How two lists of rows differ, whatever their order. */
export function describeDifference(
  expected: readonly string[],
  found: readonly string[],
): string | undefined {
  const counts = new Map<string, number>()
  for (const row of expected) counts.set(row, (counts.get(row) ?? 0) + 1)
  for (const row of found) counts.set(row, (counts.get(row) ?? 0) - 1)
  const missing = [...counts].filter(([, count]) => count > 0)
  const extra = [...counts].filter(([, count]) => count < 0)
  if (missing.length === 0 && extra.length === 0) return undefined
  return [
    `${expected.length} rows expected, ${found.length} found`,
    ...some('missing', missing),
    ...some('unexpected', extra),
  ].join('; ')
}

function some(what: string, rows: readonly (readonly [string, number])[]): string[] {
  if (rows.length === 0) return []
  const shown = rows.slice(0, 3).map(([row, count]) => `${Math.abs(count)} x ${row.slice(0, 300)}`)
  return [`${what}: ${shown.join(', ')}${rows.length > 3 ? ` and ${rows.length - 3} others` : ''}`]
}
