/** Batch mode: rows that event-time steps collected leave in stable event-time order. */
import { timestampMax } from '../base/time.ts'
import type { Emit } from '../operators/contract.ts'
import type { BatchRows } from './chain.ts'
import type { EventTimeOrigin } from './event-time.ts'

/** Rows between two calls of `pause`. */
const rowsPerTurn = 1024

/**
 * Merges the collected rows of `origins` by event time (equal times: by step, then by arrival) and delivers them.
 * Before a row at time t everything before t is complete: timers and windows up to t - 1 fire first.
 */
export async function replayInOrder(
  origins: readonly EventTimeOrigin[],
  collected: ReadonlyMap<number, BatchRows>,
  deliver: ReadonlyMap<number, Emit>,
  pause: () => Promise<void>,
): Promise<void> {
  const inputs = origins.flatMap((origin) => {
    const rows = collected.get(origin.id)
    const emit = deliver.get(origin.id)
    return rows && emit
      ? [
          {
            origin,
            emit,
            rows: rows.rows,
            times: rows.times,
            order: sortedOrder(rows.times),
            next: 0,
          },
        ]
      : []
  })
  for (let count = 1; ; count++) {
    let first: (typeof inputs)[number] | undefined
    let at = Number.POSITIVE_INFINITY
    for (const input of inputs) {
      const index = input.order[input.next]
      if (index === undefined) continue
      const time = input.times[index] ?? Number.POSITIVE_INFINITY
      if (time < at) {
        at = time
        first = input
      }
    }
    if (first === undefined) break
    for (const { origin } of inputs) origin.advanceBatch(at - 1)
    const index = first.order[first.next++] ?? 0
    first.emit(first.rows[index], at)
    first.rows[index] = undefined
    if (count % rowsPerTurn === 0) await pause()
  }
  for (const { origin, rows, times } of inputs) {
    rows.length = 0
    times.length = 0
    origin.advanceBatch(timestampMax)
  }
}

/** Indices in ascending order of time, equal times in order of arrival. */
function sortedOrder(times: readonly number[]): Uint32Array {
  const order = new Uint32Array(times.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  let ascending = true
  for (let i = 1; i < times.length && ascending; i++) ascending = times[i - 1]! <= times[i]!
  // Typed-array sort is stable, and input that is in order already is not touched.
  return ascending ? order : order.sort((a, b) => times[a]! - times[b]!)
}
