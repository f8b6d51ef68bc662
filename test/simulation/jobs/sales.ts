/**
 * Windows: sliding and session windows over the union of two sources, where nothing may be late whatever the order in
 * which the sources are read; and tumbling windows over one source with late records, which allow some lateness and
 * give the rest away. The model recomputes every window from all rows.
 */
import { fileSink } from '../../../src/connectors/file-sink/file-sink.ts'
import { lines } from '../../../src/connectors/file/lines.ts'
import { milliseconds, timestamp } from '../../../src/base/time.ts'
import { aggregate, count, max, mean, sum } from '../../../src/stream/aggregates.ts'
import { pipelineOn } from '../../../src/stream/pipeline.ts'
import { session, sliding, tumbling } from '../../../src/stream/window-assigners.ts'
import { compareLines, type JobMaker, linesOf, paced } from './support.ts'

interface Sale {
  readonly shop: number
  readonly at: number
  readonly cents: number
}

/** An aggregate that senders may add up, with accumulators of plain data. */
const dearest = aggregate<Sale, number[], readonly number[]>({
  label: 'the three dearest',
  create: () => [],
  add: (top, sale) => greatest([...top, sale.cents]),
  merge: (left, right) => greatest([...left, ...right]),
  result: (top) => top,
  decomposable: true,
})

function greatest(cents: readonly number[]): number[] {
  return cents.toSorted((a, b) => b - a).slice(0, 3)
}

const disorderMs = 20
const sizeMs = 60
const slideMs = 20
const gapMs = 25
const latenessMs = 40

export const sales: JobMaker = ({ random, sizes, paceMs, intervalMs }) => {
  const draw = (count: number, lateBy: number): Sale[] => {
    let clock = 10_000
    return Array.from({ length: count }, () => {
      clock += random.u32() % 15
      const behind =
        random.u32() % 8 === 0 ? random.u32() % (lateBy + 1) : random.u32() % (disorderMs + 1)
      return { shop: random.u32() % sizes.keys, at: clock - behind, cents: random.u32() % 900 }
    })
  }
  // In half of the jobs the sources wait for each other.
  const drifts = [undefined, undefined, 1, 50]
  const driftMs = drifts[random.stream('drift').u32() % drifts.length]
  const half = Math.ceil(sizes.records / 2)
  const [east, west, late] = [
    draw(half, disorderMs),
    draw(half, disorderMs),
    draw(half, 6 * latenessMs),
  ]
  const both = [...east, ...west]
  const tumblingModel = tumblingOf(late)
  const file = (rows: readonly Sale[]): string =>
    rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  return {
    name: 'sales',
    files: {
      '/in/east.jsonl': file(east),
      '/in/west.jsonl': file(west),
      '/in/late.jsonl': file(late),
    },
    outputs: ['sliding', 'sessions', 'tumbling', 'late'].map((sink) => ({
      sink,
      directory: `/out/${sink}`,
      extension: '.jsonl',
    })),
    intervalMs,
    plan() {
      const app = pipelineOn(undefined)('sales')
      const source = (name: string) =>
        app
          .from(
            name,
            paced(
              lines(`/in/${name}.jsonl`, {
                chunkBytes: sizes.segmentBytes,
                batchRowsMax: sizes.bufferRecords,
              }),
              paceMs,
            ),
          )
          .map((line): Sale => JSON.parse(line))
      const time = {
        timestamp: (sale: Sale) => timestamp(sale.at),
        maxOutOfOrderness: milliseconds(disorderMs),
        ...(driftMs === undefined ? {} : { alignment: { maxDrift: milliseconds(driftMs) } }),
      }
      const timed = source('east').withEventTime(time).union(source('west').withEventTime(time))
      timed
        .keyBy((sale) => sale.shop)
        .window(sliding(milliseconds(sizeMs), milliseconds(slideMs)))
        .aggregate('by-shop', {
          sales: count(),
          cents: sum((sale) => sale.cents),
          most: max((sale) => sale.cents),
          dearest,
        })
        .dropLate('nothing is late: both files keep to the disorder')
        .map(({ key, window, sales, cents, most, dearest: top }) => ({
          shop: key,
          from: window.start,
          to: window.end,
          sales,
          cents,
          most,
          top,
        }))
        .to('sliding', fileSink({ directory: '/out' }))
      timed
        .keyBy((sale) => sale.shop)
        .window(session(milliseconds(gapMs)))
        .aggregate('rushes', { sales: count(), average: mean((sale) => sale.cents) })
        .dropLate('nothing is late: both files keep to the disorder')
        .map(({ key, window, sales, average }) => ({
          shop: key,
          from: window.start,
          to: window.end,
          sales,
          average,
        }))
        .to('sessions', fileSink({ directory: '/out' }))
      const tumblings = source('late')
        .withEventTime(time)
        .keyBy((sale) => sale.shop)
        .window(tumbling(milliseconds(sizeMs)))
        .allowedLateness(milliseconds(latenessMs))
        .emitOnce()
        .aggregate('per-window', { sales: count(), cents: sum((sale) => sale.cents) })
      tumblings.results
        .map(({ key, window, sales, cents }) => ({ shop: key, from: window.start, sales, cents }))
        .to('tumbling', fileSink({ directory: '/out' }))
      tumblings.late.map(({ record }) => record).to('late', fileSink({ directory: '/out' }))
      return app.plan()
    },
    check: ({ outputs }) =>
      compareLines('sliding', outputs, slidingOf(both)) ??
      compareLines('sessions', outputs, sessionsOf(both)) ??
      compareLines('tumbling', outputs, tumblingModel.results) ??
      compareLines('late', outputs, tumblingModel.late) ??
      (tumblingModel.late.length === linesOf(outputs, 'late').length
        ? undefined
        : { oracle: 'O13', title: 'late rows are not counted', message: '' }),
  }
}

function slidingOf(rows: readonly Sale[]): string[] {
  const windows = new Map<
    string,
    { readonly shop: number; readonly from: number; readonly rows: Sale[] }
  >()
  for (const row of rows) {
    const last = Math.floor(row.at / slideMs) * slideMs
    for (let from = last; from > row.at - sizeMs; from -= slideMs) {
      const id = `${row.shop} ${from}`
      const window = windows.get(id) ?? { shop: row.shop, from, rows: [] }
      window.rows.push(row)
      windows.set(id, window)
    }
  }
  return [...windows.values()].map(({ shop, from, rows: inside }) =>
    JSON.stringify({
      shop,
      from,
      to: from + sizeMs,
      sales: inside.length,
      cents: inside.reduce((total, row) => total + row.cents, 0),
      most: Math.max(...inside.map((row) => row.cents)),
      top: greatest(inside.map((row) => row.cents)),
    }),
  )
}

function sessionsOf(rows: readonly Sale[]): string[] {
  const shops = new Map<number, Sale[]>()
  for (const row of rows) shops.set(row.shop, [...(shops.get(row.shop) ?? []), row])
  const out: string[] = []
  for (const [shop, own] of shops) {
    own.sort((a, b) => a.at - b.at)
    let open: Sale[] = []
    const close = (): void => {
      if (open.length === 0) return
      const total = open.reduce((all, row) => all + row.cents, 0)
      out.push(
        JSON.stringify({
          shop,
          from: open[0]!.at,
          to: open.at(-1)!.at + gapMs,
          sales: open.length,
          average: total / open.length,
        }),
      )
      open = []
    }
    for (const row of own) {
      const last = open.at(-1)
      // A row exactly at the end of a session still belongs to it.
      if (last !== undefined && row.at > last.at + gapMs) close()
      open.push(row)
    }
    close()
  }
  return out
}

/** One file: the watermark before a row is the largest earlier time minus the disorder and 1 ms. */
function tumblingOf(rows: readonly Sale[]): {
  readonly results: string[]
  readonly late: string[]
} {
  const windows = new Map<
    string,
    { readonly shop: number; readonly from: number; sales: number; cents: number }
  >()
  const late: string[] = []
  let largest = Number.NEGATIVE_INFINITY
  for (const row of rows) {
    const from = Math.floor(row.at / sizeMs) * sizeMs
    const watermark = largest - disorderMs - 1
    if (from + sizeMs - 1 + latenessMs <= watermark) late.push(JSON.stringify(row))
    else {
      const id = `${row.shop} ${from}`
      const window = windows.get(id) ?? { shop: row.shop, from, sales: 0, cents: 0 }
      window.sales++
      window.cents += row.cents
      windows.set(id, window)
    }
    largest = Math.max(largest, row.at)
  }
  return { results: [...windows.values()].map((window) => JSON.stringify(window)), late }
}
