import { expect, test } from 'vitest'
import { datasets } from './dataset.ts'
import { EventGenerator } from './generator.ts'
import { randomChecks, textChecks, urlChecks } from './self-test.ts'

test.each(randomChecks())('random: $name', ({ actual, expected }) => {
  expect(actual).toBe(expected)
})

test.each(urlChecks())('url table: $name', ({ actual, expected }) => {
  expect(actual).toBe(expected)
})

test.each(textChecks())('text form: $name', ({ actual, expected }) => {
  expect(actual).toBe(expected)
})

test('a disordered generator starts with the published numbers', () => {
  const generator = new EventGenerator({ ...datasets.D2, disorder: 1000 })
  expect([0, 1, 2, 3, 4].map((index) => generator.adjusted(index))).toEqual([0, 953, 906, 859, 812])
})

test('a generator that the data set does not have is refused', () => {
  expect(() => new EventGenerator(datasets.D2, 1)).toThrow(RangeError)
})
