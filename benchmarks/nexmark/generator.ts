/**
 * The Nexmark generator: every event is a pure function of its event id and of the data set.
 *
 * The steps for one event: its number in emission order gives the adjusted number (disorder), that
 * gives event id and event time; the event id seeds the random; the fields are drawn in a fixed
 * order. No state passes from one event to the next, so any range can be generated on its own.
 */
import {
  adjustedNumber,
  BASE_TIME_MS,
  type Dataset,
  delayUs,
  EVENTS_PER_EPOCH,
  eventCount,
  FIRST_CATEGORY,
  FIRST_ID,
  firstEventId,
  lastAuction,
  lastPerson,
} from './dataset.ts'
import type { Auction, Bid, NexmarkEvent, Person } from './event.ts'
import { JavaRandom } from './random.ts'
import {
  CHANNEL_COUNT,
  COLD_CHANNELS,
  COLD_URLS,
  drawAuction,
  drawExtra,
  drawPerson,
  drawPrice,
  drawString,
  flatten,
  HOT_CHANNELS,
  HOT_URLS,
} from './values.ts'

const FIRST_NAMES = [
  'Peter',
  'Paul',
  'Luke',
  'John',
  'Saul',
  'Vicky',
  'Kate',
  'Julie',
  'Sarah',
  'Deiter',
  'Walter',
]
const LAST_NAMES = [
  'Shultz',
  'Abrams',
  'Spencer',
  'White',
  'Bartels',
  'Walton',
  'Smith',
  'Jones',
  'Noris',
]
const CITIES = [
  'Phoenix',
  'Los Angeles',
  'San Francisco',
  'Boise',
  'Portland',
  'Bend',
  'Redmond',
  'Seattle',
  'Kent',
  'Cheyenne',
]
const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY']
const CARD_GROUPS: readonly string[] = Array.from({ length: 10_000 }, (_, n) =>
  String(n).padStart(4, '0'),
)

/**
 * Events until 100 further auctions have been opened: how far ahead an auction's expiry is drawn.
 */
const EXPIRY_EVENTS = 1666
/** A hot seller, bidder or auction stays hot for this many ids. */
const HOT_SPAN = 100

export const PERSON_EXTRA_AVERAGE = 200
export const AUCTION_EXTRA_AVERAGE = 500
export const BID_EXTRA_CURRENT = 32
export const BID_EXTRA_AVERAGE = 100

/** One of the parallel timelines of a data set. */
export class EventGenerator {
  readonly dataset: Dataset
  readonly generator: number
  /** How many events this timeline has. */
  readonly count: number
  readonly #firstEventId: number
  readonly #delayUs: number
  readonly #random: JavaRandom = new JavaRandom()

  constructor(dataset: Dataset, generator: number = 0) {
    if (!(Number.isInteger(generator) && generator >= 0 && generator < dataset.generators)) {
      throw new RangeError(
        `generator ${generator} is not one of the ${dataset.generators} of ${dataset.name}`,
      )
    }
    this.dataset = dataset
    this.generator = generator
    this.count = eventCount(dataset, generator)
    this.#firstEventId = firstEventId(dataset, generator)
    this.#delayUs = delayUs(dataset)
  }

  /**
   * Event number of the event emitted at position `index`; equal to `index` unless the set is
   * disordered.
   */
  adjusted(index: number): number {
    return adjustedNumber(this.dataset.disorder, index)
  }

  /** Event time of event number `number`, epoch milliseconds. */
  timeOf(number: number): number {
    return BASE_TIME_MS + Math.floor((number * this.#delayUs) / 1000)
  }

  /** The event emitted at position `index` (from 0). */
  event(index: number): NexmarkEvent {
    const number = this.adjusted(index)
    const eventId = this.#firstEventId + number
    const offset = eventId % EVENTS_PER_EPOCH
    const dateTime = this.timeOf(number)
    const random = this.#random
    random.seed(eventId)
    if (offset >= 4) return drawBidEvent(random, eventId, dateTime)
    if (offset === 0) return drawPersonEvent(random, eventId, dateTime)
    return drawAuctionEvent(random, eventId, dateTime, this.horizonMs(number))
  }

  /** The events at positions `from` (included) to `to` (excluded, at most `count`). */
  slice(from: number, to: number): NexmarkEvent[] {
    const end = Math.min(to, this.count)
    const rows: NexmarkEvent[] = []
    for (let index = from; index < end; index++) rows.push(this.event(index))
    return rows
  }

  /**
   * Event time from event number `number` until an auction opened there may at the latest have half
   * its life over.
   */
  horizonMs(number: number): number {
    return this.timeOf(number + EXPIRY_EVENTS) - this.timeOf(number)
  }

  /** The event id emitted at position `index`. */
  eventId(index: number): number {
    return this.#firstEventId + this.adjusted(index)
  }
}

/**
 * All events of a data set in emission order. Several generators run side by side in event time:
 * position 0 of each, then position 1 of each, which is the order of (event time, generator) when
 * the set has no disorder.
 */
export function generateEvents(dataset: Dataset): NexmarkEvent[] {
  const generators: EventGenerator[] = []
  for (let g = 0; g < dataset.generators; g++) generators.push(new EventGenerator(dataset, g))
  if (generators.length === 1) return generators[0]!.slice(0, dataset.events)
  const positions = Math.max(...generators.map((generator) => generator.count))
  const rows: NexmarkEvent[] = []
  for (let index = 0; index < positions; index++) {
    for (const generator of generators)
      if (index < generator.count) rows.push(generator.event(index))
  }
  return rows
}

function drawPersonEvent(random: JavaRandom, eventId: number, dateTime: number): Person {
  const firstName = FIRST_NAMES[random.int(FIRST_NAMES.length)]!
  const name = flatten(`${firstName} ${LAST_NAMES[random.int(LAST_NAMES.length)]!}`)
  const mailbox = drawString(random, 7)
  const emailAddress = flatten(`${mailbox}@${drawString(random, 5)}.com`)
  const card1 = CARD_GROUPS[random.int(10_000)]!
  const card2 = CARD_GROUPS[random.int(10_000)]!
  const card3 = CARD_GROUPS[random.int(10_000)]!
  const card4 = CARD_GROUPS[random.int(10_000)]!
  const creditCard = flatten(`${card1} ${card2} ${card3} ${card4}`)
  const city = CITIES[random.int(CITIES.length)]!
  const state = STATES[random.int(STATES.length)]!
  const length =
    8 + name.length + emailAddress.length + creditCard.length + city.length + state.length
  const extra = drawExtra(random, length, PERSON_EXTRA_AVERAGE)
  const id = FIRST_ID + lastPerson(eventId)
  return { type: 'person', dateTime, id, name, emailAddress, creditCard, city, state, extra }
}

function drawAuctionEvent(
  random: JavaRandom,
  eventId: number,
  dateTime: number,
  horizonMs: number,
): Auction {
  const seller = drawSeller(random, eventId)
  const category = drawCategory(random)
  const initialBid = drawPrice(random)
  const expires = drawExpires(random, dateTime, horizonMs)
  const itemName = drawString(random, 20)
  const description = drawString(random, 100)
  const reserve = initialBid + drawPrice(random)
  const length = 8 + itemName.length + description.length + 40
  const extra = drawExtra(random, length, AUCTION_EXTRA_AVERAGE)
  const id = FIRST_ID + lastAuction(eventId)
  return {
    type: 'auction',
    dateTime,
    id,
    itemName,
    description,
    initialBid,
    reserve,
    expires,
    seller,
    category,
    extra,
  }
}

function drawBidEvent(random: JavaRandom, eventId: number, dateTime: number): Bid {
  const auction = drawBidAuction(random, eventId)
  const bidder = drawBidder(random, eventId)
  const price = drawPrice(random)
  const extra = drawExtra(random, BID_EXTRA_CURRENT, BID_EXTRA_AVERAGE)
  let channel: string
  let url: string
  if (random.int(2) > 0) {
    const hot = random.int(HOT_CHANNELS.length)
    channel = HOT_CHANNELS[hot]!
    url = HOT_URLS[hot]!
  } else {
    const cold = random.int(CHANNEL_COUNT)
    channel = COLD_CHANNELS[cold]!
    url = COLD_URLS[cold]!
  }
  return { type: 'bid', dateTime, auction, bidder, price, channel, url, extra }
}

export function drawSeller(random: JavaRandom, eventId: number): number {
  if (random.int(4) > 0) return FIRST_ID + hot(lastPerson(eventId))
  return FIRST_ID + drawPerson(random, eventId)
}

export function drawCategory(random: JavaRandom): number {
  return FIRST_CATEGORY + random.int(5)
}

export function drawExpires(random: JavaRandom, dateTime: number, horizonMs: number): number {
  return dateTime + 1 + random.int(Math.max(2 * horizonMs, 1))
}

export function drawBidAuction(random: JavaRandom, eventId: number): number {
  if (random.int(2) > 0) return FIRST_ID + hot(lastAuction(eventId))
  return FIRST_ID + drawAuction(random, eventId)
}

export function drawBidder(random: JavaRandom, eventId: number): number {
  if (random.int(4) > 0) return FIRST_ID + hot(lastPerson(eventId)) + 1
  return FIRST_ID + drawPerson(random, eventId)
}

function hot(newest: number): number {
  return Math.floor(newest / HOT_SPAN) * HOT_SPAN
}
