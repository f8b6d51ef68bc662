import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seconds, type Timestamp } from '../base/time.ts'
import { pipeline, plannedSink, plannedSource } from '../stream/samples.test-support.ts'
import type { Stream } from '../stream/types.ts'
import { tumbling } from '../stream/window-assigners.ts'
import { count } from '../stream/aggregates.ts'
import { int } from '../schema/scalars.ts'
import { finishPlan } from './finish.ts'
import { explainText } from './explain.ts'
import type { Plan } from './plan.ts'
import { planJson } from './plan-json.ts'

/** One move of a random program: which method on which of the streams so far. */
const move = fc.record({
  method: fc.constantFrom(
    'map',
    'filter',
    'flatMap',
    'union',
    'try',
    'count',
    'aggregate',
    'process',
    'window',
  ),
  on: fc.nat(20),
  other: fc.nat(20),
})

/** A valid program from any list of moves: streams that nobody took end in sinks. */
function program(
  moves: readonly { readonly method: string; readonly on: number; readonly other: number }[],
): Plan {
  const app = pipeline('random')
  let names = 0
  const name = (): string => `n${names++}`
  const open = new Set<Stream<number>>()
  const make = (stream: Stream<number>): void => {
    open.add(stream)
  }
  make(app.from(name(), plannedSource(int)))
  for (const { method, on, other } of moves) {
    const streams = [...open]
    const stream = streams[on % streams.length] as Stream<number>
    open.delete(stream)
    const keyed = stream.keyBy((n) => n % 7)
    const rows = keyed.count(name()).map((r) => r.count)
    if (method === 'map') make(stream.map((n) => n + 1))
    else if (method === 'filter') make(stream.filter((n) => n > 0))
    else if (method === 'flatMap') make(stream.flatMap((n) => [n]))
    else if (method === 'union') {
      const same = streams.filter((one) => one.time === stream.time)
      make(stream.union(same[other % same.length] as Stream<number>))
    } else if (method === 'try') {
      const tried = stream.try(name(), (n) => n)
      make(tried.results)
      make(tried.rejected.map((r) => r.input))
    } else if (method === 'aggregate') make(keyed.aggregate(name(), { n: count() }).map((r) => r.n))
    else if (method === 'process') {
      const out = keyed.process(name(), { output: { a: int, b: int }, onRecord() {} })
      make(out.a)
      make(out.b)
    } else if (method === 'window') {
      const timed = stream.withEventTime({
        timestamp: (n) => n as Timestamp,
        maxOutOfOrderness: seconds(1),
      })
      make(
        timed
          .keyBy((n) => n)
          .window(tumbling(seconds(1)))
          .count(name())
          .dropLate('test')
          .map((r) => r.count) as unknown as Stream<number>,
      )
    }
    make(rows)
  }
  for (const stream of open) stream.to(name(), plannedSink())
  return app.plan()
}

/** Everything reachable that belongs to the plan is frozen; descriptors, schemas and functions belong to others. */
function unfrozen(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null || 'role' in value || 'encode' in value) return []
  const own = Object.isFrozen(value) ? [] : [path]
  return [
    ...own,
    ...Object.entries(value).flatMap(([key, inner]) => unfrozen(inner, `${path}.${key}`)),
  ]
}

test('plans are frozen, in topological order, and equal when built again', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 12 }), (moves) => {
      const plan = program(moves)
      expect(unfrozen(plan, 'plan')).toEqual([])
      plan.nodes.forEach((node, position) => {
        expect(node.id).toBe(position)
        for (const input of node.inputs) expect(input.node).toBeLessThan(position)
      })
      expect(program(moves).fingerprint).toBe(plan.fingerprint)
      // A finished plan is a valid draft with the same fingerprint.
      expect(finishPlan(plan).fingerprint).toBe(plan.fingerprint)
      expect(planJson(plan).nodes).toHaveLength(plan.nodes.length)
      // Every named step is drawn.
      const text = explainText(plan)
      for (const node of plan.nodes)
        if (node.name !== undefined) expect(text).toContain(`${node.kind} ${node.name}`)
    }),
    { numRuns: 60 },
  )
})
