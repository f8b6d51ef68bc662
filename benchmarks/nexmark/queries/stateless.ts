/**
 * q0, q1, q2, q13, q14, q21, q22: filters and projections. No event time is needed, so none is assigned.
 */
import type { Stream } from 'tidemill'
import type {
  ChannelBid,
  ComputedBid,
  DirectoriesBid,
  EnrichedBid,
  EuroBid,
  FilteredBid,
  PassedBid,
  TimeType,
} from '../results.ts'
import type { BidRow, EventRow } from '../schema.ts'
import { SIDE_ROWS, sideTable } from '../side-table.ts'

const MS_PER_HOUR = 3_600_000

export const isBid = (event: EventRow): event is BidRow => event.type === 'bid'

export function q0(events: Stream<EventRow>): Stream<PassedBid> {
  return events.filter(isBid).map((bid) => ({
    auction: bid.auction,
    bidder: bid.bidder,
    price: bid.price,
    dateTime: bid.dateTime,
    extra: bid.extra,
  }))
}

export function q1(events: Stream<EventRow>): Stream<EuroBid> {
  return events.filter(isBid).map((bid) => ({
    auction: bid.auction,
    bidder: bid.bidder,
    priceThousandths: bid.price * 908,
    dateTime: bid.dateTime,
    extra: bid.extra,
  }))
}

export function q2(events: Stream<EventRow>): Stream<FilteredBid> {
  return events
    .filter(isBid)
    .filter((bid) => bid.auction % 123 === 0)
    .map((bid) => ({ auction: bid.auction, price: bid.price }))
}

/** The bounded table lies in the closure: it does not change while the job runs. */
export function q13(events: Stream<EventRow>): Stream<EnrichedBid> {
  return events
    .filter(isBid)
    .filter((bid) => sideTable.has(bid.auction % SIDE_ROWS))
    .map((bid) => ({
      auction: bid.auction,
      bidder: bid.bidder,
      price: bid.price,
      dateTime: bid.dateTime,
      value: sideTable.get(bid.auction % SIDE_ROWS) ?? '',
    }))
}

export function q14(events: Stream<EventRow>): Stream<ComputedBid> {
  return events
    .filter(isBid)
    .filter((bid) => bid.price * 908 > 1e9 && bid.price * 908 < 5e10)
    .map((bid) => {
      const { extra } = bid
      return {
        auction: bid.auction,
        bidder: bid.bidder,
        priceThousandths: bid.price * 908,
        timeType: timeTypeOf(Math.floor(bid.dateTime / MS_PER_HOUR) % 24),
        dateTime: bid.dateTime,
        extra,
        cCount: countOfC(extra),
      }
    })
}

export function q21(events: Stream<EventRow>): Stream<ChannelBid> {
  return events
    .filter(isBid)
    .map((bid) => {
      const { channel } = bid
      return {
        auction: bid.auction,
        bidder: bid.bidder,
        price: bid.price,
        channel,
        channelId: hotChannelId(channel) ?? parameterOf(bid.url, 'channel_id='),
      }
    })
    .filter((row): row is ChannelBid => row.channelId !== undefined)
}

export function q22(events: Stream<EventRow>): Stream<DirectoriesBid> {
  return events.filter(isBid).map((bid) => {
    const { url } = bid
    const start1 = url.indexOf('/', url.indexOf('/', url.indexOf('/') + 1) + 1) + 1
    const end1 = url.indexOf('/', start1)
    const end2 = url.indexOf('/', end1 + 1)
    const end3 = url.indexOf('/', end2 + 1)
    return {
      auction: bid.auction,
      bidder: bid.bidder,
      price: bid.price,
      channel: bid.channel,
      dir1: url.slice(start1, end1),
      dir2: url.slice(end1 + 1, end2),
      dir3: url.slice(end2 + 1, end3),
    }
  })
}

function timeTypeOf(hour: number): TimeType {
  if (hour >= 8 && hour <= 18) return 'dayTime'
  return hour <= 6 || hour >= 20 ? 'nightTime' : 'otherTime'
}

function countOfC(text: string): number {
  let count = 0
  for (let at = text.indexOf('c'); at >= 0; at = text.indexOf('c', at + 1)) count++
  return count
}

function hotChannelId(channel: string): string | undefined {
  switch (channel.toLowerCase()) {
    case 'apple':
      return '0'
    case 'google':
      return '1'
    case 'facebook':
      return '2'
    case 'baidu':
      return '3'
    default:
      return undefined
  }
}

/** The text after `name` up to the next `&`, where `name` follows a `&` or begins the url. */
function parameterOf(url: string, name: string): string | undefined {
  for (let at = url.indexOf(name); at >= 0; at = url.indexOf(name, at + 1)) {
    if (at > 0 && url[at - 1] !== '&') continue
    const start = at + name.length
    const end = url.indexOf('&', start)
    return end < 0 ? url.slice(start) : url.slice(start, end)
  }
  return undefined
}
