/** Other work of the thread gets its turn every few milliseconds, also when one row of slow user code takes as long. */
import type { SliceParts } from './slice-parts.ts'

/** Longest time without giving other work of the thread its turn. */
const turnMs = 4
/** Rows per call of the chain, at most: full sinks, snapshots and other work of the thread wait for so many. */
const rowsPerCallMax = 1024
/** A call that takes longer makes the next one smaller: one row of slow user code may cost a millisecond. */
const callMsMax = 16

export class Turns {
  /** How many rows the chain is given at once. */
  rowsPerCall = rowsPerCallMax
  readonly #slice: SliceParts
  /** When other work of the thread last had its turn. */
  #sinceMs = 0

  constructor(slice: SliceParts) {
    this.#slice = slice
  }

  /** Other work of the thread has just had its turn. */
  given(): void {
    this.#sinceMs = this.#slice.env.clock.monoMs()
  }

  /** It is time. */
  due(nowMs: number): boolean {
    return nowMs - this.#sinceMs >= turnMs
  }

  /**
   * In the middle of a batch: a checkpoint is a row of small writes, and each would else wait for a whole batch. No
   * barrier is taken here, so positions still stand between batches.
   */
  async give(): Promise<void> {
    await this.#slice.snapshots.continue()
    const spentMs = this.#slice.env.clock.monoMs() - this.#sinceMs
    if (spentMs < turnMs) return
    if (spentMs > callMsMax) this.rowsPerCall = Math.max(1, this.rowsPerCall >> 1)
    else if (this.rowsPerCall < rowsPerCallMax) this.rowsPerCall *= 2
    await this.#slice.env.tasks.yield()
    this.#sinceMs = this.#slice.env.clock.monoMs()
  }
}
