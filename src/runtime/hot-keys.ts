/**
 * The most frequent keys of a sample, in bounded memory (space-saving: a new key takes the place of the rarest one and
 * inherits its count, so that counts are never too small). Counts fade, so that the picture is one of the last seconds.
 */
import type { RowBatch } from '../exchange/contract.ts'
import type { Key } from '../schema/types.ts'

export interface HotKey {
  readonly key: string
  /** Of the sampled rows, 0 to 1; an upper bound. */
  readonly share: number
}

/** One row in so many is looked at. */
const sampleEvery = 64
/** A key with more than a thirty-second of the rows is surely among them. */
const keysMax = 32
/** Counts are halved after so many samples. */
const samplesMax = 4096

export class HotKeys {
  readonly #counts = new Map<Key, number>()
  #samples = 0
  #next = 0

  add({ keys, length }: Pick<RowBatch, 'keys' | 'length'>): void {
    if (keys.length === 0) return
    for (; this.#next < length; this.#next += sampleEvery) {
      const key = keys[this.#next]
      if (key !== undefined) this.#count(key)
    }
    this.#next -= length
  }

  /** Keys that stand for `rows` rows each. */
  addPartials({ keys, length }: Pick<RowBatch, 'keys' | 'length'>, rows: Float64Array): void {
    for (let i = 0; i < length; i++) {
      const key = keys[i]
      for (; this.#next < rows[i]!; this.#next += sampleEvery)
        if (key !== undefined) this.#count(key)
      this.#next -= rows[i]!
    }
  }

  top(count: number): readonly HotKey[] {
    return [...this.#counts]
      .sort(([, a], [, b]) => b - a)
      .slice(0, count)
      .map(([key, seen]) => ({
        key: typeof key === 'string' ? key : String(key),
        share: seen / this.#samples,
      }))
  }

  #count(key: Key): void {
    this.#samples++
    const seen = this.#counts.get(key)
    if (seen !== undefined) this.#counts.set(key, seen + 1)
    else if (this.#counts.size < keysMax) this.#counts.set(key, 1)
    else {
      let [rarest, least] = [key, Number.POSITIVE_INFINITY]
      for (const [other, times] of this.#counts) if (times < least) [rarest, least] = [other, times]
      this.#counts.delete(rarest)
      this.#counts.set(key, least + 1)
    }
    if (this.#samples < samplesMax) return
    this.#samples /= 2
    for (const [other, times] of this.#counts) this.#counts.set(other, times / 2)
  }
}
