/**
 * One accumulator table as it was at a barrier. It notes the number of keys and shares the array of doubles: the first
 * write to a page of 128 slots that has not been written out copies that page (and encodes the custom values of that
 * slot, which user functions may change in place). Growing replaces the array, so the old one needs no copies any more.
 */
import type { Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Codec } from '../schema/types.ts'
import { type PagePool, pageRows, pageShift } from '../state/accumulators.ts'
import type { AccumulatorTable } from './accumulator-table.ts'

/** Doubles in a line of a cache. */
const lineWords = 8

/** Sums that nobody needs: reading is the purpose, and must not be optimised away. */
const loaded = new Float64Array(1)

export class TablePicture {
  readonly table: AccumulatorTable
  readonly count: number
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

  constructor(table: AccumulatorTable, pool: PagePool) {
    this.table = table
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
