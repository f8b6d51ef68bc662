/**
 * How late a timer of one millisecond is, in two histograms: while something goes on and otherwise. What begins or ends
 * between two ticks counts as going on.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

export interface Stall {
  readonly p99Ms: number
  readonly maxMs: number
}

export class StallWatch {
  readonly #during: RecordableHistogram = createHistogram()
  readonly #otherwise: RecordableHistogram = createHistogram()
  #timer: NodeJS.Timeout | undefined
  #goesOn = false
  #wentOn = false

  start(): void {
    let before = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      const lateUs = Math.max(1, Math.round((now - before - 1) * 1000))
      if (this.#wentOn) this.#during.record(lateUs)
      else this.#otherwise.record(lateUs)
      before = now
      this.#wentOn = this.#goesOn
    }, 1)
  }

  set goesOn(value: boolean) {
    this.#goesOn = value
    this.#wentOn ||= value
  }

  stop(): { readonly during: Stall; readonly otherwise: Stall } {
    clearInterval(this.#timer)
    return { during: stallOf(this.#during), otherwise: stallOf(this.#otherwise) }
  }
}

function stallOf(histogram: RecordableHistogram): Stall {
  if (histogram.count === 0) return { p99Ms: 0, maxMs: 0 }
  return { p99Ms: histogram.percentile(99) / 1000, maxMs: histogram.max / 1000 }
}
