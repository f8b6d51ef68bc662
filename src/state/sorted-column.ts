/**
 * Maps per key in ascending order of their keys: two sorted arrays and a first place. Look-ups are binary searches;
 * appending in order and removing from the front are cheap, an insertion elsewhere moves what follows.
 *
 * A picture keeps (arrays, first, end). Appending and moving `first` do not touch what it sees; every other change of
 * arrays from before the freeze copies them once.
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
import { type Order, orderOf } from './key-order.ts'

interface Cell {
  readonly value: unknown
  readonly until: number
}

interface Sorted {
  keys: unknown[]
  cells: Cell[]
  /** Entries before this place are gone. */
  first: number
  epoch: number
}

interface Seen {
  readonly keys: readonly unknown[]
  readonly cells: readonly Cell[]
  readonly first: number
  readonly end: number
}

interface Image {
  readonly maps: readonly (Seen | undefined)[]
}

export class SortedColumn implements Column {
  private readonly core: StoreCore
  private readonly shard: Shard
  private readonly facts: StateFacts
  private readonly keySchema: Schema<unknown>
  private readonly schema: Schema<unknown>
  private readonly keyCodec: ValueCodec<unknown>
  private readonly codec: ValueCodec<unknown>
  private readonly order: Order
  private readonly maps: (Sorted | undefined)[] = []
  private count = 0

  constructor(
    core: StoreCore,
    shard: Shard,
    facts: StateFacts,
    keySchema: Schema<unknown>,
    schema: Schema<unknown>,
  ) {
    this.core = core
    this.shard = shard
    this.facts = facts
    this.keySchema = keySchema
    this.schema = schema
    this.keyCodec = valueCodec(keySchema)
    this.codec = valueCodec(schema)
    this.order = orderOf(keySchema.type, core.operator, facts.name)
  }

  get(slot: number, key: unknown): Cell | undefined {
    const map = this.maps[slot]
    if (map === undefined) return undefined
    const at = this.search(map, key)
    if (at >= map.keys.length || this.order(map.keys[at], key) !== 0) return undefined
    const cell = map.cells[at]!
    return this.isAlive(cell) ? cell : undefined
  }

  set(slot: number, key: unknown, value: unknown): void {
    const { core, facts } = this
    const owned = ownFor(core, facts.name, this.schema, value, ' (a value)')
    const ownedKey = ownFor(core, facts.name, this.keySchema, key, ' (a key)')
    sample(facts, owned)
    const until = facts.ttlMs === 0 ? Number.POSITIVE_INFINITY : expiryOf(facts, core.nowMs())
    this.put(slot, ownedKey, { value: owned, until })
  }

  delete(slot: number, key: unknown): void {
    const map = this.maps[slot]
    if (map === undefined) return
    const at = this.search(map, key)
    if (at >= map.keys.length || this.order(map.keys[at], key) !== 0) return
    this.cut(slot, at, at + 1)
  }

  deleteBefore(slot: number, key: unknown): void {
    const map = this.maps[slot]
    if (map !== undefined) this.cut(slot, map.first, this.search(map, key))
  }

  remove(slot: number): void {
    if (this.maps[slot] !== undefined) this.replace(slot, undefined)
  }

  /** Entries with `from <= key < to` that have not expired; an undefined bound is open. */
  range(slot: number, from: unknown, to: unknown): (readonly [unknown, unknown])[] {
    const map = this.maps[slot]
    const found: (readonly [unknown, unknown])[] = []
    if (map === undefined) return found
    const end = to === undefined ? map.keys.length : this.search(map, to)
    for (let at = from === undefined ? map.first : this.search(map, from); at < end; at++) {
      const cell = map.cells[at]!
      if (this.isAlive(cell)) found.push([map.keys[at], cell.value])
    }
    return found
  }

  /** The first (step 1) or last (step -1) entry that has not expired. */
  edge(slot: number, step: 1 | -1): readonly [unknown, unknown] | undefined {
    const map = this.maps[slot]
    if (map === undefined) return undefined
    for (
      let at = step === 1 ? map.first : map.keys.length - 1;
      at >= map.first && at < map.keys.length;
      at += step
    ) {
      const cell = map.cells[at]!
      if (this.isAlive(cell)) return [map.keys[at], cell.value]
    }
    return undefined
  }

  size(slot: number): number {
    const map = this.maps[slot]
    if (map === undefined) return 0
    return this.facts.ttlMs === 0
      ? map.keys.length - map.first
      : this.range(slot, undefined, undefined).length
  }

  ensure(slot: number): void {
    while (this.maps.length <= slot) this.maps.push(undefined)
  }

  image(page: number): Image {
    const from = page << pageShift
    return {
      maps: this.maps
        .slice(from, from + pageRows)
        .map((map) => (map === undefined ? undefined : seen(map))),
    }
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
    const bits = beginBits(writer, rows.length)
    for (let i = 0; i < rows.length; i++) {
      const map = image.maps[rows[i]!]
      if (map === undefined) continue
      setBit(writer, bits, i)
      let next = this.writeCells(map, map.first, nowMs, writer)
      if (next === map.end) continue
      rest.push({
        key: keys[i]!,
        column: this,
        write: (into) => {
          next = this.writeCells(map, next, nowMs, into)
          return next < map.end
        },
      })
    }
  }

  read(reader: Reader, slots: Int32Array, withTtl: boolean): void {
    const bits = readBits(reader, slots.length)
    for (let i = 0; i < slots.length; i++) {
      if (!bitAt(reader, bits, i)) continue
      if (this.maps[slots[i]!] !== undefined) {
        throw damagedState(this.core.operator, `state "${this.facts.name}" has two maps for a key`)
      }
      this.readPart(reader, slots[i]!, withTtl)
    }
  }

  readPart(reader: Reader, slot: number, withTtl: boolean): void {
    const nowMs = this.core.nowMs()
    for (let left = reader.varint(); left > 0; left--) {
      const key = this.keySchema.own(this.keyCodec.read(reader))
      const value = this.schema.own(this.codec.read(reader))
      const until = restoredExpiry(this.facts, withTtl ? reader.f64() : undefined, nowMs)
      const keys = this.maps[slot]?.keys ?? []
      if (keys.length > 0 && this.order(keys[keys.length - 1], key) >= 0) {
        throw damagedState(
          this.core.operator,
          `the keys of state "${this.facts.name}" do not ascend`,
        )
      }
      sample(this.facts, value)
      this.put(slot, key, { value, until })
    }
  }

  hasExpired(slot: number, nowMs: number): boolean {
    const map = this.maps[slot]
    if (map === undefined || this.facts.ttlMs === 0) return false
    for (let at = map.first; at < map.cells.length; at++)
      if (map.cells[at]!.until <= nowMs) return true
    return false
  }

  expire(slot: number, nowMs: number): number {
    if (!this.hasExpired(slot, nowMs)) return 0
    const before = this.count
    const map = this.maps[slot]!
    const gone = map.keys.filter((_, at) => at >= map.first && map.cells[at]!.until <= nowMs)
    for (const key of gone) this.delete(slot, key)
    this.facts.expired += before - this.count
    return before - this.count
  }

  bytes(): number {
    return this.maps.length * 8 + this.count * (meanBytes(this.facts) + 60)
  }

  private isAlive(cell: Cell): boolean {
    return cell.until === Number.POSITIVE_INFINITY || cell.until > this.core.nowMs()
  }

  /** The first place whose key is not less than `key`. */
  private search(map: Sorted, key: unknown): number {
    const { keys, first } = map
    let low = first
    let high = keys.length
    if (high > low && this.order(keys[high - 1], key) < 0) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.order(keys[middle], key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private put(slot: number, key: unknown, cell: Cell): void {
    if (this.maps[slot] === undefined) {
      this.replace(slot, { keys: [], cells: [], first: 0, epoch: this.core.epoch })
    }
    const map = this.maps[slot]!
    const at = this.search(map, key)
    const old =
      at < map.keys.length && this.order(map.keys[at], key) === 0 ? map.cells[at] : undefined
    if (this.core.marked) {
      this.core.undo.push(() => {
        if (old !== undefined) this.put(slot, key, old)
        else this.delete(slot, key)
      })
    }
    if (at < map.keys.length) this.unshare(map)
    if (old !== undefined) {
      map.cells[at] = cell
      return
    }
    if (at === map.keys.length) {
      map.keys.push(key)
      map.cells.push(cell)
    } else {
      map.keys.splice(at, 0, key)
      map.cells.splice(at, 0, cell)
    }
    this.adjust(1)
  }

  /** Removes the entries at places `from` to `to`. */
  private cut(slot: number, from: number, to: number): void {
    if (from >= to) return
    const map = this.maps[slot]!
    if (this.core.marked) {
      const keys = map.keys.slice(from, to)
      const cells = map.cells.slice(from, to)
      this.core.undo.push(() => {
        for (let i = 0; i < keys.length; i++) this.put(slot, keys[i], cells[i]!)
      })
    }
    if (from === map.first) {
      map.first = to
      // Dropped entries may be at most as many as those that are left.
      if (map.first * 2 > map.keys.length) this.trim(map)
    } else {
      this.unshare(map)
      map.keys.splice(from, to - from)
      map.cells.splice(from, to - from)
    }
    this.adjust(from - to)
    if (map.keys.length === map.first) this.replace(slot, undefined)
  }

  /** Copies the arrays unless they are of this epoch or nobody else sees them; places stay as they are. */
  private unshare(map: Sorted): void {
    if (!this.core.picturing || map.epoch === this.core.epoch) return
    map.keys = map.keys.slice()
    map.cells = map.cells.slice()
    map.epoch = this.core.epoch
  }

  private trim(map: Sorted): void {
    map.keys = map.keys.slice(map.first)
    map.cells = map.cells.slice(map.first)
    map.first = 0
    map.epoch = this.core.epoch
  }

  private writeCells(map: Seen, from: number, nowMs: number, writer: Writer): number {
    const to = Math.min(from + partElements, map.end)
    let alive = 0
    for (let at = from; at < to; at++) if (map.cells[at]!.until > nowMs) alive++
    writer.varint(alive)
    for (let at = from; at < to; at++) {
      const cell = map.cells[at]!
      if (cell.until <= nowMs) continue
      this.keyCodec.write(map.keys[at], writer)
      this.codec.write(cell.value, writer)
      if (this.facts.ttlMs > 0) writer.f64(cell.until)
    }
    return to
  }

  private replace(slot: number, map: Sorted | undefined): void {
    const old = this.maps[slot]
    if (this.core.marked) this.core.undo.push(() => this.exchange(slot, old))
    this.exchange(slot, map)
  }

  private exchange(slot: number, map: Sorted | undefined): void {
    const old = this.maps[slot]
    this.maps[slot] = map
    this.adjust(lengthOf(map) - lengthOf(old))
    this.shard.held[slot]! += (map === undefined ? 0 : 1) - (old === undefined ? 0 : 1)
  }

  private adjust(change: number): void {
    this.count += change
    this.facts.entries += change
  }
}

function seen({ keys, cells, first }: Sorted): Seen {
  return { keys, cells, first, end: keys.length }
}

function lengthOf(map: Sorted | undefined): number {
  return map === undefined ? 0 : map.keys.length - map.first
}
