/**
 * The digest of a query's result: its rows as text lines of the digest columns, as a multiset. The
 * order of rows does not matter, duplicates do.
 */
import { createHash } from 'node:crypto'
import type { BandCounts, CheapRun, QueryName, ResultRows } from './results.ts'

/** Per query the digest columns of one row, joined by `|`. */
export const digestLine: { readonly [Query in QueryName]: (row: ResultRows[Query]) => string } = {
  q0: (r) => `${r.auction}|${r.bidder}|${r.price}|${r.dateTime}|${r.extra}`,
  q1: (r) => `${r.auction}|${r.bidder}|${r.priceThousandths}|${r.dateTime}|${r.extra}`,
  q2: (r) => `${r.auction}|${r.price}`,
  q3: (r) => `${r.name}|${r.city}|${r.state}|${r.auction}`,
  q4: (r) => `${r.category}|${r.average}`,
  q5: (r) => `${r.auction}|${r.num}|${r.windowStart}`,
  q6: (r) => `${r.seller}|${r.average}`,
  q7: (r) => `${r.auction}|${r.price}|${r.bidder}|${r.dateTime}|${r.extra}`,
  q8: (r) => `${r.id}|${r.name}|${r.windowStart}`,
  q9: ({ auction, bid }) =>
    `${auction.id}|${bid.auction}|${bid.bidder}|${bid.price}|${bid.dateTime}`,
  q10: (r) => `${r.auction}|${r.bidder}|${r.price}|${r.dateTime}|${r.extra}|${r.dt}|${r.hm}`,
  q11: (r) => `${r.bidder}|${r.count}|${r.windowStart}|${r.windowEnd}`,
  q13: (r) => `${r.auction}|${r.bidder}|${r.price}|${r.dateTime}|${r.value}`,
  q14: (r) =>
    `${r.auction}|${r.bidder}|${r.priceThousandths}|${r.timeType}|${r.dateTime}|${r.extra}|${r.cCount}`,
  q15: (r) => `${r.day}|${bandColumns(r)}`,
  q16: (r) => `${r.channel}|${r.day}|${r.minute}|${bandColumns(r)}`,
  q17: (r) =>
    `${r.auction}|${r.day}|${r.bids}|${r.bids1}|${r.bids2}|${r.bids3}|` +
    `${r.minPrice}|${r.maxPrice}|${r.averagePrice}|${r.sumPrice}`,
  q18: (r) => `${r.auction}|${r.bidder}|${r.dateTime}`,
  q19: ({ bid, rank }) => `${bid.auction}|${bid.price}|${rank}`,
  q20: ({ bid, auction }) =>
    `${bid.auction}|${bid.bidder}|${bid.price}|${bid.dateTime}|${auction.seller}|${auction.expires}`,
  q21: (r) => `${r.auction}|${r.bidder}|${r.price}|${r.channel}|${r.channelId}`,
  q22: (r) => `${r.auction}|${r.bidder}|${r.price}|${r.channel}|${r.dir1}|${r.dir2}|${r.dir3}`,
  q23: ({ bid, auction }) =>
    `${bid.auction}|${bid.bidder}|${bid.price}|${bid.dateTime}|${auction.id}`,
  c0: (r) => `${r.auction}|${r.bidder}|${r.startTime}|${r.bottomTime}|${r.endTime}`,
  c1: cheapRunLine,
  c2: cheapRunLine,
  c3: (r) => `${r.auction}|${r.bidder}|${r.dropTime}|${r.drop}`,
}

/** The 16 hex digits that stand for the result `rows` of `query`. */
export function digestOf<Query extends QueryName>(
  query: Query,
  rows: readonly ResultRows[Query][],
): string {
  const line: (row: ResultRows[Query]) => string = digestLine[query]
  return digestOfLines(rows.map((row) => line(row)))
}

/**
 * The same for lines that are rendered already. All lines are ASCII, so the default sort is
 * bytewise.
 */
export function digestOfLines(lines: readonly string[]): string {
  const sorted = [...lines].sort()
  const text = sorted.length === 0 ? '' : `${sorted.join('\n')}\n`
  return createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 16)
}

function bandColumns(r: BandCounts): string {
  return (
    `${r.bids}|${r.bids1}|${r.bids2}|${r.bids3}|${r.bidders}|${r.bidders1}|${r.bidders2}|${r.bidders3}|` +
    `${r.auctions}|${r.auctions1}|${r.auctions2}|${r.auctions3}`
  )
}

function cheapRunLine(r: CheapRun): string {
  return `${r.auction}|${r.bidder}|${r.firstTime}|${r.lastTime}|${r.average}`
}
