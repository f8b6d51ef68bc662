import { describe, expect, it } from 'vitest'
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import type { SnapshotBlock } from '../state/contract.ts'
import { SessionWindowOperator } from './session-window.ts'

interface Row {
  readonly v: number
}

const of = (row: never): number => (row as Row).v
const numbers: AggregateSpec = {
  n: { kind: 'count', where: undefined },
  total: { kind: 'sum', of, where: undefined },
}
const more: AggregateSpec = {
  ...numbers,
  kinds: { kind: 'count-distinct', of: (row: never) => `${(row as Row).v % 3}`, where: undefined },
  seen: {
    kind: 'custom',
    label: 'seen',
    create: () => [],
    // In place, as users may: a picture must not see it.
    add: (list: never, row: never) => {
      ;(list as number[]).push((row as Row).v)
      return list
    },
    merge: (a: never, b: never) => [...(a as number[]), ...(b as number[])] as never,
    result: (list: never) => [...(list as number[])],
    accumulator: undefined,
    decomposable: false,
  },
}

function sessions(aggregates: AggregateSpec) {
  const rows: unknown[] = []
  const operator = new SessionWindowOperator({
    name: 'sessions',
    gapMs: 10,
    allowedLatenessMs: 0,
    emit: 'once',
    batch: false,
    aggregates,
    clock: { watermark: () => Number.NEGATIVE_INFINITY, schedule: () => {} },
    range: { first: 0, end: 8, total: 8 },
  })
  operator.connect('out', (row) => rows.push(row))
  return { operator, rows }
}

const keyOf = (i: number): Key => (i % 3 === 0 ? `key ${i}` : i % 3 === 1 ? i : [i, 'x'])

function fill(operator: SessionWindowOperator): void {
  for (let i = 0; i < 20_000; i++) operator.record(keyOf(i % 8_999), { v: i }, (i * 13) % 500)
}

describe('sessions in a snapshot', () => {
  it.each([
    ['numbers', numbers],
    ['sets and custom values', more],
  ])('of %s are as they were at the barrier', (_, aggregates) => {
    const original = sessions(aggregates)
    fill(original.operator)
    const frozen = original.operator.freeze()
    const blocks: SnapshotBlock[] = []
    let i = 0
    for (let next = frozen.next(50_000); next !== undefined; next = frozen.next(50_000)) {
      blocks.push(...next.map((block) => ({ ...block, bytes: block.bytes.slice() })))
      // Sessions change and end, and others come in their places.
      for (let end = i + 2_000; i < end; i++)
        original.operator.record(keyOf(i % 9_000), { v: -i }, 200 + (i % 300))
      original.operator.advance(100 + i / 20)
    }
    expect(i).toBeGreaterThan(6_000)
    const expected = sessions(aggregates)
    fill(expected.operator)
    const restored = sessions(aggregates)
    for (const block of blocks) restored.operator.restore(block)
    restored.operator.finishRestore()
    for (const { operator } of [expected, restored]) operator.advance(10_000)
    expect(restored.rows.length).toBeGreaterThan(9_000)
    const text = (rows: readonly unknown[]): string =>
      rows.map((row) => JSON.stringify(row)).join('\n')
    expect(text(restored.rows) === text(expected.rows)).toBe(true)
  })
})
