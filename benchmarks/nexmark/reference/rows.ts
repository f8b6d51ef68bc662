/**
 * What the reference queries share: picking rows by type, ordering them, calendar text, truncated
 * averages.
 */
import type { Auction, Bid, NexmarkEvent, Person } from '../event.ts'

export function personsOf(rows: readonly NexmarkEvent[]): Person[] {
  return rows.filter((row) => row.type === 'person')
}

export function auctionsOf(rows: readonly NexmarkEvent[]): Auction[] {
  return rows.filter((row) => row.type === 'auction')
}

export function bidsOf(rows: readonly NexmarkEvent[]): Bid[] {
  return rows.filter((row) => row.type === 'bid')
}

/** A copy by event time; rows of one time stay in order of arrival. */
export function byTime<Row extends NexmarkEvent>(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => a.dateTime - b.dateTime)
}

export function groupBy<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return groups
}

/** UTC date, `2015-07-15`. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}

/** UTC minute, `HH:mm`. */
export function minuteOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(11, 16)
}

export function truncatedAverage(sum: number, count: number): number {
  return Math.trunc(sum / count)
}

export function windowStartOf(timeMs: number, sizeMs: number): number {
  return Math.floor(timeMs / sizeMs) * sizeMs
}
