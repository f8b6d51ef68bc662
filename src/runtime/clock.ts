/** Processing time of a subtask: the wall clock, read once per batch, never going backwards within a life. */
import type { Clock } from '../base/env.ts'
import type { ProcessingClock } from '../operators/contract.ts'

export class SubtaskClock implements ProcessingClock {
  /** The earliest time at which some step wants to be called. */
  due: number = Number.POSITIVE_INFINITY
  readonly #clock: Clock
  #now: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#now = clock.wallMs()
  }

  nowMs(): number {
    return this.#now
  }

  /** Reads the wall clock; a jump backwards is not followed. */
  tick(): number {
    const now = this.#clock.wallMs()
    if (now > this.#now) this.#now = now
    return this.#now
  }

  schedule(dueMs: number): void {
    if (dueMs < this.due) this.due = dueMs
  }
}
