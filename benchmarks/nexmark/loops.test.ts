import { describe, expect, test } from 'vitest'
import { Checksum } from './checksum.ts'
import { datasets } from './dataset.ts'
import { digestOfLines } from './digest.ts'
import type { Bid, NexmarkEvent } from './event.ts'
import { expectedD2 } from './expected.ts'
import { generateEvents } from './generator.ts'
import { type LoopName, loops, runLoop } from './loops.ts'
import { reference } from './reference.ts'
import { q12Violations } from './reference/windows.ts'

/** Keeps the columns it is given: loops emit them in the order of the digest. */
class Recorder extends Checksum {
  readonly lines: string[] = []
  #columns: (number | string)[] = []

  override number(column: number): void {
    super.number(column)
    this.#columns.push(column)
  }

  override string(column: string): void {
    super.string(column)
    this.#columns.push(column)
  }

  override row(): void {
    super.row()
    this.lines.push(this.#columns.join('|'))
    this.#columns = []
  }
}

function record(name: LoopName, input: readonly NexmarkEvent[]): Recorder {
  const recorder = new Recorder()
  runLoop(name, input, recorder)
  return recorder
}

const rows = generateEvents(datasets.D2)
const disordered = generateEvents({ ...datasets.D2, disorder: 1000 })
// `as`: the keys of the table are the names of its loops.
const names = (Object.keys(loops) as LoopName[]).filter((name) => name !== 'q12')

test.each(names)('%s emits exactly the published rows of D2', (name) => {
  const { lines, rows: count } = record(name, rows)
  expect({ rows: count, digest: digestOfLines(lines) }).toEqual(expectedD2[name])
})

test.each(names.filter((name) => name !== 'q11'))(
  '%s copes with disorder below the delay',
  (name) => {
    expect(digestOfLines(record(name, disordered).lines)).toBe(expectedD2[name].digest)
  },
)

test('q12 keeps its invariants', () => {
  const output = record('q12', rows).lines.map((line) => {
    const [bidder, count, windowStart, windowEnd] = line.split('|').map(Number)
    return { bidder: bidder!, count: count!, windowStart: windowStart!, windowEnd: windowEnd! }
  })
  expect(q12Violations(rows, output)).toEqual([])
})

describe('cases that the data sets do not contain', () => {
  const bid = (dateTime: number, auction: number, price: number): Bid => {
    return {
      type: 'bid',
      dateTime,
      auction,
      bidder: 1,
      price,
      channel: 'Apple',
      url: '',
      extra: '',
    }
  }

  test('q7 joins a bid of the same price at exactly the end of the window', () => {
    const bids = [bid(5_000, 1, 70), bid(10_000, 2, 70), bid(11_000, 3, 50), bid(20_000, 4, 70)]
    const lines = record('q7', bids).lines.sort()
    expect(lines).toEqual([
      '1|70|1|5000|',
      '2|70|1|10000|',
      '2|70|1|10000|',
      '4|70|1|20000|',
      '4|70|1|20000|',
    ])
    expect(reference.q7(bids)).toHaveLength(lines.length)
  })

  test('q5 passes over a long silence', () => {
    const bids = [bid(1_000, 1, 1), bid(9_000_000, 2, 1)]
    expect(record('q5', bids).lines).toHaveLength(10)
    expect(reference.q5(bids)).toHaveLength(10)
  })

  test('q11 keeps a session open at exactly the gap and closes it after', () => {
    expect(record('q11', [bid(0, 1, 1), bid(10_000, 1, 1), bid(20_001, 1, 1)]).lines).toEqual([
      '1|2|0|20000',
      '1|1|20001|30001',
    ])
  })
})

test('the checksum does not depend on the order of rows, but on their columns', () => {
  const [forwards, backwards, other] = [new Checksum(), new Checksum(), new Checksum()]
  runLoop('q0', rows, forwards)
  runLoop('q0', [...rows].reverse(), backwards)
  runLoop('q1', rows, other)
  expect(backwards).toEqual(forwards)
  expect(other.rows).toBe(forwards.rows)
  expect(other.value).not.toBe(forwards.value)
})
