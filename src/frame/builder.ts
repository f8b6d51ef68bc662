/**
 * Collects rows and turns them into frames.
 *
 * Numbers go into scratch arrays that are used again for the next frame; the texts of a column are appended to one
 * growing string (a rope, in V8) that is encoded by a single call when the frame is built. A row is checked completely
 * before any of it is stored, so one that does not fit leaves no trace.
 *
 * A frame is full at 256 rows or 64 KB. A row that would make it larger waits: `build` leaves it for the next frame. So
 * after `append` said "full", and at the end, call `build` - at the end until `length` is 0.
 */
import { writeUtf8 } from '../base/ascii.ts'
import { assert } from '../base/assert.ts'
import { TidemillError } from '../base/errors.ts'
import { Writer } from '../schema/bytes.ts'
import { schemaErrors } from '../schema/errors.ts'
import { writeText } from '../schema/text.ts'
import { type Column, type Columns, fixedBytes, hasHeap } from './columns.ts'
import { decodeTrustedFrame, openTrustedFrame } from './decode.ts'
import { FLAG_HASHES, FLAG_TIMESTAMPS, HEADER_BYTES, MAGIC, VERSION } from './format.ts'
import { type Frame, FRAME_BYTES_MAX, FRAME_ROWS_MAX } from './frame.ts'
import type { FrameLayout } from './layout.ts'
import { padZeros, Room } from './room.ts'

/** Where every frame is put together before it gets a buffer of its own. */
const shared = new Room()
const noNumbers = new Float64Array(0)
const noBytes = new Uint8Array(0)
const noEnds = new Int32Array(0)

/** The rows of one column that are not in a frame yet. */
export class Scratch {
  readonly f64: Float64Array
  readonly u8: Uint8Array
  /** `ends[j + 1]` is the end of value `j`, as in the frame. */
  readonly ends: Int32Array
  /** One bit per row; bits beyond the rows are stale. */
  readonly absent: Uint8Array
  text: string
  readonly writer: Writer

  constructor(column: Column) {
    const heap = hasHeap(column.storage)
    this.f64 = column.storage === 'number' ? new Float64Array(FRAME_ROWS_MAX) : noNumbers
    this.u8 = heap || column.storage === 'number' ? noBytes : new Uint8Array(FRAME_ROWS_MAX)
    this.ends = heap ? new Int32Array(FRAME_ROWS_MAX + 1) : noEnds
    this.absent = column.optional ? new Uint8Array(FRAME_ROWS_MAX >>> 3) : noBytes
    this.text = ''
    this.writer = new Writer(heap && column.storage !== 'text' ? 1024 : 0)
  }
}

export abstract class FrameBuilder {
  readonly layout: FrameLayout
  /** Rows that are in no frame yet. */
  length: number
  protected readonly scratch: readonly Scratch[]
  /** Rows per part. */
  protected readonly counts: Int32Array
  protected readonly times: Float64Array
  protected readonly hashes: Int32Array
  protected size: number
  private readonly emptySize: number
  private timed: boolean
  private hashed: boolean
  /** Whether some text was not ASCII: then more is expected, and a frame is built in the shared room at once. */
  private wide: boolean

  constructor(layout: FrameLayout) {
    const { columns } = layout
    this.layout = layout
    this.length = 0
    this.scratch = columns.all.map((column) => new Scratch(column))
    this.counts = new Int32Array(columns.parts.length)
    this.times = new Float64Array(FRAME_ROWS_MAX)
    this.hashes = new Int32Array(FRAME_ROWS_MAX)
    // Every column may need padding after its map, its values and its heap.
    this.emptySize = HEADER_BYTES + layout.directoryEntries * 8 + columns.all.length * 24 + 16
    this.size = this.emptySize
    this.timed = false
    this.hashed = false
    this.wide = false
  }

  /**
   * Adds a row, a plain record or a view. True when the frame is full: `build` before the next row. TM1001 if the row
   * does not fit. `timestampMs` is its event time, `hash` the hash of its key.
   */
  abstract append(row: unknown, timestampMs?: number, hash?: number): boolean

  /** The same for row `i` of a frame; columns are copied when the layouts are one, else read by name. */
  appendFrom(
    frame: Frame,
    i: number,
    timestampMs: number = frame.timestampAt(i),
    hash?: number,
  ): boolean {
    if (frame.layout === this.layout) return this.copyRow(frame, i, timestampMs, hash)
    return this.append(frame.layout.view(frame, i), timestampMs, hash)
  }

  protected abstract copyRow(
    frame: Frame,
    i: number,
    timestampMs: number,
    hash: number | undefined,
  ): boolean

  /** A point to come back to with {@link rollback}; valid until the next `build`. */
  mark(): number {
    return this.length
  }

  /** Forgets the rows that were added after `mark`. */
  rollback(mark: number): void {
    assert(mark <= this.length, 'a frame builder is rolled back to rows that were built', {
      mark,
      length: this.length,
    })
    if (mark < this.length) this.truncate(mark)
  }

  /** A frame of the rows so far, or of as many as fit into 64 KB; the others stay. */
  build(): Frame {
    return this.buildInPlace() ?? this.buildByCopy()
  }

  /** In a buffer of its own from the start, which fits if all text is ASCII; undefined if it did not. */
  private buildInPlace(): Frame | undefined {
    const { length } = this
    if (length === 0 || this.wide || this.size > FRAME_BYTES_MAX) return undefined
    const room = new Room(this.asciiSize())
    if (!this.write(room, length, true)) {
      this.wide = true
      return undefined
    }
    this.drop(length)
    const { u8, i32, f64, at } = room
    return openTrustedFrame(this.layout, { u8: u8.subarray(0, at), i32, f64 }, 0, at)
  }

  private buildByCopy(): Frame {
    shared.clear()
    this.buildInto(shared)
    return decodeTrustedFrame(this.layout, shared.u8.slice(0, shared.at))
  }

  /** The same as bytes at the end of `room`; returns the number of rows. */
  buildInto(room: Room): number {
    assert(this.length > 0, 'a frame is built from no rows')
    let rows = this.length
    while (rows > 1 && this.sizeOf(rows) > FRAME_BYTES_MAX) rows--
    while (!this.write(room, rows)) rows = Math.max(1, rows >>> 1)
    this.drop(rows)
    return rows
  }

  /** Throws away all rows. */
  clear(): void {
    this.drop(this.length)
  }

  /** For `append`: takes note of a stored row that adds `size` bytes. */
  protected added(
    timestampMs: number | undefined,
    hash: number | undefined,
    size: number,
  ): boolean {
    const n = this.length
    if (timestampMs === undefined) this.times[n] = Number.NaN
    else {
      this.times[n] = timestampMs
      this.timed = true
    }
    if (hash === undefined) this.hashes[n] = 0
    else {
      this.hashes[n] = hash
      this.hashed = true
    }
    this.length = n + 1
    this.size += size
    return n === FRAME_ROWS_MAX - 1 || this.size > FRAME_BYTES_MAX
  }

  /** For `append`: the error of a builder that was full. */
  protected full(): TidemillError {
    return new TidemillError(schemaErrors.unfit, {
      message: 'a full frame was not built before the next row',
    })
  }

  private columns(): Columns {
    return this.layout.columns
  }

  /** Rows of part `part` among the first `rows` rows. */
  private countOf(part: number, rows: number): number {
    if (this.columns().rows !== 'variant' || part < 0) return rows
    if (rows === this.length) return this.counts[part]!
    const tags = this.scratch[0]!.u8
    let count = 0
    for (let i = 0; i < rows; i++) if (tags[i] === part) count++
    return count
  }

  /** Estimated bytes of the first `rows` rows: exact but for padding and text that is not ASCII. */
  private sizeOf(rows: number): number {
    if (rows === this.length) return this.size
    const { parts, all } = this.columns()
    let size = this.emptySize
    for (let part = 0; part < parts.length; part++)
      size += fixedBytes(parts[part]!) * this.countOf(part, rows)
    for (const column of all) {
      if (hasHeap(column.storage))
        size += this.scratch[column.index]!.ends[this.countOf(column.part, rows)]!
    }
    return size
  }

  /** At least what all rows need if their text is ASCII, a multiple of 8. */
  private asciiSize(): number {
    // The estimate is for rows with time and hash, and without what says where the rows of a variant are. Its paddings leave
    // more room behind the last text than a character takes: wide text that is cut off is never as long as ASCII.
    const unused = (this.timed ? 0 : 8) + (this.hashed ? 0 : 4)
    const places = this.columns().rows === 'variant' ? 2 : 0
    return (this.size + this.length * (places - unused) + 15) & ~7
  }

  /** What {@link write} may need: a unit of text takes up to 3 bytes. */
  private roomFor(rows: number): number {
    const { all } = this.columns()
    let size = this.emptySize + rows * (16 + all.length * 9)
    for (const column of all) {
      if (!hasHeap(column.storage)) continue
      const units = this.scratch[column.index]!.ends[this.countOf(column.part, rows)]!
      size += column.storage === 'text' ? units * 3 : units
    }
    return size
  }

  /**
   * Appends the encoding of the first `rows` rows. False when wide text makes it too large for more than one row, or for a
   * room that has a `fixed` size.
   */
  private write(room: Room, rows: number, fixed: boolean = false): boolean {
    const { all, parts, rows: kind } = this.columns()
    if (!fixed) room.reserve(this.roomFor(rows))
    const { u8, i32, f64, at: start } = room
    let entry = (start + HEADER_BYTES) >>> 2
    if (kind === 'variant') {
      for (let part = 0; part < parts.length; part++, entry += 2) {
        i32[entry] = this.countOf(part, rows)
        i32[entry + 1] = 0
      }
    }
    let at = start + HEADER_BYTES + this.layout.directoryEntries * 8
    if (this.timed) {
      copyNumbers(this.times, f64, at >>> 3, rows)
      at += rows * 8
    }
    if (this.hashed) {
      copyWords(this.hashes, i32, at >>> 2, rows)
      at = padZeros(u8, at + rows * 4)
    }
    for (const column of all) {
      const scratch = this.scratch[column.index]!
      const count = this.countOf(column.part, rows)
      if (column.optional) at = copyAbsent(scratch.absent, u8, at, count)
      if (column.storage === 'number') {
        copyNumbers(scratch.f64, f64, at >>> 3, count)
        at += count * 8
      } else if (hasHeap(column.storage)) {
        copyWords(scratch.ends, i32, at >>> 2, count + 1)
        at = padZeros(u8, at + count * 4 + 4)
        const units = scratch.ends[count]!
        let size = units
        if (column.storage === 'text') {
          size = writeHeap(scratch, units, u8, at, fixed)
          if (fixed && size !== units) return false
        } else u8.set(scratch.writer.bytes.subarray(0, units), at)
        i32[entry] = size
        i32[entry + 1] = column.storage === 'text' && size === units ? 1 : 0
        entry += 2
        at = padZeros(u8, at + size)
      } else {
        for (let i = 0; i < count; i++) u8[at + i] = scratch.u8[i]!
        at = padZeros(u8, at + count)
      }
    }
    if (rows > 1 && at - start > FRAME_BYTES_MAX) return false
    this.writeHead(room, at - start, rows)
    room.at = at
    return true
  }

  private writeHead({ i32, f64, at }: Room, size: number, rows: number): void {
    const word = at >>> 2
    i32[word] = MAGIC
    const flags = (this.timed ? FLAG_TIMESTAMPS : 0) | (this.hashed ? FLAG_HASHES : 0)
    i32[word + 1] = VERSION | (flags << 8) | (this.columns().all.length << 16)
    i32[word + 2] = size
    i32[word + 3] = rows
    let min = Number.NaN
    let max = Number.NaN
    for (let i = 0; this.timed && i < rows; i++) {
      const time = this.times[i]!
      if (Number.isNaN(time)) continue
      if (!(min <= time)) min = time
      if (!(max >= time)) max = time
    }
    f64[(at >>> 3) + 2] = min
    f64[(at >>> 3) + 3] = max
    i32[word + 8] = this.layout.fingerprintLow
    i32[word + 9] = this.layout.fingerprintHigh
    i32[word + 10] = this.layout.directoryEntries
    i32[word + 11] = 0
  }

  /** Forgets the first `rows` rows. */
  private drop(rows: number): void {
    if (rows === this.length) {
      this.empty()
      this.timed = false
      this.hashed = false
      return
    }
    const gone = this.columns().parts.map((_, part) => this.countOf(part, rows))
    for (const column of this.columns().all) {
      const scratch = this.scratch[column.index]!
      const from = column.part < 0 || gone.length === 1 ? rows : gone[column.part]!
      const to = column.part < 0 ? this.length : this.counts[column.part]!
      shift(scratch, column, from, to)
      if (column.storage === 'place') {
        for (let i = 0; i < this.length - rows; i++) {
          scratch.u8[i]! -= gone[this.scratch[0]!.u8[i]!]!
        }
      }
    }
    this.times.copyWithin(0, rows, this.length)
    this.hashes.copyWithin(0, rows, this.length)
    for (let part = 0; part < gone.length; part++) this.counts[part]! -= gone[part]!
    const left = this.length - rows
    this.length = left
    this.size = this.exactSize()
  }

  private empty(): void {
    const { scratch, counts } = this
    for (let i = 0; i < scratch.length; i++) {
      const one = scratch[i]!
      one.text = ''
      one.writer.position = 0
    }
    for (let i = 0; i < counts.length; i++) counts[i] = 0
    this.length = 0
    this.size = this.emptySize
  }

  /** Keeps the first `rows` rows. */
  private truncate(rows: number): void {
    const { all, parts } = this.columns()
    const counts = parts.map((_, part) => this.countOf(part, rows))
    for (const column of all) {
      if (!hasHeap(column.storage)) continue
      const scratch = this.scratch[column.index]!
      const end = scratch.ends[counts[column.part]!]!
      if (column.storage === 'text') scratch.text = end === 0 ? '' : scratch.text.slice(0, end)
      else scratch.writer.position = end
    }
    for (let part = 0; part < counts.length; part++) this.counts[part] = counts[part]!
    this.length = rows
    this.size = rows === 0 ? this.emptySize : this.exactSize()
  }

  private exactSize(): number {
    const { parts, all } = this.columns()
    let size = this.emptySize
    for (let part = 0; part < parts.length; part++)
      size += fixedBytes(parts[part]!) * this.counts[part]!
    for (const column of all) {
      if (hasHeap(column.storage))
        size += this.scratch[column.index]!.ends[this.counts[column.part]!]!
    }
    return size
  }
}

/** Moves rows `[from, to)` of a column to its start. */
function shift(scratch: Scratch, column: Column, from: number, to: number): void {
  if (column.optional) {
    for (let i = from; i < to; i++) {
      const bit = (scratch.absent[i >>> 3]! >> (i & 7)) & 1
      const j = i - from
      scratch.absent[j >>> 3] = (scratch.absent[j >>> 3]! & ~(1 << (j & 7))) | (bit << (j & 7))
    }
  }
  if (column.storage === 'number') scratch.f64.copyWithin(0, from, to)
  else if (!hasHeap(column.storage)) scratch.u8.copyWithin(0, from, to)
  else {
    const base = scratch.ends[from]!
    if (column.storage === 'text') scratch.text = scratch.text.slice(base)
    else {
      scratch.writer.bytes.copyWithin(0, base, scratch.ends[to])
      scratch.writer.position = scratch.ends[to]! - base
    }
    for (let i = from; i <= to; i++) scratch.ends[i - from] = scratch.ends[i]! - base
  }
}

export function copyNumbers(from: Float64Array, to: Float64Array, at: number, count: number): void {
  if (count === from.length) to.set(from, at)
  else for (let i = 0; i < count; i++) to[at + i] = from[i]!
}

export function copyWords(from: Int32Array, to: Int32Array, at: number, count: number): void {
  if (count === from.length) to.set(from, at)
  else for (let i = 0; i < count; i++) to[at + i] = from[i]!
}

export function copyAbsent(from: Uint8Array, to: Uint8Array, at: number, count: number): number {
  const whole = count >>> 3
  for (let i = 0; i < whole; i++) to[at + i] = from[i]!
  if ((count & 7) !== 0) to[at + whole] = from[whole]! & ((1 << (count & 7)) - 1)
  return padZeros(to, at + ((count + 7) >>> 3))
}

/**
 * The first `units` units of a text column as bytes; returns how many, which is `units` if they are ASCII. Where there is
 * only room for that, what is returned for other text is another number and no more than that.
 */
function writeHeap(
  scratch: Scratch,
  units: number,
  u8: Uint8Array,
  at: number,
  asciiOnly: boolean,
): number {
  const text = units === scratch.text.length ? scratch.text : scratch.text.slice(0, units)
  const size = writeUtf8(text, u8, at)
  // `writeText` also keeps halves of surrogate pairs.
  return size === units || asciiOnly ? size : writeText(text, u8, at)
}
