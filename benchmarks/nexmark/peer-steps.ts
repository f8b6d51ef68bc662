/**
 * The parts of q0, q1, q2 and q5 that do not depend on the library: predicates, projections, and the state of q5 for
 * libraries that hand over one event at a time.
 */
import type { Bid, NexmarkEvent } from './event.ts'
import type { QueryRows } from './queries.ts'
import type { HotAuction } from './results.ts'

/** Queries that every library baseline has. */
export const libraryQueries = ['q0', 'q1', 'q2', 'q5'] as const
export type LibraryQuery = (typeof libraryQueries)[number]
export type StatelessQuery = Exclude<LibraryQuery, 'q5'>

/** What a baseline does with each result row, and with each event it has read. */
export interface Ends<Row> {
  readonly take: (row: Row) => void
  readonly seeOne: () => void
}

/** A library: the file goes in, every result row goes to `take`; resolves when all of them went. */
export interface Library {
  stateless<Query extends StatelessQuery>(
    path: string,
    step: Step<Query>,
    ends: Ends<QueryRows[Query]>,
  ): Promise<void>
  hotAuctions(path: string, ends: Ends<HotAuction>): Promise<void>
}

export interface Step<Query extends StatelessQuery> {
  readonly keep: (bid: Bid) => boolean
  readonly make: (bid: Bid) => QueryRows[Query]
}

export const isBid = (event: NexmarkEvent): event is Bid => event.type === 'bid'

export const steps: { readonly [Query in StatelessQuery]: Step<Query> } = {
  q0: {
    keep: () => true,
    make: ({ auction, bidder, price, dateTime, extra }) => ({
      auction,
      bidder,
      price,
      dateTime,
      extra,
    }),
  },
  q1: {
    keep: () => true,
    make: ({ auction, bidder, price, dateTime, extra }) => ({
      auction,
      bidder,
      priceThousandths: price * 908,
      dateTime,
      extra,
    }),
  },
  q2: {
    keep: ({ auction }) => auction % 123 === 0,
    make: ({ auction, price }) => ({ auction, price }),
  },
}

const WATERMARK_DELAY_MS = 4_000
const WINDOW_MS = 10_000
const SLIDE_MS = 2_000

/** q5, an event at a time: bids per auction and slice of one slide; a window is the sum of five slices. */
export class HotAuctions {
  readonly #slices: Map<number, Map<number, number>> = new Map()
  #nextEnd = Number.POSITIVE_INFINITY

  /** The rows of the windows that this event completes: most often none. */
  add(event: NexmarkEvent): readonly HotAuction[] {
    const fired = this.#fireUntil(event.dateTime - WATERMARK_DELAY_MS + 1)
    if (event.type !== 'bid') return fired
    const start = Math.floor(event.dateTime / SLIDE_MS) * SLIDE_MS
    let slice = this.#slices.get(start)
    if (slice === undefined) {
      slice = new Map()
      this.#slices.set(start, slice)
      this.#nextEnd = Math.min(this.#nextEnd, start + SLIDE_MS)
    }
    slice.set(event.auction, (slice.get(event.auction) ?? 0) + 1)
    return fired
  }

  /** What is still open at the end of the input. */
  end(): readonly HotAuction[] {
    return this.#fireUntil(Number.MAX_SAFE_INTEGER)
  }

  #fireUntil(time: number): readonly HotAuction[] {
    if (this.#nextEnd > time) return none
    const rows: HotAuction[] = []
    while (this.#nextEnd <= time && this.#slices.size > 0) {
      this.#fire(this.#nextEnd - WINDOW_MS, rows)
      this.#nextEnd += SLIDE_MS
    }
    if (this.#slices.size === 0) this.#nextEnd = Number.POSITIVE_INFINITY
    return rows
  }

  #fire(windowStart: number, rows: HotAuction[]): void {
    const counts = new Map<number, number>()
    for (let start = windowStart; start < windowStart + WINDOW_MS; start += SLIDE_MS) {
      for (const [auction, count] of this.#slices.get(start) ?? []) {
        counts.set(auction, (counts.get(auction) ?? 0) + count)
      }
    }
    // No later window holds the oldest slice.
    this.#slices.delete(windowStart)
    const most = Math.max(...counts.values())
    for (const [auction, num] of counts) {
      if (num === most) rows.push({ auction, num, windowStart })
    }
  }
}

const none: readonly HotAuction[] = []
