/**
 * Collects rows for frames from writers that hold a row's values as bytes: a parser puts numbers and text straight into
 * the columns, without a row object or a string in between. Frames are the same, byte for byte, as those of a
 * `FrameBuilder`.
 *
 * A row is written beyond what counts: numbers at the place after the last row, texts behind the used part of a heap.
 * It exists once the writer has moved the counts, so a row that is given up in its middle leaves no trace.
 */
import { assert } from '../base/assert.ts'
import { Writer } from '../schema/bytes.ts'
import { valueCodec } from '../schema/codec.ts'
import { readField } from '../schema/row.ts'
import { isWellFormed, writeText } from '../schema/text.ts'
import type { SchemaType } from '../schema/types.ts'
import { codesOf } from './builder-generated.ts'
import { copyAbsent, copyNumbers, copyWords } from './builder.ts'
import { type Column, fixedBytes, hasHeap } from './columns.ts'
import { decodeTrustedFrame } from './decode.ts'
import { HEADER_BYTES, MAGIC, pad8, VERSION } from './format.ts'
import { type Frame, FRAME_BYTES_MAX, FRAME_ROWS_MAX } from './frame.ts'
import type { FrameLayout } from './layout.ts'

const noNumbers = new Float64Array(0)
const noEnds = new Int32Array(0)
const noBytes = new Uint8Array(0)

/** A text column of short values needs no second allocation. */
const heapBytesFirst = 1 << 13

/** One column of the rows that are in no frame yet. */
export class RawColumn {
  readonly column: Column
  readonly f64: Float64Array
  readonly u8: Uint8Array
  readonly absent: Uint8Array
  /** In units of the stored form: UTF-16 units of text, bytes of everything else. */
  readonly ends: Int32Array
  /** UTF-8 of texts, encodings of cells. Replaced when it grows. */
  heap: Uint8Array
  /** The same memory, for writers of words. */
  words: DataView
  /** Bytes of the heap that belong to rows. */
  used: number
  /** What the value being written adds: where its bytes end in the heap, and its units. */
  pending: number
  units: number

  constructor(column: Column) {
    const heap = hasHeap(column.storage)
    const number = column.storage === 'number'
    this.column = column
    this.f64 = number ? new Float64Array(FRAME_ROWS_MAX) : noNumbers
    this.u8 = heap || number ? noBytes : new Uint8Array(FRAME_ROWS_MAX)
    this.absent = column.optional ? new Uint8Array(FRAME_ROWS_MAX >>> 3) : noBytes
    this.ends = heap ? new Int32Array(FRAME_ROWS_MAX + 1) : noEnds
    this.heap = heap ? new Uint8Array(heapBytesFirst) : noBytes
    this.words = new DataView(this.heap.buffer)
    this.used = 0
    this.pending = 0
    this.units = 0
  }

  /** Makes room for so many bytes behind the used ones. */
  reserve(bytes: number): void {
    if (this.used + bytes <= this.heap.length) return
    const larger = new Uint8Array(Math.max(this.heap.length * 2, this.used + bytes))
    larger.set(this.heap.subarray(0, this.used))
    this.heap = larger
    this.words = new DataView(larger.buffer)
  }

  /** Text behind the used part of the heap; false for half of a surrogate pair, which may not stand next to its other half. */
  putText(text: string): boolean {
    if (!isWellFormed(text)) return false
    this.reserve(text.length * 3)
    this.pending = this.used + writeText(text, this.heap, this.used)
    this.units = text.length
    return true
  }

  putBytes(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.heap.set(bytes, this.used)
    this.pending = this.used + bytes.length
    this.units = bytes.length
  }

  /** The encoding of a value that fits the column; false when a frame would not give back the very same value. */
  putCell(value: unknown): boolean {
    if (losesZero(this.column.type, value)) return false
    const writer = new Writer()
    valueCodec(this.column).write(value, writer)
    this.putBytes(writer.finish())
    return true
  }
}

/** What became of a row: stored; too much for this frame, which has others; no frame keeps it exactly. */
export type Appended = 'stored' | 'full' | 'inexact'

export class RawBuilder {
  readonly layout: FrameLayout
  readonly columns: readonly RawColumn[]
  /** Rows per part. */
  readonly counts: Int32Array
  length: number
  /** Estimate of the frame's bytes. */
  size: number
  private readonly emptySize: number

  constructor(layout: FrameLayout) {
    const { all, parts } = layout.columns
    this.layout = layout
    this.columns = all.map((column) => new RawColumn(column))
    this.counts = new Int32Array(parts.length)
    this.length = 0
    this.emptySize = HEADER_BYTES + layout.directoryEntries * 8 + all.length * 24 + 16
    this.size = this.emptySize
  }

  /** Adds a row that fits the layout's schema; a pruned layout takes the fields it has. */
  append(row: object): Appended {
    assert(this.length < FRAME_ROWS_MAX, 'a full frame was not built before the next row')
    const { rows, tag, parts } = this.layout.columns
    const index = rows === 'variant' ? parts.findIndex((p) => p.tag === readField(row, tag)) : 0
    const part = parts[index]
    assert(part !== undefined, 'a row of an unknown case was not refused')
    const j = this.counts[index]!
    let size = fixedBytes(part)
    for (const { index: k, field } of part.columns) {
      const column = this.columns[k]!
      if (!put(column, j, readField(row, field))) return 'inexact'
      if (hasHeap(column.column.storage)) size += column.pending - column.used
    }
    if (this.size + size > FRAME_BYTES_MAX && this.length > 0) return 'full'
    for (const { index: k, storage } of part.columns) {
      const column = this.columns[k]!
      if (!hasHeap(storage)) continue
      column.ends[j + 1] = column.ends[j]! + column.units
      column.used = column.pending
    }
    if (rows === 'variant') {
      this.columns[0]!.u8[this.length] = index
      this.columns[1]!.u8[this.length] = j
    }
    this.counts[index] = j + 1
    this.length++
    this.size += size
    return 'stored'
  }

  /** A frame of all rows. */
  build(): Frame {
    assert(this.length > 0, 'a frame is built from no rows')
    const { all, parts, rows } = this.layout.columns
    const { length } = this
    const countOf = (part: number): number =>
      rows === 'variant' && part >= 0 ? this.counts[part]! : length
    let size = HEADER_BYTES + this.layout.directoryEntries * 8
    for (const column of all) size += regionBytes(this.columns[column.index]!, countOf(column.part))
    const bytes = new Uint8Array(size)
    const words = new Int32Array(bytes.buffer)
    const doubles = new Float64Array(bytes.buffer)
    words[0] = MAGIC
    words[1] = VERSION | (all.length << 16)
    words[2] = size
    words[3] = length
    doubles[2] = Number.NaN
    doubles[3] = Number.NaN
    words[8] = this.layout.fingerprintLow
    words[9] = this.layout.fingerprintHigh
    words[10] = this.layout.directoryEntries
    let entry = HEADER_BYTES >>> 2
    if (rows === 'variant') {
      for (let part = 0; part < parts.length; part++, entry += 2) words[entry] = this.counts[part]!
    }
    let at = HEADER_BYTES + this.layout.directoryEntries * 8
    for (const raw of this.columns) {
      const { column } = raw
      const count = countOf(column.part)
      if (column.optional) at = copyAbsent(raw.absent, bytes, at, count)
      if (column.storage === 'number') {
        copyNumbers(raw.f64, doubles, at >>> 3, count)
        at += count * 8
      } else if (hasHeap(column.storage)) {
        copyWords(raw.ends, words, at >>> 2, count + 1)
        at += pad8(count * 4 + 4)
        bytes.set(raw.heap.subarray(0, raw.used), at)
        words[entry] = raw.used
        words[entry + 1] = column.storage === 'text' && raw.used === raw.ends[count]! ? 1 : 0
        entry += 2
        at += pad8(raw.used)
        raw.used = 0
      } else {
        bytes.set(raw.u8.subarray(0, count), at)
        at += pad8(count)
      }
    }
    assert(at === size, 'a frame was written with another size than was computed', { at, size })
    this.counts.fill(0)
    this.length = 0
    this.size = this.emptySize
    return decodeTrustedFrame(this.layout, bytes)
  }
}

function regionBytes({ column, used }: RawColumn, count: number): number {
  const absent = column.optional ? pad8((count + 7) >>> 3) : 0
  if (column.storage === 'number') return absent + count * 8
  if (hasHeap(column.storage)) return absent + pad8(count * 4 + 4) + pad8(used)
  return absent + pad8(count)
}

/** Writes a value that fits, not yet counted; false when the frame would not give it back exactly. */
function put(raw: RawColumn, j: number, value: unknown): boolean {
  const { column } = raw
  if (column.optional) {
    const bit = 1 << (j & 7)
    if (value === undefined) raw.absent[j >> 3]! |= bit
    else raw.absent[j >> 3]! &= ~bit
  }
  if (value === undefined) {
    raw.f64[j] = 0
    raw.u8[j] = 0
    raw.pending = raw.used
    raw.units = 0
    return true
  }
  // `as`: the row was checked against the schema.
  switch (column.storage) {
    case 'number':
      if (column.type.kind === 'int' && Object.is(value, -0)) return false
      raw.f64[j] = value as number
      return true
    case 'bool':
      raw.u8[j] = value === true ? 1 : 0
      return true
    case 'code':
      raw.u8[j] = codesOf(column).get(value)!
      return true
    case 'text':
      return raw.putText(value as string)
    case 'bytes':
      raw.putBytes(value as Uint8Array)
      return true
    default:
      return raw.putCell(value)
  }
}

/** Whole numbers inside of cells are stored without the sign of zero. */
function losesZero(type: SchemaType, value: unknown): boolean {
  switch (type.kind) {
    case 'int':
      return Object.is(value, -0)
    case 'optional':
      return value !== undefined && losesZero(type.of, value)
    case 'list':
      return (value as readonly unknown[]).some((item) => losesZero(type.item, item))
    case 'map':
      return [...(value as ReadonlyMap<unknown, unknown>)].some(
        ([key, item]) => losesZero(type.key, key) || losesZero(type.value, item),
      )
    case 'struct':
      return type.fields.some((field) =>
        losesZero(field.type, readField(value as object, field.name)),
      )
    case 'variant': {
      const tag = readField(value as object, type.tag)
      const found = type.cases.find((one) => one.tag === tag)
      return found !== undefined && losesZero(found.struct, value)
    }
    default:
      return false
  }
}
