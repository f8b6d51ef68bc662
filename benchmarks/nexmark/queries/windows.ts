/**
 * q5, q7, q8, q11, q12: windows.
 *
 * Every event moves the watermark, whatever its type, so event time comes before the filters. The benchmark's watermark
 * is the largest time seen less 4,000 ms, and a window is complete once the watermark is at its last millisecond. The
 * engine subtracts one millisecond more than `maxOutOfOrderness`, and completes windows by the same comparison; hence
 * 3,999.
 */
import {
  aggregate,
  count,
  milliseconds,
  type Stream,
  seconds,
  session,
  sliding,
  tumbling,
  tumblingProcessingTime,
} from 'tidemill'
import type { BidderWindow, HighestBid, HotAuction, NewSeller } from '../results.ts'
import type { AuctionRow, BidRow, EventRow, PersonRow } from '../schema.ts'
import { isBid } from './stateless.ts'

const WINDOW_MS = 10_000

function timed(events: Stream<EventRow>): Stream<EventRow, 'event-time'> {
  return events.withEventTime({
    timestamp: (event) => event.dateTime,
    maxOutOfOrderness: milliseconds(3_999),
  })
}

const cannotBeLate = 'the input is less than four seconds out of order'

interface Hottest {
  num: number
  auctions: number[]
}

interface AuctionCount {
  readonly key: number
  readonly window: { readonly start: number; readonly end: number }
  readonly count: number
}

/** The auctions with the most bids; all of them when several have as many. */
const hottest = aggregate<AuctionCount, Hottest, Hottest>({
  create: () => ({ num: 0, auctions: [] }),
  add: (best, one) => {
    if (one.count < best.num) return best
    if (one.count > best.num) {
      best.num = one.count
      best.auctions = []
    }
    best.auctions.push(one.key)
    return best
  },
  merge: (left, right) => {
    if (left.num !== right.num) return left.num > right.num ? left : right
    left.auctions.push(...right.auctions)
    return left
  },
  // Groups of counts come together in any order.
  result: ({ num, auctions }) => ({ num, auctions: auctions.toSorted((a, b) => a - b) }),
  decomposable: true,
})

/**
 * Counts carry the last millisecond of their window as event time. Windows end every two seconds, so the counts of one
 * of them are exactly the rows of a tumbling window of two seconds.
 */
export function q5(events: Stream<EventRow>): Stream<HotAuction, 'event-time'> {
  return timed(events)
    .filter(isBid)
    .keyBy((bid) => bid.auction)
    .window(sliding(seconds(10), seconds(2)))
    .count('bids-per-auction')
    .dropLate(cannotBeLate)
    .keyBy((one) => one.window.start)
    .window(tumbling(seconds(2)))
    .aggregate('hottest-auctions', { hottest })
    .dropLate(cannotBeLate)
    .flatMap(({ key, hottest: { num, auctions } }) =>
      auctions.map((auction) => ({ auction, num, windowStart: key })),
    )
}

interface Highest {
  price: number
  bids: HighestBid[]
}

/** Groups of bids come together in any order. */
function byTime(left: HighestBid, right: HighestBid): number {
  return (
    left.dateTime - right.dateTime || left.auction - right.auction || left.bidder - right.bidder
  )
}

/** The bids of the highest price. */
const highest = aggregate<BidRow, Highest, Highest>({
  create: () => ({ price: 0, bids: [] }),
  add: (best, bid) => {
    if (bid.price < best.price) return best
    if (bid.price > best.price) {
      best.price = bid.price
      best.bids = []
    }
    best.bids.push({
      auction: bid.auction,
      price: bid.price,
      bidder: bid.bidder,
      dateTime: bid.dateTime,
      extra: bid.extra,
    })
    return best
  },
  merge: (left, right) => {
    if (left.price !== right.price) return left.price > right.price ? left : right
    left.bids.push(...right.bids)
    return left
  },
  result: ({ price, bids }) => ({ price, bids: bids.toSorted(byTime) }),
  decomposable: true,
})

/** Bids at exactly the start of their window: the previous window's join includes its end. */
const atStart = aggregate<BidRow, HighestBid[], readonly HighestBid[]>({
  create: () => [],
  add: (bids, bid) => {
    // The remainder of numbers beyond 32 bits is one of the slowest instructions there are.
    if (Math.floor(bid.dateTime / WINDOW_MS) * WINDOW_MS !== bid.dateTime) return bids
    bids.push({
      auction: bid.auction,
      price: bid.price,
      bidder: bid.bidder,
      dateTime: bid.dateTime,
      extra: bid.extra,
    })
    return bids
  },
  merge: (left, right) => {
    left.push(...right)
    return left
  },
  result: (bids) => bids.toSorted(byTime),
  decomposable: true,
})

interface HighestOfWindow {
  readonly window: { readonly start: number; readonly end: number }
  readonly highest: Highest
  readonly atStart: readonly HighestBid[]
}

/** Two windows that follow each other, as the join at their border needs them. */
const neighbours = aggregate<HighestOfWindow, HighestOfWindow[], readonly HighestOfWindow[]>({
  create: () => [],
  add: (windows, one) => {
    windows.push({ window: one.window, highest: one.highest, atStart: one.atStart })
    return windows
  },
  merge: (left, right) => {
    left.push(...right)
    return left
  },
  result: (windows) => windows,
})

/**
 * The highest bids of each window, and, because the join includes the end of the window, bids of the same price at the
 * first millisecond of the next one. That second part looks at pairs of windows: a sliding window over the results, two
 * windows long.
 */
export function q7(events: Stream<EventRow>): Stream<HighestBid, 'event-time'> {
  return timed(events)
    .filter(isBid)
    .keyBy(() => 0)
    .window(tumbling(milliseconds(WINDOW_MS)))
    .aggregate('highest-bids', { highest, atStart })
    .dropLate(cannotBeLate)
    .keyBy(() => 0)
    .window(sliding(milliseconds(2 * WINDOW_MS), milliseconds(WINDOW_MS)))
    .aggregate('neighbours', { windows: neighbours })
    .dropLate(cannotBeLate)
    .flatMap(({ window, windows }) => {
      const second = windows.find((one) => one.window.end === window.end)
      const first = windows.find((one) => one.window.start === window.start)
      const joined = first && second ? second.atStart : []
      const own = second ? second.highest.bids : []
      return [...own, ...joined.filter((bid) => bid.price === first?.highest.price)]
    })
}

const isNewcomer = (event: EventRow): event is PersonRow | AuctionRow => event.type !== 'bid'

/** The name of the person who registered; there is at most one in a group. */
const registered = aggregate<
  PersonRow | AuctionRow,
  { name: string | undefined },
  string | undefined
>({
  create: () => ({ name: undefined }),
  add: (found, event) => {
    if (event.type === 'person') found.name = event.name
    return found
  },
  merge: (left, right) => (left.name === undefined ? right : left),
  result: (found) => found.name,
})

/** Persons and the auctions they sell meet under the person's id. */
export function q8(events: Stream<EventRow>): Stream<NewSeller, 'event-time'> {
  return timed(events)
    .filter(isNewcomer)
    .keyBy((event) => (event.type === 'person' ? event.id : event.seller))
    .window(tumbling(milliseconds(WINDOW_MS)))
    .aggregate('registrations', {
      name: registered,
      auctions: count({ where: (event) => event.type === 'auction' }),
    })
    .dropLate(cannotBeLate)
    .filter((one) => one.name !== undefined && one.auctions > 0)
    .map(({ key, name, window }) => ({ id: key, name: name ?? '', windowStart: window.start }))
}

export function q11(events: Stream<EventRow>): Stream<BidderWindow, 'event-time'> {
  return timed(events)
    .filter(isBid)
    .keyBy((bid) => bid.bidder)
    .window(session(seconds(10)))
    .count('bids-per-session')
    .dropLate(cannotBeLate)
    .map(({ key, count: bids, window }) => ({
      bidder: key,
      count: bids,
      windowStart: window.start,
      windowEnd: window.end,
    }))
}

export function q12(events: Stream<EventRow>): Stream<BidderWindow> {
  return events
    .filter(isBid)
    .keyBy((bid) => bid.bidder)
    .window(tumblingProcessingTime(seconds(10)))
    .count('bids-per-bidder')
    .map(({ key, count: bids, window }) => ({
      bidder: key,
      count: bids,
      windowStart: window.start,
      windowEnd: window.end,
    }))
}
