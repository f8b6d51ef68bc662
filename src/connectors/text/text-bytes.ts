/** Text that is being put together, as UTF-8. Made for millions of short pieces: no string per piece, no copy at the end. */
const encoder = new TextEncoder()

/** Decimal digits of the largest safe integer, and a sign. */
const digitsMax = 17
/** Below it the digits of a whole number are counted out in 32-bit steps. */
const billion = 1_000_000_000
const zero = 48

export class TextBytes {
  /** The text is `bytes[0, length)`. Replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>
  length = 0

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Any text; half a surrogate pair becomes U+FFFD. */
  text(text: string): void {
    this.#reserve(text.length * 3)
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  raw(piece: Uint8Array): void {
    this.#reserve(piece.length)
    const { bytes } = this
    let at = this.length
    // hot: pieces are names of fields, too short for `set`
    for (let i = 0; i < piece.length; i++) bytes[at++] = piece[i]!
    this.length = at
  }

  byte(byte: number): void {
    this.#reserve(1)
    this.bytes[this.length++] = byte
  }

  /** A finite number as `String` writes it, which is what JSON has; -0 is 0. */
  number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.text(String(value))
      return
    }
    this.#reserve(digitsMax)
    let whole = value
    if (whole < 0) {
      this.bytes[this.length++] = 45
      whole = -whole
    }
    if (whole < billion) {
      this.#digits(whole, digitsOf(whole))
      return
    }
    const high = Math.floor(whole / billion)
    this.#digits(high, digitsOf(high))
    this.#digits(whole - high * billion, 9)
  }

  /** In quotes; false, and nothing is written, when a character is not printable ASCII or has to be escaped. */
  plainQuoted(text: string): boolean {
    this.#reserve(text.length + 2)
    const { bytes } = this
    let at = this.length
    bytes[at++] = 34
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code < 32 || code > 126 || code === 34 || code === 92) return false
      bytes[at++] = code
    }
    bytes[at++] = 34
    this.length = at
    return true
  }

  #digits(value: number, count: number): void {
    const { bytes } = this
    let rest = value | 0
    for (let at = this.length + count - 1; at >= this.length; at--) {
      const tenth = (rest / 10) | 0
      bytes[at] = zero + rest - tenth * 10
      rest = tenth
    }
    this.length += count
  }

  #reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    const bytes = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    bytes.set(this.bytes.subarray(0, this.length))
    this.bytes = bytes
  }
}

/** Of a whole number from 0 to below a billion... or to below ten millions, what lies above it. */
function digitsOf(value: number): number {
  if (value < 10) return 1
  if (value < 100) return 2
  if (value < 1_000) return 3
  if (value < 10_000) return 4
  if (value < 100_000) return 5
  if (value < 1_000_000) return 6
  if (value < 10_000_000) return 7
  return value < 100_000_000 ? 8 : 9
}
