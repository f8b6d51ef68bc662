/**
 * Maps per key, in order of insertion. Entries are immutable objects: a change replaces the entry, so a map can be
 * copied by its references. The first change of a map after a freeze copies it (about 50 ns per entry).
 *
 * Keys without parts are their own identity; others are identified by their encoded bytes. Entries carry a sequence
 * number, from which a rollback restores the order. With a time to live every entry expires on its own.
 */
import type { Reader, Writer } from '../schema/bytes.ts'
import { type ValueCodec, valueCodec } from '../schema/codec.ts'
import type { Key, Schema, SchemaType } from '../schema/types.ts'
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

export interface MapEntry {
  readonly key: unknown
  readonly value: unknown
  /** Order of insertion inside the map. */
  readonly sequence: number
  readonly until: number
}

interface OwnedMap {
  readonly entries: Map<unknown, MapEntry>
  next: number
  /** The epoch in which this map was made or copied. */
  readonly epoch: number
}

interface Image {
  readonly maps: readonly (OwnedMap | undefined)[]
  readonly start: number
}

export class MapColumn implements Column {
  private readonly core: StoreCore
  private readonly shard: Shard
  private readonly facts: StateFacts
  private readonly keySchema: Schema<unknown>
  private readonly schema: Schema<unknown>
  private readonly keyCodec: ValueCodec<unknown>
  private readonly codec: ValueCodec<unknown>
  private readonly identify: (key: unknown) => unknown
  private readonly maps: (OwnedMap | undefined)[] = []
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
    this.identify = identityOf(keySchema)
  }

  get(slot: number, key: unknown): MapEntry | undefined {
    const entry = this.maps[slot]?.entries.get(this.identify(key))
    return entry !== undefined && this.isAlive(entry) ? entry : undefined
  }

  set(slot: number, key: unknown, value: unknown): void {
    const { core, facts } = this
    const owned = ownFor(core, facts.name, this.schema, value, ' (a value)')
    const ownedKey = ownFor(core, facts.name, this.keySchema, key, ' (a key)')
    sample(facts, owned)
    const map = this.writable(slot)
    const id = this.identify(ownedKey)
    let old = map.entries.get(id)
    // An expired entry is not there any more: the new one goes to the end.
    if (old !== undefined && !this.isAlive(old)) {
      this.change(slot, id, undefined)
      facts.expired++
      old = undefined
    }
    const until = facts.ttlMs === 0 ? Number.POSITIVE_INFINITY : expiryOf(facts, core.nowMs())
    // The other zero is the same key, as in every Map.
    const kept = old !== undefined ? old.key : Object.is(ownedKey, -0) ? 0 : ownedKey
    this.change(slot, id, { key: kept, value: owned, sequence: old?.sequence ?? map.next++, until })
  }

  delete(slot: number, key: unknown): void {
    if (this.maps[slot] === undefined) return
    const id = this.identify(key)
    if (!this.maps[slot]!.entries.has(id)) return
    this.writable(slot)
    this.change(slot, id, undefined)
    if (this.maps[slot]!.entries.size === 0) this.replace(slot, undefined)
  }

  remove(slot: number): void {
    if (this.maps[slot] !== undefined) this.replace(slot, undefined)
  }

  /** Entries that have not expired, in order. */
  list(slot: number): readonly MapEntry[] {
    const map = this.maps[slot]
    if (map === undefined) return []
    const entries = [...map.entries.values()]
    return this.facts.ttlMs === 0 ? entries : entries.filter((entry) => this.isAlive(entry))
  }

  size(slot: number): number {
    return this.facts.ttlMs === 0 ? (this.maps[slot]?.entries.size ?? 0) : this.list(slot).length
  }

  ensure(slot: number): void {
    while (this.maps.length <= slot) this.maps.push(undefined)
  }

  image(page: number, copy: boolean): Image {
    const from = page << pageShift
    return copy
      ? { maps: this.maps.slice(from, from + pageRows), start: 0 }
      : { maps: this.maps, start: from }
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
      const map = image.maps[image.start + rows[i]!]
      if (map === undefined) continue
      setBit(writer, bits, i)
      // The map of the picture does not change: later changes go to a copy.
      const entries = map.entries.values()
      if (this.writeEntries(entries, nowMs, writer)) {
        rest.push({
          key: keys[i]!,
          column: this,
          write: (into) => this.writeEntries(entries, nowMs, into),
        })
      }
    }
  }

  read(reader: Reader, slots: Int32Array, withTtl: boolean): void {
    const bits = readBits(reader, slots.length)
    for (let i = 0; i < slots.length; i++) {
      if (!bitAt(reader, bits, i)) continue
      const slot = slots[i]!
      if (this.maps[slot] !== undefined) {
        throw damagedState(this.core.operator, `state "${this.facts.name}" has two maps for a key`)
      }
      this.readPart(reader, slot, withTtl)
    }
  }

  readPart(reader: Reader, slot: number, withTtl: boolean): void {
    const nowMs = this.core.nowMs()
    for (let left = reader.varint(); left > 0; left--) {
      const key = this.keySchema.own(this.keyCodec.read(reader))
      const value = this.schema.own(this.codec.read(reader))
      const until = restoredExpiry(this.facts, withTtl ? reader.f64() : undefined, nowMs)
      sample(this.facts, value)
      const map = this.writable(slot)
      const id = this.identify(key)
      if (map.entries.has(id))
        throw damagedState(
          this.core.operator,
          `state "${this.facts.name}" has two entries of one key`,
        )
      this.change(slot, id, { key, value, sequence: map.next++, until })
    }
  }

  hasExpired(slot: number, nowMs: number): boolean {
    const map = this.maps[slot]
    if (map === undefined || this.facts.ttlMs === 0) return false
    for (const entry of map.entries.values()) if (entry.until <= nowMs) return true
    return false
  }

  expire(slot: number, nowMs: number): number {
    if (!this.hasExpired(slot, nowMs)) return 0
    const before = this.count
    for (const [id, entry] of [...this.maps[slot]!.entries]) {
      if (entry.until > nowMs) continue
      this.writable(slot)
      this.change(slot, id, undefined)
    }
    if (this.maps[slot]!.entries.size === 0) this.replace(slot, undefined)
    this.facts.expired += before - this.count
    return before - this.count
  }

  bytes(): number {
    return this.maps.length * 8 + this.count * (meanBytes(this.facts) + 120)
  }

  private isAlive(entry: MapEntry): boolean {
    return entry.until === Number.POSITIVE_INFINITY || entry.until > this.core.nowMs()
  }

  /** Writes up to one part; true when there may be more. */
  private writeEntries(
    entries: IterableIterator<MapEntry>,
    nowMs: number,
    writer: Writer,
  ): boolean {
    const part: MapEntry[] = []
    let ended = false
    while (part.length < partElements) {
      const step = entries.next()
      if (step.done === true) {
        ended = true
        break
      }
      if (step.value.until > nowMs) part.push(step.value)
    }
    writer.varint(part.length)
    for (const { key, value, until } of part) {
      this.keyCodec.write(key, writer)
      this.codec.write(value, writer)
      if (this.facts.ttlMs > 0) writer.f64(until)
    }
    return !ended
  }

  /** The map of a slot, made if needed and not shared with a picture. */
  private writable(slot: number): OwnedMap {
    const map = this.maps[slot]
    const { epoch, picturing } = this.core
    if (map === undefined) {
      const made: OwnedMap = { entries: new Map(), next: 0, epoch }
      this.replace(slot, made)
      return made
    }
    if (!picturing || map.epoch === epoch) return map
    const copy: OwnedMap = { entries: new Map(map.entries), next: map.next, epoch }
    this.maps[slot] = copy
    return copy
  }

  /** Sets or removes (undefined) an entry of the slot's own map. */
  private change(slot: number, id: unknown, entry: MapEntry | undefined): void {
    const { entries } = this.maps[slot]!
    const old = entries.get(id)
    if (this.core.marked) this.core.undo.push(() => this.undoChange(slot, id, old))
    if (entry === undefined) entries.delete(id)
    else entries.set(id, entry)
    this.adjust((entry === undefined ? 0 : 1) - (old === undefined ? 0 : 1))
  }

  private undoChange(slot: number, id: unknown, old: MapEntry | undefined): void {
    const { entries } = this.maps[slot]!
    const had = entries.has(id)
    if (old === undefined) entries.delete(id)
    else entries.set(id, old)
    this.adjust((old === undefined ? 0 : 1) - (had ? 1 : 0))
    if (old === undefined || had) return
    // The entry came back at the end of the map; a rollback is rare, so all are put in order again.
    const all = [...entries].sort(([, a], [, b]) => a.sequence - b.sequence)
    entries.clear()
    for (const [key, entry] of all) entries.set(key, entry)
  }

  private replace(slot: number, map: OwnedMap | undefined): void {
    const old = this.maps[slot]
    if (this.core.marked) this.core.undo.push(() => this.put(slot, old))
    this.put(slot, map)
  }

  private put(slot: number, map: OwnedMap | undefined): void {
    const old = this.maps[slot]
    this.maps[slot] = map
    this.adjust((map?.entries.size ?? 0) - (old?.entries.size ?? 0))
    this.shard.held[slot]! += (map === undefined ? 0 : 1) - (old === undefined ? 0 : 1)
  }

  private adjust(change: number): void {
    this.count += change
    this.facts.entries += change
  }
}

/** How a Map tells keys of this schema apart. */
function identityOf(schema: Schema<unknown>): (key: unknown) => unknown {
  if (isAtom(schema.type)) return (key) => key
  return (key) => {
    let id = ''
    for (const byte of schema.encode(key)) id += String.fromCharCode(byte)
    return id
  }
}

function isAtom(type: SchemaType): boolean {
  return [
    'bool',
    'text',
    'literals',
    'int',
    'int64',
    'float',
    'decimal',
    'instant',
    'date',
  ].includes(type.kind)
}
