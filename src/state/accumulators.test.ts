import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FixedRows } from './accumulators.ts'

it('shows rows as they were when they were frozen, whatever is written and however they grow', () => {
  const write = fc.record({ slot: fc.nat(700), value: fc.integer(), take: fc.nat(10) })
  fc.assert(
    fc.property(
      fc.array(write, { maxLength: 60 }),
      fc.array(write, { maxLength: 60 }),
      (before, during) => {
        const rows = new FixedRows(3, -1)
        let count = 0
        const put = (slot: number, value: number): void => {
          rows.ensure(slot)
          if (rows.freezing) rows.touch(slot)
          rows.values[slot * 3 + 1] = value
          count = Math.max(count, slot + 1)
        }
        for (const { slot, value } of before) put(slot, value)
        const wanted = [...rows.values.subarray(0, count * 3)]
        const picture = rows.freeze(count)
        const got: number[][] = []
        const take = (page: number): void => {
          got[page] ??= picture.take(page, (words, at, n) => [...words.subarray(at, at + n * 3)])
        }
        for (const { slot, value, take: page } of during) {
          put(slot, value)
          if (page < picture.pages) take(page)
        }
        for (let page = 0; page < picture.pages; page++) take(page)
        expect(got.flat()).toEqual(wanted)
        rows.thaw()
        expect(rows.freezing).toBe(false)
      },
    ),
    { numRuns: 100 },
  )
})

it('fills and resets rows with the given value', () => {
  const rows = new FixedRows(2, Number.NaN, 1)
  rows.ensure(40)
  expect(rows.values[80]).toBeNaN()
  rows.values[80] = 5
  rows.reset(40)
  expect(rows.values[80]).toBeNaN()
})
