/**
 * The result rows of every query, by query name. Prices are cents; what SQL prints as DECIMAL(23,3)
 * is held in thousandths of a cent, exact below 2^53. Times are epoch milliseconds.
 */
import type { Auction, Bid, Person } from './event.ts'

export interface PassedBid {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly dateTime: number
  readonly extra: string
}

export interface EuroBid {
  readonly auction: number
  readonly bidder: number
  /** 0.908 * price, in thousandths. */
  readonly priceThousandths: number
  readonly dateTime: number
  readonly extra: string
}

export interface FilteredBid {
  readonly auction: number
  readonly price: number
}

export interface LocalSeller {
  readonly name: string
  readonly city: string
  readonly state: string
  readonly auction: number
}

export interface CategoryAverage {
  readonly category: number
  readonly average: number
}

export interface HotAuction {
  readonly auction: number
  readonly num: number
  readonly windowStart: number
}

export interface SellerAverage {
  readonly seller: number
  readonly average: number
}

export interface HighestBid {
  readonly auction: number
  readonly price: number
  readonly bidder: number
  readonly dateTime: number
  readonly extra: string
}

export interface NewSeller {
  readonly id: number
  readonly name: string
  readonly windowStart: number
}

export interface AuctionBid {
  readonly auction: Auction
  readonly bid: Bid
}

export interface PartitionedBid {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly dateTime: number
  readonly extra: string
  /** UTC date, `2015-07-15`. */
  readonly dt: string
  /** UTC minute, `HH:mm`. */
  readonly hm: string
}

export interface BidderWindow {
  readonly bidder: number
  readonly count: number
  readonly windowStart: number
  readonly windowEnd: number
}

export interface EnrichedBid {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly dateTime: number
  readonly value: string
}

export type TimeType = 'dayTime' | 'nightTime' | 'otherTime'

export interface ComputedBid {
  readonly auction: number
  readonly bidder: number
  readonly priceThousandths: number
  readonly timeType: TimeType
  readonly dateTime: number
  readonly extra: string
  readonly cCount: number
}

/** Bands by price: 1 below 10,000, 2 below 1,000,000, 3 from there on. */
export interface BandCounts {
  readonly bids: number
  readonly bids1: number
  readonly bids2: number
  readonly bids3: number
  readonly bidders: number
  readonly bidders1: number
  readonly bidders2: number
  readonly bidders3: number
  readonly auctions: number
  readonly auctions1: number
  readonly auctions2: number
  readonly auctions3: number
}

export interface DayStatistics extends BandCounts {
  readonly day: string
}

export interface ChannelStatistics extends BandCounts {
  readonly channel: string
  readonly day: string
  /** Greatest UTC minute with a bid, `HH:mm`. */
  readonly minute: string
}

export interface AuctionStatistics {
  readonly auction: number
  readonly day: string
  readonly bids: number
  readonly bids1: number
  readonly bids2: number
  readonly bids3: number
  readonly minPrice: number
  readonly maxPrice: number
  readonly averagePrice: number
  readonly sumPrice: number
}

export interface RankedBid {
  readonly bid: Bid
  /** 1 .. 10 */
  readonly rank: number
}

export interface ChannelBid {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly channel: string
  readonly channelId: string
}

export interface DirectoriesBid {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly channel: string
  readonly dir1: string
  readonly dir2: string
  readonly dir3: string
}

export interface PersonAuctionBid {
  readonly bid: Bid
  readonly person: Person
  readonly auction: Auction
}

export interface PriceDip {
  readonly auction: number
  readonly bidder: number
  readonly startTime: number
  readonly bottomTime: number
  readonly endTime: number
}

export interface CheapRun {
  readonly auction: number
  readonly bidder: number
  readonly firstTime: number
  readonly lastTime: number
  readonly average: number
}

export interface PriceDrop {
  readonly auction: number
  readonly bidder: number
  readonly dropTime: number
  readonly drop: number
}

/**
 * Every query with a fixed result. q12 depends on processing time and is checked by invariants
 * instead.
 */
export interface ResultRows {
  readonly q0: PassedBid
  readonly q1: EuroBid
  readonly q2: FilteredBid
  readonly q3: LocalSeller
  readonly q4: CategoryAverage
  readonly q5: HotAuction
  readonly q6: SellerAverage
  readonly q7: HighestBid
  readonly q8: NewSeller
  readonly q9: AuctionBid
  readonly q10: PartitionedBid
  readonly q11: BidderWindow
  readonly q13: EnrichedBid
  readonly q14: ComputedBid
  readonly q15: DayStatistics
  readonly q16: ChannelStatistics
  readonly q17: AuctionStatistics
  readonly q18: Bid
  readonly q19: RankedBid
  readonly q20: AuctionBid
  readonly q21: ChannelBid
  readonly q22: DirectoriesBid
  readonly q23: PersonAuctionBid
  readonly c0: PriceDip
  readonly c1: CheapRun
  readonly c2: CheapRun
  readonly c3: PriceDrop
}

export type QueryName = keyof ResultRows
