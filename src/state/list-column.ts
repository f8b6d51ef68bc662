/**
 * Lists of frozen items. A list only grows, or is replaced by none: a picture keeps (array, length). With a time to
 * live the list expires as a whole, that long after the last item came.
 */
import type { Reader, Writer } from '../schema/bytes.ts'
import { type ValueCodec, valueCodec } from '../schema/codec.ts'
import type { Key, Schema } from '../schema/types.ts'
import { pageRows, pageShift } from './accumulators.ts'
import {
  beginBits,
  bitAt,
  type Column,
  expiryOf,
  grownDoubles,
  meanBytes,
  partElements,
  readBits,
  type Rest,
  restoredExpiry,
  sample,
  setBit,
  type Shard,
  type StateFacts,
  type StoreCore,
} from './column.ts'
import { damagedState, ownFor } from './complaints.ts'

interface Image {
  readonly lists: readonly (unknown[] | undefined)[]
  /** By row; undefined when the lists themselves still have their lengths. */
  readonly lengths: Float64Array | undefined
  readonly until: Float64Array | undefined
  readonly start: number
}

const none: readonly unknown[] = Object.freeze([])

export class ListColumn implements Column {
  private readonly core: StoreCore
  private readonly shard: Shard
  private readonly facts: StateFacts
  private readonly schema: Schema<unknown>
  private readonly codec: ValueCodec<unknown>
  private readonly lists: (unknown[] | undefined)[] = []
  private until: Float64Array | undefined
  private items = 0

  constructor(core: StoreCore, shard: Shard, facts: StateFacts, schema: Schema<unknown>) {
    this.core = core
    this.shard = shard
    this.facts = facts
    this.schema = schema
    this.codec = valueCodec(schema)
    this.until = facts.ttlMs > 0 ? new Float64Array(16) : undefined
  }

  /** The list itself: not for users. */
  listAt(slot: number): readonly unknown[] {
    const list = this.lists[slot]
    if (list === undefined) return none
    return this.until !== undefined && this.until[slot]! <= this.core.nowMs() ? none : list
  }

  add(slot: number, item: unknown): void {
    const owned = ownFor(this.core, this.facts.name, this.schema, item, ' (an item)')
    sample(this.facts, owned)
    const nowMs = this.facts.ttlMs === 0 ? 0 : this.core.nowMs()
    if (this.facts.ttlMs > 0) this.expire(slot, nowMs)
    const list = this.lists[slot]
    if (list === undefined) this.replace(slot, [owned])
    else {
      if (this.core.marked) {
        this.core.undo.push(() => {
          list.pop()
          this.count(-1)
        })
      }
      list.push(owned)
      this.count(1)
    }
    if (this.until !== undefined) this.setUntil(slot, expiryOf(this.facts, nowMs))
  }

  remove(slot: number): void {
    if (this.lists[slot] !== undefined) this.replace(slot, undefined)
  }

  ensure(slot: number): void {
    while (this.lists.length <= slot) this.lists.push(undefined)
    if (this.until !== undefined && slot >= this.until.length)
      this.until = grownDoubles(this.until, slot)
  }

  image(page: number, copy: boolean): Image {
    const from = page << pageShift
    if (!copy) return { lists: this.lists, lengths: undefined, until: this.until, start: from }
    const lists = this.lists.slice(from, from + pageRows)
    const lengths = Float64Array.from(lists, (list) => list?.length ?? 0)
    return { lists, lengths, until: this.until?.slice(from, from + pageRows), start: 0 }
  }

  giveBack(): void {}

  write(
    image: Image,
    rows: readonly number[],
    keys: readonly Key[],
    nowMs: number,
    writer: Writer,
    rest: Rest[],
  ): void {
    const { lists, lengths, until, start } = image
    const bits = beginBits(writer, rows.length)
    for (let i = 0; i < rows.length; i++) {
      const at = start + rows[i]!
      const list = lists[at]
      if (list === undefined || (until !== undefined && until[at]! <= nowMs)) continue
      setBit(writer, bits, i)
      if (until !== undefined) writer.f64(until[at]!)
      const length = lengths === undefined ? list.length : lengths[at]!
      let next = this.writeItems(list, 0, length, writer)
      if (next === length) continue
      rest.push({
        key: keys[i]!,
        column: this,
        write: (into) => {
          next = this.writeItems(list, next, length, into)
          return next < length
        },
      })
    }
  }

  read(reader: Reader, slots: Int32Array, withTtl: boolean): void {
    const nowMs = this.core.nowMs()
    const bits = readBits(reader, slots.length)
    for (let i = 0; i < slots.length; i++) {
      if (!bitAt(reader, bits, i)) continue
      const slot = slots[i]!
      if (this.lists[slot] !== undefined) {
        throw damagedState(this.core.operator, `state "${this.facts.name}" has two lists for a key`)
      }
      const until = restoredExpiry(this.facts, withTtl ? reader.f64() : undefined, nowMs)
      if (this.until !== undefined) this.until[slot] = until
      this.replace(slot, [])
      this.readPart(reader, slot)
    }
  }

  readPart(reader: Reader, slot: number): void {
    const list = this.lists[slot]
    if (list === undefined)
      throw damagedState(
        this.core.operator,
        `state "${this.facts.name}" continues a list that it did not begin`,
      )
    for (let left = reader.varint(); left > 0; left--) {
      const item = this.schema.own(this.codec.read(reader))
      sample(this.facts, item)
      list.push(item)
      this.count(1)
    }
  }

  hasExpired(slot: number, nowMs: number): boolean {
    return this.until !== undefined && this.lists[slot] !== undefined && this.until[slot]! <= nowMs
  }

  expire(slot: number, nowMs: number): number {
    if (!this.hasExpired(slot, nowMs)) return 0
    const items = this.lists[slot]!.length
    this.remove(slot)
    this.facts.expired += items
    return items
  }

  bytes(): number {
    return (
      this.lists.length * 8 +
      (this.until?.byteLength ?? 0) +
      this.items * (meanBytes(this.facts) + 8)
    )
  }

  private writeItems(
    list: readonly unknown[],
    from: number,
    length: number,
    writer: Writer,
  ): number {
    const to = Math.min(from + partElements, length)
    writer.varint(to - from)
    for (let i = from; i < to; i++) this.codec.write(list[i], writer)
    return to
  }

  private replace(slot: number, list: unknown[] | undefined): void {
    const old = this.lists[slot]
    if (this.core.marked) this.core.undo.push(() => this.put(slot, old))
    this.put(slot, list)
  }

  private put(slot: number, list: unknown[] | undefined): void {
    const old = this.lists[slot]
    this.lists[slot] = list
    this.count((list?.length ?? 0) - (old?.length ?? 0))
    this.shard.held[slot]! += (list === undefined ? 0 : 1) - (old === undefined ? 0 : 1)
  }

  private setUntil(slot: number, until: number): void {
    const old = this.until![slot]!
    if (this.core.marked) this.core.undo.push(() => (this.until![slot] = old))
    this.until![slot] = until
  }

  private count(change: number): void {
    this.items += change
    this.facts.entries += change
  }
}
