/** Values of any schema, kept as deep frozen copies: a picture keeps references, `get` returns them as they are. */
import type { Reader, Writer } from '../schema/bytes.ts'
import { type ValueCodec, valueCodec } from '../schema/codec.ts'
import type { Key, Schema } from '../schema/types.ts'
import { pageRows, pageShift } from './accumulators.ts'
import {
  beginBits,
  bitAt,
  expiryOf,
  grownDoubles,
  meanBytes,
  readBits,
  restoredExpiry,
  sample,
  setBit,
  type Shard,
  type StateFacts,
  type StoreCore,
  type ValueColumn,
} from './column.ts'
import { damagedState, ownFor } from './complaints.ts'

interface Image {
  readonly values: readonly unknown[]
  readonly until: Float64Array | undefined
  /** Slot of the first row. */
  readonly start: number
}

export class ObjectColumn implements ValueColumn {
  private readonly core: StoreCore
  private readonly shard: Shard
  private readonly facts: StateFacts
  private readonly schema: Schema<unknown>
  private readonly codec: ValueCodec<unknown>
  private readonly values: unknown[] = []
  private until: Float64Array | undefined
  private count = 0

  constructor(core: StoreCore, shard: Shard, facts: StateFacts, schema: Schema<unknown>) {
    this.core = core
    this.shard = shard
    this.facts = facts
    this.schema = schema
    this.codec = valueCodec(schema)
    this.until = facts.ttlMs > 0 ? new Float64Array(16) : undefined
  }

  get(slot: number): unknown {
    const value = this.values[slot]
    if (value === undefined || this.until === undefined) return value
    return this.until[slot]! <= this.core.nowMs() ? undefined : value
  }

  set(slot: number, value: unknown): void {
    const owned = ownFor(this.core, this.facts.name, this.schema, value)
    sample(this.facts, owned)
    this.replace(slot, owned, this.facts.ttlMs === 0 ? 0 : expiryOf(this.facts, this.core.nowMs()))
  }

  remove(slot: number): void {
    this.replace(slot, undefined, 0)
  }

  ensure(slot: number): void {
    while (this.values.length <= slot) this.values.push(undefined)
    if (this.until !== undefined && slot >= this.until.length)
      this.until = grownDoubles(this.until, slot)
  }

  image(page: number, copy: boolean): Image {
    if (!copy) return { values: this.values, until: this.until, start: page << pageShift }
    const from = page << pageShift
    const to = from + pageRows
    return { values: this.values.slice(from, to), until: this.until?.slice(from, to), start: 0 }
  }

  giveBack(): void {}

  write(
    image: Image,
    rows: readonly number[],
    _keys: readonly Key[],
    nowMs: number,
    writer: Writer,
  ): void {
    const { values, until, start } = image
    const bits = beginBits(writer, rows.length)
    for (let i = 0; i < rows.length; i++) {
      const at = start + rows[i]!
      const value = values[at]
      if (value === undefined || (until !== undefined && until[at]! <= nowMs)) continue
      setBit(writer, bits, i)
      if (until !== undefined) writer.f64(until[at]!)
      this.codec.write(value, writer)
    }
  }

  read(reader: Reader, slots: Int32Array, withTtl: boolean): void {
    const nowMs = this.core.nowMs()
    const bits = readBits(reader, slots.length)
    for (let i = 0; i < slots.length; i++) {
      if (!bitAt(reader, bits, i)) continue
      const slot = slots[i]!
      if (this.values[slot] !== undefined) {
        throw damagedState(
          this.core.operator,
          `state "${this.facts.name}" has two values for a key`,
        )
      }
      const until = restoredExpiry(this.facts, withTtl ? reader.f64() : undefined, nowMs)
      const value = this.schema.own(this.codec.read(reader))
      if (value === undefined)
        throw damagedState(this.core.operator, `state "${this.facts.name}" holds an absent value`)
      sample(this.facts, value)
      this.replace(slot, value, until)
    }
  }

  readPart(): void {
    throw damagedState(this.core.operator, `state "${this.facts.name}" does not come in parts`)
  }

  hasExpired(slot: number, nowMs: number): boolean {
    return this.until !== undefined && this.values[slot] !== undefined && this.until[slot]! <= nowMs
  }

  expire(slot: number, nowMs: number): number {
    if (!this.hasExpired(slot, nowMs)) return 0
    this.remove(slot)
    this.facts.expired++
    return 1
  }

  bytes(): number {
    return (
      this.values.length * 8 + (this.until?.byteLength ?? 0) + this.count * meanBytes(this.facts)
    )
  }

  private replace(slot: number, value: unknown, until: number): void {
    const old = this.values[slot]
    const oldUntil = this.until === undefined ? 0 : this.until[slot]!
    if (this.core.marked) this.core.undo.push(() => this.put(slot, old, oldUntil))
    this.put(slot, value, until)
  }

  private put(slot: number, value: unknown, until: number): void {
    const change = (value === undefined ? 0 : 1) - (this.values[slot] === undefined ? 0 : 1)
    this.values[slot] = value
    if (this.until !== undefined) this.until[slot] = until
    if (change === 0) return
    this.shard.held[slot]! += change
    this.facts.entries += change
    this.count += change
  }
}
