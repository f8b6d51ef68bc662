/**
 * Batch mode across subtasks: an exchange of a timed stream keeps its rows until all senders have ended, then gives them
 * on in stable event-time order. Rows of equal time go by rank - their partition and place in it -, then by sender, then by
 * arrival.
 */
import { timestampMax } from '../base/time.ts'
import type { Key } from '../schema/types.ts'
import type { ExchangeRoot } from './chain.ts'
import type { EventTimeOrigin } from './event-time.ts'

/** Rows between two calls of `pause`. */
const rowsPerTurn = 1024

export class CollectedRows {
  /** The subtask whose rows follow. */
  sender = 0
  readonly #origin: EventTimeOrigin
  /** Outputs that pass on the ranks: behind keyed steps rows have none. */
  readonly #ranked: readonly { rank: number }[]
  readonly #keys: (Key | undefined)[] = []
  readonly #rows: unknown[] = []
  readonly #times: number[] = []
  readonly #ranks: number[] = []
  readonly #senders: number[] = []

  constructor(origin: EventTimeOrigin, ranked: readonly { rank: number }[]) {
    this.#origin = origin
    this.#ranked = ranked
  }

  get length(): number {
    return this.#rows.length
  }

  add(key: Key | undefined, row: unknown, timestampMs: number, rank: number): void {
    this.#keys.push(key)
    this.#rows.push(row)
    this.#times.push(timestampMs)
    this.#ranks.push(rank)
    this.#senders.push(this.sender)
  }

  /** Before a row at time t everything before t is complete: timers and windows up to t - 1 fire first. */
  async replay(deliver: ExchangeRoot['deliver'], pause: () => Promise<void>): Promise<void> {
    const [times, ranks, senders] = [this.#times, this.#ranks, this.#senders]
    const order = Uint32Array.from(times.keys()).sort(
      (a, b) =>
        times[a]! - times[b]! || ranks[a]! - ranks[b]! || senders[a]! - senders[b]! || a - b,
    )
    for (let i = 0; i < order.length; i++) {
      const at = order[i]!
      const time = times[at]!
      this.#origin.advanceBatch(time - 1)
      const [key, row] = [this.#keys[at], this.#rows[at]]
      this.#rows[at] = undefined
      for (const output of this.#ranked) output.rank = ranks[at]!
      deliver(key, row, time)
      if (i % rowsPerTurn === rowsPerTurn - 1) await pause()
    }
    for (const list of [this.#keys, this.#rows, times, ranks, senders]) list.length = 0
    this.#origin.advanceBatch(timestampMax)
  }
}
