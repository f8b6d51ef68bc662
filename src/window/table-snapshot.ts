/** Accumulator tables in snapshots: pictures cut into blocks by key group. `table-restore.ts` reads them. */
import { Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import type { AccumulatorTable, TablePicture } from './accumulator-table.ts'

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
  const blocks = new GroupedBlocks(range.total)
  for (const { namespace, picture } of pictures) {
    const { table } = picture
    for (let from = 0; from < picture.count; from += sliceSlots) {
      const to = Math.min(from + sliceSlots, picture.count)
      const groups = table.groups(to, range.total)
      blocks.begin('table', namespace, -1)
      for (let slot = from; slot < to; slot++)
        picture.writeSlot(slot, table.keyAt(slot), blocks.writer(groups[slot] ?? 0))
      yield blocks.take()
    }
    for (let index = 0; index < picture.masks.length; index++)
      yield* writeSet(namespace, picture, index, blocks, range.total)
  }
}

function* writeSet(
  namespace: number,
  picture: TablePicture,
  index: number,
  blocks: GroupedBlocks,
  total: number,
): Generator<readonly SnapshotBlock[]> {
  const set = picture.table.sets[index]
  const masks = picture.masks[index]
  const count = picture.entries[index] ?? 0
  if (set === undefined || masks === undefined) return
  for (let from = 0; from < count; from += sliceSlots) {
    const groups = picture.table.groups(picture.count, total)
    blocks.begin('distinct', namespace, index)
    const to = Math.min(from + sliceSlots, count)
    for (let entry = from; entry < to; entry++) {
      const slot = set.slotAt(entry)
      const writer = blocks.writer(groups[slot] ?? 0)
      writer.varint(slot)
      writer.varint(masks[entry] ?? 0)
      const block = writer.beginBlock()
      dynamic.write(set.valueAt(entry), writer)
      writer.endBlock(block)
    }
    yield blocks.take()
  }
}

/** Sorts what one slice writes into one block per key group. Buffers are kept from slice to slice. */
class GroupedBlocks {
  readonly #writers: (Writer | undefined)[]
  #section = ''
  #namespace = 0
  #index = 0

  constructor(groups: number) {
    this.#writers = new Array<Writer | undefined>(groups).fill(undefined)
  }

  begin(section: string, namespace: number, index: number): void {
    this.#section = section
    this.#namespace = namespace
    this.#index = index
  }

  writer(group: number): Writer {
    const writer = this.#writers[group]
    return writer !== undefined && writer.position > 0 ? writer : this.#open(group)
  }

  /** The blocks since `begin`, in order of key groups. */
  take(): readonly SnapshotBlock[] {
    const blocks: SnapshotBlock[] = []
    this.#writers.forEach((writer, keyGroup) => {
      if (writer === undefined || writer.position === 0) return
      blocks.push({ section: this.#section, keyGroup, bytes: writer.finish() })
      writer.clear()
    })
    return blocks
  }

  #open(group: number): Writer {
    const writer = this.#writers[group] ?? new Writer()
    this.#writers[group] = writer
    writer.f64(this.#namespace)
    writer.varint(this.#index + 1)
    return writer
  }
}
