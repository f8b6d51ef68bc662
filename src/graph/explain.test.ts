import { describe, expect, test } from 'vitest'
import { type Duration, minutes, seconds, type Timestamp } from '../base/time.ts'
import { nullSink, rowsSource } from '../runtime/run-rows.test-support.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { completeProgram } from '../stream/samples.test-support.ts'
import { diffPlans } from './diff.ts'
import { durationText, explainText } from './explain.ts'
import type { Plan } from './plan.ts'
import { planJson } from './plan-json.ts'

describe('explain', () => {
  test('draws the plan as a tree with names, state, schemas and costs', () => {
    const plan = completeProgram({ was: 'lazy-user' }).plan()
    expect(explainText(plan)).toBe(
      [
        `complete  22 steps, fingerprint ${plan.fingerprint}, 128 key groups`,
        'source orders (planned, path=orders.jsonl, bounded) : order',
        '└ try price rejects to a stream',
        '  ├ [rejected] sink price-dead (planned, transactional)',
        '  ├ map',
        '  │ └ flat-map',
        '  │   └ union #6',
        '  │     └ filter',
        '  │       └ event-time up to 5 s out of order, idle after 5 min',
        '  │         ├ key-by *',
        '  │         │ └ window revenue tumbling 1 min',
        '  │         │   │   aggregate total: sum',
        '  │         │   │   aggregate p95: quantile(0.95, 0.01)',
        '  │         │   │   two-phase',
        '  │         │   │   drops late records: shown only',
        '  │         │   └ sink revenue (planned, transactional)',
        '  │         ├ key-by *',
        '  │         │ └ process idle-user (was lazy-user)',
        '  │         │   │   state seen: value of int',
        '  │         │   │   state names: map of text → text',
        '  │         │   │   timer idle: event-time',
        '  │         │   │   outputs alerts, notes',
        '  │         │   ├ [alerts] sink alerts (planned, transactional) : order',
        '  │         │   └ [notes] sink notes (planned, transactional) : text',
        '  │         ├ key-by *',
        '  │         │ └ keyed-aggregate per-user emits latest',
        '  │         │   │   aggregate orders: count',
        '  │         │   │   two-phase',
        '  │         │   └ sink per-user (planned, transactional)',
        '  │         └ key-by *',
        '  │           └ keyed-reduce last',
        '  │             │   value *',
        '  │             └ sink last (planned, transactional)',
        '  └ map',
        '    └ union #6 (drawn under its first input)',
        '',
        '* has no schema and travels in the self-describing codec: larger and slower than declared fields',
      ].join('\n'),
    )
  })

  test('shows how rows are spread, and that the fingerprint does not depend on how many subtasks share them', () => {
    const planOf = (parallelism?: number): Plan => {
      const bound = parallelism === undefined ? {} : { parallelism }
      const app = pipelineOn(undefined)('spread')
      const rows = app.from('rows', rowsSource<number>())
      rows
        .rebalance(bound)
        .partitionBy((n) => n % 4, { partitions: 4, ...bound })
        .keyBy((n) => n, bound)
        .count('n')
        .to('counts', nullSink(), bound)
      rows.broadcast().global().to('all', nullSink())
      return app.plan()
    }
    const plan = planOf(2)
    expect(explainText(plan).split('\n').slice(1, 10)).toEqual([
      'source rows (rows, bounded)',
      '├ rebalance on at most 2 subtasks',
      '│ └ by-number of 4 partitions on at most 2 subtasks',
      '│   └ key-by on at most 2 subtasks *',
      '│     └ keyed-aggregate n emits every-change',
      '│       │   aggregate count: count',
      '│       │   one phase: emits every change',
      '│       └ sink counts (rows, at-least-once) on at most 2 subtasks',
      '└ broadcast',
    ])
    for (const other of [planOf(), planOf(1), planOf(7)])
      expect(other.fingerprint).toBe(plan.fingerprint)
  })

  test('shows which partitions wait for each other, which is no part of the fingerprint', () => {
    const planOf = (alignment?: { readonly group: string; readonly maxDrift: Duration }): Plan => {
      const app = pipelineOn(undefined)('together')
      const time = { timestamp: () => 0 as Timestamp, maxOutOfOrderness: seconds(1) }
      app
        .from('rows', rowsSource<number>())
        .withEventTime({ ...time, ...(alignment && { alignment }) })
        .to('all', nullSink())
      return app.plan()
    }
    const plan = planOf({ group: 'topics', maxDrift: minutes(2) })
    expect(explainText(plan)).toContain('idle after 5 min at most 2 min ahead of group topics')
    expect(planJson(plan).nodes[1]?.detail).toMatchObject({ maxDriftMs: 120_000 })
    expect(plan.fingerprint).toBe(planOf().fingerprint)
  })

  test('as JSON survives a round trip and holds no functions', () => {
    const data = planJson(completeProgram().plan())
    expect(JSON.parse(JSON.stringify(data))).toEqual(data)
    expect(data.nodes.find((node) => node.name === 'idle-user')?.detail.state).toEqual({
      seen: { kind: 'value', schemas: [{ name: 'int', hash: expect.any(String) }] },
      names: {
        kind: 'map',
        schemas: [
          { name: 'text', hash: expect.any(String) },
          { name: 'text', hash: expect.any(String) },
        ],
      },
    })
    expect(data.nodes.find((node) => node.kind === 'key-by')?.selfDescribing).toEqual(['rows'])
  })

  test('durations use the largest unit that fits', () => {
    expect([0, 1, 90_000, 60_000, 3_600_000, 172_800_000].map(durationText)).toEqual([
      '0 s',
      '1 ms',
      '90 s',
      '1 min',
      '1 h',
      '2 d',
    ])
  })
})

describe('the difference of two plans', () => {
  const before = planJson(completeProgram().plan())

  test('is nothing but kept names for the same program', () => {
    const kinds = diffPlans(before, planJson(completeProgram().plan())).map((one) => one.kind)
    expect(new Set(kinds)).toEqual(new Set(['kept']))
    expect(kinds).toHaveLength(12)
  })

  test('tells renamed from added and removed', () => {
    const renamed = diffPlans(
      before,
      planJson(completeProgram({ stepName: 'quiet', was: 'idle-user' }).plan()),
    )
    expect(renamed.filter((one) => one.kind !== 'kept')).toEqual([
      { kind: 'renamed', role: 'step', name: 'quiet', was: 'idle-user', changes: [] },
    ])
    const replaced = diffPlans(before, planJson(completeProgram({ stepName: 'quiet' }).plan()))
    expect(
      replaced.filter((one) => one.kind !== 'kept').map((one) => `${one.kind} ${one.name}`),
    ).toEqual(['added quiet', 'removed idle-user'])
  })

  test('names what changed', () => {
    const after = completeProgram({ window: 5 }).plan()
    expect(diffPlans(before, planJson(after)).filter((one) => one.kind === 'changed')).toEqual([
      { kind: 'changed', role: 'step', name: 'revenue', was: undefined, changes: ['window'] },
    ])
  })
})
