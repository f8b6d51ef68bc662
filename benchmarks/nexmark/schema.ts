/**
 * The mixed stream as Tidemill schemas. Fields are declared in the order of the JSON form, so rows that come out of a
 * frame print as the lines of the data set do. All ids, prices and counts are whole numbers below 2^53.
 */
import { field, instant, int, struct, type TypeOf, text, variant } from 'tidemill'

export const person = struct('person', {
  dateTime: field(1, instant),
  id: field(2, int),
  name: field(3, text),
  emailAddress: field(4, text),
  creditCard: field(5, text),
  city: field(6, text),
  state: field(7, text),
  extra: field(8, text),
})

export const auction = struct('auction', {
  dateTime: field(1, instant),
  id: field(2, int),
  itemName: field(3, text),
  description: field(4, text),
  initialBid: field(5, int),
  reserve: field(6, int),
  expires: field(7, instant),
  seller: field(8, int),
  category: field(9, int),
  extra: field(10, text),
})

export const bid = struct('bid', {
  dateTime: field(1, instant),
  auction: field(2, int),
  bidder: field(3, int),
  price: field(4, int),
  channel: field(5, text),
  url: field(6, text),
  extra: field(7, text),
})

/** One event of the stream; `type` tells which. */
export const nexmarkEvent = variant('event', 'type', { person, auction, bid })

export type EventRow = TypeOf<typeof nexmarkEvent>
export type PersonRow = Extract<EventRow, { readonly type: 'person' }>
export type AuctionRow = Extract<EventRow, { readonly type: 'auction' }>
export type BidRow = Extract<EventRow, { readonly type: 'bid' }>
