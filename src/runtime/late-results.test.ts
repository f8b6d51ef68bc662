/** Windows that wait for late rows give their results late; whoever comes after them must wait as long. */
import { describe, expect, it } from 'vitest'
import { milliseconds, timestamp } from '../base/time.ts'
import { count } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { session, tumbling } from '../stream/window-assigners.ts'
import { nullSink, rowsSource, type RunRowsOptions, runRows } from './run-rows.test-support.ts'

interface Row {
  readonly t: number
  readonly k: number
}

const rows: readonly Row[] = Array.from({ length: 400 }, (_, i) => ({ t: i * 3, k: i % 5 }))

const options: readonly RunRowsOptions[] = [
  { mode: 'stream' },
  { mode: 'stream', interpreted: true },
  { mode: 'stream', restoreAfter: 200 },
  { mode: 'batch' },
]

describe.each(options)('a window behind a window, %o', (option) => {
  it.each([
    ['tumbling', tumbling(milliseconds(10))],
    ['session', session(milliseconds(12))],
  ])('that is %s and waits for late rows misses none of its results', async (_, first) => {
    const app = pipelineOn(undefined)('cascade')
    const inner = app
      .from('rows', rowsSource<Row>())
      .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(0) })
      .keyBy((r) => r.k)
      .window(first)
      .allowedLateness(milliseconds(75))
      .emitOnce()
      .aggregate('inner', { n: count() })
      .dropLate('in order')
    inner.to('inner', nullSink())
    const outer = inner
      .keyBy(() => 0)
      .window(tumbling(milliseconds(20)))
      .aggregate('outer', { windows: count() })
    outer.results.to('outer', nullSink())
    outer.late.to('late', nullSink())
    const got = await runRows(app.plan(), rows, option)
    const windows = (got['outer'] ?? []).map((row) => (row as { readonly windows: number }).windows)
    expect(got['inner']?.length).toBeGreaterThan(100)
    expect(windows.reduce((a, b) => a + b, 0)).toBe(got['inner']?.length)
    expect(got['late']).toEqual([])
  })
})
