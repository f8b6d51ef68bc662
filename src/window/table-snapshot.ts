/**
 * Accumulator tables in snapshots (docs/formats/state.md), cut into blocks by key group; `table-restore.ts` reads them.
 *
 * A slice of slots is sorted by key group, then written group after group to one buffer: that of the call, which the
 * next call uses again. So a call may end after any group, and writes about as much as it was asked for.
 */
import { Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { pageRows } from '../state/accumulators.ts'
import type { AccumulatorTable } from './accumulator-table.ts'
import { RowBlocks, sliceSlotsMax } from './table-blocks.ts'
import type { TablePicture } from './table-picture.ts'

/** Slots are sorted together that have about so many bytes of words: what a cache holds. */
const sliceBytes = 2 << 20
/** Wider rows have blocks of a few rows otherwise. */
const sliceSlotsMin = 2_048
/** Entries of distinct sets that are sorted together. */
const sliceEntries = 16_384

interface Frozen {
  readonly namespace: number
  readonly picture: TablePicture
}

/** Where a block lies in the buffer of its call. */
interface Place {
  readonly section: string
  readonly keyGroup: number
  readonly start: number
  readonly end: number
}

/**
 * The picture of several tables told apart by a number (the start of a pane). `header` is a list of numbers that the
 * owner gets back at restore; it is written once, unkeyed.
 */
export function freezeTables(
  tables: readonly { readonly namespace: number; readonly table: AccumulatorTable }[],
  header: readonly number[],
  range: KeyGroupRange,
): FrozenState {
  const frozen = tables.map(({ namespace, table }) => ({ namespace, picture: table.freeze() }))
  const writer = new Writer()
  const places = new TablesWriter(frozen, header, range.total, writer).places()
  const finish = (): void => {
    for (const { picture } of frozen) picture.onDone()
  }
  return {
    next(budgetBytes) {
      writer.clear()
      const written: Place[] = []
      while (writer.position < budgetBytes) {
        const place = places.next()
        if (place.done) {
          finish()
          break
        }
        written.push(place.value)
      }
      if (written.length === 0) return undefined
      return written.map(
        ({ section, keyGroup, start, end }): SnapshotBlock => ({
          section,
          keyGroup,
          bytes: writer.bytes.subarray(start, end),
        }),
      )
    },
    abandon: finish,
  }
}

class TablesWriter {
  readonly #frozen: readonly Frozen[]
  readonly #header: readonly number[]
  readonly #total: number
  readonly #writer: Writer
  readonly #rows: RowBlocks
  /** The slice, sorted: `#order` holds its members group after group, `#ends` where each group ends. */
  readonly #order: Uint16Array = new Uint16Array(sliceSlotsMax)
  readonly #ends: Int32Array

  constructor(frozen: readonly Frozen[], header: readonly number[], total: number, writer: Writer) {
    this.#frozen = frozen
    this.#header = header
    this.#total = total
    this.#writer = writer
    this.#rows = new RowBlocks(writer)
    this.#ends = new Int32Array(total)
  }

  *places(): Generator<Place> {
    if (this.#header.length > 0) {
      const start = this.#writer.position
      this.#writer.varint(this.#header.length)
      for (const value of this.#header) this.#writer.f64(value)
      yield { section: 'header', keyGroup: -1, start, end: this.#writer.position }
    }
    for (const frozen of this.#frozen) {
      yield* this.#table(frozen)
      for (let index = 0; index < frozen.picture.masks.length; index++)
        yield* this.#set(frozen, index)
    }
  }

  *#table({ namespace, picture }: Frozen): Generator<Place> {
    const writer = this.#writer
    const order = this.#order
    const slots = sliceSlotsOf(picture.table.kernel.stride)
    for (let from = 0; from < picture.count; from += slots) {
      const to = Math.min(from + slots, picture.count)
      const groups = picture.table.groups(to, this.#total)
      this.#sort(to - from, (member) => groups[from + member]!)
      picture.load(from, to)
      for (const { keyGroup, first, end } of this.#groups()) {
        const start = this.#rows.write(namespace, picture, from, order, first, end)
        yield { section: 'rows', keyGroup, start, end: writer.position }
      }
      picture.written(to)
    }
  }

  *#set({ namespace, picture }: Frozen, index: number): Generator<Place> {
    const set = picture.table.sets[index]
    const masks = picture.masks[index]
    const count = picture.entries[index] ?? 0
    if (set === undefined || masks === undefined) return
    const groups = picture.table.groups(picture.count, this.#total)
    const writer = this.#writer
    for (let from = 0; from < count; from += sliceEntries) {
      const to = Math.min(from + sliceEntries, count)
      this.#sort(to - from, (member) => groups[set.slotAt(from + member)]!)
      for (const { keyGroup, first, end } of this.#groups()) {
        const start = writer.position
        writer.f64(namespace)
        writer.varint(index + 1)
        for (let i = first; i < end; i++) {
          const entry = from + this.#order[i]!
          writer.varint(set.slotAt(entry))
          writer.varint(masks[entry]!)
          const block = writer.beginBlock()
          dynamic.write(set.valueAt(entry), writer)
          writer.endBlock(block)
        }
        yield { section: 'distinct', keyGroup, start, end: writer.position }
      }
    }
  }

  /** Counting sort of the members 0 to `count` of a slice; those of a group keep their order. */
  #sort(count: number, groupOf: (member: number) => number): void {
    const ends = this.#ends
    const order = this.#order
    ends.fill(0)
    for (let member = 0; member < count; member++) ends[groupOf(member)]!++
    let sum = 0
    for (let group = 0; group < ends.length; group++) {
      const members = ends[group]!
      ends[group] = sum
      sum += members
    }
    for (let member = 0; member < count; member++) order[ends[groupOf(member)]!++] = member
  }

  /** The groups of the slice that have members: `#order[first, end)`. */
  *#groups(): Generator<{
    readonly keyGroup: number
    readonly first: number
    readonly end: number
  }> {
    let first = 0
    for (let keyGroup = 0; keyGroup < this.#ends.length; keyGroup++) {
      const end = this.#ends[keyGroup]!
      if (end > first) yield { keyGroup, first, end }
      first = end
    }
  }
}

/** Whole pages, so that a page is written once. */
function sliceSlotsOf(stride: number): number {
  const slots = Math.floor(sliceBytes / (stride * 8))
  return Math.min(Math.max(slots & ~(pageRows - 1), sliceSlotsMin), sliceSlotsMax)
}
