/**
 * c0 to c3: row patterns over the bids of one (auction, bidder) in order of time. Every matcher has
 * the same shape: try a start; it either matches and says where the next start is, or fails and the
 * next row is tried. A start that is still undecided at the end of the input fails.
 */
import type { Bid, NexmarkEvent } from '../event.ts'
import type { CheapRun, PriceDip, PriceDrop } from '../results.ts'
import { bidsOf, byTime, groupBy, truncatedAverage } from './rows.ts'

const CHEAP_AVERAGE_BELOW = 10_000
const DROP = 50
const DROP_WITHIN_MS = 5_000

interface Match<Result> {
  readonly result: Result
  /** The row at which the next start is tried. */
  readonly next: number
}

type Matcher<Result> = (bids: readonly Bid[], start: number) => Match<Result> | undefined

export function c0(rows: readonly NexmarkEvent[]): PriceDip[] {
  return matchAll(rows, matchDip)
}

export function c1(rows: readonly NexmarkEvent[]): CheapRun[] {
  return matchAll(rows, (bids, start) => matchCheapRun(bids, start, 'past the last row'))
}

export function c2(rows: readonly NexmarkEvent[]): CheapRun[] {
  return matchAll(rows, (bids, start) => matchCheapRun(bids, start, 'to the next row'))
}

export function c3(rows: readonly NexmarkEvent[]): PriceDrop[] {
  return matchAll(rows, matchDrop)
}

function matchAll<Result>(rows: readonly NexmarkEvent[], match: Matcher<Result>): Result[] {
  const results: Result[] = []
  for (const bids of groupBy(
    byTime(bidsOf(rows)),
    (bid) => `${bid.auction}|${bid.bidder}`,
  ).values()) {
    let start = 0
    while (start < bids.length) {
      const found = match(bids, start)
      if (found) results.push(found.result)
      start = found ? found.next : start + 1
    }
  }
  return results
}

/** S D+ U: prices fall at least twice, then rise above the last but one of the fallen ones. */
function matchDip(bids: readonly Bid[], start: number): Match<PriceDip> | undefined {
  let at = start + 1
  while (at < bids.length && bids[at]!.price < bids[at - 1]!.price) at++
  const up = bids[at]
  const falls = at - 1 - start
  if (!up || falls < 2 || up.price <= bids[at - 2]!.price) return undefined
  const { auction, bidder, dateTime } = bids[start]!
  const times = { startTime: dateTime, bottomTime: bids[at - 1]!.dateTime, endTime: up.dateTime }
  return { result: { auction, bidder, ...times }, next: at }
}

/** A+ B: as long as the average price stays cheap, ended by the first row that makes it dear. */
function matchCheapRun(
  bids: readonly Bid[],
  start: number,
  skip: 'past the last row' | 'to the next row',
): Match<CheapRun> | undefined {
  let sum = 0
  for (let at = start; at < bids.length; at++) {
    const count = at - start
    if (truncatedAverage(sum + bids[at]!.price, count + 1) < CHEAP_AVERAGE_BELOW) {
      sum += bids[at]!.price
      continue
    }
    if (count === 0) return undefined
    const { auction, bidder, dateTime: firstTime } = bids[start]!
    const lastTime = bids[at - 1]!.dateTime
    const result = { auction, bidder, firstTime, lastTime, average: truncatedAverage(sum, count) }
    return { result, next: skip === 'past the last row' ? at + 1 : start + 1 }
  }
  return undefined
}

/** A B* C within five seconds: the price stays above A's less 50, then falls below that. */
function matchDrop(bids: readonly Bid[], start: number): Match<PriceDrop> | undefined {
  const { auction, bidder, price, dateTime } = bids[start]!
  for (let at = start + 1; at < bids.length; at++) {
    const bid = bids[at]!
    if (bid.dateTime - dateTime >= DROP_WITHIN_MS || bid.price === price - DROP) return undefined
    if (bid.price > price - DROP) continue
    return {
      result: { auction, bidder, dropTime: bid.dateTime, drop: price - bid.price },
      next: at + 1,
    }
  }
  return undefined
}
