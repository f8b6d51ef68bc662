/**
 * The bytes of keyed state (docs/formats/state.md). A block is a header and records, all of one key group:
 *
 *   header   version 1, the declared states (name, kind, schema hash, flags, literals), the timers (name, kind)
 *   page     tag 1: keys, then the values of each state with their length in front, then the deadlines of each timer
 *   part     tag 2: a key, a state's number, more elements of its collection with their length in front
 *
 * The header is repeated in every block, so that a block can be read alone, by tools too. Every count is compared with
 * the bytes that are left before anything is allocated (TM1404).
 */
import type { StateDefinition, TimerKind } from '../graph/process.ts'
import type { Reader, Writer } from '../schema/bytes.ts'
import { decodeKey, encodeKey } from '../schema/key.ts'
import type { Key, Schema } from '../schema/types.ts'
import { beginBits, bitAt, readBits, setBit } from './column.ts'
import type { FixedLayout } from './fixed-layout.ts'

export const formatVersion = 1
export const section = 'keyed'
export const record = { page: 1, part: 2 } as const

const kinds: readonly StateDefinition['kind'][] = [
  'value',
  'list',
  'map',
  'sorted-map',
  'reducing',
  'aggregating',
]
const timerKinds: readonly TimerKind[] = ['event-time', 'processing-time']

export interface StoredState {
  readonly name: string
  readonly kind: StateDefinition['kind']
  /** Of the value schema, and before it of the key schema of a map with a dot between them. */
  readonly hash: string
  readonly withTtl: boolean
  /** Whether values are rows of doubles. */
  readonly fixed: boolean
  /** Declared texts of each literals field, in the order of fields. */
  readonly literals: readonly (readonly string[])[]
}

export interface StoredTimer {
  readonly name: string
  readonly kind: TimerKind
}

export interface Header {
  readonly states: readonly StoredState[]
  readonly timers: readonly StoredTimer[]
}

/** The schema of what one slot holds: the value, item or accumulator. */
export function valueSchemaOf(definition: StateDefinition): Schema<unknown> {
  switch (definition.kind) {
    case 'list':
      return definition.item
    case 'aggregating':
      return definition.accumulator
    default:
      return definition.value
  }
}

export function storedState(
  name: string,
  definition: StateDefinition,
  layout: FixedLayout | undefined,
): StoredState {
  const value = valueSchemaOf(definition).hash
  return {
    name,
    kind: definition.kind,
    hash: 'key' in definition ? `${definition.key.hash}.${value}` : value,
    withTtl: definition.options.ttl !== undefined,
    fixed: layout !== undefined,
    literals:
      layout?.fields.flatMap((field) => (field.kind === 'literals' ? [field.values] : [])) ?? [],
  }
}

export function writeHeader(header: Header, writer: Writer): void {
  writer.u8(formatVersion)
  writer.varint(header.states.length)
  for (const state of header.states) {
    writer.text(state.name)
    writer.u8(kinds.indexOf(state.kind))
    writer.text(state.hash)
    writer.u8((state.withTtl ? 1 : 0) | (state.fixed ? 2 : 0))
    writer.varint(state.literals.length)
    for (const texts of state.literals) {
      writer.varint(texts.length)
      for (const text of texts) writer.text(text)
    }
  }
  writer.varint(header.timers.length)
  for (const timer of header.timers) {
    writer.text(timer.name)
    writer.u8(timerKinds.indexOf(timer.kind))
  }
}

/** `fail` makes the error of a header that cannot be. */
export function readHeader(reader: Reader, fail: (message: string) => Error): Header {
  const version = reader.u8()
  if (version !== formatVersion)
    throw fail(`its format version is ${version}, not ${formatVersion}`)
  const states: StoredState[] = []
  for (let left = reader.count(5); left > 0; left--) {
    const name = reader.text()
    const kind = kinds[reader.u8()]
    const hash = reader.text()
    const flags = reader.u8()
    const literals: (readonly string[])[] = []
    for (let lists = reader.count(); lists > 0; lists--) {
      const texts: string[] = []
      for (let count = reader.count(); count > 0; count--) texts.push(reader.text())
      literals.push(texts)
    }
    if (kind === undefined || flags > 3)
      throw fail(`state "${name}" has a kind or flags that do not exist`)
    states.push({
      name,
      kind,
      hash,
      withTtl: (flags & 1) !== 0,
      fixed: (flags & 2) !== 0,
      literals,
    })
  }
  const timers: StoredTimer[] = []
  for (let left = reader.count(2); left > 0; left--) {
    const name = reader.text()
    const kind = timerKinds[reader.u8()]
    if (kind === undefined) throw fail(`timer "${name}" has a kind that does not exist`)
    timers.push({ name, kind })
  }
  return { states, timers }
}

export function writeKeys(keys: readonly Key[], writer: Writer): void {
  writer.varint(keys.length)
  let numbers = true
  for (let i = 0; i < keys.length && numbers; i++) numbers = typeof keys[i] === 'number'
  writer.u8(numbers ? 0 : 1)
  for (const key of keys) {
    if (numbers) writer.f64(key as number)
    else writeKey(key, writer)
  }
}

export function readKeys(reader: Reader, fail: (message: string) => Error): readonly Key[] {
  const count = reader.varint()
  const form = reader.u8()
  if (form > 1) throw fail(`${form} is not a form of keys`)
  if (count * (form === 0 ? 8 : 2) > reader.remaining)
    throw fail(`${count} keys in ${reader.remaining} bytes`)
  const keys: Key[] = []
  for (let i = 0; i < count; i++) {
    if (form === 1) {
      keys.push(readKey(reader))
      continue
    }
    const key = reader.f64()
    if (!Number.isFinite(key)) throw fail(`${key} is not a key`)
    keys.push(key)
  }
  return keys
}

export function writeKey(key: Key, writer: Writer): void {
  const block = writer.beginBlock()
  encodeKey(key, writer)
  writer.endBlock(block)
}

export function readKey(reader: Reader): Key {
  const outer = reader.enterBlock()
  const key = decodeKey(reader)
  reader.leaveBlock(outer)
  return key
}

/** Leaves room for the length of what follows, so that a reader can skip a state that is dropped. */
export function beginLength(writer: Writer): number {
  writer.u32(0)
  return writer.position
}

export function endLength(writer: Writer, start: number): void {
  const length = writer.position - start
  for (let i = 0; i < 4; i++) writer.bytes[start - 4 + i] = (length >>> (8 * i)) & 0xff
}

/** Where the part that `beginLength` began ends. */
export function readEnd(reader: Reader, fail: (message: string) => Error): number {
  const length = reader.u32()
  if (length > reader.remaining)
    throw fail(`${length} bytes are announced and ${reader.remaining} are left`)
  return reader.position + length
}

/** Deadlines of `rows`, timer by timer; NaN is none. */
export function writeDeadlines(
  deadlines: Float64Array,
  start: number,
  timers: number,
  rows: readonly number[],
  writer: Writer,
): void {
  for (let timer = 0; timer < timers; timer++) {
    const bits = beginBits(writer, rows.length)
    for (let i = 0; i < rows.length; i++) {
      const at = deadlines[start + rows[i]! * timers + timer]!
      if (Number.isNaN(at)) continue
      setBit(writer, bits, i)
      writer.f64(at)
    }
  }
}

/** Calls `take` for each deadline of one timer of `count` rows. */
export function readDeadlines(
  reader: Reader,
  count: number,
  take: (row: number, at: number) => void,
): void {
  const bits = readBits(reader, count)
  for (let row = 0; row < count; row++) if (bitAt(reader, bits, row)) take(row, reader.f64())
}
