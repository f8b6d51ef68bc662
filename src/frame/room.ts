/** A growing buffer of bytes, words and doubles in which frames, and what is sent around them, are put together. */

/** A larger one is not kept for what comes next. */
const KEPT_BYTES_MAX = 1 << 20

export class Room {
  u8: Uint8Array<ArrayBuffer>
  i32: Int32Array<ArrayBuffer>
  f64: Float64Array<ArrayBuffer>
  /** Bytes so far, a multiple of 8; what lies behind is stale. */
  at: number

  constructor(bytes: number = 1 << 16) {
    this.u8 = new Uint8Array(bytes)
    this.i32 = new Int32Array(this.u8.buffer)
    this.f64 = new Float64Array(this.u8.buffer)
    this.at = 0
  }

  /** Makes room for `bytes` more. Replaces the arrays when it grows. */
  reserve(bytes: number): void {
    const needed = this.at + bytes
    if (needed <= this.u8.length) return
    let size = this.u8.length * 2
    while (size < needed) size *= 2
    this.resize(size)
  }

  /** Starts again. */
  clear(): void {
    this.at = 0
    if (this.u8.length > KEPT_BYTES_MAX) this.resize(1 << 16)
  }

  private resize(bytes: number): void {
    const { u8 } = this
    this.u8 = new Uint8Array(bytes)
    this.u8.set(u8.subarray(0, this.at))
    this.i32 = new Int32Array(this.u8.buffer)
    this.f64 = new Float64Array(this.u8.buffer)
  }
}

/** Puts zeros up to the next multiple of 8, which is returned: stale bytes must not get into a frame. */
export function padZeros(u8: Uint8Array, end: number): number {
  let at = end
  while ((at & 7) !== 0) u8[at++] = 0
  return at
}
