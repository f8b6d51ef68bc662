/**
 * Speed runs need more events than memory holds and more than one can generate in reasonable time. They read the first
 * events of D4 as a segment again and again, each time moved on: every id, time and expiry grows by what the segment
 * holds, so no id and no time ever comes twice and all windows, sessions and hot keys go on as if the stream did.
 * Texts, prices and the draws behind the ids repeat from segment to segment; no query can profit from that.
 *
 * A segment is moved between timed sections, in place. Nothing holds rows of the previous one by then: what results
 * keep of them are numbers and slices of texts, which do not change.
 */
import type { Frame } from '../../src/frame/frame.ts'
import { layoutOf } from '../../src/frame/layout.ts'
import { type Dataset, datasets, delayUs } from './dataset.ts'
import type { NexmarkEvent } from './event.ts'
import { framesOf, loadFrames, openTexts, plainRows } from './frames.ts'
import { nexmarkEvent } from './schema.ts'

/** One segment: so many events of D4 from its beginning. */
export function segmentDataset(events: number): Dataset {
  if (!(Number.isInteger(events) && events > 0 && events % 5000 === 0)) {
    // Hot keys change every 5,000 events: a segment that ends in between would not go on where it stopped.
    throw new RangeError(`a segment has a multiple of 5000 events, not ${events}`)
  }
  return { ...datasets.D4, name: `D4[${events}]`, events }
}

/** How far one segment lies behind the next. */
interface Step {
  readonly persons: number
  readonly auctions: number
  readonly ms: number
}

function stepOf(dataset: Dataset): Step {
  return {
    persons: dataset.events / 50,
    auctions: (dataset.events / 50) * 3,
    ms: (dataset.events * delayUs(dataset)) / 1000,
  }
}

export class FrameSegments {
  readonly frames: readonly Frame[]
  readonly events: number
  readonly #columns: readonly {
    readonly index: number
    readonly part: number
    readonly step: number
  }[]

  /** Frames of fewer rows than usual are made anew. */
  constructor(events: number, rowsPerFrame?: number) {
    const dataset = segmentDataset(events)
    this.events = events
    const frames = loadFrames(dataset)
    this.frames = rowsPerFrame === undefined ? frames : framesOf(plainRows(frames), rowsPerFrame)
    openTexts(this.frames)
    const step = stepOf(dataset)
    const steps: Readonly<Record<string, number>> = {
      'person.dateTime': step.ms,
      'person.id': step.persons,
      'auction.dateTime': step.ms,
      'auction.id': step.auctions,
      'auction.expires': step.ms,
      'auction.seller': step.persons,
      'bid.dateTime': step.ms,
      'bid.auction': step.auctions,
      'bid.bidder': step.persons,
    }
    const { all, parts } = layoutOf(nexmarkEvent).columns
    this.#columns = all.flatMap(({ index, part, field }) => {
      const by = steps[`${parts[part]?.tag}.${field}`]
      return by === undefined ? [] : [{ index, part, step: by }]
    })
  }

  /** The same frames become the next segment. */
  next(): void {
    for (const frame of this.frames) this.advance(frame)
  }

  /** One frame of it. */
  advance(frame: Frame): void {
    // `as`: `o<k>` is where column k begins, `r<part>` the number of rows of a case.
    const places = frame as unknown as Readonly<Record<string, number>>
    for (const { index, part, step } of this.#columns) {
      const from = places[`o${index}`]!
      const to = from + places[`r${part}`]!
      for (let i = from; i < to; i++) frame.f64[i]! += step
    }
  }
}

export class RowSegments {
  readonly rows: readonly NexmarkEvent[]
  readonly events: number
  readonly #step: Step

  constructor(events: number) {
    const dataset = segmentDataset(events)
    this.events = events
    this.rows = plainRows(loadFrames(dataset))
    this.#step = stepOf(dataset)
  }

  next(): void {
    const { persons, auctions, ms } = this.#step
    // Loops may only read rows; between segments nobody reads.
    type Writable = {
      -readonly [Name in keyof (NexmarkEvent & object)]: NexmarkEvent[Name]
    } & Record<string, number>
    for (const row of this.rows as unknown as readonly Writable[]) {
      row.dateTime += ms
      if (row.type === 'bid') {
        row['auction']! += auctions
        row['bidder']! += persons
      } else if (row.type === 'auction') {
        row['id']! += auctions
        row['expires']! += ms
        row['seller']! += persons
      } else row['id']! += persons
    }
  }
}
