/** A growing buffer of words, doubles and bytes, in which one message after the other is put together. */
import { pad8 } from '../frame/format.ts'

export class MessageBuffer {
  u8: Uint8Array<ArrayBuffer>
  i32: Int32Array<ArrayBuffer>
  f64: Float64Array<ArrayBuffer>
  /** Bytes so far. */
  at: number

  constructor(bytes: number = 1 << 16) {
    this.u8 = new Uint8Array(bytes)
    this.i32 = new Int32Array(this.u8.buffer)
    this.f64 = new Float64Array(this.u8.buffer)
    this.at = 0
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const needed = this.at + bytes
    if (needed <= this.u8.length) return
    let size = this.u8.length * 2
    while (size < needed) size *= 2
    const { u8 } = this
    this.u8 = new Uint8Array(size)
    this.u8.set(u8.subarray(0, this.at))
    this.i32 = new Int32Array(this.u8.buffer)
    this.f64 = new Float64Array(this.u8.buffer)
  }

  /** Four words: the head of a message or of a frame. */
  words(a: number, b: number, c: number, d: number): void {
    this.reserve(16)
    const at = this.at >>> 2
    this.i32[at] = a
    this.i32[at + 1] = b
    this.i32[at + 2] = c
    this.i32[at + 3] = d
    this.at += 16
  }

  doubles(values: Float64Array, count: number): void {
    this.reserve(count * 8)
    copyDoubles(values, this.f64, this.at >>> 3, count)
    this.at += count * 8
  }

  ints(values: Int32Array, count: number): void {
    this.reserve(pad8(count * 4))
    const at = this.at >>> 2
    if (count > 64) this.i32.set(count === values.length ? values : values.subarray(0, count), at)
    else for (let i = 0; i < count; i++) this.i32[at + i] = values[i]!
    this.at += pad8(count * 4)
  }

  bytes(values: Uint8Array, count: number = values.length): void {
    this.reserve(pad8(count))
    this.u8.set(count === values.length ? values : values.subarray(0, count), this.at)
    this.at += pad8(count)
  }

  /** The message, valid until the next one is begun. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.u8.subarray(0, this.at)
  }
}

function copyDoubles(from: Float64Array, to: Float64Array, at: number, count: number): void {
  // Making the view that `set` needs costs as much as a loop over 64 numbers.
  if (count > 64) to.set(count === from.length ? from : from.subarray(0, count), at)
  else for (let i = 0; i < count; i++) to[at + i] = from[i]!
}
