/** Inputs at the edge of what a step may be given, against every keyed step and every kind of window (B19). */
import { describe, expect, it } from 'vitest'
import { milliseconds, timestamp } from '../base/time.ts'
import { int, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { count } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { valueState } from '../stream/state.ts'
import type { Stream } from '../stream/types.ts'
import { session, sliding, tumbling } from '../stream/window-assigners.ts'
import { nullSink, rowsSource, type RunRowsOptions, runRows } from './run-rows.test-support.ts'

interface Row {
  readonly t: number
  readonly k: string
}

const spread = Array.from({ length: 60 }, (_, i): Row => ({ t: i * 7, k: `k${i % 4}` }))

const inputs: Readonly<Record<string, readonly Row[]>> = {
  'no row': [],
  'one row': [{ t: 5, k: 'a' }],
  'one key': spread.map((row) => ({ ...row, k: 'a' })),
  'one time': spread.map((row) => ({ ...row, t: 100 })),
  'time going backwards': spread.toReversed(),
  'everything late but the first': [{ t: 1_000_000, k: 'a' }, ...spread],
  'a key of no letters': spread.map((row) => ({ ...row, k: '' })),
  'times before 1970': spread.map((row) => ({ ...row, t: row.t - 1_000_000 })),
}

const ways: readonly RunRowsOptions[] = [
  { mode: 'stream' },
  { mode: 'stream', interpreted: true },
  { mode: 'stream', batchRows: 1, restoreAfter: 3 },
  { mode: 'batch' },
]

const windows = {
  tumbling: tumbling(milliseconds(50)),
  sliding: sliding(milliseconds(100), milliseconds(50)),
  session: session(milliseconds(20)),
}

/** What the last row of each key says. */
function last(rows: readonly unknown[] | undefined): Readonly<Record<string, number>> {
  return Object.fromEntries(
    ((rows ?? []) as { key: string; count: number }[]).map(({ key, count: n }) => [key, n]),
  )
}

function perKey(rows: readonly Row[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { k } of rows) counts[k] = (counts[k] ?? 0) + 1
  return counts
}

describe.each(Object.entries(inputs))('%s', (_, rows) => {
  describe.each(ways)('%o', (way) => {
    it('is counted per key by steps that keep a number', async () => {
      const app = pipelineOn(undefined)('totals')
      const keyed = app
        .from('rows', rowsSource<Row>())
        .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(0) })
        .keyBy((r) => r.k)
      keyed.count('count').to('counted', nullSink())
      const processed = keyed.process('process', {
        state: { n: valueState(int, { initial: 0 }) },
        output: struct('total', { key: field(1, text), count: field(2, int) }),
        onRecord(row, ctx) {
          ctx.state.n.set(ctx.state.n.get() + 1)
          ctx.emit({ key: row.k, count: ctx.state.n.get() })
        },
      })
      processed.to('processed', nullSink())
      const got = await runRows(app.plan(), rows, way)
      expect(last(got['counted'])).toEqual(perKey(rows))
      expect(last(got['processed'])).toEqual(perKey(rows))
    })

    it.each(Object.entries(windows))(
      'is counted or late, once, by a %s window',
      async (kind, assigner) => {
        const app = pipelineOn(undefined)('windows')
        const timed: Stream<Row> = app.from('rows', rowsSource<Row>())
        const step = timed
          .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(0) })
          .keyBy((r) => r.k)
          .window(assigner)
          .aggregate('window', { n: count() })
        step.results.to('results', nullSink())
        step.late.to('late', nullSink())
        const got = await runRows(app.plan(), rows, way)
        const counted = ((got['results'] ?? []) as { n: number }[]).reduce(
          (sum, { n }) => sum + n,
          0,
        )
        const late = got['late']?.length ?? 0
        if (way.mode === 'batch') expect(late).toBe(0)
        if (kind === 'sliding') {
          // Two windows per row; a row may be too late for the first of them only.
          expect(counted).toBeLessThanOrEqual(2 * (rows.length - late))
          expect(counted).toBeGreaterThanOrEqual(rows.length - late)
        } else expect(counted).toBe(rows.length - late)
        if (rows[0]?.t === 1_000_000 && way.mode === 'stream') expect(late).toBe(rows.length - 1)
      },
    )
  })
})
