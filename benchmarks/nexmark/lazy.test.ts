import { expect, test } from 'vitest'
import { datasets } from './dataset.ts'
import type { NexmarkEvent } from './event.ts'
import { EventGenerator } from './generator.ts'
import { LazyEventGenerator } from './lazy.ts'

const disordered = { ...datasets.D2, disorder: 1000 }
const plain = new EventGenerator(disordered)
const lazy = new LazyEventGenerator(disordered)

// `as`: the keys of a row are the names of its columns.
const columns = (row: NexmarkEvent) => Object.keys(row) as (keyof NexmarkEvent)[]

test.each(['forwards', 'backwards'])(
  'lazy rows equal the plain ones, columns read %s',
  (direction) => {
    for (let index = 3; index < plain.count; index += 7) {
      const expected = plain.event(index)
      const actual = lazy.event(index)
      const keys = direction === 'forwards' ? columns(expected) : columns(expected).reverse()
      for (const key of keys) {
        if (actual[key] !== expected[key]) expect.fail(`row ${index} differs in ${key}`)
      }
    }
  },
)

test('a second read of a column gives the same value after other rows were made', () => {
  const bid = lazy.event(4)
  const first = bid.extra
  lazy.event(54)
  expect(bid.extra).toBe(first)
})
