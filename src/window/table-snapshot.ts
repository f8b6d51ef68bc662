/**
 * Accumulator tables in snapshots (docs/formats/state.md), cut into blocks by key group; `table-restore.ts` reads them.
 *
 * A slice of slots is sorted by key group, then written group after group to one buffer: that of the call, which the
 * next call uses again. So a call may end after any group, and writes about as much as it was asked for.
 *
 * A picture of the changes begins with a block `base`: which tables there are, and how many slots of each the pictures
 * before have. Its rows and entries replace theirs and add to them.
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
 * owner gets back at restore; it is written once, unkeyed. `changesOnly`: the pictures before are still there, and what
 * did not change since the last one may be left out; the result says whether it is.
 */
export function freezeTables(
  tables: readonly { readonly namespace: number; readonly table: AccumulatorTable }[],
  header: readonly number[],
  range: KeyGroupRange,
  changesOnly: boolean = false,
): FrozenState {
  const only = changesOnly && isWorthwhile(tables.map(({ table }) => table))
  const frozen = tables.map(({ namespace, table }) => ({ namespace, picture: table.freeze(only) }))
  const writer = new Writer()
  const places = new TablesWriter(frozen, header, range.total, writer).places(only)
  const finish = (): void => {
    for (const { picture } of frozen) picture.onDone()
  }
  return frozenBlocks(writer, places, finish, only)
}

/** Where half of the rows have changed, all of them are hardly more to write, and less to keep and to read. */
function isWorthwhile(tables: readonly AccumulatorTable[]): boolean {
  let [changed, all] = [0, 0]
  for (const table of tables) {
    changed += table.changed()
    all += table.size
  }
  return changed * 2 < all
}

class TablesWriter {
  readonly #frozen: readonly Frozen[]
  readonly #header: readonly number[]
  readonly #total: number
  readonly #writer: Writer
  readonly #rows: RowBlocks
  readonly #slice: GroupSort
  readonly #members: Uint16Array = new Uint16Array(sliceSlotsMax)

  constructor(frozen: readonly Frozen[], header: readonly number[], total: number, writer: Writer) {
    this.#frozen = frozen
    this.#header = header
    this.#total = total
    this.#writer = writer
    this.#rows = new RowBlocks(writer)
    this.#slice = new GroupSort(sliceSlotsMax, total)
  }

  *places(changesOnly: boolean): Generator<Place> {
    if (changesOnly) {
      const start = this.#writer.position
      this.#writer.varint(this.#frozen.length)
      for (const { namespace, picture } of this.#frozen) {
        this.#writer.f64(namespace)
        this.#writer.varint(picture.earlier?.count ?? 0)
      }
      yield { section: 'base', keyGroup: -1, start, end: this.#writer.position }
    }
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
    const someOnly = picture.earlier !== undefined
    const slots = someOnly ? sliceSlotsMax : sliceSlotsOf(picture.table.kernel.stride)
    for (let from = 0; from < picture.count; from += slots) {
      const to = Math.min(from + slots, picture.count)
      const groups = picture.table.groups(to, this.#total)
      const groupOf = (member: number): number => groups[from + member]!
      if (someOnly) {
        const picked = picture.pickSlots(from, to, this.#members)
        this.#slice.sortSome(this.#members, picked, groupOf)
      } else {
        this.#slice.sort(to - from, groupOf)
        picture.load(from, to)
      }
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
      const picked = picture.pickEntries(index, from, to, this.#members)
      this.#slice.sortSome(this.#members, picked, (member) => groups[set.slotAt(from + member)]!)
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
