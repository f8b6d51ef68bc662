/**
 * The growing buffer that every codec writes to and the bounded reader it reads from.
 *
 * Numbers: `varint` is 7 bits per byte, lowest first, for whole numbers up to 2^53 - 1; `int` is the same with the sign
 * in the lowest bit of the first byte; `f64` is 8 bytes, little-endian. Text and bytes carry their length in front.
 * The reader never trusts a length: it is compared with what is left before anything is allocated or skipped (TM1010).
 */
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from './errors.ts'
import { readText, writeText } from './text.ts'

const VARINT_BYTES_MAX = 8

export class Writer {
  /** What was written is `bytes[0, position)`. Replaced when it grows: never keep it across a write. */
  bytes: Uint8Array<ArrayBuffer>
  position: number
  private view: DataView

  constructor(capacity: number = 256) {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
    this.position = 0
  }

  /** Makes room for `more` bytes. */
  reserve(more: number): void {
    if (this.position + more > this.bytes.length) this.grow(this.position + more)
  }

  u8(value: number): void {
    if (this.position === this.bytes.length) this.grow(this.position + 1)
    this.bytes[this.position++] = value
  }

  u16(value: number): void {
    this.reserve(2)
    this.view.setUint16(this.position, value, true)
    this.position += 2
  }

  u32(value: number): void {
    this.reserve(4)
    this.view.setUint32(this.position, value, true)
    this.position += 4
  }

  f64(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.position, value, true)
    this.position += 8
  }

  /** `count` doubles of `values` from `start` on. */
  f64s(values: Float64Array, start: number, count: number): void {
    this.reserve(count * 8)
    const { view } = this
    let at = this.position
    for (let i = start; i < start + count; i++, at += 8) view.setFloat64(at, values[i]!, true)
    this.position = at
  }

  /** A whole number, 0 to 2^53 - 1. */
  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX)
    if (value < 0x80) this.bytes[this.position++] = value
    else this.position = putVarint(this.bytes, this.position, value)
  }

  /** A safe integer; -0 becomes 0. */
  int(value: number): void {
    this.reserve(VARINT_BYTES_MAX + 1)
    const sign = value < 0 ? 1 : 0
    const size = value < 0 ? -value : value
    if (size < 0x40) {
      this.bytes[this.position++] = (size << 1) | sign
      return
    }
    this.bytes[this.position++] = 0x80 | ((size % 0x40) << 1) | sign
    this.position = putVarint(this.bytes, this.position, Math.floor(size / 0x40))
  }

  /** Two's complement in as many 8-byte words as needed, with the byte length in front. */
  bigint(value: bigint): void {
    let words = 1
    while (BigInt.asIntN(words * 64, value) !== value) words++
    this.varint(words * 8)
    this.reserve(words * 8)
    if (words === 1) {
      this.view.setBigInt64(this.position, value, true)
    } else {
      const hex = BigInt.asUintN(words * 64, value)
        .toString(16)
        .padStart(words * 16, '0')
      for (let i = 0; i < words * 8; i++) {
        const at = hex.length - 2 * i - 2
        this.bytes[this.position + i] = Number.parseInt(hex.slice(at, at + 2), 16)
      }
    }
    this.position += words * 8
  }

  text(value: string): void {
    const units = value.length
    this.reserve(units * 3 + VARINT_BYTES_MAX)
    // Most text is ASCII: guess that its length in bytes is its length in units, and move it if it was not.
    const guess = varintSize(units)
    const length = writeText(value, this.bytes, this.position + guess)
    const size = varintSize(length)
    if (size !== guess) {
      const from = this.position + guess
      this.bytes.copyWithin(this.position + size, from, from + length)
    }
    putVarint(this.bytes, this.position, length)
    this.position += size + length
  }

  /** Bytes with their length in front. */
  blob(value: Uint8Array): void {
    this.varint(value.length)
    this.raw(value)
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.reserve(value.length)
    this.bytes.set(value, this.position)
    this.position += value.length
  }

  /** Bytes `source[start, end)` as they are. */
  copy(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.reserve(length)
    // Below about 40 bytes a loop is faster than making the view that `set` needs.
    if (length > 40) this.bytes.set(source.subarray(start, end), this.position)
    else for (let i = 0; i < length; i++) this.bytes[this.position + i] = source[start + i]!
    this.position += length
  }

  /** Starts a block whose length goes in front of it; give the result to {@link endBlock}. */
  beginBlock(): number {
    this.u8(0)
    return this.position
  }

  endBlock(start: number): void {
    const length = this.position - start
    if (length < 0x80) {
      this.bytes[start - 1] = length
      return
    }
    const extra = varintSize(length) - 1
    this.reserve(extra)
    this.bytes.copyWithin(start + extra, start, this.position)
    putVarint(this.bytes, start - 1, length)
    this.position += extra
  }

  /** Forgets everything; keeps the buffer. */
  clear(): void {
    this.position = 0
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.position)
  }

  private grow(needed: number): void {
    let capacity = Math.max(64, this.bytes.length * 2)
    while (capacity < needed) capacity *= 2
    const bytes = new Uint8Array(capacity)
    bytes.set(this.bytes.subarray(0, this.position))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}

export class Reader {
  bytes: Uint8Array
  position: number
  end: number
  private view: DataView

  constructor(bytes: Uint8Array = nothing, start: number = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.position = start
    this.end = end
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Reads other bytes from now on; returns itself. */
  reset(bytes: Uint8Array, start: number = 0, end: number = bytes.length): this {
    if (bytes !== this.bytes) {
      this.bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.position = start
    this.end = end
    return this
  }

  get remaining(): number {
    return this.end - this.position
  }

  u8(): number {
    if (this.position >= this.end) throw damaged('the value ends too early')
    return this.bytes[this.position++]!
  }

  u32(): number {
    this.need(4)
    const value = this.view.getUint32(this.position, true)
    this.position += 4
    return value
  }

  f64(): number {
    this.need(8)
    const value = this.view.getFloat64(this.position, true)
    this.position += 8
    return value
  }

  /** `count` doubles to `values` from `start` on. */
  f64s(values: Float64Array, start: number, count: number): void {
    this.need(count * 8)
    const { view } = this
    let at = this.position
    for (let i = start; i < start + count; i++, at += 8) values[i] = view.getFloat64(at, true)
    this.position = at
  }

  varint(): number {
    const first = this.u8()
    return first < 0x80 ? first : this.varintRest(first & 0x7f, 0x80)
  }

  int(): number {
    const first = this.u8()
    let size = (first & 0x7e) >> 1
    if (first >= 0x80) size = this.varintRest(size, 0x40)
    return (first & 1) === 0 || size === 0 ? size : -size
  }

  bigint(): bigint {
    const length = this.varint()
    this.need(length)
    if (length === 0 || length % 8 !== 0) throw damaged('a bigint is not a number of whole words')
    const start = this.position
    this.position += length
    if (length === 8) return this.view.getBigInt64(start, true)
    const digits: string[] = []
    for (let i = length - 1; i >= 0; i--) digits.push(hexPairs[this.bytes[start + i]!]!)
    return BigInt.asIntN(length * 8, BigInt(`0x${digits.join('')}`))
  }

  text(): string {
    const length = this.varint()
    this.need(length)
    const start = this.position
    this.position += length
    return readText(this.bytes, start, start + length)
  }

  /** A copy of length-prefixed bytes. */
  blob(): Uint8Array<ArrayBuffer> {
    const length = this.varint()
    this.need(length)
    const start = this.position
    this.position += length
    // A copy in a buffer of its own, also when `bytes` is a Buffer (whose `slice` shares memory).
    const copy = new Uint8Array(length)
    copy.set(this.bytes.subarray(start, start + length))
    return copy
  }

  /** A length of something that takes at least `unit` bytes per item: refused when that cannot be left. */
  count(unit: number = 1): number {
    const count = this.varint()
    if (count * unit > this.remaining) throw damaged(`${count} items in ${this.remaining} bytes`)
    return count
  }

  /** Enters a block; returns the outer end, to be given to {@link leaveBlock}. */
  enterBlock(): number {
    const length = this.varint()
    this.need(length)
    const outer = this.end
    this.end = this.position + length
    return outer
  }

  /** Leaves a block, which must have been read to its end. */
  leaveBlock(outer: number): void {
    if (this.position !== this.end) throw damaged('a nested value has bytes left over')
    this.end = outer
  }

  skip(length: number): void {
    this.need(length)
    this.position += length
  }

  /** TM1010 unless everything was read. */
  finish(): void {
    if (this.position !== this.end) throw damaged(`${this.remaining} bytes are left over`)
  }

  private need(length: number): void {
    if (length > this.end - this.position) {
      throw damaged(`${length} bytes are announced and ${this.end - this.position} are left`)
    }
  }

  private varintRest(low: number, unit: number): number {
    let value = low
    let scale = unit
    for (;;) {
      const next = this.u8()
      value += (next & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) throw damaged('a number is too large')
      if (next < 0x80) {
        if (next === 0) throw damaged('a number is padded')
        return value
      }
      scale *= 0x80
      if (scale > Number.MAX_SAFE_INTEGER) throw damaged('a number is too large')
    }
  }
}

const nothing: Uint8Array = new Uint8Array(0)
const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, n) =>
  n.toString(16).padStart(2, '0'),
)

export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  let size = 3
  for (let rest = value / 0x200000; rest >= 1; rest /= 0x80) size++
  return size
}

/** TM1010, the error of every reader of bytes. */
export function damaged(message: string): TidemillError {
  return new TidemillError(schemaErrors.damaged, { message })
}

function putVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = 0x80 | (rest % 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes[at++] = rest
  return at
}
