/** Windows against a slow, obvious model that keeps all rows: random rows, disorder, lateness, restores, both chains. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { count, countDistinct, max, mean, min, sum } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { milliseconds } from '../base/time.ts'
import { session, sliding, tumbling } from '../stream/window-assigners.ts'
import { timestamp } from '../base/time.ts'
import type { Plan } from '../graph/plan.ts'
import { nullSink, rowsSource, runRows } from '../runtime/run-rows.test-support.ts'

interface Row {
  readonly t: number
  readonly k: number | string
  readonly v: number
}

interface Windowing {
  readonly kind: 'tumbling' | 'sliding' | 'session'
  readonly size: number
  readonly slide: number
}

const delay = 20

function planOf(w: Windowing, lateness: number): Plan {
  const assigner =
    w.kind === 'tumbling'
      ? tumbling(milliseconds(w.size))
      : w.kind === 'sliding'
        ? sliding(milliseconds(w.size), milliseconds(w.slide))
        : session(milliseconds(w.size))
  const app = pipelineOn(undefined)('windows')
  const windowed = app
    .from('rows', rowsSource<Row>())
    .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(delay) })
    .keyBy((r) => r.k)
    .window(assigner)
    .allowedLateness(milliseconds(lateness))
    .emitOnce()
    .aggregate('totals', {
      n: count(),
      total: sum((r) => r.v),
      least: min((r) => r.v),
      most: max((r) => r.v),
      mid: mean((r) => r.v),
      kinds: countDistinct((r) => r.v),
      big: count({ where: (r) => r.v > 3 }),
    })
  windowed.results.to('results', nullSink())
  windowed.late.map((l) => l.record).to('late', nullSink())
  return app.plan()
}

interface Model {
  readonly results: readonly object[]
  readonly late: readonly Row[]
}

/** Every window that was ever open, with the rows it took. */
function model(rows: readonly Row[], w: Windowing, lateness: number): Model {
  const open = new Map<string, { key: Row['k']; start: number; end: number; rows: Row[] }>()
  const late: Row[] = []
  let watermark = Number.NEGATIVE_INFINITY
  for (const row of rows) {
    const closed = (end: number): boolean => end - 1 + lateness <= watermark
    let taken = false
    if (w.kind === 'session') {
      let merged = { key: row.k, start: row.t, end: row.t + w.size, rows: [row] }
      const mergedIds: string[] = []
      for (const [id, s] of open) {
        if (s.key !== row.k || closed(s.end)) continue
        if (s.start > row.t + w.size || s.end < row.t) continue
        merged = {
          key: row.k,
          start: Math.min(merged.start, s.start),
          end: Math.max(merged.end, s.end),
          rows: [...s.rows, ...merged.rows],
        }
        mergedIds.push(id)
      }
      if (!closed(merged.end)) {
        for (const id of mergedIds) open.delete(id)
        open.set(`${typeof row.k} ${row.k} ${merged.start} ${Math.random()}`, merged)
        taken = true
      }
    } else {
      const slide = w.kind === 'tumbling' ? w.size : w.slide
      for (let start = Math.floor(row.t / slide) * slide; start > row.t - w.size; start -= slide) {
        if (closed(start + w.size)) continue
        const id = `${typeof row.k} ${row.k} ${start}`
        const known = open.get(id) ?? { key: row.k, start, end: start + w.size, rows: [] }
        known.rows.push(row)
        open.set(id, known)
        taken = true
      }
    }
    if (!taken) late.push(row)
    watermark = Math.max(watermark, row.t - delay - 1)
  }
  const results = [...open.values()].map(({ key, start, end, rows }) => {
    const values = rows.map((r) => r.v)
    const total = values.reduce((a, b) => a + b, 0)
    return {
      key,
      window: { start, end },
      n: rows.length,
      total,
      least: Math.min(...values),
      most: Math.max(...values),
      mid: total / values.length,
      kinds: new Set(values).size,
      big: values.filter((v) => v > 3).length,
    }
  })
  return { results, late }
}

const keys = fc.constantFrom<Row['k']>(0, 1, 2, '1', 'a', -7.5)
const rowsArbitrary = fc.array(
  fc.record({ t: fc.integer({ min: -100, max: 400 }), k: keys, v: fc.integer({ min: 0, max: 6 }) }),
  { maxLength: 60 },
)
const windowing: fc.Arbitrary<Windowing> = fc.oneof(
  fc.record({
    kind: fc.constant('tumbling' as const),
    size: fc.integer({ min: 1, max: 80 }),
    slide: fc.constant(1),
  }),
  fc
    .record({
      kind: fc.constant('sliding' as const),
      size: fc.integer({ min: 1, max: 80 }),
      slide: fc.integer({ min: 1, max: 80 }),
    })
    .map((w) => ({ ...w, slide: Math.min(w.size, w.slide) })),
  fc.record({
    kind: fc.constant('session' as const),
    size: fc.integer({ min: 1, max: 60 }),
    slide: fc.constant(1),
  }),
)

function sorted(rows: readonly unknown[]): readonly string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}

describe('windows', () => {
  it('equal the model that keeps all rows', async () => {
    await fc.assert(
      fc.asyncProperty(
        rowsArbitrary,
        windowing,
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 70 }),
        fc.boolean(),
        fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
        async (rows, w, lateness, batchRows, interpreted, restoreAfter) => {
          const got = await runRows(planOf(w, lateness), rows, {
            batchRows,
            interpreted,
            ...(restoreAfter === undefined ? {} : { restoreAfter }),
          })
          const want = model(rows, w, lateness)
          expect(sorted(got['results'] ?? [])).toEqual(sorted(want.results))
          expect(sorted(got['late'] ?? [])).toEqual(sorted(want.late))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('are complete in batch mode, where nothing is late', async () => {
    await fc.assert(
      fc.asyncProperty(rowsArbitrary, windowing, async (rows, w) => {
        const got = await runRows(planOf(w, 0), rows, { mode: 'batch' })
        const inOrder = [...rows].sort((a, b) => a.t - b.t)
        const want = model(inOrder, w, 0)
        expect(sorted(got['results'] ?? [])).toEqual(sorted(want.results))
        expect(got['late']).toEqual([])
      }),
      {
        numRuns: 150,
        examples: [
          [
            [
              { t: 251, k: 'a', v: 0 },
              { t: 250, k: 'a', v: 0 },
            ],
            { kind: 'session', size: 1, slide: 1 },
          ],
        ],
      },
    )
  })
})
