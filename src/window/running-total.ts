/**
 * The accumulators of one sliding window, carried from window to window: slices that left are taken out, slices that
 * came are added, so that a window costs what changed and not how many slices it has.
 *
 * 1. Every slice that was added keeps, per slot, the id of the key and where the key comes next ({@link Slice}).
 * 2. A leaving slice is subtracted from counts and sums. Where it held the least or greatest value, the chain of the
 *    key's later slices is searched, up to the first that is as good.
 * 3. Results come in the order of a merge from scratch: by the first slice with the key, then by the slot there. Every
 *    key of the first slice is first there; later slices keep a sorted list of the slots that are.
 *
 * Same bits as a merge from scratch: sums are subtracted only while those of every slice are whole numbers whose sum is
 * exact in any order. `advance` refuses others, and the caller merges. Slices must not change while they are in here.
 */
import type { Key } from '../schema/types.ts'
import { KeyTable } from '../state/key-table.ts'
import type { AccumulatorTable } from './accumulator-table.ts'
import type { AggregateKernel, WordMerge } from './kernel.ts'

const none = -1
/** Custom accumulators, of which there are none here. */
const nothing: unknown[] = []

interface Slice {
  readonly start: number
  readonly table: AccumulatorTable
  /** Slots when it was added. */
  readonly size: number
  /** By slot: the id of the key, and slice number and slot of the next slice that has it, or -1. */
  readonly ids: Int32Array
  readonly nextSlice: Float64Array
  readonly nextSlot: Int32Array
  /** Ascending slots whose keys are in no earlier slice; not kept for the first slice, where all are. */
  firsts: Int32Array
  firstCount: number
}

export class RunningTotal {
  /** Doubles of id i at `i * stride`. Replaced when it grows. */
  words: Float64Array
  readonly #stride: number
  readonly #kernel: AggregateKernel
  readonly #merging: readonly WordMerge[]
  /** Words that are added up, and words that hold a least or greatest value. */
  readonly #sums: readonly number[]
  readonly #extremes: readonly number[]
  /** Sums of slices beyond this could add up to more than is exact. */
  readonly #wholeMax: number
  readonly #keys: KeyTable = new KeyTable()
  readonly #slices: Slice[] = []
  /** Number of the first slice; numbers go up by one. */
  #base = 0
  #end: number = Number.NEGATIVE_INFINITY
  /** By id: the last slice that has the key, the slot there, and in how many slices it is. */
  #lastSlice: Float64Array = new Float64Array(64)
  #lastSlot: Int32Array = new Int32Array(64)
  #uses: Int32Array = new Int32Array(64)

  /** Undefined when the aggregates of `kernel` can only be merged. */
  static of(kernel: AggregateKernel, slicesMax: number): RunningTotal | undefined {
    return kernel.merging && new RunningTotal(kernel, kernel.merging, slicesMax)
  }

  private constructor(kernel: AggregateKernel, merging: readonly WordMerge[], slicesMax: number) {
    const words = merging.map((_, word) => word)
    const isExtreme = (word: number): boolean => merging[word] === 'min' || merging[word] === 'max'
    this.#kernel = kernel
    this.#stride = kernel.stride
    this.#merging = merging
    this.#sums = words.filter((word) => !isExtreme(word))
    this.#extremes = words.filter(isExtreme)
    this.#wholeMax = 2 ** 53 / slicesMax
    this.words = new Float64Array(64 * kernel.stride)
  }

  /** The end of what is in here; a row before it would change a slice. */
  get end(): number {
    return this.#end
  }

  /**
   * Makes this the total of the slices from `start` to `end`, one every `step`. False when sums of one are not exact:
   * then it is empty.
   */
  advance(
    start: number,
    end: number,
    step: number,
    slices: ReadonlyMap<number, AccumulatorTable>,
  ): boolean {
    while (this.#slices.length > 0 && this.#slices[0]!.start < start) this.#leave()
    for (let at = Math.max(start, this.#end); at < end; at += step) {
      const table = slices.get(at)
      if (table !== undefined && !this.#enter(at, table)) {
        this.clear()
        return false
      }
    }
    this.#end = end
    return true
  }

  clear(): void {
    this.#keys.clear()
    this.#slices.length = 0
    this.#base = 0
    this.#end = Number.NEGATIVE_INFINITY
  }

  /** Every key with the place of its accumulators in `words`, in the order of its first row. */
  forEach(visit: (key: Key, at: number) => void): void {
    for (let index = 0; index < this.#slices.length; index++) {
      const slice = this.#slices[index]!
      const count = index === 0 ? slice.size : slice.firstCount
      for (let i = 0; i < count; i++) {
        const id = slice.ids[index === 0 ? i : slice.firsts[i]!]!
        visit(this.#keys.keyAt(id), id * this.#stride)
      }
    }
  }

  // hot: once per key and slice, see benchmarks/nexmark q5
  #enter(start: number, table: AccumulatorTable): boolean {
    const { size, words } = table
    const { stride, merge } = this.#kernel
    if (!this.#areExact(words, size)) return false
    const number = this.#base + this.#slices.length
    const slice: Slice = {
      start,
      table,
      size,
      ids: new Int32Array(size),
      nextSlice: new Float64Array(size).fill(none),
      nextSlot: new Int32Array(size),
      firsts: new Int32Array(8),
      firstCount: 0,
    }
    this.#slices.push(slice)
    for (let slot = 0; slot < size; slot++) {
      const id = this.#keys.slot(table.keyAt(slot))
      slice.ids[slot] = id
      if (this.#keys.inserted) {
        this.#begin(id, words, slot * stride)
        if (number !== this.#base) append(slice, slot)
      } else {
        const last = this.#slices[this.#lastSlice[id]! - this.#base]!
        last.nextSlice[this.#lastSlot[id]!] = number
        last.nextSlot[this.#lastSlot[id]!] = slot
        merge(this.words, id * stride, nothing, 0, words, slot * stride, nothing, 0)
        this.#uses[id]!++
      }
      this.#lastSlice[id] = number
      this.#lastSlot[id] = slot
    }
    return true
  }

  #leave(): void {
    const slice = this.#slices.shift()!
    this.#base++
    const stride = this.#stride
    for (let slot = 0; slot < slice.size; slot++) {
      const id = slice.ids[slot]!
      if (--this.#uses[id]! === 0) {
        this.#keys.remove(id)
        continue
      }
      this.#subtract(id * stride, slice, slot)
      const next = slice.nextSlice[slot]!
      if (next !== this.#base) insert(this.#slices[next - this.#base]!, slice.nextSlot[slot]!)
    }
  }

  #areExact(words: Float64Array, size: number): boolean {
    const stride = this.#stride
    for (const word of this.#sums) {
      if (this.#merging[word] === 'count') continue
      for (let at = word; at < size * stride; at += stride) {
        const value = words[at]!
        if (!(Math.abs(value) <= this.#wholeMax) || !Number.isInteger(value)) return false
      }
    }
    return true
  }

  #begin(id: number, from: Float64Array, fromAt: number): void {
    if (id >= this.#uses.length) this.#grow(id)
    const stride = this.#stride
    for (let i = 0; i < stride; i++) this.words[id * stride + i] = from[fromAt + i]!
    this.#uses[id] = 1
  }

  #subtract(at: number, slice: Slice, slot: number): void {
    const { words } = this
    const from = slice.table.words
    const fromAt = slot * this.#stride
    for (const word of this.#sums) words[at + word] = words[at + word]! - from[fromAt + word]!
    for (const word of this.#extremes) {
      const left = from[fromAt + word]!
      // NaN stands for no value, and leaves nothing behind.
      if (words[at + word] === left) words[at + word] = this.#extreme(slice, slot, word, left)
    }
  }

  /** The extreme of a word over the slices after `slice` that have the key of `slot`; none goes beyond `bound`. */
  #extreme(slice: Slice, slot: number, word: number, bound: number): number {
    const greatest = this.#merging[word] === 'max'
    let best = Number.NaN
    let number = slice.nextSlice[slot]!
    let at = slice.nextSlot[slot]!
    while (number !== none) {
      const next = this.#slices[number - this.#base]!
      const value = next.table.words[at * this.#stride + word]!
      if (value === bound) return value
      const isBetter = greatest ? !(best >= value) : !(best <= value)
      if (isBetter && !Number.isNaN(value)) best = value
      number = next.nextSlice[at]!
      at = next.nextSlot[at]!
    }
    return best
  }

  #grow(id: number): void {
    const capacity = Math.max(id + 1, this.#uses.length * 2)
    const words = new Float64Array(capacity * this.#stride)
    words.set(this.words)
    this.words = words
    const lastSlice = new Float64Array(capacity)
    lastSlice.set(this.#lastSlice)
    this.#lastSlice = lastSlice
    const lastSlot = new Int32Array(capacity)
    lastSlot.set(this.#lastSlot)
    this.#lastSlot = lastSlot
    const uses = new Int32Array(capacity)
    uses.set(this.#uses)
    this.#uses = uses
  }
}

function append(slice: Slice, slot: number): void {
  if (slice.firstCount === slice.firsts.length) {
    const firsts = new Int32Array(slice.firsts.length * 2)
    firsts.set(slice.firsts)
    slice.firsts = firsts
  }
  slice.firsts[slice.firstCount++] = slot
}

function insert(slice: Slice, slot: number): void {
  append(slice, slot)
  const { firsts } = slice
  let low = 0
  let high = slice.firstCount - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (firsts[middle]! < slot) low = middle + 1
    else high = middle
  }
  firsts.copyWithin(low + 1, low, slice.firstCount - 1)
  firsts[low] = slot
}
