/** What every system of the comparison shares: the lines of the file, and the instant its warm-up ends. */
import { closeSync, openSync, readSync } from 'node:fs'
import { cpuUsage } from 'node:process'
import type { NexmarkEvent } from './event.ts'

/** A good loop reads large pieces and parses what it read: about 4,000 lines a piece. */
const BYTES_PER_READ = 1 << 20

/** The events of a file, some thousand at a time, in order. The data set is ASCII, so no character is cut in two. */
export function* eventChunks(path: string): Generator<NexmarkEvent[]> {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafe(BYTES_PER_READ)
    let rest = ''
    for (;;) {
      const read = readSync(file, bytes, 0, BYTES_PER_READ, null)
      const lines = (rest + bytes.toString('latin1', 0, read)).split('\n')
      rest = read === 0 ? '' : (lines.pop() ?? '')
      const events: NexmarkEvent[] = []
      for (const line of lines) if (line !== '') events.push(JSON.parse(line))
      if (events.length > 0) yield events
      if (read === 0) return
    }
  } finally {
    closeSync(file)
  }
}

/** CPU time and clock of this process at some instant. */
export interface Instant {
  readonly events: number
  readonly userMs: number
  readonly sysMs: number
  /** On the clock of `performance.now()`, which starts with the process. */
  readonly atMs: number
}

export function instant(events: number): Instant {
  const { user, system } = cpuUsage()
  return { events, userMs: user / 1000, sysMs: system / 1000, atMs: performance.now() }
}

/** Counts events as they are read and remembers the instant at which the warm-up was over. */
export class Warmup {
  readonly #events: number
  #seen = 0
  #over: Instant | undefined

  constructor(events: number) {
    this.#events = events
  }

  see(events: number): void {
    this.#seen += events
    if (this.#over === undefined && this.#seen >= this.#events) this.#over = instant(this.#seen)
  }

  get seen(): number {
    return this.#seen
  }

  /** Undefined while the warm-up lasts. */
  get over(): Instant | undefined {
    return this.#over
  }
}
