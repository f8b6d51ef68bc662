/**
 * Accumulators by key: a key table that numbers the keys 0, 1, 2, ... and, by that number, the doubles, custom values
 * and distinct sets of an {@link AggregateKernel}. Keys are never removed one by one; a window drops its whole table.
 *
 * Pictures for checkpoints (`table-picture.ts`): `freeze` notes the number of keys and shares the array of doubles,
 * and from then on whoever gets a slot to write to has told the picture. New keys are not part of it. The next picture
 * may be of the changes only: a bit per slot that the last picture had says whether somebody got it to write to since.
 *
 * Numbering is kept across a restore, because it is the order in which results leave a window.
 */
import { outOfLine } from '../base/out-of-line.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import { PagePool } from '../state/accumulators.ts'
import { KeyTable } from '../state/key-table.ts'
import { DistinctSet } from './distinct.ts'
import type { AggregateKernel } from './kernel.ts'
import { type Earlier, TablePicture } from './table-picture.ts'

/** Not a power of two, so that words and the key table grow at different numbers of keys: two shorter pauses. */
const capacityMin = 24
/** Buffers for copied pages that a table keeps from one picture to the next. */
const pagesKept = 64
const noChanges = new Int32Array(0)

/** The slot of a key, made when it is new. */
export function slotOf(table: AccumulatorTable, key: Key): number {
  return typeof key === 'number' ? table.numberSlot(key + 0) : table.slot(key)
}

/** Adds a row to the accumulators of a slot. */
export function addRow(table: AccumulatorTable, slot: number, row: unknown): void {
  const { kernel, words, objects, sets } = table
  kernel.add(words, slot * kernel.stride, objects, slot * kernel.objects, sets, slot, row)
}

export class AccumulatorTable {
  /** Doubles of slot s at `s * stride`. Replaced when it grows. */
  words: Float64Array
  readonly objects: unknown[] = []
  readonly sets: readonly DistinctSet[]
  readonly kernel: AggregateKernel
  readonly #keys: KeyTable
  #capacity = capacityMin
  #picture: TablePicture | undefined
  /** The last picture had the slots below this; it had none before the first. */
  #pictured = 0
  /** A bit for each of them, set when it was given out to be written since. */
  #changes: Int32Array = noChanges
  /** The masks of the distinct sets in the last picture. */
  #masks: readonly Int32Array[] = []
  #pool: PagePool | undefined
  /** Key groups of the first slots, worked out by the snapshot that first wrote them. */
  #groups: Uint16Array = new Uint16Array(0)
  #grouped = 0

  /** `expected` keys have room at once; more are as welcome. */
  constructor(kernel: AggregateKernel, expected: number = 0) {
    this.kernel = kernel
    this.#keys = new KeyTable(expected)
    while (this.#capacity < expected) this.#capacity *= 2
    this.words = new Float64Array(this.#capacity * kernel.stride)
    this.sets = kernel.distincts.map(() => new DistinctSet())
  }

  get size(): number {
    return this.#keys.size
  }

  /** Whether the last look-up made a new slot. */
  get inserted(): boolean {
    return this.#keys.inserted
  }

  keyAt(slot: number): Key {
    return this.#keys.keyAt(slot)
  }

  /** Puts a key of two numbers to two columns; false when it may be another. */
  pairAt(slot: number, firsts: Key[], seconds: Key[], to: number): boolean {
    return this.#keys.pairAt(slot, firsts, seconds, to)
  }

  // hot: once per record, see benchmarks/nexmark q5
  /** The slot of a finite number other than -0, made when it is new. */
  numberSlot(key: number): number {
    const slot = this.#keys.numberSlot(key)
    if (this.#keys.inserted) outOfLine(initialising, 0, this, slot)
    else if (slot < this.#pictured) this.#note(slot)
    return slot
  }

  slot(key: Key): number {
    const slot = this.#keys.slot(key)
    if (this.#keys.inserted) outOfLine(initialising, 0, this, slot)
    else if (slot < this.#pictured) this.#note(slot)
    return slot
  }

  find(key: Key): number {
    return this.#keys.find(key)
  }

  /** A slot for a key from a snapshot, to be filled in by the caller; -1 when the key has one. */
  restoreSlot(key: Key): number {
    const slot = typeof key === 'number' ? this.#keys.numberSlot(key + 0) : this.#keys.slot(key)
    if (!this.#keys.inserted) return -1
    if (slot >= this.#capacity) this.#grow()
    return slot
  }

  /** The key groups of slots below `count`, of `total` groups (the same number each time). */
  groups(count: number, total: number): Uint16Array {
    if (count > this.#groups.length) {
      // For as many as have room anyway: memory that is not touched costs nothing.
      const groups = new Uint16Array(Math.max(count, this.#capacity))
      groups.set(this.#groups)
      this.#groups = groups
    }
    for (; this.#grouped < count; this.#grouped++)
      this.#groups[this.#grouped] = keyGroupOf(keyHash(this.keyAt(this.#grouped)), total)
    return this.#groups
  }

  /** Forgets all keys and keeps the memory. Only for tables that are never frozen. */
  clear(): void {
    this.#keys.clear()
    this.#grouped = 0
    this.objects.length = 0
    if (this.sets.length > 0)
      (this as { sets: readonly DistinctSet[] }).sets = this.sets.map(() => new DistinctSet())
  }

  /** Adds every accumulator of `from` to this table. */
  mergeAll(from: AccumulatorTable): void {
    const { size } = from
    const slots = from.sets.length > 0 ? new Int32Array(size) : undefined
    for (let slot = 0; slot < size; slot++) {
      const into = this.#mergeSlot(from, slot)
      if (slots !== undefined) slots[slot] = into
    }
    if (slots !== undefined) this.#mergeSets(from, (slot) => slots[slot] ?? -1)
  }

  /** Adds the accumulators of one key; false when `from` does not have it. */
  mergeKey(from: AccumulatorTable, key: Key): boolean {
    const slot = from.find(key)
    if (slot < 0) return false
    const into = this.#mergeSlot(from, slot)
    this.#mergeSets(from, (other) => (other === slot ? into : -1))
    return true
  }

  /** How many slots the next picture of the changes would have. */
  changed(): number {
    let count = this.size - this.#pictured
    for (const word of this.#changes) if (word !== 0) count += bitCount(word)
    return count
  }

  /** `changesOnly`: what the last picture had and did not change since is left out. */
  freeze(changesOnly: boolean = false): TablePicture {
    this.#pool ??= new PagePool(this.kernel.stride)
    const pool = this.#pool
    const earlier: Earlier | undefined = changesOnly
      ? { count: this.#pictured, changes: this.#changes, masks: this.#masks }
      : undefined
    const picture = new TablePicture(this, pool, earlier)
    this.#picture = picture
    this.#pictured = picture.count
    this.#changes = new Int32Array((picture.count + 31) >> 5)
    this.#masks = picture.masks
    picture.onDone = () => {
      if (this.#picture === picture) this.#picture = undefined
      pool.trim(pagesKept)
    }
    return picture
  }

  #note(slot: number): void {
    this.#changes[slot >> 5]! |= 1 << (slot & 31)
    if (this.#picture !== undefined) this.#picture.keep(slot)
  }

  #mergeSlot(from: AccumulatorTable, slot: number): number {
    const key = from.keyAt(slot)
    const into = typeof key === 'number' ? this.numberSlot(key) : this.slot(key)
    const { stride, objects, merge } = this.kernel
    merge(
      this.words,
      into * stride,
      this.objects,
      into * objects,
      from.words,
      slot * stride,
      from.objects,
      slot * objects,
    )
    return into
  }

  #mergeSets(from: AccumulatorTable, slotOf: (slot: number) => number): void {
    this.kernel.distincts.forEach((layout, index) => {
      const source = from.sets[index]
      const target = this.sets[index]
      if (source === undefined || target === undefined) return
      for (let entry = 0; entry < source.size; entry++) {
        const slot = slotOf(source.slotAt(entry))
        if (slot < 0) continue
        const fresh = target.add(slot, source.valueAt(entry), source.maskAt(entry))
        if (fresh === 0) continue
        layout.words.forEach((word, bit) => {
          if (fresh & (1 << bit)) this.words[slot * this.kernel.stride + word]! += 1
        })
      }
    })
  }

  /** For {@link initialising}: the accumulators of a key that is new. */
  initialise(slot: number): void {
    const { stride, objects, init } = this.kernel
    if (slot >= this.#capacity) this.#grow()
    init(this.words, slot * stride, this.objects, slot * objects)
  }

  #grow(): void {
    this.#capacity *= 2
    const words = new Float64Array(this.#capacity * this.kernel.stride)
    words.set(this.words)
    this.words = words
    // Writes go to the new array from now on: the picture's array is the picture.
    this.#picture?.detach()
  }
}

/** Called out of line, as for new keys in a key table. */
const initialising = [(table: AccumulatorTable, slot: number): void => table.initialise(slot)]

/** Bits of a 32-bit word that are set. */
function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
