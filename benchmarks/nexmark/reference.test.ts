import { describe, expect, test } from 'vitest'
import { datasets } from './dataset.ts'
import { digestOf, digestOfLines } from './digest.ts'
import type { NexmarkEvent } from './event.ts'
import { expectedD2 } from './expected.ts'
import { generateEvents } from './generator.ts'
import { reference } from './reference.ts'
import { validBids } from './reference/joins.ts'
import { q12Violations } from './reference/windows.ts'
import type { QueryName } from './results.ts'

const rows = generateEvents(datasets.D2)
const disordered = generateEvents({ ...datasets.D2, disorder: 1000 })
// `as`: the keys of the table are the query names.
const queries = Object.keys(expectedD2) as QueryName[]

function digested<Query extends QueryName>(query: Query, input: readonly NexmarkEvent[]) {
  const result = reference[query](input)
  return { rows: result.length, digest: digestOf(query, result) }
}

test.each(queries)('%s gives the published result on D2', (query) => {
  expect(digested(query, rows)).toEqual(expectedD2[query])
})

test.each(queries)('%s gives the same on D2 with disorder', (query) => {
  expect(digested(query, disordered)).toEqual(expectedD2[query])
})

describe('published spot values on D2', () => {
  const sum = (prices: number[]) => prices.reduce((total, price) => total + price, 0)

  test('q4', () => {
    const averages = reference.q4(rows).map(({ category, average }) => [category, average])
    expect(Object.fromEntries(averages)).toEqual({
      10: 34546912,
      11: 32513436,
      12: 34169316,
      13: 31872634,
      14: 33725369,
    })
  })

  test('q5 without the window', () => {
    const lines = reference.q5(rows).map(({ auction, num }) => `${auction}|${num}`)
    expect(digestOfLines(lines)).toBe('765bf505af5198a0')
  })

  test('q15', () => {
    expect(reference.q15(rows)).toEqual([
      {
        day: '2015-07-15',
        bids: 92000,
        bids1: 30655,
        bids2: 30660,
        bids3: 30685,
        bidders: 1919,
        bidders1: 1735,
        bidders2: 1753,
        bidders3: 1745,
        auctions: 4657,
        auctions1: 4113,
        auctions2: 4159,
        auctions3: 4170,
      },
    ])
  })

  test('sums of prices', () => {
    expect(sum(reference.q0(rows).map(({ price }) => price))).toBe(667953890778)
    expect(sum(reference.q9(rows).map(({ bid }) => bid.price))).toBe(134898001625)
    expect(sum(reference.q20(rows).map(({ bid }) => bid.price))).toBe(107731793617)
  })

  test('pairs in the join of q4 and q9', () => {
    expect(validBids(rows)).toHaveLength(69258)
  })
})

test("Beam's published counts on D1, as far as its queries mean the same", () => {
  const d1 = generateEvents(datasets.D1)
  expect(d1).toHaveLength(100_000)
  expect(reference.q1(d1)).toHaveLength(92_000)
  expect(reference.q2(d1)).toHaveLength(351)
  expect(reference.q3(d1)).toHaveLength(580)
  expect(reference.q7(d1)).toHaveLength(1)
  expect(reference.q11(d1)).toHaveLength(1919)
})

describe('q12', () => {
  const bids = rows.slice(4, 40)
  const honest = reference
    .q11(bids)
    .map((session) => ({ ...session, windowStart: 0, windowEnd: 10_000 }))

  test('accepts one window per bidder, as a clock that stands still would give', () => {
    expect(q12Violations(bids, honest)).toEqual([])
  })

  test('names each violation', () => {
    const [first, ...others] = honest
    expect(q12Violations(bids, others)).toHaveLength(1)
    expect(q12Violations(bids, [{ ...first!, count: first!.count + 1 }, ...others])).toHaveLength(1)
    expect(q12Violations(bids, [...honest, { ...first!, count: 0 }])).toHaveLength(2)
    expect(q12Violations(bids, [{ ...first!, windowStart: 1 }, ...others])).toHaveLength(2)
  })
})

test('the empty result hashes the empty string', () => {
  expect(digestOf('q2', [])).toBe('e3b0c44298fc1c14')
})
