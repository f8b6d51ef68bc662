/**
 * Numbers keys: each key gets a dense slot number 0, 1, 2, ... by which state lies in plain arrays.
 *
 * 1. One open-addressing index of 32-bit pairs (tag, slot + 1). For a key that is a 32-bit integer the tag is the key
 *    itself and the slot is stored positive: such a look-up touches one cache line and no key array. For other numbers
 *    and tuples the tag is a hash, the slot is stored negative, and the key is compared. Zero means empty.
 * 2. The place of an entry is the top bits of its hash, so doubling the index moves entries p to about 2p: one
 *    sequential pass, about 10 ns per key. A large index is moved bit by bit: a key that is not found in the new one is
 *    looked for in the one before, and every such look-up moves some entries on. Removal shifts entries back; there are
 *    no tombstones.
 * 3. Texts and bigints as whole keys live in a `Map`; inside tuples they are interned to ids, so that a tuple is a run
 *    of numbers in an arena ({@link TupleArena}) and looking one up builds nothing.
 * 4. Slots of removed keys are used again. Iteration is in the order of insertion all the same: as long as nothing was
 *    removed this is the order of slots, afterwards a linked list keeps it. Writing keys in that order and inserting
 *    them again gives the same order.
 *
 * 1, 1n, '1' and true are different keys; -0 is 0. Texts are copied on insertion, so that none keeps a frame alive.
 */
import { assert } from '../base/assert.ts'
import { outOfLine } from '../base/out-of-line.ts'
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from '../schema/errors.ts'
import { checkKey } from '../schema/key.ts'
import { flatText } from '../schema/text.ts'
import type { Key, KeyAtom } from '../schema/types.ts'
import { TupleArena } from './tuple-arena.ts'

/** What a slot holds. */
const free = 0
const integer = 1
const double = 2
const other = 3
const tuple = 4

const capacityMin = 16
/** An index of at most so many words is moved at once, in a few milliseconds. */
const movedAtOnce = 1 << 18
/** Words of the index before that a look-up moves on: all have moved long before the new index is full. */
const movedTogether = 256
/** The top bit of `slot + 1` tells the two kinds of entries apart. */
const slotsMax = 2 ** 31 - 2

const alias = new Float64Array(1)
const aliasWords = new Int32Array(alias.buffer)

export class KeyTable {
  /** Whether the last `slot` or `numberSlot` made a new slot. */
  inserted = false
  /** Number of keys. */
  size = 0
  /** Slots are below this; equal to `size` until a key is removed. */
  slotEnd = 0
  /**
   * Every tuple is two numbers and lies in the arena where its slot says: a look-up compares it without asking what and
   * where it is, which are two cache lines more.
   */
  pairsOnly = true
  private index: Int32Array
  private mask: number
  private shift: number
  /** The index before, whose words from `moved` on are not all in the new one. It does not change any more. */
  private before: Int32Array | undefined
  private moved = 0
  /** Entries in the index: integers, doubles and tuples. */
  private indexed = 0
  private kinds: Uint8Array
  /** The number of a slot, or where its tuple starts. */
  private numbers: Float64Array
  /** Texts, bigints and booleans by slot; stays empty for tables of numbers. */
  private readonly values: (string | bigint | boolean | undefined)[] = []
  private readonly texts: Map<string, number> = new Map()
  private readonly bigints: Map<bigint, number> = new Map()
  private falseSlot = -1
  private trueSlot = -1
  private tuples: TupleArena | undefined
  private freeSlots: number[] = []
  private order: InsertionOrder | undefined

  constructor(expected: number = 0) {
    let capacity = capacityMin
    while (capacity * 0.625 < expected) capacity *= 2
    this.index = new Int32Array(capacity * 2)
    this.mask = capacity * 2 - 1
    this.shift = Math.clz32(capacity) + 1
    let slots = capacityMin
    while (slots < expected) slots *= 2
    this.kinds = new Uint8Array(slots)
    this.numbers = new Float64Array(slots)
  }

  // hot: once per record, see benchmarks/micro/state.ts
  /** The slot of a finite number, made when it is new. */
  numberSlot(n: number): number {
    const tag = n | 0
    if (tag !== n) return this.doubleSlot(n)
    const index = this.index
    const mask = this.mask
    let at = (Math.imul(tag ^ (tag >>> 15), 0x9e3779b1) >>> this.shift) << 1
    for (;;) {
      const entry = index[at + 1]!
      if (entry > 0) {
        if (index[at] === tag) {
          this.inserted = false
          return entry - 1
        }
      } else if (entry === 0) return outOfLine(insertions, newInteger, this, tag)
      at = (at + 2) & mask
    }
  }

  /** The slot of any valid key, made when it is new. */
  slot(key: Key): number {
    if (typeof key === 'number') return this.numberSlot(key)
    if (typeof key === 'string') {
      const slot = this.texts.get(key)
      if (slot === undefined) return outOfLine(insertions, newText, this, key)
      this.inserted = false
      return slot
    }
    if (typeof key === 'object') return this.tupleSlot(key)
    const found = this.find(key)
    if (found < 0) return this.insertOther(key)
    this.inserted = false
    return found
  }

  /** The slot of `key`, or -1. */
  find(key: Key): number {
    switch (typeof key) {
      case 'number':
        return this.findNumber(key)
      case 'string':
        return this.texts.get(key) ?? -1
      case 'bigint':
        return this.bigints.get(key) ?? -1
      case 'boolean':
        return key ? this.trueSlot : this.falseSlot
      default: {
        const { tuples } = this
        if (tuples === undefined || !tuples.load(key, false)) return -1
        const { index, before } = this
        const at = this.probeTuple(index, this.shift, tuples, tuples.hash)
        if (at >= 0) return -index[at + 1]! - 1
        return before === undefined ? -1 : this.tupleBefore(before, tuples, tuples.hash)
      }
    }
  }

  /** The key of a slot in use. A tuple is a new array each time. */
  keyAt(slot: number): Key {
    switch (this.kinds[slot]) {
      case integer:
      case double:
        return this.numbers[slot]!
      case other:
        return this.values[slot]!
      case tuple:
        return this.tuples!.read(this.numbers[slot]!)
      default:
        return assertUsed(slot)
    }
  }

  /** Puts the two numbers of a slot to `firsts` and `seconds`; false when not all keys are such. */
  pairAt(slot: number, firsts: Key[], seconds: Key[], to: number): boolean {
    if (!this.pairsOnly || this.kinds[slot] !== tuple) return false
    firsts[to] = this.tuples!.firstOf(slot)
    seconds[to] = this.tuples!.secondOf(slot)
    return true
  }

  /** The slot that the next new key will get. */
  nextSlot(): number {
    return this.freeSlots.length > 0 ? this.freeSlots[this.freeSlots.length - 1]! : this.slotEnd
  }

  /** Whether a key has this slot. */
  has(slot: number): boolean {
    return slot < this.slotEnd && this.kinds[slot] !== free
  }

  /** Forgets the key of a slot in use; the slot will be given to another key. */
  remove(slot: number): void {
    assert(this.has(slot), 'a removed key has a slot')
    const kind = this.kinds[slot]
    if (kind === other) this.removeValue(slot)
    else this.removeIndexed(slot, kind!)
    this.order ??= new InsertionOrder(this.slotEnd, this.kinds.length)
    this.order.remove(slot)
    this.kinds[slot] = free
    this.freeSlots.push(slot)
    this.size--
    if (this.size === 0) this.restart()
  }

  /** Forgets all keys and keeps the memory. */
  clear(): void {
    if (this.indexed > 0) this.index.fill(0)
    this.before = undefined
    this.indexed = 0
    this.kinds.fill(free, 0, this.slotEnd)
    this.values.length = 0
    this.texts.clear()
    this.bigints.clear()
    this.falseSlot = -1
    this.trueSlot = -1
    this.tuples = undefined
    this.pairsOnly = true
    this.size = 0
    this.restart()
  }

  /** The slot of the key that was inserted first, or -1. */
  first(): number {
    return this.order !== undefined ? this.order.first() : this.size > 0 ? 0 : -1
  }

  /** The slot of the key inserted after that of `slot`, or -1. */
  next(slot: number): number {
    if (this.order !== undefined) return this.order.next(slot)
    return slot + 1 < this.slotEnd ? slot + 1 : -1
  }

  /** All keys in the order of insertion. */
  *keys(): Generator<Key> {
    for (let slot = this.first(); slot >= 0; slot = this.next(slot)) yield this.keyAt(slot)
  }

  /** Bytes held outside the garbage-collected heap, and a guess of those inside. */
  bytes(): number {
    const { index, before, kinds, values, texts, bigints, tuples } = this
    const heap = values.length * 8 + texts.size * 80 + bigints.size * 64
    return (
      index.byteLength +
      (before?.byteLength ?? 0) +
      kinds.length * 9 +
      heap +
      (tuples?.bytes() ?? 0)
    )
  }

  private findNumber(n: number): number {
    const { index, before } = this
    const tag = n | 0
    if (tag !== n) {
      const hash = hashDouble(n)
      const at = this.probeDouble(index, this.shift, n, hash)
      if (at >= 0) return -index[at + 1]! - 1
      return before === undefined ? -1 : this.numberBefore(before, n, double, hash)
    }
    const slot = this.probeInteger(index, this.shift, tag)
    return slot >= 0 || before === undefined ? slot : this.numberBefore(before, n, integer, tag)
  }

  /** The slot of a number that the index before has, or -1. */
  private numberBefore(before: Int32Array, n: number, kind: number, tag: number): number {
    const shift = this.shift + 1
    if (kind === integer) return this.probeInteger(before, shift, tag)
    const at = this.probeDouble(before, shift, n, tag)
    return at < 0 ? -1 : -before[at + 1]! - 1
  }

  /** The slot of the current tuple in the index before, or -1. */
  private tupleBefore(before: Int32Array, tuples: TupleArena, hash: number): number {
    const at = this.probeTuple(before, this.shift + 1, tuples, hash)
    return at < 0 ? -1 : -before[at + 1]! - 1
  }

  private probeInteger(index: Int32Array, shift: number, tag: number): number {
    const mask = index.length - 1
    let at = (hashInteger(tag) >>> shift) << 1
    for (;;) {
      const entry = index[at + 1]!
      if (entry === 0) return -1
      if (entry > 0 && index[at] === tag) return entry - 1
      at = (at + 2) & mask
    }
  }

  private doubleSlot(n: number): number {
    const hash = hashDouble(n)
    const at = this.probeDouble(this.index, this.shift, n, hash)
    if (at < 0) return this.insertNumber(hash, n, double, ~at)
    this.inserted = false
    return -this.index[at + 1]! - 1
  }

  /** Where the entry of `n` is, or ~place where it belongs. */
  private probeDouble(index: Int32Array, shift: number, n: number, hash: number): number {
    const { numbers, kinds } = this
    const mask = index.length - 1
    let at = (hash >>> shift) << 1
    for (;;) {
      const entry = index[at + 1]!
      if (entry === 0) return ~at
      if (entry < 0 && index[at] === hash) {
        const slot = -entry - 1
        if (numbers[slot] === n && kinds[slot] === double) return at
      }
      at = (at + 2) & mask
    }
  }

  // hot: once per record with a tuple as key, see benchmarks/nexmark q17
  private tupleSlot(key: readonly KeyAtom[]): number {
    this.tuples ??= new TupleArena()
    const { tuples } = this
    if (key.length === 2) {
      const first = key[0]
      const second = key[1]
      if (typeof first === 'number' && typeof second === 'number')
        return this.pairSlot(tuples, first + 0, second + 0)
    }
    // An atom that gets its id here is in no stored tuple, so this one is new and will be stored.
    tuples.load(key, true)
    const { hash } = tuples
    const at = this.probeTuple(this.index, this.shift, tuples, hash)
    if (at >= 0) {
      this.inserted = false
      return -this.index[at + 1]! - 1
    }
    return this.insertTuple(tuples, hash, ~at, false)
  }

  /** Two numbers, the most frequent tuple: compared where they are, without being copied first. */
  private pairSlot(tuples: TupleArena, first: number, second: number): number {
    const { index, mask, numbers, kinds, pairsOnly } = this
    const hash = tuples.hashPair(first, second)
    let at = (hash >>> this.shift) << 1
    for (;;) {
      const entry = index[at + 1]!
      if (entry === 0) break
      if (entry < 0 && index[at] === hash) {
        const slot = -entry - 1
        const same = pairsOnly
          ? tuples.isPairAt(slot, first, second)
          : kinds[slot] === tuple && tuples.matchesPair(numbers[slot]!, first, second)
        if (same) {
          this.inserted = false
          return slot
        }
      }
      at = (at + 2) & mask
    }
    return outOfLine(insertions, newPair, this, [first, second])
  }

  /** For {@link insertions}: makes the slot of an integer that is not in the index. */
  insertInteger(tag: number): number {
    const { index, mask } = this
    let at = (hashInteger(tag) >>> this.shift) << 1
    while (index[at + 1] !== 0) at = (at + 2) & mask
    return this.insertNumber(tag, tag, integer, at)
  }

  /** For {@link insertions}: makes the slot of two numbers that are not in the index. */
  insertPair(pair: readonly KeyAtom[]): number {
    const { index, mask } = this
    const tuples = this.tuples!
    tuples.load(pair, true)
    let at = (tuples.hash >>> this.shift) << 1
    while (index[at + 1] !== 0) at = (at + 2) & mask
    return this.insertTuple(tuples, tuples.hash, at, true)
  }

  private probeTuple(index: Int32Array, shift: number, tuples: TupleArena, hash: number): number {
    const { numbers, kinds } = this
    const mask = index.length - 1
    let at = (hash >>> shift) << 1
    for (;;) {
      const entry = index[at + 1]!
      if (entry === 0) return ~at
      if (entry < 0 && index[at] === hash) {
        const slot = -entry - 1
        if (kinds[slot] === tuple && tuples.matches(numbers[slot]!)) return at
      }
      at = (at + 2) & mask
    }
  }

  /** The current tuple is not in the index, where it belongs at `at`. */
  private insertTuple(tuples: TupleArena, hash: number, at: number, isPair: boolean): number {
    if (this.before !== undefined) {
      const known = this.tupleBefore(this.before, tuples, hash)
      if (known >= 0) return this.foundBefore(known)
    }
    const slot = this.takeSlot(tuple)
    const start = tuples.store()
    this.numbers[slot] = start
    if (!isPair || !tuples.isPlaceOfPair(slot, start)) this.pairsOnly = false
    this.putEntry(at, hash, -slot - 1)
    return slot
  }

  private insertNumber(tag: number, n: number, kind: number, at: number): number {
    if (this.before !== undefined) {
      const known = this.numberBefore(this.before, n, kind, tag)
      if (known >= 0) return this.foundBefore(known)
    }
    const slot = this.takeSlot(kind)
    this.numbers[slot] = n
    this.pairsOnly = false
    this.putEntry(at, tag, kind === integer ? slot + 1 : -slot - 1)
    return slot
  }

  /** For {@link insertions}: makes the slot of a text that has none. */
  insertText(key: string): number {
    // Once per key and not per row. UTF-8 has no bytes for it, so two such keys would become one in a snapshot.
    const reason = checkKey(key)
    if (reason !== undefined)
      throw new TidemillError(schemaErrors.badKey, { message: `the key ${reason}` })
    const text = flatText(key)
    const slot = this.takeSlot(other)
    this.setValue(slot, text)
    this.texts.set(text, slot)
    return slot
  }

  private insertOther(key: bigint | boolean): number {
    const slot = this.takeSlot(other)
    this.setValue(slot, key)
    if (typeof key === 'bigint') this.bigints.set(key, slot)
    else if (key) this.trueSlot = slot
    else this.falseSlot = slot
    return slot
  }

  private setValue(slot: number, value: string | bigint | boolean): void {
    // Filled up so that the array never has holes.
    while (this.values.length < slot) this.values.push(undefined)
    this.values[slot] = value
  }

  private takeSlot(kind: number): number {
    const slot = this.freeSlots.length > 0 ? this.freeSlots.pop()! : this.slotEnd++
    if (slot === this.kinds.length) this.growSlots()
    this.kinds[slot] = kind
    this.order?.add(slot)
    this.size++
    this.inserted = true
    return slot
  }

  private putEntry(at: number, tag: number, entry: number): void {
    this.index[at] = tag
    this.index[at + 1] = entry
    if (this.before !== undefined) this.moveEntries(this.before, movedTogether)
    // At most 5/8 full: linear probing then looks at about 1.8 places for a hit.
    if (++this.indexed * 16 > (this.mask + 1) * 5) this.growIndex()
  }

  private foundBefore(slot: number): number {
    this.moveEntries(this.before!, movedTogether)
    this.inserted = false
    return slot
  }

  private growSlots(): void {
    const capacity = this.kinds.length * 2
    assert(capacity <= slotsMax, 'a key table holds less than 2^31 keys')
    const kinds = new Uint8Array(capacity)
    kinds.set(this.kinds)
    this.kinds = kinds
    const numbers = new Float64Array(capacity)
    numbers.set(this.numbers)
    this.numbers = numbers
  }

  private growIndex(): void {
    this.moveAll()
    const { index } = this
    this.index = new Int32Array(index.length * 2)
    this.mask = this.index.length - 1
    this.shift--
    this.before = index
    this.moved = 0
    if (index.length <= movedAtOnce) this.moveAll()
  }

  private moveAll(): void {
    if (this.before !== undefined) this.moveEntries(this.before, this.before.length)
  }

  /** Moves the entries in the next `words` words of the index before. */
  private moveEntries(from: Int32Array, words: number): void {
    const { index, mask, shift } = this
    const end = Math.min(this.moved + words, from.length)
    for (let i = this.moved; i < end; i += 2) {
      const entry = from[i + 1]!
      if (entry === 0) continue
      const tag = from[i]!
      let at = ((entry > 0 ? hashInteger(tag) : tag) >>> shift) << 1
      while (index[at + 1] !== 0) at = (at + 2) & mask
      index[at] = tag
      index[at + 1] = entry
    }
    this.moved = end
    if (end === from.length) this.before = undefined
  }

  private removeValue(slot: number): void {
    const value = this.values[slot]!
    if (typeof value === 'string') this.texts.delete(value)
    else if (typeof value === 'bigint') this.bigints.delete(value)
    else if (value) this.trueSlot = -1
    else this.falseSlot = -1
    this.values[slot] = undefined
  }

  private removeIndexed(slot: number, kind: number): void {
    this.moveAll()
    const n = this.numbers[slot]!
    const hash =
      kind === integer ? hashInteger(n) : kind === double ? hashDouble(n) : this.tuples!.hashAt(n)
    const wanted = kind === integer ? slot + 1 : -slot - 1
    let at = (hash >>> this.shift) << 1
    while (this.index[at + 1] !== wanted) at = (at + 2) & this.mask
    this.closeGap(at)
    this.indexed--
    if (kind === tuple) this.tuples!.release(n)
  }

  /** Takes the entry at `gap` out and moves later entries of the run back to where they can be found. */
  private closeGap(start: number): void {
    const { index, mask, shift } = this
    let gap = start
    for (let at = (gap + 2) & mask; index[at + 1] !== 0; at = (at + 2) & mask) {
      const tag = index[at]!
      const home = ((index[at + 1]! > 0 ? hashInteger(tag) : tag) >>> shift) << 1
      // The entry may stay if its home lies cyclically in (gap, at].
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      index[gap] = tag
      index[gap + 1] = index[at + 1]!
      gap = at
    }
    index[gap] = 0
    index[gap + 1] = 0
  }

  /** Without keys, numbering begins at 0 again and needs no list. */
  private restart(): void {
    this.slotEnd = 0
    this.freeSlots.length = 0
    this.order = undefined
  }
}

const newInteger = 0
const newPair = 1
const newText = 2
/** Called out of line: V8 would else spend on new keys what it may inline for keys that are known. */
const insertions: readonly ((table: KeyTable, key: Key) => number)[] = [
  (table, tag) => table.insertInteger(tag as number),
  (table, pair) => table.insertPair(pair as readonly KeyAtom[]),
  (table, text) => table.insertText(text as string),
]

/** Doubly linked slots, made when the first key is removed. */
class InsertionOrder {
  private before: Int32Array
  private after: Int32Array
  private head: number
  private tail: number

  constructor(slots: number, capacity: number) {
    this.before = new Int32Array(capacity)
    this.after = new Int32Array(capacity)
    for (let slot = 0; slot < slots; slot++) {
      this.before[slot] = slot - 1
      this.after[slot] = slot + 1 < slots ? slot + 1 : -1
    }
    this.head = slots > 0 ? 0 : -1
    this.tail = slots - 1
  }

  first(): number {
    return this.head
  }

  next(slot: number): number {
    return this.after[slot]!
  }

  add(slot: number): void {
    if (slot >= this.before.length) this.grow(slot)
    this.before[slot] = this.tail
    this.after[slot] = -1
    if (this.tail >= 0) this.after[this.tail] = slot
    else this.head = slot
    this.tail = slot
  }

  remove(slot: number): void {
    const before = this.before[slot]!
    const after = this.after[slot]!
    if (before >= 0) this.after[before] = after
    else this.head = after
    if (after >= 0) this.before[after] = before
    else this.tail = before
  }

  private grow(slot: number): void {
    const capacity = Math.max(slot + 1, this.before.length * 2)
    const before = new Int32Array(capacity)
    before.set(this.before)
    this.before = before
    const after = new Int32Array(capacity)
    after.set(this.after)
    this.after = after
  }
}

/** One-to-one on 32-bit integers; the fold keeps multiples of large powers of two apart in the top bits. */
function hashInteger(n: number): number {
  return Math.imul(n ^ (n >>> 15), 0x9e3779b1)
}

function hashDouble(n: number): number {
  alias[0] = n
  const h = Math.imul(aliasWords[0]! ^ Math.imul(aliasWords[1]!, 0x85ebca6b), 0xc2b2ae35)
  return Math.imul(h ^ (h >>> 15), 0x9e3779b1)
}

function assertUsed(slot: number): never {
  assert(false, `slot ${slot} has no key`)
}
