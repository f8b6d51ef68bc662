/**
 * How one declared state lies in memory: a column holds the values of all keys of one key group, by slot number. The
 * number of states and timers that a slot holds is counted, so that the key can be forgotten when it falls to zero.
 *
 * Pictures: before the first change to a page of 128 slots after a freeze, the store asks every column of the key group
 * for a copy of its page (`image`). A copy is shallow: values are immutable, lists only grow, and maps are copied by
 * their column on the first change after a freeze (`owned` below).
 */
import type { Key } from '../schema/types.ts'
import type { Reader, Writer } from '../schema/bytes.ts'
import type { KeyTable } from './key-table.ts'
import type { TimerColumn } from './timer-column.ts'

/** What columns and handles need to know of their store. */
export interface StoreCore {
  readonly operator: string
  /** The current key's key group and slot; the slot is -1 when the key holds nothing. */
  shard: Shard
  slot: number
  /** True between `mark` and its end: every change leaves its undoing in `undo`. */
  marked: boolean
  readonly undo: (() => void)[]
  /** Raised by every freeze. */
  epoch: number
  /** Whether a picture is being written. */
  picturing: boolean
  nowMs(): number
  /** The current key's slot, made if needed, with its page safe for a change. */
  writeSlot(): number
  currentKey(): Key
}

/** Everything the store holds of one key group. */
export interface Shard {
  readonly group: number
  readonly table: KeyTable
  /** States and timers held, by slot. */
  held: Uint16Array
  readonly columns: readonly Column[]
  readonly timers: TimerColumn
  /** By page: 1 while the picture needs a copy before a change. Undefined when there is no such page. */
  pending: Uint8Array | undefined
  /** The same for the keys of a page, which change with a new or forgotten key only. */
  pendingKeys: Uint8Array | undefined
}

/** What the columns of one state share. */
export interface StateFacts {
  readonly name: string
  /** 0 without time to live. */
  readonly ttlMs: number
  /** Values, items or entries held in all key groups. */
  entries: number
  expired: number
  /** For the estimate of memory: sampled values and their sizes. */
  samples: number
  sampledBytes: number
  writes: number
}

/** Elements of a collection that are written in one go; the rest follows in parts. */
export const partElements = 512

/** The rest of a large collection of one key. */
export interface Rest {
  readonly key: Key
  readonly column: Column
  /** Writes up to `partElements` more elements with their number in front; false when none is left afterwards. */
  readonly write: (writer: Writer) => boolean
}

export interface Column {
  /** Makes room for `slot`. */
  ensure(slot: number): void
  /** The page as it is now; as a copy, or valid until the next change only. */
  image(page: number, copy: boolean): unknown
  /**
   * Writes the values of `rows` (offsets in the page) from an image of this column. `nowMs`: what has expired by then is
   * left out.
   */
  write(
    image: unknown,
    rows: readonly number[],
    keys: readonly Key[],
    nowMs: number,
    writer: Writer,
    rest: Rest[],
  ): void
  /** The image is not needed any more. */
  giveBack(image: unknown): void
  /** Reads what `write` wrote into empty slots. `withTtl`: the writer had a time to live. */
  read(reader: Reader, slots: Int32Array, withTtl: boolean, table: LiteralTable | undefined): void
  /** Reads what {@link Rest.write} wrote. */
  readPart(reader: Reader, slot: number, withTtl: boolean): void
  /** Removes what has expired; how many. The page is safe for a change. */
  expire(slot: number, nowMs: number): number
  /** Whether `expire` would remove something. */
  hasExpired(slot: number, nowMs: number): boolean
  bytes(): number
}

/** A column with one value per key. */
export interface ValueColumn extends Column {
  /** The value, frozen or a copy; undefined when there is none or it has expired. */
  get(slot: number): unknown
  /** TM1401, with nothing changed, when the value does not fit. */
  set(slot: number, value: unknown): void
  remove(slot: number): void
}

/** For each word of a fixed-width value: the code that a stored code has become, or undefined for other words. */
export type LiteralTable = readonly (Int32Array | undefined)[]

export function sample(facts: StateFacts, value: unknown): void {
  if ((facts.writes++ & 63) !== 0) return
  facts.samples++
  facts.sampledBytes += roughBytes(value, 0)
}

export function meanBytes(facts: StateFacts): number {
  return facts.samples === 0 ? 32 : facts.sampledBytes / facts.samples
}

function roughBytes(value: unknown, depth: number): number {
  if (typeof value === 'string') return 24 + value.length
  if (typeof value !== 'object' || value === null || depth > 4) return 12
  if (value instanceof Uint8Array) return 100 + value.length
  let bytes = 24
  if (Array.isArray(value)) {
    const shown = Math.min(value.length, 16)
    for (let i = 0; i < shown; i++) bytes += roughBytes(value[i], depth + 1)
    return shown === 0 ? bytes : (bytes * value.length) / shown
  }
  const parts = value instanceof Map ? value.values() : Object.values(value)
  for (const part of parts) bytes += 8 + roughBytes(part, depth + 1)
  return bytes
}

/** Starts `count` bits, all 0; returns where they are. */
export function beginBits(writer: Writer, count: number): number {
  const bytes = (count + 7) >> 3
  writer.reserve(bytes)
  const start = writer.position
  writer.bytes.fill(0, start, start + bytes)
  writer.position += bytes
  return start
}

export function setBit(writer: Writer, start: number, index: number): void {
  writer.bytes[start + (index >> 3)]! |= 1 << (index & 7)
}

/** Skips `count` bits; returns where they are, for {@link bitAt}. */
export function readBits(reader: Reader, count: number): number {
  const start = reader.position
  reader.skip((count + 7) >> 3)
  return start
}

export function bitAt(reader: Reader, start: number, index: number): boolean {
  return (reader.bytes[start + (index >> 3)]! & (1 << (index & 7))) !== 0
}

/** A larger array with the same contents; `capacity` at least doubles. */
export function grownDoubles(from: Float64Array, slot: number): Float64Array {
  const to = new Float64Array(Math.max(slot + 1, from.length * 2, 16))
  to.set(from)
  return to
}

/** When a value written now expires; +Infinity without time to live. Never 0, which means absent. */
export function expiryOf(facts: StateFacts, nowMs: number): number {
  return facts.ttlMs === 0 ? Number.POSITIVE_INFINITY : nowMs + facts.ttlMs || Number.MIN_VALUE
}

/** The expiry of a restored value, for programs that have gained or lost the time to live since. */
export function restoredExpiry(
  facts: StateFacts,
  stored: number | undefined,
  nowMs: number,
): number {
  if (facts.ttlMs === 0) return Number.POSITIVE_INFINITY
  return stored !== undefined && !Number.isNaN(stored) && stored !== 0
    ? stored
    : expiryOf(facts, nowMs)
}
