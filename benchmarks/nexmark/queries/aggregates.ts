/**
 * q15, q16, q17: running aggregates. `emit: 'latest'` gives the newest value of every changed group once per epoch; what
 * counts is the final value of each group.
 */
import { count, countDistinct, max, min, type Stream, sum } from 'tidemill'
import type { AuctionStatistics, ChannelStatistics, DayStatistics } from '../results.ts'
import type { BidRow, EventRow } from '../schema.ts'
import { isBid } from './stateless.ts'

const MS_PER_DAY = 86_400_000

const band1 = { where: (bid: BidRow) => bid.price < 10_000 }
const band2 = { where: (bid: BidRow) => bid.price >= 10_000 && bid.price < 1_000_000 }
const band3 = { where: (bid: BidRow) => bid.price >= 1_000_000 }
const priceOf = (bid: BidRow): number => bid.price
/** The same function in several counts: they share one set of values. */
const bidderOf = (bid: BidRow): number => bid.bidder
const auctionOf = (bid: BidRow): number => bid.auction

const bandCounts = {
  bids: count<BidRow>(),
  bids1: count(band1),
  bids2: count(band2),
  bids3: count(band3),
  bidders: countDistinct(bidderOf),
  bidders1: countDistinct(bidderOf, band1),
  bidders2: countDistinct(bidderOf, band2),
  bidders3: countDistinct(bidderOf, band3),
  auctions: countDistinct(auctionOf),
  auctions1: countDistinct(auctionOf, band1),
  auctions2: countDistinct(auctionOf, band2),
  auctions3: countDistinct(auctionOf, band3),
}

/** Days are numbers while rows are grouped; a text per row would cost more than the counting. */
export function q15(events: Stream<EventRow>): Stream<DayStatistics> {
  return events
    .filter(isBid)
    .keyBy((bid) => Math.floor(bid.dateTime / MS_PER_DAY))
    .aggregate('statistics-per-day', bandCounts, { emit: 'latest' })
    .map(({ key, ...counts }) => ({ day: dayText(key), ...counts }))
}

export function q16(events: Stream<EventRow>): Stream<ChannelStatistics> {
  return events
    .filter(isBid)
    .keyBy((bid) => [bid.channel, Math.floor(bid.dateTime / MS_PER_DAY)])
    .aggregate(
      'statistics-per-channel',
      { latest: max((bid: BidRow) => bid.dateTime), ...bandCounts },
      { emit: 'latest' },
    )
    .map(({ key: [channel, day], latest, ...counts }) => ({
      channel,
      day: dayText(day),
      minute: new Date(latest).toISOString().slice(11, 16),
      ...counts,
    }))
}

export function q17(events: Stream<EventRow>): Stream<AuctionStatistics> {
  return events
    .filter(isBid)
    .keyBy((bid) => [bid.auction, Math.floor(bid.dateTime / MS_PER_DAY)])
    .aggregate(
      'statistics-per-auction',
      {
        bids: count<BidRow>(),
        bids1: count(band1),
        bids2: count(band2),
        bids3: count(band3),
        minPrice: min(priceOf),
        maxPrice: max(priceOf),
        sumPrice: sum(priceOf),
      },
      { emit: 'latest' },
    )
    .map(({ key: [auction, day], bids, bids1, bids2, bids3, minPrice, maxPrice, sumPrice }) => ({
      auction,
      day: dayText(day),
      bids,
      bids1,
      bids2,
      bids3,
      minPrice,
      maxPrice,
      sumPrice,
      averagePrice: Math.trunc(sumPrice / bids),
    }))
}

const dayTexts: Map<number, string> = new Map()

function dayText(day: number): string {
  let text = dayTexts.get(day)
  if (text === undefined) {
    text = new Date(day * MS_PER_DAY).toISOString().slice(0, 10)
    dayTexts.set(day, text)
  }
  return text
}
