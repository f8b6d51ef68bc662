/** q3, q4, q6, q9, q20, q23: joins of bids, auctions and persons over the whole input. */
import type { Auction, Bid, NexmarkEvent, Person } from '../event.ts'
import type {
  AuctionBid,
  CategoryAverage,
  LocalSeller,
  PersonAuctionBid,
  SellerAverage,
} from '../results.ts'
import { auctionsOf, bidsOf, groupBy, personsOf, truncatedAverage } from './rows.ts'

const LOCAL_STATES: ReadonlySet<string> = new Set(['OR', 'ID', 'CA'])
const LOCAL_CATEGORY = 10
/**
 * q6 averages a winner with up to this many before it, although its title says the last ten in all.
 */
const PRECEDING_WINNERS = 10

export function q3(rows: readonly NexmarkEvent[]): LocalSeller[] {
  const persons = personById(rows)
  const sellers: LocalSeller[] = []
  for (const { id, seller, category } of auctionsOf(rows)) {
    const person = persons.get(seller)
    if (category !== LOCAL_CATEGORY || !person || !LOCAL_STATES.has(person.state)) continue
    sellers.push({ name: person.name, city: person.city, state: person.state, auction: id })
  }
  return sellers
}

export function q4(rows: readonly NexmarkEvent[]): CategoryAverage[] {
  const averages: CategoryAverage[] = []
  for (const [category, winners] of groupBy(q9(rows), ({ auction }) => auction.category)) {
    const sum = winners.reduce((total, { bid }) => total + bid.price, 0)
    averages.push({ category, average: truncatedAverage(sum, winners.length) })
  }
  return averages
}

export function q6(rows: readonly NexmarkEvent[]): SellerAverage[] {
  const averages: SellerAverage[] = []
  for (const [seller, winners] of groupBy(q9(rows), ({ auction }) => auction.seller)) {
    winners.sort((a, b) => a.bid.dateTime - b.bid.dateTime || a.auction.id - b.auction.id)
    for (let at = 0; at < winners.length; at++) {
      const frame = winners.slice(Math.max(0, at - PRECEDING_WINNERS), at + 1)
      const sum = frame.reduce((total, { bid }) => total + bid.price, 0)
      averages.push({ seller, average: truncatedAverage(sum, frame.length) })
    }
  }
  return averages
}

/**
 * The winner of an auction has the highest price; among equals the earliest, then the one that
 * arrived first.
 */
export function q9(rows: readonly NexmarkEvent[]): AuctionBid[] {
  const winners = new Map<number, AuctionBid>()
  for (const { auction, bid } of validBids(rows)) {
    const winner = winners.get(auction.id)
    if (!winner || beats(bid, winner.bid)) winners.set(auction.id, { auction, bid })
  }
  return [...winners.values()]
}

export function q20(rows: readonly NexmarkEvent[]): AuctionBid[] {
  const auctions = auctionById(rows)
  const joined: AuctionBid[] = []
  for (const bid of bidsOf(rows)) {
    const auction = auctions.get(bid.auction)
    if (auction?.category === LOCAL_CATEGORY) joined.push({ auction, bid })
  }
  return joined
}

export function q23(rows: readonly NexmarkEvent[]): PersonAuctionBid[] {
  const persons = personById(rows)
  const bySeller = groupBy(auctionsOf(rows), ({ seller }) => seller)
  const joined: PersonAuctionBid[] = []
  for (const bid of bidsOf(rows)) {
    const person = persons.get(bid.bidder)
    if (!person) continue
    for (const auction of bySeller.get(bid.bidder) ?? []) joined.push({ bid, person, auction })
  }
  return joined
}

/** The join of q4, q6 and q9: bids placed while their auction was open, both ends included. */
export function validBids(rows: readonly NexmarkEvent[]): AuctionBid[] {
  const auctions = auctionById(rows)
  const pairs: AuctionBid[] = []
  for (const bid of bidsOf(rows)) {
    const auction = auctions.get(bid.auction)
    if (!auction || bid.dateTime < auction.dateTime || bid.dateTime > auction.expires) continue
    pairs.push({ auction, bid })
  }
  return pairs
}

function beats(bid: Bid, winner: Bid): boolean {
  return bid.price > winner.price || (bid.price === winner.price && bid.dateTime < winner.dateTime)
}

function auctionById(rows: readonly NexmarkEvent[]): Map<number, Auction> {
  return new Map(auctionsOf(rows).map((auction) => [auction.id, auction]))
}

function personById(rows: readonly NexmarkEvent[]): Map<number, Person> {
  return new Map(personsOf(rows).map((person) => [person.id, person]))
}
