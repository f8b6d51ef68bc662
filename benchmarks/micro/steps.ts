/**
 * What bars 1 and 2 run: two chains of closures on bids, and a dozen other pipelines with other rows and other steps.
 * Every way to run a chain also runs the dozen, before and between the rounds, so nothing that pipelines share is tuned
 * to one of them.
 */
import { datasets } from '../nexmark/dataset.ts'
import type { Bid } from '../nexmark/event.ts'
import { EventGenerator } from '../nexmark/generator.ts'

export const ROWS = 50_000
/**
 * So many of them are different: with their texts they fit the cache that a core has for itself. With 16,000 the way of rows from
 * memory takes twice as long as a chain of three steps (10 of 3.5 ns per row), and longer when neighbours use the memory.
 */
const DIFFERENT = 1_000
const ROWS_OF_OTHERS = 500

/** A step of a chain; rows lose their types where chains are lists of steps. */
export type Step =
  | { readonly kind: 'map'; readonly fn: (row: never) => unknown }
  | { readonly kind: 'filter'; readonly fn: (row: never) => boolean }

export interface Chain {
  readonly name: string
  readonly rows: readonly unknown[]
  readonly steps: readonly Step[]
}

export interface Slim {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly dateTime: number
  readonly extra: string
}

/**
 * Counts what arrives and looks at it. One is used for all passes, behind a binding that never changes, as a sink is in a job:
 * a variable that is assigned anew for each pass is read again for every row, which costs as much as a step.
 */
export class Counter {
  rows = 0
  sum = 0

  reset(): void {
    this.rows = 0
    this.sum = 0
  }

  add(row: Slim): void {
    this.rows++
    this.sum += row.price
  }
}

const slim = (bid: Bid): Slim => ({
  auction: bid.auction,
  bidder: bid.bidder,
  price: bid.price * 0.908,
  dateTime: bid.dateTime,
  extra: bid.extra,
})
const more = (row: Slim): Slim => ({
  auction: row.auction,
  bidder: row.bidder,
  price: row.price + 1,
  dateTime: row.dateTime,
  extra: row.extra,
})
const doubled = (row: Slim): Slim => ({
  auction: row.auction + 1,
  bidder: row.bidder,
  price: row.price * 2,
  dateTime: row.dateTime,
  extra: row.extra,
})

/** A map of five fields, a filter and the sink. */
export function threeSteps(rows: readonly Bid[]): Chain {
  const steps: Step[] = [
    { kind: 'map', fn: slim },
    { kind: 'filter', fn: (row: Slim) => row.price > 10_000 },
  ]
  return { name: 'chain of 3 steps', rows, steps }
}

/** Five maps, four filters and the sink. */
export function tenSteps(rows: readonly Bid[]): Chain {
  const steps: Step[] = [
    { kind: 'map', fn: slim },
    { kind: 'filter', fn: (row: Slim) => row.price > 10_000 },
    { kind: 'map', fn: more },
    { kind: 'filter', fn: (row: Slim) => row.auction % 7 !== 0 },
    { kind: 'map', fn: doubled },
    { kind: 'filter', fn: (row: Slim) => row.bidder % 5 !== 0 },
    { kind: 'map', fn: (row: Slim) => more(row) },
    { kind: 'filter', fn: (row: Slim) => row.price < 1e9 },
    { kind: 'map', fn: (row: Slim) => doubled(row) },
  ]
  return { name: 'chain of 10 steps', rows, steps }
}

/** As many bids as {@link ROWS}. */
export function bids(): readonly Bid[] {
  const generator = new EventGenerator(datasets.D3)
  const different: Bid[] = []
  for (let i = 0; different.length < DIFFERENT; i++) {
    const event = generator.event(i)
    if (event.type === 'bid') different.push(event)
  }
  return Array.from({ length: ROWS }, (_, i) => different[i % DIFFERENT]!)
}

/** Twelve pipelines of one to eight steps over rows of 2 to 13 fields. */
export function otherChains(): readonly Chain[] {
  return Array.from({ length: 12 }, (_, n) => {
    const rows = Array.from({ length: ROWS_OF_OTHERS }, (_row, i) =>
      Object.fromEntries(
        [...Array(n + 2).keys()].map((f) => [`f${n}x${f}`, f % 3 === 0 ? `text ${i}` : i / 3]),
      ),
    )
    const first = `f${n}x1`
    type Row = Record<string, string | number>
    const steps: Step[] = []
    for (let k = 0; k <= n % 4; k++) {
      steps.push({ kind: 'map', fn: (row: Row) => ({ ...row, [first]: Number(row[first]) + k }) })
      if (k % 2 === n % 2) steps.push({ kind: 'filter', fn: (row: Row) => Number(row[first]) >= 0 })
    }
    return { name: `other ${n}`, rows, steps }
  })
}
