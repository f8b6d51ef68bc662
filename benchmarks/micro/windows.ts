/** Bar 10: counts per key in sliding windows of 10 s every 2 s, against one map per window. */
import { milliseconds, seconds, timestamp } from '../../src/base/time.ts'
import { sliding } from '../../src/stream/window-assigners.ts'
import { type Bar, bar, race } from './bar.ts'
import { chainOf } from './chain-of.ts'

interface Row {
  readonly key: number
  readonly time: number
}

const ROWS = 1_000_000
const KEYS = 1_000
const ROWS_PER_MS = 10
const SIZE_MS = 10_000
const SLIDE_MS = 2_000

export async function windowBars(): Promise<Bar[]> {
  const rows = input()
  const engine = byEngine(rows)
  const naive = byMaps(rows)
  if (engine() !== naive()) throw new Error('bar 10: the two results differ')
  const [engineMs = 0, naiveMs = 0] = await race([engine, naive], 7, 2)
  const ns = (ms: number): string => `${((ms * 1e6) / ROWS).toFixed(1)} ns`
  const name = `10 sliding window: engine / five maps (${ns(engineMs)} / ${ns(naiveMs)})`
  return [bar(name, engineMs / naiveMs, '<=', 0.4)]
}

function byEngine(rows: readonly Row[]): () => number {
  return () => {
    let sum = 0
    const chain = chainOf<Row, { readonly key: number; readonly count: number }>(
      (stream, sink) =>
        stream
          .withEventTime({
            timestamp: (row) => timestamp(row.time),
            maxOutOfOrderness: milliseconds(0),
          })
          .keyBy((row) => row.key)
          .window(sliding(seconds(10), seconds(2)))
          .count('counts')
          .dropLate('rows are in order')
          .to('sink', sink),
      (row) => {
        sum = (sum + Math.imul(row.key + 1, row.count)) | 0
      },
    )
    chain.rows(rows)
    chain.end()
    return sum
  }
}

function byMaps(rows: readonly Row[]): () => number {
  return () => {
    let sum = 0
    const windows = new Map<number, Map<number, number>>()
    let firing = Number.POSITIVE_INFINITY
    const fire = (start: number): void => {
      for (const [key, count] of windows.get(start) ?? [])
        sum = (sum + Math.imul(key + 1, count)) | 0
      windows.delete(start)
    }
    for (const { key, time } of rows) {
      const last = Math.floor(time / SLIDE_MS) * SLIDE_MS
      for (let start = last; start > time - SIZE_MS; start -= SLIDE_MS) {
        let counts = windows.get(start)
        if (counts === undefined) {
          counts = new Map()
          windows.set(start, counts)
          if (start + SIZE_MS < firing) firing = start + SIZE_MS
        }
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
      while (time >= firing) {
        fire(firing - SIZE_MS)
        firing += SLIDE_MS
      }
    }
    for (const start of [...windows.keys()]) fire(start)
    return sum
  }
}

/** Uniform keys from a fixed seed, in order of time. */
function input(): readonly Row[] {
  const rows: Row[] = []
  let x = 12_345
  for (let i = 0; i < ROWS; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff
    rows.push({ key: (x >>> 8) % KEYS, time: 1_436_918_400_000 + Math.floor(i / ROWS_PER_MS) })
  }
  return rows
}
