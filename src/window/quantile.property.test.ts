import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addValue,
  bucketWidth,
  createSketch,
  mergeSketches,
  type QuantileSketch,
  quantileOf,
  quantileSketch,
  sketchCount,
} from './quantile.ts'

const accuracy = 0.01
const width = bucketWidth(accuracy)
const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
/** Doubles below 2^-1022 have fewer digits than the accuracy asks for. */
const normal = finite.filter((n) => n === 0 || Math.abs(n) > 2.3e-308)
const values = fc.array(fc.oneof(normal, fc.integer({ min: -1000, max: 1000 })), {
  minLength: 1,
  maxLength: 200,
})
const fraction = fc.double({ min: 0, max: 1, noNaN: true })

function sketchOf(list: readonly number[]): QuantileSketch {
  return list.reduce((sketch, value) => addValue(sketch, value, width), createSketch())
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

describe('the quantile sketch', () => {
  test('is within its accuracy of the value at the rank', () => {
    fc.assert(
      fc.property(values, fraction, (list, q) => {
        const sorted = [...list].sort((a, b) => a - b)
        const exact = sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN
        const got = quantileOf(sketchOf(list), q, width) ?? Number.NaN
        // The last factor covers the rounding of logarithms and exponentials at the edges of the double range.
        expect(Math.abs(got - exact)).toBeLessThanOrEqual(Math.abs(exact) * accuracy * (1 + 1e-9))
      }),
      { numRuns: 300 },
    )
  })

  test('depends neither on the order of values nor on how they are split', () => {
    fc.assert(
      fc.property(values, fc.nat(200), (list, cut) => {
        const at = cut % (list.length + 1)
        const split = mergeSketches(sketchOf(list.slice(at).reverse()), sketchOf(list.slice(0, at)))
        expect(split).toEqual(sketchOf(list))
        expect(sketchCount(split)).toBe(list.length)
      }),
    )
  })

  test('survives storage, and leaves what was frozen or merged from as it was', () => {
    fc.assert(
      fc.property(values, values, (left, right) => {
        const frozen = deepFreeze(quantileSketch.decode(quantileSketch.encode(sketchOf(left))))
        const other = deepFreeze(sketchOf(right))
        expect(mergeSketches(frozen, other)).toEqual(sketchOf([...left, ...right]))
        expect(frozen).toEqual(sketchOf(left))
        expect(addValue(frozen, 1, width)).toEqual(sketchOf([...left, 1]))
      }),
    )
  })

  test('keeps the promised number of buckets per power of ten', () => {
    const list = Array.from({ length: 10_000 }, (_, i) => 10 ** (i / 5_000))
    expect(sketchOf(list).positive.at.length).toBeLessThanOrEqual(2 * 116)
    expect(quantileOf(createSketch(), 0.5, width)).toBeUndefined()
    expect(() => bucketWidth(0)).toThrow('the accuracy of a quantile is between 0 and 1')
  })
})
