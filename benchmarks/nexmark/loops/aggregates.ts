/**
 * Hand-written loops of q15, q16, q17; only the final state goes out. Distinct values are counted
 * with one map per column whose values are sets of price bands as bits, in place of four sets: a
 * value seen before costs one lookup.
 */
import type { Checksum } from '../checksum.ts'
import type { Bid, NexmarkEvent } from '../event.ts'
import type { Loop } from '../loops.ts'

const MS_PER_DAY = 86_400_000
const BAND_1 = 1
const BAND_2 = 2
const BAND_3 = 4

class DistinctByBand {
  count1: number = 0
  count2: number = 0
  count3: number = 0
  readonly #bands: Map<number, number> = new Map()

  add(value: number, band: number): void {
    const bands = this.#bands.get(value) ?? 0
    if ((bands & band) !== 0) return
    this.#bands.set(value, bands | band)
    if (band === BAND_1) this.count1++
    else if (band === BAND_2) this.count2++
    else this.count3++
  }

  emit(sink: Checksum): void {
    sink.number(this.#bands.size)
    sink.number(this.count1)
    sink.number(this.count2)
    sink.number(this.count3)
  }
}

class BandStatistics {
  bids1: number = 0
  bids2: number = 0
  bids3: number = 0
  timeMax: number = 0
  readonly bidders: DistinctByBand = new DistinctByBand()
  readonly auctions: DistinctByBand = new DistinctByBand()

  add(bid: Bid): void {
    const band = bandOf(bid.price)
    if (band === BAND_1) this.bids1++
    else if (band === BAND_2) this.bids2++
    else this.bids3++
    if (bid.dateTime > this.timeMax) this.timeMax = bid.dateTime
    this.bidders.add(bid.bidder, band)
    this.auctions.add(bid.auction, band)
  }

  emit(sink: Checksum): void {
    sink.number(this.bids1 + this.bids2 + this.bids3)
    sink.number(this.bids1)
    sink.number(this.bids2)
    sink.number(this.bids3)
    this.bidders.emit(sink)
    this.auctions.emit(sink)
  }
}

export class Q15 implements Loop {
  readonly #days: Map<number, BandStatistics> = new Map()

  rows(rows: readonly NexmarkEvent[]): void {
    const days = this.#days
    let day = -1
    let statistics = new BandStatistics()
    for (const row of rows) {
      if (row.type !== 'bid') continue
      const dayOfRow = Math.floor(row.dateTime / MS_PER_DAY)
      if (dayOfRow !== day) {
        day = dayOfRow
        statistics = days.get(day) ?? new BandStatistics()
        days.set(day, statistics)
      }
      statistics.add(row)
    }
  }

  end(sink: Checksum): void {
    for (const [number, ofDay] of this.#days) {
      sink.string(dayText(number))
      ofDay.emit(sink)
      sink.row()
    }
  }
}

export class Q16 implements Loop {
  readonly #days: Map<number, Map<string, BandStatistics>> = new Map()

  rows(rows: readonly NexmarkEvent[]): void {
    const days = this.#days
    let day = -1
    let channels = new Map<string, BandStatistics>()
    for (const row of rows) {
      if (row.type !== 'bid') continue
      const dayOfRow = Math.floor(row.dateTime / MS_PER_DAY)
      if (dayOfRow !== day) {
        day = dayOfRow
        channels = days.get(day) ?? new Map()
        days.set(day, channels)
      }
      let statistics = channels.get(row.channel)
      if (statistics === undefined) {
        statistics = new BandStatistics()
        channels.set(row.channel, statistics)
      }
      statistics.add(row)
    }
  }

  end(sink: Checksum): void {
    for (const [number, ofDay] of this.#days) {
      const text = dayText(number)
      for (const [channel, statistics] of ofDay) {
        sink.string(channel)
        sink.string(text)
        sink.string(new Date(statistics.timeMax).toISOString().slice(11, 16))
        statistics.emit(sink)
        sink.row()
      }
    }
  }
}

interface PriceStatistics {
  bids1: number
  bids2: number
  bids3: number
  min: number
  max: number
  sum: number
}

export class Q17 implements Loop {
  readonly #days: Map<number, Map<number, PriceStatistics>> = new Map()

  rows(rows: readonly NexmarkEvent[]): void {
    const days = this.#days
    let day = -1
    let auctions = new Map<number, PriceStatistics>()
    for (const row of rows) {
      if (row.type !== 'bid') continue
      const dayOfRow = Math.floor(row.dateTime / MS_PER_DAY)
      if (dayOfRow !== day) {
        day = dayOfRow
        auctions = days.get(day) ?? new Map()
        days.set(day, auctions)
      }
      const { price } = row
      let prices = auctions.get(row.auction)
      if (prices === undefined) {
        prices = { bids1: 0, bids2: 0, bids3: 0, min: price, max: price, sum: 0 }
        auctions.set(row.auction, prices)
      }
      const band = bandOf(price)
      if (band === BAND_1) prices.bids1++
      else if (band === BAND_2) prices.bids2++
      else prices.bids3++
      if (price < prices.min) prices.min = price
      if (price > prices.max) prices.max = price
      prices.sum += price
    }
  }

  end(sink: Checksum): void {
    for (const [number, ofDay] of this.#days) {
      const text = dayText(number)
      for (const [auction, prices] of ofDay) emitPrices(auction, text, prices, sink)
    }
  }
}

function emitPrices(auction: number, day: string, prices: PriceStatistics, sink: Checksum): void {
  const bids = prices.bids1 + prices.bids2 + prices.bids3
  sink.number(auction)
  sink.string(day)
  sink.number(bids)
  sink.number(prices.bids1)
  sink.number(prices.bids2)
  sink.number(prices.bids3)
  sink.number(prices.min)
  sink.number(prices.max)
  sink.number(Math.trunc(prices.sum / bids))
  sink.number(prices.sum)
  sink.row()
}

function bandOf(price: number): number {
  if (price < 10_000) return BAND_1
  return price < 1_000_000 ? BAND_2 : BAND_3
}

function dayText(day: number): string {
  return new Date(day * MS_PER_DAY).toISOString().slice(0, 10)
}
