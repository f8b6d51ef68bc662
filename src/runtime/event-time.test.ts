/** Steps behind steps: what one emits when it fires must reach the next before the watermark does. */
import { describe, expect, it } from 'vitest'
import { days, milliseconds, minutes, timestamp } from '../base/time.ts'
import type { Plan } from '../graph/plan.ts'
import { int } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { max } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { valueState } from '../stream/state.ts'
import { session, tumbling } from '../stream/window-assigners.ts'
import { nullSink, rowsSource, runRows } from './run-rows.test-support.ts'

interface Row {
  readonly t: number
  readonly k: number
}

const rows: readonly Row[] = Array.from({ length: 60 }, (_, i) => ({
  t: i < 40 ? i : 200 + i,
  k: i < 40 ? i % 3 : 3 + (i % 3),
}))
const most = struct('most', { at: field(1, int), most: field(2, int) })

function planOf(build: (app: ReturnType<ReturnType<typeof pipelineOn>>) => void): Plan {
  let plan: Plan | undefined
  const app = pipelineOn({
    run: (p) => {
      plan = p
      return Promise.reject(new Error('only the plan is wanted'))
    },
    start: () => Promise.reject(new Error('not started')),
  })('cascade')
  build(app)
  app.run().catch(() => {})
  if (plan === undefined) throw new Error('no plan')
  return plan
}

const options = [
  { mode: 'stream' },
  { mode: 'batch' },
  { mode: 'stream', interpreted: true },
  { mode: 'batch', interpreted: true },
  { mode: 'stream', restoreAfter: 25 },
] as const

describe.each(options)('windows on the results of windows, %o', (how) => {
  it('find nothing late', async () => {
    const plan = planOf((app) => {
      const counts = app
        .from('rows', rowsSource<Row>())
        .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(3) })
        .keyBy((r) => r.k)
        .window(tumbling(milliseconds(10)))
        .count('counts')
        .dropLate('in order')
        .keyBy((c) => c.window.start)
        .window(tumbling(milliseconds(10)))
        .aggregate('most', { most: max((c) => c.count) })
      counts.late.to('late', nullSink())
      counts.results.map((r) => ({ at: r.key, most: r.most })).to('out', nullSink())
    })
    const { out, late } = await runRows(plan, rows, how)
    expect(late).toEqual([])
    expect(out).toEqual([0, 10, 20, 30, 240, 250].map((at) => ({ at, most: 4 })))
  })

  it('see timers of the step before them first', async () => {
    const plan = planOf((app) => {
      app
        .from('rows', rowsSource<Row>())
        .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(0) })
        .keyBy((r) => r.k)
        .process('late-starters', {
          state: { n: valueState(int, { initial: 0 }) },
          timers: { soon: 'event-time' },
          output: most,
          onRecord(row, ctx) {
            ctx.state.n.set(ctx.state.n.get() + 1)
            ctx.timers.soon.setAt(timestamp(Math.floor(row.t / 100) * 100 + 90))
          },
          onTimer: { soon: (ctx) => ctx.emit({ at: ctx.timestamp, most: ctx.state.n.get() }) },
        })
        .keyBy(() => 0)
        .window(session(milliseconds(20)))
        .count('emitted')
        .dropLate('timers fire in order')
        .to('out', nullSink())
    })
    const { out } = await runRows(plan, rows, how)
    expect(out).toEqual([
      { key: 0, window: { start: 90, end: 110 }, count: 3 },
      { key: 0, window: { start: 290, end: 310 }, count: 3 },
    ])
  })
})

const lastDate = 8_640_000_000_000_000
const edges: readonly Row[] = [
  { t: -lastDate, k: 1 },
  { t: 0, k: 2 },
  { t: lastDate - 1, k: 3 },
  { t: lastDate, k: 3 },
]

describe.each(options)('windows over the first and the last date, %o', (how) => {
  it.each(['tumbling', 'session'] as const)('%s: close at the end of the input', async (kind) => {
    const plan = planOf((app) => {
      app
        .from('rows', rowsSource<Row>())
        .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(3) })
        .keyBy((r) => r.k)
        .window(kind === 'session' ? session(minutes(5)) : tumbling(days(7)))
        .count('counts')
        .dropLate('in order')
        .keyBy((c) => c.key)
        .process('told', {
          timers: { closed: 'event-time' },
          output: most,
          state: { n: valueState(int, { initial: 0 }) },
          onRecord(c, ctx) {
            ctx.state.n.set(c.count)
            ctx.timers.closed.setAt(ctx.timestamp)
          },
          onTimer: { closed: (ctx) => ctx.emit({ at: ctx.key, most: ctx.state.n.get() }) },
        })
        .to('out', nullSink())
    })
    const { out } = await runRows(plan, edges, { ...how, batchRows: 1, restoreAfter: 3 })
    expect(out).toEqual([
      { at: 1, most: 1 },
      { at: 2, most: 1 },
      { at: 3, most: 2 },
    ])
  })
})
