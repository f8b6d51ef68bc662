/**
 * A picture of a keyed store, written page by page.
 *
 * 1. `freeze` marks every page of every key group as pending: one byte per 128 keys.
 * 2. Before the first change to a pending page, `keep` copies its deadlines and an image per state; its keys are copied
 *    only when one of them comes or goes.
 * 3. `next` takes pages in order, kept or live, and encodes them until its budget is used up. What is too long for one
 *    go (a list of a million items) is continued in parts, before the next page.
 *
 * Blocks lie in one buffer that is used again by the next call.
 */
import { assert } from '../base/assert.ts'
import type { Writer } from '../schema/bytes.ts'
import type { Key } from '../schema/types.ts'
import { pageRows, pageShift } from './accumulators.ts'
import {
  beginLength,
  endLength,
  type Header,
  record,
  section,
  writeDeadlines,
  writeHeader,
  writeKey,
  writeKeys,
} from './block-format.ts'
import type { Rest, Shard } from './column.ts'
import type { FrozenState, SnapshotBlock } from './contract.ts'

/** Larger blocks are closed and another one of the same key group is begun. */
const blockBytesMax = 1 << 20

interface PageKeys {
  /** Offsets in the page of slots in use. */
  readonly rows: readonly number[]
  readonly keys: readonly Key[]
}

interface PageImage {
  readonly columns: readonly unknown[]
  readonly deadlines: Float64Array
  /** Index of the first deadline. */
  readonly start: number
}

interface OpenBlock {
  readonly start: number
  readonly shard: Shard
}

export class StorePicture implements FrozenState {
  private readonly shards: readonly Shard[]
  private readonly header: Header
  private readonly nowMs: number
  private readonly onEnd: () => void
  private readonly kept: Map<Shard, (PageImage | undefined)[]> = new Map()
  private readonly keptKeys: Map<Shard, (PageKeys | undefined)[]> = new Map()
  private readonly rest: Rest[] = []
  private shardIndex = 0
  private page = 0
  private ended = false
  private readonly writer: Writer

  constructor(
    shards: readonly Shard[],
    header: Header,
    nowMs: number,
    writer: Writer,
    onEnd: () => void,
  ) {
    this.shards = shards
    this.header = header
    this.nowMs = nowMs
    this.writer = writer
    this.onEnd = onEnd
    for (const shard of shards) {
      const pages = (shard.table.slotEnd + pageRows - 1) >> pageShift
      shard.pending = new Uint8Array(pages).fill(1)
      shard.pendingKeys = new Uint8Array(pages).fill(1)
    }
  }

  /** Before a change to the values of a pending page. */
  keep(shard: Shard, page: number): void {
    shard.pending![page] = 0
    put(this.kept, shard, page, imageOf(shard, page, true))
  }

  /** Before a key of a pending page comes or goes. */
  keepKeys(shard: Shard, page: number): void {
    shard.pendingKeys![page] = 0
    put(this.keptKeys, shard, page, keysOf(shard, page))
  }

  next(budgetBytes: number): readonly SnapshotBlock[] | undefined {
    if (this.ended) return undefined
    const { writer } = this
    writer.clear()
    const ends: { readonly start: number; readonly end: number; readonly group: number }[] = []
    let open: OpenBlock | undefined
    const close = (): void => {
      if (open !== undefined)
        ends.push({ start: open.start, end: writer.position, group: open.shard.group })
      open = undefined
    }
    while (writer.position < budgetBytes || ends.length + (open === undefined ? 0 : 1) === 0) {
      const shard = this.shards[this.shardIndex]
      if (shard === undefined) break
      if (this.rest.length === 0 && this.page >= shard.pending!.length) {
        close()
        this.forget(shard)
        this.shardIndex++
        this.page = 0
        continue
      }
      if (open === undefined) {
        open = { start: writer.position, shard }
        writeHeader(this.header, writer)
      }
      if (this.rest.length > 0) this.writeRest(shard)
      else this.writePage(shard, this.page++)
      if (writer.position - open.start > blockBytesMax) close()
    }
    close()
    if (this.shardIndex === this.shards.length && this.rest.length === 0) this.end()
    if (ends.length === 0) return undefined
    return ends.map(
      ({ start, end, group }): SnapshotBlock => ({
        section,
        keyGroup: group,
        bytes: writer.bytes.subarray(start, end),
      }),
    )
  }

  abandon(): void {
    if (!this.ended) this.end()
  }

  private end(): void {
    this.ended = true
    for (const shard of this.shards) this.forget(shard)
    this.rest.length = 0
    this.onEnd()
  }

  private forget(shard: Shard): void {
    shard.pending = undefined
    shard.pendingKeys = undefined
    for (const image of this.kept.get(shard) ?? []) if (image !== undefined) giveBack(shard, image)
    this.kept.delete(shard)
    this.keptKeys.delete(shard)
  }

  private writePage(shard: Shard, page: number): void {
    const { writer } = this
    const kept = this.kept.get(shard)?.[page]
    const { rows, keys } = this.keptKeys.get(shard)?.[page] ?? keysOf(shard, page)
    const image = kept ?? imageOf(shard, page, false)
    assert(
      kept !== undefined || shard.pending![page] === 1,
      'a page of the picture is kept or unchanged',
    )
    shard.pending![page] = 0
    shard.pendingKeys![page] = 0
    if (rows.length > 0) {
      writer.u8(record.page)
      writeKeys(keys, writer)
      for (let i = 0; i < shard.columns.length; i++) {
        const length = beginLength(writer)
        shard.columns[i]!.write(image.columns[i], rows, keys, this.nowMs, writer, this.rest)
        endLength(writer, length)
      }
      writeDeadlines(image.deadlines, image.start, shard.timers.count, rows, writer)
    }
    if (kept === undefined) return
    giveBack(shard, kept)
    this.kept.get(shard)![page] = undefined
  }

  private writeRest(shard: Shard): void {
    const { writer } = this
    const one = this.rest[this.rest.length - 1]!
    writer.u8(record.part)
    writeKey(one.key, writer)
    writer.varint(shard.columns.indexOf(one.column))
    const length = beginLength(writer)
    if (!one.write(writer)) this.rest.pop()
    endLength(writer, length)
  }
}

function put<Value>(
  kept: Map<Shard, (Value | undefined)[]>,
  shard: Shard,
  page: number,
  value: Value,
): void {
  let pages = kept.get(shard)
  if (pages === undefined) {
    pages = new Array<Value | undefined>(shard.pending!.length).fill(undefined)
    kept.set(shard, pages)
  }
  pages[page] = value
}

function keysOf(shard: Shard, page: number): PageKeys {
  const { table } = shard
  const rows: number[] = []
  const keys: Key[] = []
  const from = page << pageShift
  const to = Math.min(from + pageRows, table.slotEnd)
  for (let slot = from; slot < to; slot++) {
    if (!table.has(slot)) continue
    rows.push(slot - from)
    keys.push(table.keyAt(slot))
  }
  return { rows, keys }
}

function imageOf(shard: Shard, page: number, copy: boolean): PageImage {
  const { columns, timers } = shard
  const images: unknown[] = []
  for (let i = 0; i < columns.length; i++) images.push(columns[i]!.image(page, copy))
  const deadlines = copy ? timers.image(page) : timers.deadlines
  return { columns: images, deadlines, start: copy ? 0 : (page << pageShift) * timers.count }
}

function giveBack(shard: Shard, image: PageImage): void {
  for (let i = 0; i < shard.columns.length; i++) shard.columns[i]!.giveBack(image.columns[i])
}
