/** The ranking of airports by one loop over rows in memory, read by another library call: nothing of the engine is used. */
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const hour = 3_600_000

interface Sums {
  flights: number
  delay: number
  delayed: number
}

/**
 * Result lines for the first `rowCount` flights, sorted. `live`: only of windows that had to close while the stream went on,
 * those that end at or before the last departure; `end`: of all.
 */
export async function naiveWorstAirports(
  file: string,
  rowCount: number,
  until: 'live' | 'end',
): Promise<readonly string[]> {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(file),
    compressors,
    columns: ['date', 'delay', 'origin'],
    rowEnd: rowCount,
  })
  const windows = new Map<number, Map<string, Sums>>()
  let latest = Number.NEGATIVE_INFINITY
  for (const row of rows) {
    const date = Number(row['date'])
    latest = Math.max(latest, date)
    for (
      let end = Math.floor(date / (hour / 2)) * (hour / 2) + 6 * hour;
      end > date;
      end -= hour / 2
    ) {
      add(windows, end, String(row['origin']), Number(row['delay']))
    }
  }
  const lines: string[] = []
  for (const [windowEnd, airports] of windows) {
    if (until === 'end' || windowEnd <= latest) lines.push(...ranking(windowEnd, airports))
  }
  return lines.sort()
}

function add(
  windows: Map<number, Map<string, Sums>>,
  end: number,
  origin: string,
  delay: number,
): void {
  const airports = windows.get(end) ?? new Map<string, Sums>()
  windows.set(end, airports)
  const sums = airports.get(origin) ?? { flights: 0, delay: 0, delayed: 0 }
  sums.flights += 1
  sums.delay += delay
  if (delay > 15) sums.delayed += 1
  airports.set(origin, sums)
}

function ranking(windowEnd: number, airports: ReadonlyMap<string, Sums>): readonly string[] {
  const worst = [...airports]
    .filter(([, { flights }]) => flights >= 20)
    .map(([origin, { flights, delay, delayed }]) => ({
      origin,
      flights,
      delayMean: delay / flights,
      delayedShare: delayed / flights,
    }))
    .sort((a, b) => b.delayMean - a.delayMean || (a.origin < b.origin ? -1 : 1))
    .slice(0, 10)
  return worst.map(({ origin, flights, delayMean, delayedShare }, i) =>
    JSON.stringify({
      windowStart: windowEnd - 6 * hour,
      windowEnd,
      rank: i + 1,
      origin,
      flights,
      delayMean: round(delayMean),
      delayedShare: round(delayedShare),
    }),
  )
}

function round(value: number): number {
  const rounded = Math.round(value * 10_000) / 10_000
  return rounded === 0 ? 0 : rounded
}
