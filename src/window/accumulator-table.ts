/**
 * Accumulators by key: a key table that numbers the keys 0, 1, 2, ... and, by that number, the doubles, custom values
 * and distinct sets of an {@link AggregateKernel}. Keys are never removed one by one; a window drops its whole table.
 *
 * Pictures for checkpoints: `freezeTables` notes the number of keys and shares the array of doubles. From then on the
 * first write to a page of 128 slots that has not been written out copies that page (and encodes the custom values of
 * that slot, which user functions may change in place). Growing replaces the array, so the old one needs no copies any
 * more. New keys come after the noted number and are not part of the picture.
 *
 * Numbering is kept across a restore, because it is the order in which results leave a window.
 */
import { TidemillError } from '../base/errors.ts'
import { Reader, Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Codec, Key } from '../schema/types.ts'
import type { FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { KeyTable } from '../state/key-table.ts'
import { DistinctSet } from './distinct.ts'
import { windowErrors } from './errors.ts'
import type { AggregateKernel } from './kernel.ts'

const pageSlots = 128
const pageShift = 7

export class AccumulatorTable {
  /** Doubles of slot s at `s * stride`. Replaced when it grows. */
  words: Float64Array
  readonly objects: unknown[] = []
  readonly sets: readonly DistinctSet[]
  readonly kernel: AggregateKernel
  readonly #keys: KeyTable = new KeyTable()
  #capacity = 16
  #picture: TablePicture | undefined

  constructor(kernel: AggregateKernel) {
    this.kernel = kernel
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

  // hot: once per record, see benchmarks/nexmark q5
  /** The slot of a finite number other than -0, made when it is new. */
  numberSlot(key: number): number {
    const slot = this.#keys.numberSlot(key)
    if (this.#keys.inserted) this.#initialise(slot)
    else if (this.#picture !== undefined) this.#picture.keep(slot)
    return slot
  }

  slot(key: Key): number {
    const slot = this.#keys.slot(key)
    if (this.#keys.inserted) this.#initialise(slot)
    else if (this.#picture !== undefined) this.#picture.keep(slot)
    return slot
  }

  find(key: Key): number {
    return this.#keys.find(key)
  }

  /** Forgets all keys and keeps the memory. Only for tables that are never frozen. */
  clear(): void {
    this.#keys.clear()
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

  freeze(): TablePicture {
    const picture = new TablePicture(this)
    this.#picture = picture
    picture.onDone = () => {
      if (this.#picture === picture) this.#picture = undefined
    }
    return picture
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

  #initialise(slot: number): void {
    const { stride, objects, init } = this.kernel
    if (slot >= this.#capacity) {
      this.#capacity *= 2
      const words = new Float64Array(this.#capacity * stride)
      words.set(this.words)
      this.words = words
      // Writes go to the new array from now on: the picture's array is the picture.
      this.#picture?.detach()
    }
    init(this.words, slot * stride, this.objects, slot * objects)
  }
}

/** One table as it was at a barrier. */
export class TablePicture {
  readonly table: AccumulatorTable
  readonly count: number
  readonly masks: readonly Int32Array[]
  /** Entries of each distinct set at the barrier. */
  readonly entries: readonly number[]
  onDone: () => void = () => {}
  readonly #words: Float64Array
  readonly #pages: Map<number, Float64Array> = new Map()
  readonly #objects: Map<number, readonly Uint8Array[]> = new Map()
  #detached = false
  /** Slots below this have been written out and need no copy. */
  #written = 0

  constructor(table: AccumulatorTable) {
    this.table = table
    this.count = table.size
    this.#words = table.words
    this.masks = table.sets.map((set) => set.copyMasks())
    this.entries = table.sets.map((set) => set.size)
  }

  /** Called before slot is written. */
  keep(slot: number): void {
    if (slot >= this.count || slot < this.#written) return
    const { kernel } = this.table
    if (kernel.objects > 0 && !this.#objects.has(slot))
      this.#objects.set(slot, this.#encodeObjects(slot))
    if (this.#detached) return
    const page = slot >> pageShift
    if (this.#pages.has(page)) return
    const start = page * pageSlots * kernel.stride
    this.#pages.set(page, this.#words.slice(start, start + pageSlots * kernel.stride))
  }

  detach(): void {
    this.#detached = true
  }

  /** Writes ordinal, key, doubles and custom values of one slot. */
  writeSlot(slot: number, key: Key, writer: Writer): void {
    const { stride, objects } = this.table.kernel
    writer.varint(slot)
    const block = writer.beginBlock()
    dynamic.write(key, writer)
    writer.endBlock(block)
    const page = this.#pages.get(slot >> pageShift)
    const words = page ?? this.#words
    const at = (page ? slot & (pageSlots - 1) : slot) * stride
    for (let i = 0; i < stride; i++) writer.f64(words[at + i] ?? 0)
    if (objects > 0) {
      const values = this.#objects.get(slot) ?? this.#encodeObjects(slot)
      for (const value of values) writer.blob(value)
    }
    this.#written = slot + 1
  }

  #encodeObjects(slot: number): readonly Uint8Array[] {
    const { kernel, objects } = this.table
    return kernel.custom.map((definition, index) =>
      codecOf(definition.accumulator).encode(objects[slot * kernel.objects + index]),
    )
  }
}

function codecOf(schema: Codec<unknown> | undefined): Codec<unknown> {
  return schema ?? (dynamic as Codec<unknown>)
}

/** Slots or entries written per slice and table at most, before blocks are cut by key group. */
const sliceSlots = 16_384

/**
 * The picture of several tables told apart by a number (the start of a pane). `header` is a list of numbers that the
 * owner gets back at restore; it is written once, unkeyed.
 */
export function freezeTables(
  tables: readonly { readonly namespace: number; readonly table: AccumulatorTable }[],
  header: readonly number[],
  range: KeyGroupRange,
): FrozenState {
  const pictures = tables.map(({ namespace, table }) => ({ namespace, picture: table.freeze() }))
  const steps = writeTables(pictures, header, range)
  const finish = (): void => {
    for (const { picture } of pictures) picture.onDone()
  }
  return {
    next(budgetBytes) {
      const blocks: SnapshotBlock[] = []
      let bytes = 0
      while (bytes < budgetBytes) {
        const step = steps.next()
        if (step.done) {
          finish()
          return blocks.length > 0 ? blocks : undefined
        }
        for (const block of step.value) {
          blocks.push(block)
          bytes += block.bytes.length
        }
      }
      return blocks
    },
    abandon: finish,
  }
}

function* writeTables(
  pictures: readonly { readonly namespace: number; readonly picture: TablePicture }[],
  header: readonly number[],
  range: KeyGroupRange,
): Generator<readonly SnapshotBlock[]> {
  if (header.length > 0) {
    const writer = new Writer()
    writer.varint(header.length)
    for (const value of header) writer.f64(value)
    yield [{ section: 'header', keyGroup: -1, bytes: writer.finish() }]
  }
  for (const { namespace, picture } of pictures) {
    const groups = new Int32Array(picture.count)
    for (let from = 0; from < picture.count; from += sliceSlots) {
      const to = Math.min(from + sliceSlots, picture.count)
      const slice = new GroupedBlocks('table', namespace, -1)
      for (let slot = from; slot < to; slot++) {
        const key = picture.table.keyAt(slot)
        const group = keyGroupOf(keyHash(key), range.total)
        groups[slot] = group
        picture.writeSlot(slot, key, slice.writer(group))
      }
      yield slice.blocks()
    }
    for (let index = 0; index < picture.masks.length; index++)
      yield* writeSet(namespace, picture, index, groups)
  }
}

function* writeSet(
  namespace: number,
  picture: TablePicture,
  index: number,
  groups: Int32Array,
): Generator<readonly SnapshotBlock[]> {
  const set = picture.table.sets[index]
  const masks = picture.masks[index]
  const count = picture.entries[index] ?? 0
  if (set === undefined || masks === undefined) return
  for (let from = 0; from < count; from += sliceSlots) {
    const slice = new GroupedBlocks('distinct', namespace, index)
    for (let entry = from; entry < Math.min(from + sliceSlots, count); entry++) {
      const slot = set.slotAt(entry)
      const writer = slice.writer(groups[slot] ?? 0)
      writer.varint(slot)
      writer.varint(masks[entry] ?? 0)
      const block = writer.beginBlock()
      dynamic.write(set.valueAt(entry), writer)
      writer.endBlock(block)
    }
    yield slice.blocks()
  }
}

/** Sorts what one slice writes into one block per key group. */
class GroupedBlocks {
  readonly #writers: Map<number, Writer> = new Map()
  readonly #section: string
  readonly #namespace: number
  readonly #index: number

  constructor(section: string, namespace: number, index: number) {
    this.#section = section
    this.#namespace = namespace
    this.#index = index
  }

  writer(group: number): Writer {
    let writer = this.#writers.get(group)
    if (writer === undefined) {
      writer = new Writer()
      writer.f64(this.#namespace)
      writer.varint(this.#index + 1)
      this.#writers.set(group, writer)
    }
    return writer
  }

  blocks(): readonly SnapshotBlock[] {
    return [...this.#writers]
      .sort(([a], [b]) => a - b)
      .map(([keyGroup, writer]) => ({ section: this.#section, keyGroup, bytes: writer.finish() }))
  }
}

interface RestoredSlot {
  readonly ordinal: number
  readonly key: Key
  readonly words: Float64Array
  readonly objects: readonly unknown[]
}

interface RestoredEntry {
  readonly ordinal: number
  readonly mask: number
  readonly value: string | number | bigint | boolean
}

/** Collects blocks and rebuilds the tables with their numbering. */
export class TableRestore {
  readonly headers: (readonly number[])[] = []
  readonly #kernel: AggregateKernel
  readonly #slots: Map<number, RestoredSlot[]> = new Map()
  readonly #entries: Map<number, Map<number, RestoredEntry[]>> = new Map()

  constructor(kernel: AggregateKernel) {
    this.#kernel = kernel
  }

  add(block: SnapshotBlock, range: KeyGroupRange): void {
    const reader = new Reader(block.bytes)
    if (block.section === 'header') {
      const values: number[] = []
      for (let left = reader.varint(); left > 0; left--) values.push(reader.f64())
      this.headers.push(values)
      return
    }
    if (block.keyGroup < range.first || block.keyGroup >= range.end) return
    const namespace = reader.f64()
    const index = reader.varint() - 1
    if (block.section === 'table') this.#addSlots(namespace, reader)
    else if (block.section === 'distinct') this.#addEntries(namespace, index, reader)
    else
      throw new TidemillError(windowErrors.badSnapshot, {
        message: `unknown section "${block.section}"`,
      })
  }

  tables(): ReadonlyMap<number, AccumulatorTable> {
    const tables = new Map<number, AccumulatorTable>()
    for (const [namespace, slots] of [...this.#slots].sort(([a], [b]) => a - b)) {
      tables.set(namespace, this.#build(namespace, slots))
    }
    this.#slots.clear()
    this.#entries.clear()
    this.headers.length = 0
    return tables
  }

  #build(namespace: number, slots: RestoredSlot[]): AccumulatorTable {
    const table = new AccumulatorTable(this.#kernel)
    const { stride, objects } = this.#kernel
    const numbers = new Map<number, number>()
    slots.sort((a, b) => a.ordinal - b.ordinal)
    for (const restored of slots) {
      const slot = table.slot(restored.key)
      numbers.set(restored.ordinal, slot)
      table.words.set(restored.words, slot * stride)
      restored.objects.forEach((value, index) => {
        table.objects[slot * objects + index] = value
      })
    }
    for (const [index, entries] of this.#entries.get(namespace) ?? []) {
      for (const { ordinal, mask, value } of entries) {
        const slot = numbers.get(ordinal)
        if (slot !== undefined) table.sets[index]?.add(slot, value, mask)
      }
    }
    return table
  }

  #addSlots(namespace: number, reader: Reader): void {
    const slots = this.#slots.get(namespace) ?? []
    this.#slots.set(namespace, slots)
    while (reader.remaining > 0) {
      const ordinal = reader.varint()
      const key = dynamic.decode(reader.blob()) as Key
      const words = new Float64Array(this.#kernel.stride)
      for (let i = 0; i < words.length; i++) words[i] = reader.f64()
      const objects = this.#kernel.custom.map((d) => codecOf(d.accumulator).decode(reader.blob()))
      slots.push({ ordinal, key, words, objects })
    }
  }

  #addEntries(namespace: number, index: number, reader: Reader): void {
    const sets = this.#entries.get(namespace) ?? new Map<number, RestoredEntry[]>()
    this.#entries.set(namespace, sets)
    const entries = sets.get(index) ?? []
    sets.set(index, entries)
    while (reader.remaining > 0) {
      const ordinal = reader.varint()
      const mask = reader.varint()
      entries.push({
        ordinal,
        mask,
        value: dynamic.decode(reader.blob()) as RestoredEntry['value'],
      })
    }
  }
}
