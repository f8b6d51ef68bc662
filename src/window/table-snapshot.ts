/**
 * Accumulator tables in snapshots (docs/formats/state.md), cut into blocks by key group; `table-restore.ts` reads them.
 *
 * A slice of slots is sorted by key group, then written group after group to one buffer: that of the call, which the
 * next call uses again. So a call may end after any group, and writes about as much as it was asked for.
 */
import { Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { FrozenState, KeyGroupRange } from '../state/contract.ts'
import { pageRows } from '../state/accumulators.ts'
import type { AccumulatorTable } from './accumulator-table.ts'
import { frozenBlocks, GroupSort, type Place } from './frozen-blocks.ts'
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
  return frozenBlocks(writer, places, finish)
}

class TablesWriter {
  readonly #frozen: readonly Frozen[]
  readonly #header: readonly number[]
  readonly #total: number
  readonly #writer: Writer
  readonly #rows: RowBlocks
  readonly #slice: GroupSort

  constructor(frozen: readonly Frozen[], header: readonly number[], total: number, writer: Writer) {
    this.#frozen = frozen
    this.#header = header
    this.#total = total
    this.#writer = writer
    this.#rows = new RowBlocks(writer)
    this.#slice = new GroupSort(sliceSlotsMax, total)
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
    const { order } = this.#slice
    const slots = sliceSlotsOf(picture.table.kernel.stride)
    for (let from = 0; from < picture.count; from += slots) {
      const to = Math.min(from + slots, picture.count)
      const groups = picture.table.groups(to, this.#total)
      this.#slice.sort(to - from, (member) => groups[from + member]!)
      picture.load(from, to)
      for (const { keyGroup, first, end } of this.#slice.groups()) {
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
      this.#slice.sort(to - from, (member) => groups[set.slotAt(from + member)]!)
      for (const { keyGroup, first, end } of this.#slice.groups()) {
        const start = writer.position
        writer.f64(namespace)
        writer.varint(index + 1)
        for (let i = first; i < end; i++) {
          const entry = from + this.#slice.order[i]!
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
}

/** Whole pages, so that a page is written once. */
function sliceSlotsOf(stride: number): number {
  const slots = Math.floor(sliceBytes / (stride * 8))
  return Math.min(Math.max(slots & ~(pageRows - 1), sliceSlotsMin), sliceSlotsMax)
}
