/**
 * Rebuilds accumulator tables from the blocks of a snapshot, with the same numbering.
 *
 * 1. `add` keeps the bytes of a block, and of each row its key, the number it had and where its words are. The blocks of
 *    a table come cut by key group, so its rows are out of order.
 * 2. `tables` sorts the rows of each writer by their numbers and fills a table that has room for all of them from the
 *    start: keys go in once, words go from the bytes straight to where they stay.
 * 3. Blocks of several pictures of one writer come one after the other, the oldest first. Each but the first begins with a
 *    block `base`. Of the rows of a slot the last one counts.
 */
import { TidemillError } from '../base/errors.ts'
import { Reader } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Key } from '../schema/types.ts'
import type { KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { KeyTable } from '../state/key-table.ts'
import { AccumulatorTable } from './accumulator-table.ts'
import { windowErrors } from './errors.ts'
import type { AggregateKernel } from './kernel.ts'
import { readRows, readWholeRows } from './table-blocks.ts'
import { codecOf } from './table-picture.ts'

/**
 * Blocks are copied to chunks, each twice the one before up to this. One slice of a table is smaller, so rows with
 * neighbouring numbers mostly lie in one chunk.
 */
const chunkBytesMax = 8 << 20
const chunkBytesMin = 64 << 10
/** More than a chunk has. */
const chunkUnit = 2 ** 32
/** Slots of a table are below this. */
const ordinalsEnd = 2 ** 31

type DistinctValue = string | number | bigint | boolean

/** What one writer stored of one table. Slots are numbered by whoever wrote them. */
class Stored {
  readonly slots: Places = new Places()
  /** By row of `slots`. */
  readonly keys: Key[] = []
  /** Where the custom values of a row are; empty for kernels without. */
  readonly objects: number[] = []
  /** By distinct set of the kernel. */
  readonly entries: Map<number, Places> = new Map()
}

/** Collects blocks and rebuilds the tables. */
export class TableRestore {
  readonly #kernel: AggregateKernel
  /** By namespace, then by writer. */
  readonly #tables: Map<number, Map<number, Stored>> = new Map()
  /** By writer. */
  readonly #headers: Map<number, (readonly number[])[]> = new Map()
  readonly #chunks: Chunks = new Chunks()
  readonly #reader: Reader = new Reader()

  constructor(kernel: AggregateKernel) {
    this.#kernel = kernel
  }

  get headers(): readonly (readonly number[])[] {
    return [...this.#headers.values()].flat()
  }

  add(block: SnapshotBlock, range: KeyGroupRange, writer: number = 0): void {
    const reader = new Reader(block.bytes)
    if (block.section === 'header') {
      const values: number[] = []
      for (let left = reader.varint(); left > 0; left--) values.push(reader.f64())
      this.#headers.set(writer, [...(this.#headers.get(writer) ?? []), values])
      return
    }
    if (block.section === 'base') {
      this.#goOn(reader, writer)
      return
    }
    if (block.keyGroup < range.first || block.keyGroup >= range.end) return
    const stored = this.#stored(reader.f64(), writer)
    if (block.section === 'rows') this.#addRows(stored, reader, false)
    else if (block.section === 'table') {
      reader.varint()
      this.#addRows(stored, reader, true)
    } else if (block.section === 'distinct') this.#addEntries(stored, reader)
    else throw badSnapshot(`unknown section "${block.section}"`)
  }

  /** The tables in ascending order of their namespaces. Forgets everything that was added. */
  tables(): ReadonlyMap<number, AccumulatorTable> {
    const tables = new Map<number, AccumulatorTable>()
    for (const [namespace, writers] of [...this.#tables].sort(([a], [b]) => a - b))
      tables.set(namespace, this.#build(writers))
    this.#tables.clear()
    this.#chunks.clear()
    this.#headers.clear()
    return tables
  }

  /** Another picture of a writer begins: what it does not build on is forgotten. */
  #goOn(reader: Reader, writer: number): void {
    this.#headers.delete(writer)
    const kept = new Set<number>()
    for (let left = reader.varint(); left > 0; left--) {
      const namespace = reader.f64()
      if (reader.varint() > 0) kept.add(namespace)
    }
    for (const [namespace, writers] of this.#tables) {
      if (kept.has(namespace)) writers.get(writer)?.slots.beginPicture()
      else if (writers.delete(writer) && writers.size === 0) this.#tables.delete(namespace)
    }
  }

  #stored(namespace: number, writer: number): Stored {
    const writers = this.#tables.get(namespace) ?? new Map<number, Stored>()
    this.#tables.set(namespace, writers)
    const stored = writers.get(writer) ?? new Stored()
    writers.set(writer, stored)
    return stored
  }

  #addRows({ slots, keys, objects }: Stored, reader: Reader, whole: boolean): void {
    const base = this.#chunks.keep(reader)
    const { stride, custom } = this.#kernel
    const take = (ordinal: number, key: Key, wordsAt: number, objectsAt: number): void => {
      slots.add(ordinal, base + wordsAt)
      keys.push(key)
      if (custom.length > 0) objects.push(base + objectsAt)
    }
    if (whole) readWholeRows(reader, stride, custom.length, take)
    else readRows(reader, stride, custom.length, take, badSnapshot)
  }

  #addEntries({ entries }: Stored, reader: Reader): void {
    const index = reader.varint() - 1
    const places = entries.get(index) ?? new Places()
    entries.set(index, places)
    const base = this.#chunks.keep(reader)
    while (reader.remaining > 0) {
      places.add(reader.varint(), base + reader.position)
      reader.varint()
      reader.skip(reader.varint())
    }
  }

  #build(writers: ReadonlyMap<number, Stored>): AccumulatorTable {
    const stored = [...writers].sort(([a], [b]) => a - b).map(([, one]) => one)
    const orders = stored.map(({ slots }) => slots.order())
    const rows = orders.reduce((sum, order) => sum + order.length, 0)
    const table = new AccumulatorTable(this.#kernel, rows)
    for (const [index, one] of stored.entries()) {
      const { slots, entries } = one
      const order = orders[index]!
      const first = table.size
      this.#fill(table, one, order)
      if (entries.size === 0) continue
      // The number that a slot had, to the one it has now.
      const moved = new KeyTable(order.length)
      for (const row of order) moved.numberSlot(slots.ordinals[row]!)
      for (const [index, places] of entries) this.#fillSet(table, index, places, moved, first)
    }
    return table
  }

  /** Keys by their numbers, words in the order in which they were stored: both where the memory before them was. */
  #fill(table: AccumulatorTable, { slots, keys, objects }: Stored, order: Int32Array): void {
    const { stride, custom, objects: width } = this.#kernel
    const slotOf = new Int32Array(slots.count).fill(-1)
    for (let i = 0; i < order.length; i++) {
      const row = order[i]!
      const slot = table.restoreSlot(keys[row]!)
      if (slot < 0) throw badSnapshot('a key is stored twice')
      slotOf[row] = slot
    }
    const reader = this.#reader
    for (let row = 0; row < slotOf.length; row++) {
      const slot = slotOf[row]!
      if (slot < 0) continue
      this.#chunks.seek(reader, slots.starts[row]!)
      reader.f64s(table.words, slot * stride, stride)
      if (custom.length === 0) continue
      this.#chunks.seek(reader, objects[row]!)
      for (let c = 0; c < custom.length; c++)
        table.objects[slot * width + c] = codecOf(custom[c]!.accumulator).decode(reader.blob())
    }
  }

  #fillSet(
    table: AccumulatorTable,
    index: number,
    places: Places,
    moved: KeyTable,
    first: number,
  ): void {
    const set = table.sets[index]
    if (set === undefined) return
    const reader = this.#reader
    for (let i = 0; i < places.count; i++) {
      const row = moved.find(places.ordinals[i]!)
      if (row < 0) continue
      this.#chunks.seek(reader, places.starts[i]!)
      const mask = reader.varint()
      const outer = reader.enterBlock()
      const value = dynamic.read(reader) as DistinctValue
      reader.leaveBlock(outer)
      set.add(first + row, value, mask)
    }
  }
}

/** Copies of blocks. A place is a chunk and an offset in it, as one number. */
class Chunks {
  readonly #chunks: Uint8Array[] = []
  #used = 0

  /** Copies what `reader` has left; its position plus the result is the place of what it reads next. */
  keep(reader: Reader): number {
    const length = reader.remaining
    let last = this.#chunks.at(-1)
    if (last === undefined || this.#used + length > last.length) {
      const twice = last === undefined ? chunkBytesMin : last.length * 2
      last = new Uint8Array(Math.max(Math.min(twice, chunkBytesMax), length))
      this.#chunks.push(last)
      this.#used = 0
    }
    last.set(reader.bytes.subarray(reader.position, reader.end), this.#used)
    const base = (this.#chunks.length - 1) * chunkUnit + this.#used - reader.position
    this.#used += length
    return base
  }

  seek(reader: Reader, place: number): void {
    const chunk = Math.floor(place / chunkUnit)
    reader.reset(this.#chunks[chunk]!, place - chunk * chunkUnit)
  }

  clear(): void {
    this.#chunks.length = 0
    this.#used = 0
  }
}

/** Rows in the order of reading: the number each had, and where its bytes are. */
class Places {
  count = 0
  ordinals: Int32Array = new Int32Array(256)
  starts: Float64Array = new Float64Array(256)
  #ordinalMax = 0
  /** The first rows of the pictures after the first. */
  readonly #pictures: number[] = []

  beginPicture(): void {
    this.#pictures.push(this.count)
  }

  add(ordinal: number, start: number): void {
    if (ordinal >= ordinalsEnd) throw badSnapshot(`${ordinal} is not the number of a slot`)
    if (this.count === this.ordinals.length) this.#grow()
    if (ordinal > this.#ordinalMax) this.#ordinalMax = ordinal
    this.ordinals[this.count] = ordinal
    this.starts[this.count++] = start
  }

  /** Rows by ascending ordinals; of several with one ordinal, the last. */
  order(): Int32Array {
    if (this.#pictures.length > 0) return this.#lastRows(this.#sparseOrder())
    // All key groups of a writer: the numbers are 0 to the last without a gap.
    return this.#ordinalMax === this.count - 1 ? this.#denseOrder() : this.#sparseOrder()
  }

  /** Rows with one ordinal are neighbours, in the order in which they were stored. */
  #lastRows(order: Int32Array): Int32Array {
    const { ordinals } = this
    let kept = 0
    for (const row of order) {
      const before = kept === 0 ? -1 : order[kept - 1]!
      if (before < 0 || ordinals[before] !== ordinals[row]) order[kept++] = row
      else if (this.#pictureOf(before) === this.#pictureOf(row)) throw slotTwice()
      else order[kept - 1] = row
    }
    return order.subarray(0, kept)
  }

  #pictureOf(row: number): number {
    let picture = this.#pictures.length
    while (picture > 0 && row < this.#pictures[picture - 1]!) picture--
    return picture
  }

  #denseOrder(): Int32Array {
    const order = new Int32Array(this.count).fill(-1)
    for (let row = 0; row < this.count; row++) order[this.ordinals[row]!] = row
    if (order.includes(-1)) throw slotTwice()
    return order
  }

  /** A radix sort, eleven bits at a time. */
  #sparseOrder(): Int32Array {
    const { count, ordinals } = this
    let from = new Int32Array(count)
    let to = new Int32Array(count)
    for (let row = 0; row < count; row++) from[row] = row
    const ends = new Int32Array(2_048)
    for (let shift = 0; shift < 33; shift += 11) {
      ends.fill(0)
      for (let row = 0; row < count; row++) ends[(ordinals[row]! >>> shift) & 2_047]!++
      let sum = 0
      for (let digit = 0; digit < 2_048; digit++) {
        const rows = ends[digit]!
        ends[digit] = sum
        sum += rows
      }
      for (let i = 0; i < count; i++) {
        const row = from[i]!
        to[ends[(ordinals[row]! >>> shift) & 2_047]!++] = row
      }
      ;[from, to] = [to, from]
    }
    return from
  }

  #grow(): void {
    const ordinals = new Int32Array(this.count * 2)
    ordinals.set(this.ordinals)
    this.ordinals = ordinals
    const starts = new Float64Array(this.count * 2)
    starts.set(this.starts)
    this.starts = starts
  }
}

function badSnapshot(message: string): TidemillError {
  return new TidemillError(windowErrors.badSnapshot, { message })
}

function slotTwice(): TidemillError {
  return badSnapshot('two keys have the number of one slot')
}
