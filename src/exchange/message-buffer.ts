/** Where one message after the other is put together. */
import { padZeros, Room } from '../frame/room.ts'

export class MessageBuffer extends Room {
  /** Four words: the head of a message or of a part of it. */
  words(a: number, b: number, c: number, d: number): void {
    this.reserve(16)
    const at = this.at >>> 2
    this.i32[at] = a
    this.i32[at + 1] = b
    this.i32[at + 2] = c
    this.i32[at + 3] = d
    this.at += 16
  }

  /** Values `[start, start + count)`. */
  doubles(values: Float64Array, start: number, count: number): void {
    this.reserve(count * 8)
    const to = this.f64
    const at = this.at >>> 3
    if (count === values.length) to.set(values, at)
    else for (let i = 0; i < count; i++) to[at + i] = values[start + i]!
    this.at += count * 8
  }

  ints(values: Int32Array, start: number, count: number): void {
    this.reserve(count * 4 + 8)
    const to = this.i32
    const at = this.at >>> 2
    if (count === values.length) to.set(values, at)
    else for (let i = 0; i < count; i++) to[at + i] = values[start + i]!
    this.at = padZeros(this.u8, this.at + count * 4)
  }

  bytes(values: Uint8Array, start: number, count: number): void {
    this.reserve(count + 8)
    this.u8.set(values.subarray(start, start + count), this.at)
    this.at = padZeros(this.u8, this.at + count)
  }

  /** The message, valid until the next one is begun. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.u8.subarray(0, this.at)
  }
}
