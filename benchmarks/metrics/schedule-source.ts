/**
 * The Nexmark stream at a fixed rate: event n is due at start + n / rate, and its frame is handed over once its last
 * event is due, whether or not the job has kept up. What is late stays late, so waiting hides nothing.
 */
import type { Source } from 'tidemill'
import type { FrameBatch, PartitionReader, SourceHandle } from '../../src/connectors/contract.ts'
import { type EventRow, nexmarkEvent } from '../nexmark/schema.ts'
import type { FrameSegments } from '../nexmark/segments.ts'

export class Schedule {
  /** On the clock of `performance.now()`; NaN until the first event may be asked for. */
  startMs: number = Number.NaN
  readonly #msPerEvent: number

  /** Infinity for as fast as the job goes. */
  constructor(ratePerSec: number) {
    this.#msPerEvent = 1000 / ratePerSec
  }

  dueMs(event: number): number {
    return this.startMs + event * this.#msPerEvent
  }
}

export interface ScheduledOptions {
  readonly segments: FrameSegments
  readonly schedule: Schedule
  /** The source ends once it says so. */
  readonly done: (event: number) => boolean
  /** The number of events handed over so far. */
  readonly progress: (events: number) => void
}

export function scheduledSource(options: ScheduledOptions): Source<EventRow> {
  const handle: SourceHandle<EventRow> = {
    partitions: () => Promise.resolve(['0']),
    reader: () => Promise.resolve(new ScheduledReader(options)),
    close: () => Promise.resolve(),
  }
  return {
    role: 'source',
    connector: 'nexmark-schedule',
    describe: {},
    schema: nexmarkEvent,
    bounded: true,
    open: () => Promise.resolve(handle),
  }
}

const WAIT_MS_MAX = 10

class ScheduledReader implements PartitionReader<EventRow> {
  readonly #options: ScheduledOptions
  #events = 0
  #segment = 0
  #frame = 0
  #closed = false

  constructor(options: ScheduledOptions) {
    this.#options = options
  }

  poll(): FrameBatch | 'idle' | 'end' {
    const { segments, schedule, done, progress } = this.#options
    if (Number.isNaN(schedule.startMs)) schedule.startMs = performance.now()
    if (done(this.#events)) return 'end'
    if (this.#frame === segments.frames.length) {
      this.#segment++
      this.#frame = 0
    }
    const at = this.#frame
    const frame = segments.frames[at]!
    if (schedule.dueMs(this.#events + frame.length - 1) > performance.now()) return 'idle'
    // Nobody holds it any more: all other frames were handed over in between.
    if (this.#segment > 0) segments.advance(frame)
    this.#frame++
    this.#events += frame.length
    progress(this.#events)
    return { kind: 'frame', frame, locate: (i) => `frame ${at}, row ${i}` }
  }

  read(): Promise<FrameBatch | 'idle' | 'end'> {
    return Promise.resolve(this.poll())
  }

  /** Until the next frame is due; timers are a millisecond exact. */
  wait(): Promise<void> {
    const { segments, schedule } = this.#options
    const next = segments.frames[this.#frame % segments.frames.length]
    const dueMs = schedule.dueMs(this.#events + (next?.length ?? 1) - 1)
    const ms = Math.min(WAIT_MS_MAX, Math.max(1, dueMs - performance.now()))
    return new Promise((resolve) => {
      if (!this.#closed) setTimeout(resolve, ms)
    })
  }

  position(): Uint8Array {
    return new Uint8Array(new Float64Array([this.#events]).buffer)
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }
}
