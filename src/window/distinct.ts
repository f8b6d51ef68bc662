/**
 * Exact distinct values per slot of a table: an open-addressing set of (slot, value) pairs, each with a mask that tells
 * for which of several filtered counts the value was seen. One look-up serves all aggregates over the same function.
 *
 * Entries are append-only and only masks change, so a picture at a barrier is the entry count and a copy of the masks.
 */
import { TidemillError } from '../base/errors.ts'
import { windowErrors } from './errors.ts'

type Value = string | number | bigint | boolean

export class DistinctSet {
  /** Number of entries. */
  size = 0
  #index: Int32Array
  #mask: number
  /** Twice the slot, plus one when the word is an interned id. */
  #owners: Int32Array
  #words: Float64Array
  #masks: Int32Array
  readonly #ids: Map<Value, number> = new Map()
  readonly #interned: Value[] = []

  constructor() {
    this.#index = new Int32Array(64)
    this.#mask = 63
    this.#owners = new Int32Array(32)
    this.#words = new Float64Array(32)
    this.#masks = new Int32Array(32)
  }

  /** Records `value` for `slot` and returns which bits of `mask` are new. */
  add(slot: number, value: Value, mask: number): number {
    return typeof value === 'number'
      ? this.#addWord(slot << 1, this.#number(value), mask)
      : this.#addWord((slot << 1) | 1, this.#intern(value), mask)
  }

  slotAt(entry: number): number {
    return this.#owners[entry]! >> 1
  }

  valueAt(entry: number): Value {
    const word = this.#words[entry]!
    return (this.#owners[entry]! & 1) === 1 ? this.#interned[word]! : word
  }

  maskAt(entry: number): number {
    return this.#masks[entry]!
  }

  /** A copy of the masks of all entries so far. */
  copyMasks(): Int32Array {
    return this.#masks.slice(0, this.size)
  }

  #number(value: number): number {
    if (value - value !== 0)
      throw new TidemillError(windowErrors.badValue, { message: String(value) })
    return value === 0 ? 0 : value
  }

  #intern(value: Value): number {
    const known = this.#ids.get(value)
    if (known !== undefined) return known
    if (typeof value !== 'string' && typeof value !== 'bigint' && typeof value !== 'boolean') {
      throw new TidemillError(windowErrors.badValue, {
        message: value === null ? 'null' : typeof value,
      })
    }
    // A slice of a frame's heap would keep the whole heap alive.
    const owned = typeof value === 'string' && value.length > 12 ? ` ${value}`.slice(1) : value
    const id = this.#interned.push(owned) - 1
    this.#ids.set(owned, id)
    return id
  }

  // hot: one call per record and distinct count, see benchmarks/nexmark q15 and q16
  #addWord(owner: number, word: number, mask: number): number {
    const index = this.#index
    const limit = this.#mask
    let at = hash(owner, word) & limit
    for (;;) {
      const entry = index[at]!
      if (entry === 0) break
      if (this.#words[entry - 1] === word && this.#owners[entry - 1] === owner) {
        const old = this.#masks[entry - 1]!
        const fresh = mask & ~old
        if (fresh !== 0) this.#masks[entry - 1] = old | mask
        return fresh
      }
      at = (at + 1) & limit
    }
    const entry = this.size++
    if (entry === this.#owners.length) this.#growEntries()
    this.#owners[entry] = owner
    this.#words[entry] = word
    this.#masks[entry] = mask
    index[at] = entry + 1
    if (this.size * 2 > limit) this.#growIndex()
    return mask
  }

  #growEntries(): void {
    const length = this.#owners.length * 2
    const owners = new Int32Array(length)
    owners.set(this.#owners)
    this.#owners = owners
    const words = new Float64Array(length)
    words.set(this.#words)
    this.#words = words
    const masks = new Int32Array(length)
    masks.set(this.#masks)
    this.#masks = masks
  }

  #growIndex(): void {
    const length = (this.#mask + 1) * 2
    const index = new Int32Array(length)
    const limit = length - 1
    for (let entry = 0; entry < this.size; entry++) {
      let at = hash(this.#owners[entry]!, this.#words[entry]!) & limit
      while (index[at] !== 0) at = (at + 1) & limit
      index[at] = entry + 1
    }
    this.#index = index
    this.#mask = limit
  }
}

const alias = new Float64Array(1)
const halves = new Int32Array(alias.buffer)

function hash(owner: number, word: number): number {
  const small = word | 0
  let h: number
  if (small === word) h = small
  else {
    alias[0] = word
    h = halves[0]! ^ Math.imul(halves[1]!, 0x9e3779b1 | 0)
  }
  h = Math.imul(h ^ Math.imul(owner, 0x85ebca6b | 0), 0xc2b2ae35 | 0)
  return h ^ (h >>> 15)
}
