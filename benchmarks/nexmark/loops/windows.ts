/**
 * Hand-written loops of q5, q7, q8, q11, q12. Windows fire in the stream once the watermark, four
 * seconds behind the newest row, has passed them; what is left fires at the end. Rows may be out of
 * order by less than those four seconds, except for q11, whose loop needs them in order of time.
 */
import type { Checksum } from '../checksum.ts'
import type { Bid, NexmarkEvent } from '../event.ts'
import type { Loop } from '../loops.ts'

const WATERMARK_DELAY_MS = 4_000
const WINDOW_MS = 10_000
const SLIDE_MS = 2_000
const SESSION_GAP_MS = 10_000
/** Rows between two readings of the clock in q12. */
const CLOCK_ROWS = 1_024

/** Counts per slice of one slide; a window is the sum of five slices. */
export class Q5 implements Loop {
  readonly #slices: Map<number, Map<number, number>> = new Map()
  #windowEnd: number = Number.POSITIVE_INFINITY

  rows(rows: readonly NexmarkEvent[], sink: Checksum): void {
    const slices = this.#slices
    let sliceStart = Number.NEGATIVE_INFINITY
    let slice = new Map<number, number>()
    let windowEnd = this.#windowEnd
    for (const row of rows) {
      const time = row.dateTime
      while (time - WATERMARK_DELAY_MS >= windowEnd - 1) {
        fireHottest(slices, windowEnd - WINDOW_MS, sink)
        windowEnd = slices.size > 0 ? windowEnd + SLIDE_MS : Number.POSITIVE_INFINITY
      }
      if (row.type !== 'bid') continue
      if (time < sliceStart || time >= sliceStart + SLIDE_MS) {
        sliceStart = Math.floor(time / SLIDE_MS) * SLIDE_MS
        slice = slices.get(sliceStart) ?? new Map()
        slices.set(sliceStart, slice)
        windowEnd = Math.min(windowEnd, sliceStart + SLIDE_MS)
      }
      slice.set(row.auction, (slice.get(row.auction) ?? 0) + 1)
    }
    this.#windowEnd = windowEnd
  }

  end(sink: Checksum): void {
    const slices = this.#slices
    for (let end = this.#windowEnd; slices.size > 0; end += SLIDE_MS) {
      fireHottest(slices, end - WINDOW_MS, sink)
    }
  }
}

function fireHottest(
  slices: Map<number, Map<number, number>>,
  windowStart: number,
  sink: Checksum,
): void {
  const counts = new Map<number, number>()
  let most = 0
  for (let start = windowStart; start < windowStart + WINDOW_MS; start += SLIDE_MS) {
    const slice = slices.get(start)
    if (!slice) continue
    for (const [auction, count] of slice) {
      const num = (counts.get(auction) ?? 0) + count
      counts.set(auction, num)
      if (num > most) most = num
    }
  }
  // No later window holds the oldest slice.
  slices.delete(windowStart)
  for (const [auction, num] of counts) {
    if (num !== most) continue
    sink.number(auction)
    sink.number(num)
    sink.number(windowStart)
    sink.row()
  }
}

interface HighestBids {
  readonly end: number
  price: number
  /** The bids of the window with that price; copies, since rows belong to whoever gave them. */
  bids: Bid[]
  /** Bids at exactly the end of the window; they join it too, yet belong to the next. */
  readonly atEnd: Bid[]
}

export class Q7 implements Loop {
  readonly #windows: Map<number, HighestBids> = new Map()
  #fireAt: number = Number.POSITIVE_INFINITY

  rows(rows: readonly NexmarkEvent[], sink: Checksum): void {
    const windows = this.#windows
    let current: HighestBids | undefined
    let fireAt = this.#fireAt
    for (const row of rows) {
      const time = row.dateTime
      if (time - WATERMARK_DELAY_MS >= fireAt) {
        fireAt = Number.POSITIVE_INFINITY
        for (const [end, window] of windows) {
          if (time - WATERMARK_DELAY_MS < end) {
            fireAt = Math.min(fireAt, end)
            continue
          }
          fireHighest(window, sink)
          windows.delete(end)
        }
      }
      if (row.type !== 'bid') continue
      if (current === undefined || time >= current.end || time < current.end - WINDOW_MS) {
        const end = Math.floor(time / WINDOW_MS) * WINDOW_MS + WINDOW_MS
        current = highestOf(windows, end)
        fireAt = Math.min(fireAt, end)
      }
      if (row.price > current.price) {
        current.price = row.price
        current.bids = [{ ...row }]
      } else if (row.price === current.price) {
        current.bids.push({ ...row })
      }
      if (time === current.end - WINDOW_MS) windows.get(time)?.atEnd.push({ ...row })
    }
    this.#fireAt = fireAt
  }

  end(sink: Checksum): void {
    for (const window of this.#windows.values()) fireHighest(window, sink)
  }
}

function highestOf(windows: Map<number, HighestBids>, end: number): HighestBids {
  let window = windows.get(end)
  if (!window) {
    window = { end, price: 0, bids: [], atEnd: [] }
    windows.set(end, window)
  }
  return window
}

function fireHighest(window: HighestBids, sink: Checksum): void {
  for (const bid of window.bids) emitHighest(bid, sink)
  for (const bid of window.atEnd) if (bid.price === window.price) emitHighest(bid, sink)
}

function emitHighest(bid: Bid, sink: Checksum): void {
  sink.number(bid.auction)
  sink.number(bid.price)
  sink.number(bid.bidder)
  sink.number(bid.dateTime)
  sink.string(bid.extra)
  sink.row()
}

interface Registrations {
  readonly start: number
  /** Names of the persons registered in the window. */
  readonly names: Map<number, string>
  readonly sellers: Set<number>
}

/**
 * A row goes out as soon as both sides are there; the watermark only decides when a window may be
 * forgotten.
 */
export class Q8 implements Loop {
  readonly #windows: Map<number, Registrations> = new Map()

  rows(rows: readonly NexmarkEvent[], sink: Checksum): void {
    const windows = this.#windows
    let current: Registrations | undefined
    for (const row of rows) {
      if (row.type === 'bid') continue
      const time = row.dateTime
      if (current === undefined || time < current.start || time >= current.start + WINDOW_MS) {
        current = registrationsOf(windows, Math.floor(time / WINDOW_MS) * WINDOW_MS)
        for (const start of windows.keys()) {
          if (time - WATERMARK_DELAY_MS >= start + WINDOW_MS - 1) windows.delete(start)
        }
      }
      if (row.type === 'person') {
        current.names.set(row.id, row.name)
        if (current.sellers.has(row.id)) emitSeller(row.id, row.name, current.start, sink)
      } else if (!current.sellers.has(row.seller)) {
        current.sellers.add(row.seller)
        const name = current.names.get(row.seller)
        if (name !== undefined) emitSeller(row.seller, name, current.start, sink)
      }
    }
  }

  end(): void {}
}

function registrationsOf(windows: Map<number, Registrations>, start: number): Registrations {
  let window = windows.get(start)
  if (!window) {
    window = { start, names: new Map(), sellers: new Set() }
    windows.set(start, window)
  }
  return window
}

function emitSeller(id: number, name: string, windowStart: number, sink: Checksum): void {
  sink.number(id)
  sink.string(name)
  sink.number(windowStart)
  sink.row()
}

interface Session {
  start: number
  last: number
  count: number
}

/** A session goes out when the bidder's next one opens, or at the end. */
export class Q11 implements Loop {
  readonly #sessions: Map<number, Session> = new Map()

  rows(rows: readonly NexmarkEvent[], sink: Checksum): void {
    const sessions = this.#sessions
    for (const row of rows) {
      if (row.type !== 'bid') continue
      const time = row.dateTime
      const session = sessions.get(row.bidder)
      if (session === undefined) {
        sessions.set(row.bidder, { start: time, last: time, count: 1 })
      } else if (time - session.last <= SESSION_GAP_MS) {
        session.last = time
        session.count++
      } else {
        emitCount(row.bidder, session.count, session.start, session.last + SESSION_GAP_MS, sink)
        session.start = time
        session.last = time
        session.count = 1
      }
    }
  }

  end(sink: Checksum): void {
    for (const [bidder, { count, start, last }] of this.#sessions) {
      emitCount(bidder, count, start, last + SESSION_GAP_MS, sink)
    }
  }
}

/** Windows of processing time: what the clock says now and then, not what the rows say. */
export class Q12 implements Loop {
  readonly #counts: Map<number, number> = new Map()
  #windowStart: number = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS

  rows(rows: readonly NexmarkEvent[], sink: Checksum): void {
    const counts = this.#counts
    let untilClock = 1
    for (const row of rows) {
      if (--untilClock === 0) {
        untilClock = CLOCK_ROWS
        const start = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS
        if (start > this.#windowStart) {
          fireCounts(counts, this.#windowStart, sink)
          this.#windowStart = start
        }
      }
      if (row.type === 'bid') counts.set(row.bidder, (counts.get(row.bidder) ?? 0) + 1)
    }
  }

  end(sink: Checksum): void {
    fireCounts(this.#counts, this.#windowStart, sink)
  }
}

function fireCounts(counts: Map<number, number>, windowStart: number, sink: Checksum): void {
  for (const [bidder, count] of counts) {
    emitCount(bidder, count, windowStart, windowStart + WINDOW_MS, sink)
  }
  counts.clear()
}

function emitCount(
  bidder: number,
  count: number,
  start: number,
  end: number,
  sink: Checksum,
): void {
  sink.number(bidder)
  sink.number(count)
  sink.number(start)
  sink.number(end)
  sink.row()
}
