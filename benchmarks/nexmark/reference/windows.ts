/** q5, q7, q8, q11 and the invariants of q12. Windows are half-open and aligned to the epoch. */
import type { NexmarkEvent } from '../event.ts'
import type { BidderWindow, HighestBid, HotAuction, NewSeller } from '../results.ts'
import { auctionsOf, bidsOf, byTime, groupBy, personsOf, windowStartOf } from './rows.ts'

const WINDOW_MS = 10_000
const SLIDE_MS = 2_000
const SESSION_GAP_MS = 10_000

export function q5(rows: readonly NexmarkEvent[]): HotAuction[] {
  const windows = new Map<number, Map<number, number>>()
  for (const { auction, dateTime } of bidsOf(rows)) {
    const latestStart = windowStartOf(dateTime, SLIDE_MS)
    for (let start = latestStart; start > dateTime - WINDOW_MS; start -= SLIDE_MS) {
      const counts = windows.get(start) ?? new Map<number, number>()
      windows.set(start, counts)
      counts.set(auction, (counts.get(auction) ?? 0) + 1)
    }
  }
  const hottest: HotAuction[] = []
  for (const [windowStart, counts] of windows) {
    const most = Math.max(...counts.values())
    for (const [auction, num] of counts)
      if (num === most) hottest.push({ auction, num, windowStart })
  }
  return hottest
}

/**
 * A bid at exactly the end of a window is compared with that window's maximum as well as with its
 * own.
 */
export function q7(rows: readonly NexmarkEvent[]): HighestBid[] {
  const bids = bidsOf(rows)
  const maxima = new Map<number, number>()
  for (const { price, dateTime } of bids) {
    const start = windowStartOf(dateTime, WINDOW_MS)
    maxima.set(start, Math.max(maxima.get(start) ?? 0, price))
  }
  const highest: HighestBid[] = []
  for (const { auction, price, bidder, dateTime, extra } of bids) {
    const start = windowStartOf(dateTime, WINDOW_MS)
    const starts = dateTime === start ? [start - WINDOW_MS, start] : [start]
    for (const candidate of starts) {
      if (maxima.get(candidate) === price) highest.push({ auction, price, bidder, dateTime, extra })
    }
  }
  return highest
}

export function q8(rows: readonly NexmarkEvent[]): NewSeller[] {
  const sellers = new Set<string>()
  for (const { seller, dateTime } of auctionsOf(rows)) {
    sellers.add(`${seller}|${windowStartOf(dateTime, WINDOW_MS)}`)
  }
  const found = new Map<string, NewSeller>()
  for (const { id, name, dateTime } of personsOf(rows)) {
    const windowStart = windowStartOf(dateTime, WINDOW_MS)
    if (sellers.has(`${id}|${windowStart}`)) {
      found.set(`${id}|${name}|${windowStart}`, { id, name, windowStart })
    }
  }
  return [...found.values()]
}

/** A bid exactly one gap after the one before it still belongs to the session. */
export function q11(rows: readonly NexmarkEvent[]): BidderWindow[] {
  const sessions: BidderWindow[] = []
  for (const [bidder, bids] of groupBy(byTime(bidsOf(rows)), (bid) => bid.bidder)) {
    let first = bids[0]!.dateTime
    let last = first
    let count = 0
    for (const { dateTime } of bids) {
      if (dateTime - last > SESSION_GAP_MS) {
        sessions.push({ bidder, count, windowStart: first, windowEnd: last + SESSION_GAP_MS })
        first = dateTime
        count = 0
      }
      last = dateTime
      count++
    }
    sessions.push({ bidder, count, windowStart: first, windowEnd: last + SESSION_GAP_MS })
  }
  return sessions
}

/**
 * What is wrong with `output` as a result of q12 on `rows`; empty when nothing is. Its windows are
 * of processing time, so only these hold for every run: windows are aligned and 10 s long, none
 * occurs twice, none is empty, and the counts of each bidder sum to the number of the bidder's
 * bids.
 */
export function q12Violations(
  rows: readonly NexmarkEvent[],
  output: readonly BidderWindow[],
): string[] {
  const violations: string[] = []
  const open = new Map<number, number>()
  for (const { bidder } of bidsOf(rows)) open.set(bidder, (open.get(bidder) ?? 0) + 1)
  const seen = new Set<string>()
  for (const { bidder, count, windowStart, windowEnd } of output) {
    const window = `bidder ${bidder}, window ${windowStart}`
    if (windowStart % WINDOW_MS !== 0) violations.push(`${window}: not aligned`)
    if (windowEnd !== windowStart + WINDOW_MS) violations.push(`${window}: ends at ${windowEnd}`)
    if (seen.has(window)) violations.push(`${window}: occurs twice`)
    if (count < 1) violations.push(`${window}: count ${count}`)
    seen.add(window)
    open.set(bidder, (open.get(bidder) ?? 0) - count)
  }
  for (const [bidder, missing] of open) {
    if (missing !== 0)
      violations.push(`bidder ${bidder}: counts differ from the bids by ${-missing}`)
  }
  return violations
}
