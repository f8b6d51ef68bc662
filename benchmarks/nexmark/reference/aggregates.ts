/**
 * q15 to q19: grouped aggregates, the last row per key, the ten best per key. What counts is the
 * final state.
 */
import type { Bid, NexmarkEvent } from '../event.ts'
import type {
  AuctionStatistics,
  BandCounts,
  ChannelStatistics,
  DayStatistics,
  RankedBid,
} from '../results.ts'
import { bidsOf, dayOf, groupBy, minuteOf, truncatedAverage } from './rows.ts'

const TOP_BIDS = 10

export function q15(rows: readonly NexmarkEvent[]): DayStatistics[] {
  const days = groupBy(bidsOf(rows), ({ dateTime }) => dayOf(dateTime))
  return [...days].map(([day, bids]) => ({ day, ...bandCounts(bids) }))
}

export function q16(rows: readonly NexmarkEvent[]): ChannelStatistics[] {
  const statistics: ChannelStatistics[] = []
  for (const [day, ofDay] of groupBy(bidsOf(rows), ({ dateTime }) => dayOf(dateTime))) {
    for (const [channel, bids] of groupBy(ofDay, (bid) => bid.channel)) {
      const latest = bids.reduce((time, { dateTime }) => Math.max(time, dateTime), 0)
      statistics.push({ channel, day, minute: minuteOf(latest), ...bandCounts(bids) })
    }
  }
  return statistics
}

export function q17(rows: readonly NexmarkEvent[]): AuctionStatistics[] {
  const statistics: AuctionStatistics[] = []
  for (const [day, ofDay] of groupBy(bidsOf(rows), ({ dateTime }) => dayOf(dateTime))) {
    for (const [auction, bids] of groupBy(ofDay, (bid) => bid.auction)) {
      const prices = bids.map(({ price }) => price)
      const sumPrice = prices.reduce((sum, price) => sum + price, 0)
      statistics.push({
        auction,
        day,
        bids: bids.length,
        bids1: inBand(bids, 1).length,
        bids2: inBand(bids, 2).length,
        bids3: inBand(bids, 3).length,
        minPrice: prices.reduce((least, price) => Math.min(least, price)),
        maxPrice: prices.reduce((most, price) => Math.max(most, price)),
        averagePrice: truncatedAverage(sumPrice, bids.length),
        sumPrice,
      })
    }
  }
  return statistics
}

export function q18(rows: readonly NexmarkEvent[]): Bid[] {
  const last = new Map<string, Bid>()
  for (const bid of bidsOf(rows)) {
    const key = `${bid.bidder}|${bid.auction}`
    const known = last.get(key)
    if (!known || bid.dateTime >= known.dateTime) last.set(key, bid)
  }
  return [...last.values()]
}

export function q19(rows: readonly NexmarkEvent[]): RankedBid[] {
  const ranked: RankedBid[] = []
  for (const bids of groupBy(bidsOf(rows), ({ auction }) => auction).values()) {
    // The sort is stable, so the earlier arrival ranks first among equal prices.
    bids.sort((a, b) => b.price - a.price)
    for (const [at, bid] of bids.slice(0, TOP_BIDS).entries()) ranked.push({ bid, rank: at + 1 })
  }
  return ranked
}

function bandCounts(bids: readonly Bid[]): BandCounts {
  const [band1, band2, band3] = [inBand(bids, 1), inBand(bids, 2), inBand(bids, 3)]
  return {
    bids: bids.length,
    bids1: band1.length,
    bids2: band2.length,
    bids3: band3.length,
    bidders: distinctBidders(bids),
    bidders1: distinctBidders(band1),
    bidders2: distinctBidders(band2),
    bidders3: distinctBidders(band3),
    auctions: distinctAuctions(bids),
    auctions1: distinctAuctions(band1),
    auctions2: distinctAuctions(band2),
    auctions3: distinctAuctions(band3),
  }
}

function inBand(bids: readonly Bid[], band: 1 | 2 | 3): Bid[] {
  return bids.filter(({ price }) => bandOf(price) === band)
}

function bandOf(price: number): 1 | 2 | 3 {
  if (price < 10_000) return 1
  return price < 1_000_000 ? 2 : 3
}

function distinctBidders(bids: readonly Bid[]): number {
  return new Set(bids.map(({ bidder }) => bidder)).size
}

function distinctAuctions(bids: readonly Bid[]): number {
  return new Set(bids.map(({ auction }) => auction)).size
}
