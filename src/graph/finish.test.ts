import { describe, expect, test } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { minutes, seconds } from '../base/time.ts'
import { int } from '../schema/scalars.ts'
import {
  completeProgram,
  type Order,
  order,
  pipeline,
  plannedSink,
  plannedSource,
} from '../stream/samples.test-support.ts'
import type { Pipeline } from '../stream/pipeline.ts'
import type { Stream } from '../stream/types.ts'
import { tumbling } from '../stream/window-assigners.ts'
import { finishPlan } from './finish.ts'
import type { PlanNode } from './plan.ts'

const sink = plannedSink<unknown>()

function failure(fn: () => unknown): { readonly code: string; readonly message: string } {
  try {
    fn()
  } catch (error) {
    if (isTidemillError(error)) return { code: error.code, message: error.message }
    throw error
  }
  return { code: 'no error', message: '' }
}

/** The error of a program over orders, when its plan is built. */
function failureOf(build: (orders: Stream<Order, 'event-time'>, app: Pipeline) => void): {
  readonly code: string
  readonly message: string
} {
  return failure(() => {
    const app = pipeline('p')
    const orders = app.from('orders', plannedSource(order))
    build(
      orders.withEventTime({ timestamp: (o) => o.placedAt, maxOutOfOrderness: seconds(1) }),
      app,
    )
    app.plan()
  })
}

describe('a plan is refused', () => {
  test('when nothing comes out of it', () => {
    expect(failureOf(() => {})).toEqual({
      code: 'TM1309',
      message: 'a pipeline has no sink: pipeline "p"',
    })
  })

  test('when a name is used twice in one role, also in other case', () => {
    expect(
      failureOf((orders) => {
        orders.to('Out', sink)
        orders.to('out', sink)
      }),
    ).toMatchObject({
      code: 'TM1302',
      message: expect.stringMatching(/^a name is used twice: sink "out" and sink "Out"/),
    })
    expect(
      failureOf((orders) => {
        orders
          .keyBy((o) => o.userId)
          .count('n')
          .to('a', sink)
        orders
          .keyBy((o) => o.userId)
          .count('n')
          .to('b', sink)
      }).code,
    ).toBe('TM1302')
  })

  test('but a sink may be called like the step before it', () => {
    expect(
      failureOf((orders) =>
        orders
          .keyBy((o) => o.userId)
          .count('orders')
          .to('orders', sink),
      ).code,
    ).toBe('no error')
  })

  test('when late or rejected records go nowhere', () => {
    expect(
      failureOf((orders) => {
        orders
          .keyBy((o) => o.shopId)
          .window(tumbling(minutes(1)))
          .count('w')
          .results.to('w', sink)
      }),
    ).toEqual({
      code: 'TM1305',
      message: 'nobody takes the late records of a step: window step "w"',
    })
    expect(failureOf((orders) => orders.try('t', (o) => o).results.to('t', sink))).toEqual({
      code: 'TM1306',
      message: 'nobody takes the rejected records of a step: try step "t"',
    })
    expect(
      failureOf((orders, app) => {
        orders.to('o', sink)
        app.tryFrom('bad', plannedSource(order)).results.to('bad', sink)
      }).message,
    ).toBe('nobody takes the rejected records of a step: source "bad"')
  })

  test('when results or a declared output go nowhere', () => {
    expect(
      failureOf((orders) => {
        orders.to('o', sink)
        orders.map((o) => o.amount)
      }),
    ).toMatchObject({
      code: 'TM1307',
      message: expect.stringMatching(
        /^the records of a step go nowhere: map at .*finish\.test\.ts:\d+:\d+$/,
      ),
    })
    expect(
      failureOf((orders) => {
        orders
          .keyBy((o) => o.userId)
          .process('p', { output: { a: int, b: int }, onRecord() {} })
          .a.to('a', sink)
      }),
    ).toEqual({
      code: 'TM1307',
      message: 'the records of a step go nowhere: output "b" of process step "p"',
    })
  })

  test('when records are both taken and given up', () => {
    expect(
      failureOf((orders) => {
        const windows = orders
          .keyBy((o) => o.shopId)
          .window(tumbling(minutes(1)))
          .count('w')
        windows.late.to('late', sink)
        windows.dropLate('no').to('w', sink)
      }),
    ).toMatchObject({
      code: 'TM1308',
      message: expect.stringContaining(
        'window step "w" drops late records, and sink "late" reads them',
      ),
    })
    expect(
      failureOf((orders) => {
        const tried = orders.try('t', (o) => o)
        tried.rejected.to('dead', sink)
        tried.orFail().to('t', sink)
      }).code,
    ).toBe('TM1308')
  })

  test('when event time is missing where it is needed', () => {
    const app = pipeline('p')
    const keyed = app.from('orders', plannedSource(order)).keyBy((o) => o.userId)
    const timed = keyed as unknown as ReturnType<Stream<Order, 'event-time'>['keyBy']>
    timed
      .window(tumbling(minutes(1)))
      .count('w')
      .dropLate('x')
      .to('w', sink)
    expect(failure(() => app.plan())).toEqual({
      code: 'TM1312',
      message: 'a step needs event time and its input has none: window step "w"',
    })
    const other = pipeline('q')
    const untimed = other.from('orders', plannedSource(order)).keyBy((o) => o.userId)
    untimed
      .process('p', {
        timers: { t: 'event-time' as never },
        output: order,
        onRecord() {},
        onTimer: { t() {} },
      })
      .to('p', sink)
    expect(failure(() => other.plan()).message).toContain('timer "t" of process step "p"')
  })

  test('when an aggregate hides the key, or there is none', () => {
    expect(
      failureOf((orders) =>
        orders
          .keyBy((o) => o.userId)
          .aggregate('a', {})
          .to('a', sink),
      ).code,
    ).toBe('TM1313')
    expect(
      failureOf((orders) => {
        const spec: Record<string, never> = JSON.parse('{}')
        Object.assign(spec, { key: { definition: { kind: 'count', where: undefined } } })
        orders
          .keyBy((o) => o.userId)
          .aggregate('a', spec)
          .to('a', sink)
      }).code,
    ).toBe('TM1303')
  })

  test('when a rename is not unique or its old name lives on', () => {
    expect(
      failureOf((orders) => {
        orders
          .keyBy((o) => o.userId)
          .count('a', { was: 'b' })
          .to('a', sink)
        orders
          .keyBy((o) => o.userId)
          .count('b')
          .to('b', sink)
      }).code,
    ).toBe('TM1314')
    expect(
      failureOf((orders) => {
        orders
          .keyBy((o) => o.userId)
          .count('a', { was: 'old' })
          .to('a', sink)
        orders
          .keyBy((o) => o.userId)
          .count('b', { was: 'old' })
          .to('b', sink)
      }).code,
    ).toBe('TM1314')
  })

  test('when partitions should wait for each other behind a step that mixes them', () => {
    const time = {
      timestamp: (o: Order) => o.placedAt,
      maxOutOfOrderness: seconds(1),
      alignment: { maxDrift: seconds(1) },
    }
    const found = failureOf((orders) => orders.rebalance().withEventTime(time).to('a', sink))
    expect(found).toMatchObject({ code: 'TM1313', message: expect.stringContaining('rebalance') })
    const held = failureOf((orders) =>
      orders
        .filter((o) => o.amount > 0)
        .withEventTime(time)
        .to('a', sink),
    )
    expect(held.code).toBe('no error')
    const twice = failureOf((orders) => {
      for (const group of ['one', 'two'])
        orders
          .withEventTime({ ...time, alignment: { group, maxDrift: seconds(1) } })
          .to(group, sink)
    })
    expect(twice).toMatchObject({ code: 'TM1313', message: expect.stringContaining('one group') })
  })

  test('when it was put together by hand and does not hold', () => {
    const good = completeProgram().plan()
    const change =
      (id: number, patch: object): (() => unknown) =>
      () =>
        finishPlan({
          ...good,
          nodes: good.nodes.map((n) => (n.id === id ? ({ ...n, ...patch } as PlanNode) : n)),
        })
    const id = (kind: string): number => good.nodes.findIndex((n) => n.kind === kind)
    expect(failure(change(id('map'), { inputs: [{ node: 99, output: 'out' }] })).code).toBe(
      'TM1311',
    )
    expect(failure(change(id('map'), { inputs: [{ node: id('map'), output: 'out' }] })).code).toBe(
      'TM1311',
    )
    expect(failure(change(id('map'), { inputs: [] })).code).toBe('TM1311')
    expect(failure(change(id('map'), { inputs: [{ node: 0, output: 'side' }] })).message).toContain(
      'which has only out',
    )
    expect(failure(change(id('window'), { inputs: [{ node: 0, output: 'out' }] })).code).toBe(
      'TM1310',
    )
    expect(
      failure(change(id('sink'), { inputs: [{ node: id('key-by'), output: 'out' }] })).code,
    ).toBe('TM1311')
    expect(failure(change(0, { name: undefined })).code).toBe('TM1301')
    expect(failure(change(0, { name: '../up' })).code).toBe('TM1300')
  })
})
