import { afterEach, describe, expect, test } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { hours, milliseconds, minutes, seconds } from '../base/time.ts'
import { installHost } from '../graph/host.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import { json } from '../schema/json.ts'
import { int, text } from '../schema/scalars.ts'
import { count, countDistinct, max, mean, min, quantile, sum } from './aggregates.ts'
import { param } from './params.ts'
import { pipelineOn } from './pipeline.ts'
import { type Order, order, pipeline, plannedSink, plannedSource } from './samples.test-support.ts'
import {
  aggregatingState,
  listState,
  mapState,
  reducingState,
  sortedMapState,
  valueState,
} from './state.ts'
import type { Stream } from './types.ts'
import { session, sliding, tumbling, tumblingProcessingTime } from './window-assigners.ts'

/** The nodes between the source and the sinks of a program over orders. */
function stepsOf(build: (orders: Stream<Order>) => void): readonly PlanNode[] {
  const app = pipeline('steps')
  build(app.from('orders', plannedSource(order)))
  return app.plan().nodes.slice(1)
}

function codeOf(fn: () => unknown): string {
  try {
    fn()
  } catch (error) {
    if (isTidemillError(error)) return error.code
    throw error
  }
  return 'no error'
}

const timeOfOrders = { timestamp: (o: Order) => o.placedAt, maxOutOfOrderness: seconds(5) }
const sink = plannedSink<unknown>()

describe('methods of a stream add one step each', () => {
  test('map, filter and flatMap keep their function and order', () => {
    const double = (o: Order): number => o.amount * 2
    const nodes = stepsOf((orders) => {
      orders
        .map(double)
        .filter((n) => n > 1)
        .flatMap((n) => [n, n])
        .to('out', sink)
    })
    expect(nodes.map((n) => n.kind)).toEqual(['map', 'filter', 'flat-map', 'sink'])
    expect(nodes[0]).toMatchObject({
      fn: double,
      inputs: [{ node: 0, output: 'out' }],
      schema: undefined,
    })
  })

  test('filter and keyBy keep the schema of their rows, map drops it unless one is given', () => {
    const nodes = stepsOf((orders) => {
      orders
        .filter(() => true)
        .map((o) => o.amount)
        .map((n) => Math.round(n), { row: int })
        .keyBy((n) => n)
        .count('n')
        .to('out', sink)
    })
    expect(nodes.map((n) => n.schema)).toEqual([order, undefined, int, int, undefined, undefined])
  })

  test('try has two outputs until orFail', () => {
    const nodes = stepsOf((orders) => {
      const priced = orders.try('price', (o) => o.amount)
      priced.results.to('prices', sink)
      priced.rejected.to('dead', sink)
      orders
        .try('check', (o) => o)
        .orFail()
        .to('checked', sink)
    })
    expect(nodes[0]).toMatchObject({ kind: 'try', name: 'price', rejects: true })
    expect(nodes[2]?.inputs).toEqual([{ node: 1, output: 'rejected' }])
    expect(nodes[3]).toMatchObject({ kind: 'try', name: 'check', rejects: false })
  })

  test('tryFrom rejects, from follows the policy, orFail fails', () => {
    const app = pipeline('sources')
    const tried = app.tryFrom('a', plannedSource(order))
    tried.results.to('a', sink)
    tried.rejected.to('a-dead', sink)
    app.from('b', plannedSource(order)).to('b', sink)
    app.tryFrom('c', plannedSource(order)).orFail().to('c', sink)
    const sources = app.plan().nodes.filter((n) => n.kind === 'source')
    expect(sources.map((n) => [n.rejects, n.onError])).toEqual([
      [true, undefined],
      [false, undefined],
      [false, 'fail'],
    ])
  })

  test('withEventTime has defaults, tryWithEventTime a name and an output', () => {
    const nodes = stepsOf((orders) => {
      orders.withEventTime(timeOfOrders).to('a', sink)
      const tried = orders.tryWithEventTime('time', { ...timeOfOrders, idleAfter: seconds(1) })
      tried.results.to('b', sink)
      tried.rejected.to('c', sink)
    })
    expect(nodes[0]).toMatchObject({
      name: undefined,
      maxOutOfOrderness: 5_000,
      idleAfter: 300_000,
      rejects: false,
    })
    expect(nodes[2]).toMatchObject({ name: 'time', idleAfter: 1_000, rejects: true })
  })

  test('withEventTime keeps partitions together in a group with a name', () => {
    const alignmentOf = (alignment: unknown): unknown => {
      const time = { ...timeOfOrders, alignment } as typeof timeOfOrders
      const [node] = stepsOf((orders) => orders.withEventTime(time).to('a', sink))
      return node?.kind === 'event-time' ? node.alignment : undefined
    }
    expect(alignmentOf(undefined)).toBeUndefined()
    expect(alignmentOf({ maxDrift: seconds(2) })).toEqual({ group: 'default', maxDrift: 2_000 })
    expect(alignmentOf({ group: 'g', maxDrift: seconds(2) })).toMatchObject({ group: 'g' })
    for (const wrong of [
      7,
      null,
      {},
      { maxDrift: 0 },
      { maxDrift: '2s' },
      { group: '', maxDrift: 9 },
    ])
      expect(() => alignmentOf(wrong)).toThrow()
  })

  test('union keeps a schema that all inputs share', () => {
    const nodes = stepsOf((orders) => {
      orders.union(orders.filter(() => true)).to('same', sink)
      orders.union(orders.map((o) => o.amount)).to('mixed', sink)
    })
    const unions = nodes.filter((n) => n.kind === 'union')
    expect(unions.map((n) => n.schema)).toEqual([order, undefined])
    expect(unions[0]?.inputs).toHaveLength(2)
  })

  test('apply passes the stream itself', () => {
    stepsOf((orders) => {
      expect(orders.apply((self) => self === orders)).toBe(true)
      orders.to('out', sink)
    })
  })
})

describe('keyed steps', () => {
  test('process holds what it declares', () => {
    const onRecord = (): void => {}
    const nodes = stepsOf((orders) => {
      const out = orders
        .keyBy((o) => o.userId)
        .process('p', {
          state: {
            v: valueState(int, { initial: 3 }),
            l: listState(text, { ttl: hours(1), was: 'old' }),
            m: mapState(text, int),
            s: sortedMapState(int, text),
            r: reducingState(int, (a, b) => a + b),
            a: aggregatingState(int, {
              create: () => 0,
              add: (a, n: number) => a + n,
              result: (a) => `${a}`,
            }),
          },
          timers: { t: 'processing-time' },
          output: { x: json<{ readonly a: number }>(), y: json(order) },
          was: 'former',
          onError: 'skip',
          onRecord,
          onTimer: { t() {} },
        })
      out.x.to('x', sink)
      out.y
        .keyBy((o) => o.userId)
        .count('y')
        .to('y', sink)
    })
    const node = nodes.find((n) => n.kind === 'process')
    expect(node).toMatchObject({ name: 'p', was: 'former', inputs: [{ node: 1, output: 'out' }] })
    const { definition } = node as PlanNode & { kind: 'process' }
    expect(Object.entries(definition.state).map(([name, s]) => [name, s.kind])).toEqual([
      ['v', 'value'],
      ['l', 'list'],
      ['m', 'map'],
      ['s', 'sorted-map'],
      ['r', 'reducing'],
      ['a', 'aggregating'],
    ])
    expect(definition.state['v']).toMatchObject({ initial: 3, value: int })
    expect(definition.state['l']?.options).toEqual({ ttl: 3_600_000, was: 'old' })
    expect(definition).toMatchObject({
      timers: { t: 'processing-time' },
      outputs: ['x', 'y'],
      onError: 'skip',
      onRecord,
    })
    // The schema inside json(…) is known to the step that follows.
    expect(nodes.filter((n) => n.kind === 'key-by')[1]?.schema).toBe(order)
  })

  test('steps that give rows to subtasks', () => {
    const byNumber = (o: { readonly amount: number }): number => o.amount % 3
    const nodes = stepsOf((orders) => {
      orders
        .rebalance({ parallelism: 2 })
        .global()
        .broadcast()
        .partitionBy((o) => o.userId)
        .partitionBy(byNumber, { partitions: 3 })
        .to('out', sink, { parallelism: 1 })
    })
    expect(nodes.filter((n) => n.kind === 'partition')).toMatchObject([
      { how: 'rebalance', parallelism: 2 },
      { how: 'global', parallelism: 1 },
      { how: 'broadcast' },
      { how: 'by-key' },
      { how: 'by-number', partitions: 3, fn: byNumber, schema: order },
    ])
    expect(nodes.find((n) => n.kind === 'sink')).toMatchObject({ parallelism: 1 })
  })

  test.each([0, -1, 1.5, 129, Number.NaN, '2' as never])('a parallelism of %s is refused', (n) => {
    const bound = { parallelism: n }
    const code = (build: (orders: Stream<Order>) => unknown): unknown => {
      try {
        stepsOf(build)
        return undefined
      } catch (error) {
        return (error as { readonly code?: string }).code
      }
    }
    expect(code((orders) => orders.rebalance(bound))).toBe('TM1313')
    expect(code((orders) => orders.keyBy((o) => o.userId, bound))).toBe('TM1313')
    expect(code((orders) => orders.partitionBy((o) => o.userId, bound))).toBe('TM1313')
    expect(code((orders) => orders.to('out', sink, bound))).toBe('TM1313')
    expect(code((orders) => orders.partitionBy((o) => o.amount, { partitions: 0 }))).toBe('TM1313')
    expect(code((orders) => orders.rebalance(null as never))).toBe('TM1351')
  })

  test('count, aggregate and reduce', () => {
    const nodes = stepsOf((orders) => {
      const keyed = orders.keyBy((o) => o.userId)
      keyed.count('c', { was: 'b' }).to('c', sink)
      keyed
        .aggregate('a', { n: count(), s: sum((o) => o.amount) }, { emit: 'latest' })
        .to('a', sink)
      keyed.reduce('r', (_, o) => o).to('r', sink)
    })
    expect(nodes.filter((n) => n.name !== undefined && n.kind !== 'sink')).toMatchObject([
      {
        kind: 'keyed-aggregate',
        name: 'c',
        was: 'b',
        emit: 'every-change',
        aggregates: { count: { kind: 'count' } },
      },
      {
        kind: 'keyed-aggregate',
        name: 'a',
        emit: 'latest',
        aggregates: { n: { kind: 'count' }, s: { kind: 'sum' } },
      },
      { kind: 'keyed-reduce', name: 'r', value: order },
    ])
  })

  test('windows: what is emitted, and when they close', () => {
    const nodes = stepsOf((orders) => {
      const keyed = orders.withEventTime(timeOfOrders).keyBy((o) => o.shopId)
      keyed
        .window(tumbling(minutes(1), { offset: seconds(-10), closeAfterQuiet: seconds(30) }))
        .count('a')
        .dropLate('x')
        .to('a', sink)
      keyed
        .window(sliding(hours(1), minutes(5)))
        .allowedLateness(minutes(5))
        .emitOnce()
        .count('b')
        .dropLate('x')
        .to('b', sink)
      const updates = keyed
        .window(session(minutes(30)))
        .allowedLateness(minutes(5))
        .count('c')
      updates.results.changes().to('c', sink)
      updates.late.to('late', sink)
      orders
        .keyBy((o) => o.shopId)
        .window(tumblingProcessingTime(seconds(10)))
        .count('d')
        .to('d', sink)
    })
    expect(nodes.filter((n) => n.kind === 'window')).toMatchObject([
      {
        window: { kind: 'tumbling', time: 'event-time', sizeMs: 60_000, offsetMs: 50_000 },
        emit: 'once',
        allowedLatenessMs: 0,
        closeAfterQuietMs: 30_000,
        dropLate: 'x',
      },
      {
        window: { kind: 'sliding', sizeMs: 3_600_000, slideMs: 300_000, offsetMs: 0 },
        emit: 'once',
        allowedLatenessMs: 300_000,
      },
      {
        window: { kind: 'session', gapMs: 1_800_000 },
        emit: 'updates',
        allowedLatenessMs: 300_000,
        dropLate: undefined,
      },
      {
        window: { kind: 'tumbling', time: 'processing-time', sizeMs: 10_000 },
        emit: 'once',
        dropLate: undefined,
      },
    ])
  })

  test('reduce of a window combines in any grouping', () => {
    const nodes = stepsOf((orders) => {
      orders
        .map((o) => o.amount, { row: int })
        .keyBy((n) => n)
        .window(tumblingProcessingTime(seconds(1)))
        .reduce('r', (a, b) => a + b)
        .to('r', sink)
    })
    const node = nodes.find((n) => n.kind === 'window') as PlanNode & { kind: 'window' }
    const value = node.aggregates['value']
    if (value?.kind !== 'custom') throw new Error('a reduce is a custom aggregate')
    const { create, add, merge, result } = value as {
      create(): unknown
      add(a: unknown, b: unknown): unknown
      merge(a: unknown, b: unknown): unknown
      result(a: unknown): unknown
    }
    const one = add(create(), 1)
    const many = add(add(create(), 2), 3)
    expect(result(merge(merge(create(), one), many))).toBe(6)
    expect(value.accumulator).toBe(int)
  })

  test('aggregates are described by kind', () => {
    const definitions = [
      count(),
      sum(Number),
      min(Number),
      max(Number),
      mean(Number),
      countDistinct(String),
      quantile(Number, 0.5),
    ]
    expect(definitions.map((one) => one.definition.kind)).toEqual([
      'count',
      'sum',
      'min',
      'max',
      'mean',
      'count-distinct',
      'custom',
    ])
    const median = quantile<{ readonly n: number }>((row) => row.n, 0.5, {
      where: (row) => row.n < 100,
    }).definition
    if (median.kind !== 'custom') throw new Error('a quantile is a custom aggregate')
    let sketch = median.create()
    for (const n of [1, 2, 3, 1_000]) sketch = median.add(sketch as never, { n } as never)
    expect(median.result(sketch as never)).toBeCloseTo(2, 1)
    expect(
      codeOf(() => median.add(sketch as never, { n: Number.NEGATIVE_INFINITY } as never)),
    ).toBe('TM1357')
  })
})

describe('what a program gets wrong is said at the line', () => {
  const app = (): Stream<Order> => pipeline('wrong').from('orders', plannedSource(order))
  test.each<[string, string, () => unknown]>([
    ['TM1300', 'a name with a slash', () => app().to('a/b', sink)],
    ['TM1301', 'no name', () => app().to('', sink)],
    ['TM1301', 'no name for a rejecting step', () => app().tryWithEventTime('', timeOfOrders)],
    ['TM1303', 'a device name', () => app().to('con', sink)],
    [
      'TM1303',
      'a state called timers',
      () =>
        app()
          .keyBy((o) => o.userId)
          .process('p', { state: { timers: valueState(int) }, output: order, onRecord() {} }),
    ],
    [
      'TM1304',
      'a state with a hyphen',
      () =>
        app()
          .keyBy((o) => o.userId)
          .process('p', { state: { 'a-b': valueState(int) }, output: order, onRecord() {} }),
    ],
    ['TM1350', 'a foreign stream', () => app().union(app())],
    ['TM1351', 'no function', () => app().map(3 as never)],
    ['TM1351', 'no sink', () => app().to('out', plannedSource() as never)],
    ['TM1351', 'no source', () => pipeline('x').from('in', sink as never)],
    ['TM1351', 'no schema', () => valueState(undefined as never)],
    [
      'TM1351',
      'an initial value that does not fit',
      () => valueState(int, { initial: 'x' as never }),
    ],
    [
      'TM1351',
      'a mixed union',
      () => {
        const o = app()
        return o.union(o.withEventTime(timeOfOrders) as never)
      },
    ],
    [
      'TM1352',
      'a negative out-of-orderness',
      () => app().withEventTime({ ...timeOfOrders, maxOutOfOrderness: seconds(-1) }),
    ],
    [
      'TM1352',
      'a missing out-of-orderness',
      () => app().withEventTime({ timestamp: (o: Order) => o.placedAt } as never),
    ],
    ['TM1353', 'a window of nothing', () => tumbling(seconds(0))],
    ['TM1353', 'a window of half a millisecond', () => tumbling(milliseconds(0.5))],
    ['TM1353', 'a slide beyond the size', () => sliding(minutes(1), minutes(2))],
    ['TM1353', 'an offset of a whole window', () => tumbling(minutes(1), { offset: minutes(1) })],
    [
      'TM1354',
      'a timer without handler',
      () =>
        app()
          .keyBy((o) => o.userId)
          .process('p', {
            timers: { t: 'processing-time' },
            output: order,
            onRecord() {},
          } as never),
    ],
    [
      'TM1354',
      'a handler without timer',
      () =>
        app()
          .keyBy((o) => o.userId)
          .process('p', { output: order, onRecord() {}, onTimer: { t() {} } } as never),
    ],
    ['TM1355', 'a parameter without value', () => param('input')],
    ['TM1356', 'a fraction beyond 1', () => quantile(Number, 95)],
    [
      'TM1356',
      'a function for an aggregate',
      () =>
        app()
          .keyBy((o) => o.userId)
          .aggregate('a', { n: count } as never),
    ],
    [
      'TM1313',
      'a reason of nothing',
      () =>
        app()
          .withEventTime(timeOfOrders)
          .keyBy((o) => o.shopId)
          .window(tumbling(minutes(1)))
          .count('w')
          .dropLate(' '),
    ],
    ['TM1313', 'an odd number of key groups', () => pipeline('x', { maxParallelism: 100 })],
    [
      'TM1313',
      'a policy that does not exist',
      () => pipeline('x', { onError: { decode: 'retry' as never } }),
    ],
  ])('%s for %s', (code, _, fn) => {
    expect(codeOf(fn)).toBe(code)
  })
})

describe('running', () => {
  let restore = (): void => {}
  afterEach(() => restore())

  const small = (): ReturnType<typeof pipeline> => {
    const app = pipeline('small')
    app.from('orders', plannedSource(order)).to('out', sink)
    return app
  }

  test('without an executor says so', async () => {
    await expect(small().run()).rejects.toMatchObject({ code: 'TM1358' })
  })

  test('hands plan and options to the executor', async () => {
    const seen: [string, Plan, unknown][] = []
    const result = {
      job: 'j',
      status: 'finished',
      epoch: 1,
      records: { read: 0, written: 0, late: 0, rejected: 0 },
      durationMs: 1,
    } as const
    const job = {
      name: 'j',
      finished: Promise.resolve(result),
      stop: () => Promise.resolve(result),
      savepoint: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
    const app = pipelineOn({
      run(plan, options) {
        seen.push(['run', plan, options])
        return Promise.resolve(result)
      },
      start(plan, options) {
        seen.push(['start', plan, options])
        return Promise.resolve(job)
      },
    })('j')
    app.from('orders', plannedSource(order)).to('out', sink)
    expect(await app.run({ mode: 'batch' })).toBe(result)
    expect(await app.start({ from: 'savepoints/1' })).toBe(job)
    expect(seen.map(([what, plan, options]) => [what, plan.job, options])).toEqual([
      ['run', 'j', { mode: 'batch' }],
      ['start', 'j', { from: 'savepoints/1' }],
    ])
  })

  test('a host takes the plan, and the call never settles', async () => {
    const plans: Plan[] = []
    restore = installHost({ params: new Map(), capture: (plan) => plans.push(plan) })
    const settled = await Promise.race([
      small()
        .run()
        .then(() => true),
      small()
        .start()
        .then(() => true),
      Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => false),
    ])
    expect(settled).toBe(false)
    expect(plans.map((plan) => plan.job)).toEqual(['small', 'small'])
  })

  test('an incomplete plan rejects before any host or executor sees it', async () => {
    await expect(pipeline('empty').run()).rejects.toMatchObject({ code: 'TM1309' })
  })

  test('parameters come from the host, then from the default', () => {
    restore = installHost({ params: new Map([['input', 'a.csv']]), capture: undefined })
    expect(param('input')).toBe('a.csv')
    expect(param('output', 'out')).toBe('out')
    expect(() => param('other')).toThrow('a parameter has no value: --param other=…')
  })
})
