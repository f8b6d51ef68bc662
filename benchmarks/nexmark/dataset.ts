/**
 * The parameters of a Nexmark run and what follows from them: ids, times, disorder, the blocks of
 * the generators.
 */

export interface Dataset {
  readonly name: string
  /** Number of events of all generators together. */
  readonly events: number
  /** Parallel timelines, each with a block of event ids of its own. */
  readonly generators: number
  /** Events per second of event time, all generators together. */
  readonly ratePerSec: number
  /** Size of the groups within which events are shuffled; 1 keeps them in order. */
  readonly disorder: number
}

/** Event time of event number 0: 2015-07-15T00:00:00.000Z. */
export const BASE_TIME_MS = 1_436_918_400_000
export const EVENTS_PER_EPOCH = 50
export const FIRST_ID = 1000
export const FIRST_CATEGORY = 10

/** Multiplier of the shuffle within a disorder group; coprime to every sensible group size. */
const DISORDER_STEP = 953

export const datasets: { readonly [Name in 'D1' | 'D2' | 'D3' | 'D4']: Dataset } = {
  D1: { name: 'D1', events: 100_000, generators: 100, ratePerSec: 10_000, disorder: 1 },
  D2: { name: 'D2', events: 100_000, generators: 1, ratePerSec: 1_000, disorder: 1 },
  D3: { name: 'D3', events: 1_000_000, generators: 1, ratePerSec: 10_000, disorder: 1 },
  D4: { name: 'D4', events: 10_000_000, generators: 1, ratePerSec: 10_000, disorder: 1 },
}

/** Microseconds of event time between two events of one generator. */
export function delayUs(dataset: Dataset): number {
  const { ratePerSec } = dataset
  return Math.floor((1_000_000 + Math.floor(ratePerSec / 2)) / ratePerSec) * dataset.generators
}

/**
 * How many events generator `generator` emits. The last one takes what the division leaves over.
 */
export function eventCount(dataset: Dataset, generator: number): number {
  const block = Math.floor(dataset.events / dataset.generators)
  const last = dataset.generators - 1
  return generator === last ? dataset.events - block * last : block
}

export function firstEventId(dataset: Dataset, generator: number): number {
  return generator * Math.floor(dataset.events / dataset.generators)
}

/** The event number at position `index` of a generator's output: the shuffle of `disorder`. */
export function adjustedNumber(disorder: number, index: number): number {
  if (disorder === 1) return index
  return Math.floor(index / disorder) * disorder + ((index * DISORDER_STEP) % disorder)
}

/** Person number (from 0) of the newest person at event id `eventId`. */
export function lastPerson(eventId: number): number {
  return Math.floor(eventId / EVENTS_PER_EPOCH)
}

/** Auction number (from 0) of the newest auction at event id `eventId`. */
export function lastAuction(eventId: number): number {
  const epoch = Math.floor(eventId / EVENTS_PER_EPOCH)
  const offset = eventId - epoch * EVENTS_PER_EPOCH
  if (offset === 0) return (epoch - 1) * 3 + 2
  return epoch * 3 + (offset < 4 ? offset - 1 : 2)
}
