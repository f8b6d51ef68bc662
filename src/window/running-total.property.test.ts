/** The running total against a merge of all slices from scratch: same keys in the same order, same bits. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import { AccumulatorTable } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { RunningTotal } from './running-total.ts'

interface Row {
  readonly slice: number
  readonly key: Key
  readonly v: number
}

const of = (row: never): number => (row as Row).v
const spec: AggregateSpec = {
  n: { kind: 'count', where: (row: never) => (row as Row).v > 1 },
  total: { kind: 'sum', of, where: undefined },
  least: { kind: 'min', of, where: undefined },
  most: { kind: 'max', of, where: (row: never) => (row as Row).v !== 3 },
  mid: { kind: 'mean', of, where: undefined },
}

function slicesOf(kernel: AggregateKernel, rows: readonly Row[]): Map<number, AccumulatorTable> {
  const slices = new Map<number, AccumulatorTable>()
  for (const row of rows) {
    const table = slices.get(row.slice) ?? new AccumulatorTable(kernel)
    slices.set(row.slice, table)
    const slot = table.slot(row.key)
    kernel.add(table.words, slot * kernel.stride, [], 0, [], slot, row)
  }
  return slices
}

type Total = readonly (readonly [Key, readonly number[]])[]

function merged(
  kernel: AggregateKernel,
  slices: ReadonlyMap<number, AccumulatorTable>,
  start: number,
  end: number,
): Total {
  const scratch = new AccumulatorTable(kernel)
  for (let at = start; at < end; at++) {
    const slice = slices.get(at)
    if (slice) scratch.mergeAll(slice)
  }
  return Array.from({ length: scratch.size }, (_, slot) => {
    const at = slot * kernel.stride
    return [scratch.keyAt(slot), [...scratch.words.subarray(at, at + kernel.stride)]] as const
  })
}

function carried(kernel: AggregateKernel, total: RunningTotal): Total {
  const found: [Key, number[]][] = []
  total.forEach((key, at) => {
    found.push([key, [...total.words.subarray(at, at + kernel.stride)]])
  })
  return found
}

const keys = fc.constantFrom<Key>(0, 1, 2, 3, 4, 'a', [1, 'b'])
const rowsOf = (v: fc.Arbitrary<number>): fc.Arbitrary<Row[]> =>
  fc.array(fc.record({ slice: fc.nat(40), key: keys, v }), { maxLength: 150 })

describe('a running total', () => {
  it('equals a merge from scratch in values, bits and order', () => {
    const kernel = aggregateKernel(spec, true)
    const values = fc.constantFrom(0, -0, 1, 2, 3, -5, 1e9)
    const jumps = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 })
    fc.assert(
      fc.property(rowsOf(values), fc.integer({ min: 1, max: 12 }), jumps, (rows, size, steps) => {
        const slices = slicesOf(kernel, rows)
        const total = RunningTotal.of(kernel, size)
        let end = 0
        for (const step of steps) {
          end += step
          expect(total?.advance(end - size, end, 1, slices)).toBe(true)
          expect(total && carried(kernel, total)).toEqual(merged(kernel, slices, end - size, end))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('refuses sums that subtraction could round, and begins again', () => {
    const kernel = aggregateKernel({ total: { kind: 'sum', of, where: undefined } }, true)
    for (const v of [0.5, 2 ** 52, Number.NaN, Number.POSITIVE_INFINITY]) {
      const total = RunningTotal.of(kernel, 4)
      const slices = slicesOf(kernel, [
        { slice: 0, key: 1, v: 7 },
        { slice: 1, key: 1, v },
        { slice: 5, key: 2, v: 3 },
      ])
      expect(total?.advance(-3, 1, 1, slices)).toBe(true)
      expect(total?.advance(-2, 2, 1, slices)).toBe(false)
      expect(total?.end).toBe(Number.NEGATIVE_INFINITY)
      expect(total?.advance(2, 6, 1, slices)).toBe(true)
      expect(total && carried(kernel, total)).toEqual([[2, [3]]])
    }
  })

  it('is not made for what is more than doubles', () => {
    const distinct = aggregateKernel(
      { kinds: { kind: 'count-distinct', of, where: undefined } },
      true,
    )
    expect(RunningTotal.of(distinct, 5)).toBeUndefined()
  })
})
