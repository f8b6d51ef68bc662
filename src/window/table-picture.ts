/**
 * One accumulator table as it was at a barrier. It notes the number of keys and shares the array of doubles: the first
 * write to a page of 128 slots that has not been written out copies that page (and encodes the custom values of that
 * slot, which user functions may change in place). Growing replaces the array, so the old one needs no copies any more.
 *
 * A picture of the changes has what is not as it was in the last picture: `pickSlots` and `pickEntries`.
 */
import type { Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Codec } from '../schema/types.ts'
import { type PagePool, pageRows, pageShift } from '../state/accumulators.ts'
import type { AccumulatorTable } from './accumulator-table.ts'

/** Doubles in a line of a cache. */
const lineWords = 8

const noMasks = new Int32Array(0)
const nothingEarlier: Earlier = { count: 0, changes: noMasks, masks: [] }

/** Sums that nobody needs: reading is the purpose, and must not be optimised away. */
const loaded = new Float64Array(1)

/** What the picture before had of a table. */
export interface Earlier {
  /** Slots below this. */
  readonly count: number
  /** A bit for each of them that may have changed since. */
  readonly changes: Int32Array
  /** Of the distinct sets. */
  readonly masks: readonly Int32Array[]
}

export class TablePicture {
  readonly table: AccumulatorTable
  readonly count: number
  /** For a picture of the changes. */
  readonly earlier: Earlier | undefined
  readonly masks: readonly Int32Array[]
  /** Entries of each distinct set at the barrier. */
  readonly entries: readonly number[]
  onDone: () => void = () => {}
  readonly #words: Float64Array
  readonly #pool: PagePool
  readonly #pages: (Float64Array | undefined)[]
  /** 1 for pages that were copied. */
  readonly #copied: Uint8Array
  readonly #objects: Map<number, readonly Uint8Array[]> = new Map()
  #detached = false
  /** Slots below this have been written out and need no copy. */
  #written = 0

  constructor(table: AccumulatorTable, pool: PagePool, earlier: Earlier | undefined) {
    this.table = table
    this.earlier = earlier
    this.count = table.size
    this.#words = table.words
    this.#pool = pool
    const pages = (table.size >> pageShift) + 1
    this.#pages = new Array<Float64Array | undefined>(pages).fill(undefined)
    this.#copied = new Uint8Array(pages)
    this.masks = table.sets.map((set) => set.copyMasks())
    this.entries = table.sets.map((set) => set.size)
  }

  /** Called before slot is written. */
  keep(slot: number): void {
    if (slot >= this.count || slot < this.#written) return
    const { kernel } = this.table
    if (kernel.objects > 0 && !this.#objects.has(slot))
      this.#objects.set(slot, this.#encodeObjects(slot))
    if (this.#detached || this.#copied[slot >> pageShift] === 1) return
    this.#copyPage(slot >> pageShift)
  }

  detach(): void {
    this.#detached = true
  }

  /** Reads the words of slots `from` to `to` once in order: a sorted slice then finds them in a cache. */
  load(from: number, to: number): void {
    const { stride } = this.table.kernel
    const words = this.#words
    let sum = 0
    for (let at = from * stride; at < to * stride; at += lineWords) sum += words[at]!
    loaded[0] = sum
  }

  /** Copies the words of the slots `from + order[start, end)` to `target` from `at` on. */
  copyWords(
    from: number,
    order: Uint16Array,
    start: number,
    end: number,
    target: Float64Array,
    at: number,
  ): void {
    const { stride } = this.table.kernel
    const words = this.#words
    const copied = this.#copied
    let to = at
    for (let i = start; i < end; i++) {
      const slot = from + order[i]!
      const page = copied[slot >> pageShift] === 1 ? this.#pages[slot >> pageShift] : undefined
      const source = page ?? words
      let word = (page === undefined ? slot : slot & (pageRows - 1)) * stride
      for (const last = word + stride; word < last; word++) target[to++] = source[word]!
    }
  }

  /** Puts the slots in [from, to) that this picture has into `members`, less `from` and ascending; how many. */
  pickSlots(from: number, to: number, members: Uint16Array): number {
    const { count, changes } = this.earlier ?? nothingEarlier
    let picked = 0
    const old = Math.min(to, count)
    for (let slot = from; slot < old; ) {
      const word = changes[slot >> 5]! >>> (slot & 31)
      if (word === 0) slot = (slot | 31) + 1
      else {
        if ((word & 1) === 1) members[picked++] = slot - from
        slot++
      }
    }
    for (let slot = Math.max(from, count); slot < to; slot++) members[picked++] = slot - from
    return picked
  }

  /** The same for the entries of a distinct set: those that are new or count for more than before. */
  pickEntries(index: number, from: number, to: number, members: Uint16Array): number {
    const masks = this.masks[index]!
    const before = this.earlier?.masks[index] ?? noMasks
    let picked = 0
    for (let entry = from; entry < to; entry++)
      if (entry >= before.length || masks[entry] !== before[entry]) members[picked++] = entry - from
    return picked
  }

  writeObjects(slot: number, writer: Writer): void {
    const values = this.#objects.get(slot) ?? this.#encodeObjects(slot)
    for (const value of values) writer.blob(value)
  }

  /** All slots below `end` have been written out. */
  written(end: number): void {
    for (let page = this.#written >> pageShift; page < end >> pageShift; page++) {
      const copy = this.#pages[page]
      if (copy === undefined) continue
      this.#pages[page] = undefined
      this.#pool.giveBack(copy)
    }
    if (this.#objects.size > 0)
      for (let slot = this.#written; slot < end; slot++) this.#objects.delete(slot)
    this.#written = end
  }

  #copyPage(page: number): void {
    const words = pageRows * this.table.kernel.stride
    const copy = this.#pool.take()
    copy.set(this.#words.subarray(page * words, (page + 1) * words))
    this.#pages[page] = copy
    this.#copied[page] = 1
  }

  #encodeObjects(slot: number): readonly Uint8Array[] {
    const { kernel, objects } = this.table
    return kernel.custom.map((definition, index) =>
      codecOf(definition.accumulator).encode(objects[slot * kernel.objects + index]),
    )
  }
}

/** How a custom value is stored. */
export function codecOf(schema: Codec<unknown> | undefined): Codec<unknown> {
  return schema ?? (dynamic as Codec<unknown>)
}
