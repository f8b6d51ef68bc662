/**
 * Values of fixed width: rows of doubles off the garbage-collected heap. The first word of a row says whether there is
 * a value and until when: 0 is none, +Infinity for ever.
 */
import type { Reader, Writer } from '../schema/bytes.ts'
import type { Key, Schema } from '../schema/types.ts'
import { FixedRows, type PagePool, pageShift } from './accumulators.ts'
import {
  beginBits,
  bitAt,
  expiryOf,
  type LiteralTable,
  readBits,
  restoredExpiry,
  setBit,
  type Shard,
  type StateFacts,
  type StoreCore,
  type ValueColumn,
} from './column.ts'
import { damagedState, unfitValue } from './complaints.ts'
import { type FixedLayout, isWord } from './fixed-layout.ts'

interface Image {
  readonly values: Float64Array
  /** Of the first row of the page. */
  readonly start: number
  readonly copied: boolean
}

export class FixedColumn implements ValueColumn {
  private readonly core: StoreCore
  private readonly shard: Shard
  private readonly facts: StateFacts
  private readonly schema: Schema<unknown>
  private readonly layout: FixedLayout
  private readonly rows: FixedRows
  private readonly stride: number

  constructor(
    core: StoreCore,
    shard: Shard,
    facts: StateFacts,
    schema: Schema<unknown>,
    layout: FixedLayout,
    pool: PagePool,
  ) {
    this.core = core
    this.shard = shard
    this.facts = facts
    this.schema = schema
    this.layout = layout
    this.stride = layout.words + 1
    this.rows = new FixedRows(this.stride, 0, 16, pool)
  }

  // hot: up to once per record
  get(slot: number): unknown {
    const at = slot * this.stride
    const until = this.rows.values[at]!
    if (until === 0) return undefined
    if (until !== Number.POSITIVE_INFINITY && until <= this.core.nowMs()) return undefined
    return this.layout.read(this.rows.values, at + 1)
  }

  // hot: up to once per record
  set(slot: number, value: unknown): void {
    const { values } = this.rows
    const at = slot * this.stride
    if (this.core.marked) this.rememberRow(slot)
    if (!this.layout.write(values, at + 1, value)) {
      throw unfitValue(this.core, this.facts.name, this.schema, value)
    }
    if (values[at] === 0) {
      this.shard.held[slot]!++
      this.facts.entries++
    }
    values[at] =
      this.facts.ttlMs === 0 ? Number.POSITIVE_INFINITY : expiryOf(this.facts, this.core.nowMs())
  }

  remove(slot: number): void {
    const { values } = this.rows
    const at = slot * this.stride
    if (values[at] === 0) return
    if (this.core.marked) this.rememberRow(slot)
    values[at] = 0
    this.shard.held[slot]!--
    this.facts.entries--
  }

  ensure(slot: number): void {
    this.rows.ensure(slot)
  }

  image(page: number, copy: boolean): Image {
    if (copy) return { values: this.rows.copyPage(page), start: 0, copied: true }
    return { values: this.rows.values, start: (page << pageShift) * this.stride, copied: false }
  }

  giveBack(image: Image): void {
    if (image.copied) this.rows.giveBack(image.values)
  }

  write(
    image: Image,
    rows: readonly number[],
    _keys: readonly Key[],
    nowMs: number,
    writer: Writer,
  ): void {
    const { stride, facts } = this
    const { values, start } = image
    const bits = beginBits(writer, rows.length)
    for (let i = 0; i < rows.length; i++) {
      const at = start + rows[i]! * stride
      const until = values[at]!
      if (until === 0 || until <= nowMs) continue
      setBit(writer, bits, i)
      if (facts.ttlMs > 0) writer.f64(until)
      for (let word = 1; word < stride; word++) writer.f64(values[at + word]!)
    }
  }

  read(reader: Reader, slots: Int32Array, withTtl: boolean, table: LiteralTable | undefined): void {
    const { values } = this.rows
    const { fields } = this.layout
    const nowMs = this.core.nowMs()
    const bits = readBits(reader, slots.length)
    for (let i = 0; i < slots.length; i++) {
      if (!bitAt(reader, bits, i)) continue
      const at = slots[i]! * this.stride
      if (values[at] !== 0)
        throw damagedState(
          this.core.operator,
          `state "${this.facts.name}" has two values for a key`,
        )
      values[at] = restoredExpiry(this.facts, withTtl ? reader.f64() : undefined, nowMs)
      for (let word = 0; word < fields.length; word++) {
        const stored = reader.f64()
        const codes = table?.[word]
        const made = codes === undefined ? stored : (codes[stored] ?? -1)
        if (!isWord(fields[word]!, made)) {
          throw damagedState(
            this.core.operator,
            `state "${this.facts.name}" holds ${stored} where it cannot be`,
          )
        }
        values[at + 1 + word] = made
      }
      this.shard.held[slots[i]!]!++
      this.facts.entries++
    }
  }

  readPart(): void {
    throw damagedState(this.core.operator, `state "${this.facts.name}" does not come in parts`)
  }

  hasExpired(slot: number, nowMs: number): boolean {
    const until = this.rows.values[slot * this.stride]!
    return until !== 0 && until <= nowMs
  }

  expire(slot: number, nowMs: number): number {
    if (!this.hasExpired(slot, nowMs)) return 0
    this.remove(slot)
    this.facts.expired++
    return 1
  }

  bytes(): number {
    return this.rows.values.byteLength
  }

  private rememberRow(slot: number): void {
    const at = slot * this.stride
    const old = this.rows.values.slice(at, at + this.stride)
    this.core.undo.push(() => {
      const { values } = this.rows
      const change = (old[0] === 0 ? 0 : 1) - (values[at] === 0 ? 0 : 1)
      this.shard.held[slot]! += change
      this.facts.entries += change
      values.set(old, at)
    })
  }
}

/** Codes of stored literals as codes of the declared ones. Undefined where a stored literal is not declared any more. */
export function literalTable(
  layout: FixedLayout,
  stored: readonly (readonly string[])[],
): LiteralTable | string {
  const table: (Int32Array | undefined)[] = []
  for (let word = 0; word < layout.fields.length; word++) {
    const type = layout.fields[word]!
    if (type.kind !== 'literals') {
      table.push(undefined)
      continue
    }
    const texts = stored[table.filter((codes) => codes !== undefined).length] ?? []
    const missing = texts.find((text) => !type.values.includes(text))
    if (missing !== undefined) return missing
    table.push(Int32Array.from(texts, (text) => type.values.indexOf(text)))
  }
  return table
}
