import { describe, expect, test } from 'vitest'
import { literals } from '../schema/scalars.ts'
import {
  completeProgram,
  order,
  pipeline,
  plannedSink,
  plannedSource,
  type Variation,
} from '../stream/samples.test-support.ts'
import { minutes, seconds } from '../base/time.ts'
import { sum } from '../stream/aggregates.ts'
import { tumbling } from '../stream/window-assigners.ts'
import { fnv1a64 } from './fingerprint.ts'

function fingerprint(vary?: Variation): string {
  return completeProgram(vary).plan().fingerprint
}

describe('the fingerprint of a plan', () => {
  const plain = fingerprint()

  test('is 16 hex digits and equal for two builds of one program', () => {
    expect(plain).toMatch(/^[0-9a-f]{16}$/)
    expect(fingerprint()).toBe(plain)
  })

  test.each<[string, Variation]>([
    ['another function', { fn: (o) => o.amount > 100 }],
    ['another path', { path: 'other.jsonl' }],
    ['another out-of-orderness', { outOfOrderSeconds: 60 }],
    ['another reason for dropping', { reason: 'nobody looks at them' }],
    ['a former name', { was: 'lazy-user' }],
  ])('stays with %s', (_, vary) => {
    expect(fingerprint(vary)).toBe(plain)
  })

  test.each<[string, Variation]>([
    ['another job name', { job: 'other' }],
    ['another window', { window: 2 }],
    ['another step name', { stepName: 'quiet-user' }],
    ['another state schema', { stateSchema: literals('a', 'b') }],
  ])('changes with %s', (_, vary) => {
    expect(fingerprint(vary)).not.toBe(plain)
  })

  test('changes with the number of key groups, lateness, aggregates and their order', () => {
    const variant = (lateness: number, names: readonly string[], groups: number = 128): string => {
      const app = pipeline('v', { maxParallelism: groups })
      const spec = Object.fromEntries(
        names.map((name) => [name, sum<{ readonly amount: number }>((o) => o.amount)]),
      )
      app
        .from('orders', plannedSource(order))
        .withEventTime({ timestamp: (o) => o.placedAt, maxOutOfOrderness: seconds(1) })
        .keyBy((o) => o.shopId)
        .window(tumbling(minutes(1)))
        .allowedLateness(seconds(lateness))
        .emitOnce()
        .aggregate('w', spec)
        .dropLate('x')
        .to('w', plannedSink())
      return app.plan().fingerprint
    }
    const variants = [
      variant(1, ['a', 'b']),
      variant(2, ['a', 'b']),
      variant(1, ['b', 'a']),
      variant(1, ['a']),
      variant(1, ['a', 'b'], 64),
    ]
    expect(new Set(variants).size).toBe(variants.length)
  })

  test('hashes by FNV-1a, whose published values it meets', () => {
    expect(fnv1a64('')).toBe('cbf29ce484222325')
    expect(fnv1a64('a')).toBe('af63dc4c8601ec8c')
    expect(fnv1a64('foobar')).toBe('85944171f73967e8')
  })
})
