/**
 * Keeps little on the way to a slow receiver. A barrier waits for all rows before it, so a full channel to a sink that
 * takes a thousand rows per second holds a checkpoint up for as long as it takes to read all of it. Here the sender looks
 * how fast the channel drains and stops at what the receiver reads in half a second; a fast receiver has all the room.
 *
 * Every channel begins with a limit. It is gone as soon as the receiver has read 256 KiB within a second, and comes back
 * when a channel was never empty for a second and less than half of that was read.
 */
import type { Clock } from '../base/env.ts'
import type { MessageWriter } from '../exchange/contract.ts'

/** A receiver gets at most so much of its work in advance. */
const aheadMs = 500
/** Then one more message goes; below that a receiver would often wait for the sender's next turn. */
const limitMin = 4 * 1024
/** Where a channel begins: a slow receiver is known after a second only, and what it was given before stays. */
const limitAtStart = 16 * 1024
/** The most that a slow receiver gets. */
const limitMax = 64 * 1024
/** Longer than pauses for garbage or for other threads. */
const windowMs = 1_000
/** A receiver that reads so much in a window is fast; one that reads less than half, with more to read, is slow. */
const fastBytes = 256 * 1024

export class PacedWriter implements MessageWriter {
  readonly #writer: MessageWriter
  readonly #clock: Pick<Clock, 'monoMs'>
  #limit = limitAtStart
  #written = 0
  #sinceMs: number
  #readBefore = 0
  #wasEmpty = false

  constructor(writer: MessageWriter, clock: Pick<Clock, 'monoMs'>) {
    this.#writer = writer
    this.#clock = clock
    this.#sinceMs = clock.monoMs()
  }

  write(message: Uint8Array): boolean {
    const taken = this.#writer.write(message)
    if (taken) this.#written += message.length
    return taken
  }

  get fill(): number {
    return this.#writer.fill
  }

  get size(): number {
    return this.#writer.size
  }

  /** Bytes that should be on the way at most; infinite for a fast receiver. */
  get limit(): number {
    return this.#limit
  }

  /** More is on the way than the receiver should have to read before a barrier. */
  get crowded(): boolean {
    return this.#limit !== Number.POSITIVE_INFINITY && this.#content > this.#limit
  }

  /** Looks how the channel drains; between batches, as often as one likes. */
  look(): void {
    const content = this.#content
    if (content === 0) this.#wasEmpty = true
    const drained = this.#written - content
    const read = drained - this.#readBefore
    const slow = this.#limit !== Number.POSITIVE_INFINITY
    const passedMs = this.#clock.monoMs() - this.#sinceMs
    if (slow && read >= fastBytes) this.#limit = Number.POSITIVE_INFINITY
    else if (passedMs < windowMs) return
    // A fast channel that was empty says how much was sent, not how fast the receiver is.
    else if (slow || (!this.#wasEmpty && (read * windowMs) / passedMs < fastBytes / 2))
      this.#limit = Math.min(limitMax, Math.max(limitMin, (read * aheadMs) / passedMs))
    this.#sinceMs += passedMs
    this.#readBefore = drained
    this.#wasEmpty = content === 0
  }

  get #content(): number {
    return this.#writer.fill * this.#writer.size
  }
}
