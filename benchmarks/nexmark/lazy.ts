/**
 * The generator with columns made on demand, for runs with the generator inside the process. Rows
 * answer to the same interfaces as the plain ones. A bid draws its ids and price at once and
 * remembers where the random stood; padding, channel and url are made at the first read. Persons
 * and auctions, 8 % of the events, are made whole at the first read of a column that is not drawn
 * first.
 *
 * Lazy rows carry accessors on their prototype: `JSON.stringify`, spread and structured clone do
 * not see the columns.
 */
import { EVENTS_PER_EPOCH, FIRST_ID, lastAuction, lastPerson, type Dataset } from './dataset.ts'
import type { Auction, Bid, NexmarkEvent, Person } from './event.ts'
import {
  BID_EXTRA_AVERAGE,
  BID_EXTRA_CURRENT,
  drawBidAuction,
  drawBidder,
  drawCategory,
  drawExpires,
  drawSeller,
  EventGenerator,
} from './generator.ts'
import { JavaRandom } from './random.ts'
import {
  CHANNEL_COUNT,
  COLD_CHANNELS,
  COLD_URLS,
  drawExtra,
  drawPrice,
  HOT_CHANNELS,
  HOT_URLS,
  skipExtra,
} from './values.ts'

const random = new JavaRandom()
/**
 * Marks a bid whose channel has not been drawn yet; hot channels are the numbers from
 * `CHANNEL_COUNT` on.
 */
const UNDRAWN = -1

class LazyBid implements Bid {
  readonly type = 'bid' as const
  readonly dateTime: number
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly #high: number
  readonly #low: number
  #channel: number = UNDRAWN
  #extra: string | undefined = undefined

  constructor(eventId: number, dateTime: number) {
    random.seed(eventId)
    this.dateTime = dateTime
    this.auction = drawBidAuction(random, eventId)
    this.bidder = drawBidder(random, eventId)
    this.price = drawPrice(random)
    this.#high = random.high
    this.#low = random.low
  }

  get extra(): string {
    if (this.#extra === undefined) {
      this.#restore()
      this.#extra = drawExtra(random, BID_EXTRA_CURRENT, BID_EXTRA_AVERAGE)
    }
    return this.#extra
  }

  get channel(): string {
    const channel = this.#drawnChannel()
    return channel < CHANNEL_COUNT
      ? COLD_CHANNELS[channel]!
      : HOT_CHANNELS[channel - CHANNEL_COUNT]!
  }

  get url(): string {
    const channel = this.#drawnChannel()
    return channel < CHANNEL_COUNT ? COLD_URLS[channel]! : HOT_URLS[channel - CHANNEL_COUNT]!
  }

  #drawnChannel(): number {
    if (this.#channel === UNDRAWN) {
      this.#restore()
      skipExtra(random, BID_EXTRA_CURRENT, BID_EXTRA_AVERAGE)
      const isHot = random.int(2) > 0
      this.#channel = isHot
        ? CHANNEL_COUNT + random.int(HOT_CHANNELS.length)
        : random.int(CHANNEL_COUNT)
    }
    return this.#channel
  }

  #restore(): void {
    random.high = this.#high
    random.low = this.#low
  }
}

class LazyAuction implements Auction {
  readonly type = 'auction' as const
  readonly dateTime: number
  readonly id: number
  readonly seller: number
  readonly category: number
  readonly expires: number
  readonly initialBid: number
  readonly #generator: EventGenerator
  readonly #index: number
  #row: Auction | undefined = undefined

  constructor(generator: EventGenerator, index: number, eventId: number, dateTime: number) {
    random.seed(eventId)
    this.dateTime = dateTime
    this.id = FIRST_ID + lastAuction(eventId)
    this.seller = drawSeller(random, eventId)
    this.category = drawCategory(random)
    this.initialBid = drawPrice(random)
    this.expires = drawExpires(random, dateTime, generator.horizonMs(generator.adjusted(index)))
    this.#generator = generator
    this.#index = index
  }

  get itemName(): string {
    return this.#whole().itemName
  }
  get description(): string {
    return this.#whole().description
  }
  get reserve(): number {
    return this.#whole().reserve
  }
  get extra(): string {
    return this.#whole().extra
  }

  #whole(): Auction {
    // `as`: the event number of this row is one of an auction.
    this.#row ??= this.#generator.event(this.#index) as Auction
    return this.#row
  }
}

class LazyPerson implements Person {
  readonly type = 'person' as const
  readonly dateTime: number
  readonly id: number
  readonly #generator: EventGenerator
  readonly #index: number
  #row: Person | undefined = undefined

  constructor(generator: EventGenerator, index: number, eventId: number, dateTime: number) {
    this.dateTime = dateTime
    this.id = FIRST_ID + lastPerson(eventId)
    this.#generator = generator
    this.#index = index
  }

  get name(): string {
    return this.#whole().name
  }
  get emailAddress(): string {
    return this.#whole().emailAddress
  }
  get creditCard(): string {
    return this.#whole().creditCard
  }
  get city(): string {
    return this.#whole().city
  }
  get state(): string {
    return this.#whole().state
  }
  get extra(): string {
    return this.#whole().extra
  }

  #whole(): Person {
    // `as`: the event number of this row is one of a person.
    this.#row ??= this.#generator.event(this.#index) as Person
    return this.#row
  }
}

/** One timeline of a data set as lazy rows; positions as in `EventGenerator`. */
export class LazyEventGenerator {
  readonly count: number
  readonly #generator: EventGenerator

  constructor(dataset: Dataset, generator: number = 0) {
    this.#generator = new EventGenerator(dataset, generator)
    this.count = this.#generator.count
  }

  event(index: number): NexmarkEvent {
    const generator = this.#generator
    const eventId = generator.eventId(index)
    const dateTime = generator.timeOf(generator.adjusted(index))
    const offset = eventId % EVENTS_PER_EPOCH
    if (offset >= 4) return new LazyBid(eventId, dateTime)
    if (offset === 0) return new LazyPerson(generator, index, eventId, dateTime)
    return new LazyAuction(generator, index, eventId, dateTime)
  }
}
