/** What readers of the same process see of an open writer, without a file in between. */
import type { Durability } from './types.ts'

export class PartitionState {
  readonly durability: Durability
  readonly generation: number
  durable: number
  written: number
  stable: number
  closed = false
  readonly #waiting = new Set<() => void>()

  constructor(
    durability: Durability,
    generation: number,
    endOffset: number,
    durable: number,
    stable: number,
  ) {
    this.durability = durability
    this.generation = generation
    this.durable = durable
    this.written = endOffset
    this.stable = stable
  }

  /** How far readers may go: never past what a power cut could take back from a `sync` topic. */
  get visible(): number {
    return this.durability === 'sync' ? this.durable : this.written
  }

  notify(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Calls `wake` once at the next change; the returned function forgets it. */
  onChange(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => {
      this.#waiting.delete(wake)
    }
  }
}
