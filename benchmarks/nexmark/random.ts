/**
 * java.util.Random in integer arithmetic. The 48-bit state is held as two 24-bit halves, so every
 * operation is an int32 one except a single exact double product that carries between the halves.
 * One instance is reseeded per event.
 */

const MULTIPLIER_HIGH = 0x5de
const MULTIPLIER_LOW = 0xece66d
const MASK_24 = 0xffffff
const TWO_24 = 0x1000000
const TWO_MINUS_24 = 1 / TWO_24

export class JavaRandom {
  /** The halves are public so that a lazy row can save and restore a position. */
  high: number = 0
  low: number = 0

  /** Starts over as `new java.util.Random(seed)` does; `seed` is a non-negative safe integer. */
  seed(seed: number): void {
    this.low = (seed % TWO_24) ^ MULTIPLIER_LOW
    this.high = (Math.floor(seed / TWO_24) % TWO_24) ^ MULTIPLIER_HIGH
  }

  step(): void {
    const low = this.low
    // The product stays below 2^48 and is therefore exact; truncation to int32 keeps all 24 bits of
    // its upper half.
    const carry = ((low * MULTIPLIER_LOW + 0xb) * TWO_MINUS_24) | 0
    this.low = (Math.imul(low, MULTIPLIER_LOW) + 0xb) & MASK_24
    this.high =
      (Math.imul(this.high, MULTIPLIER_LOW) + Math.imul(low, MULTIPLIER_HIGH) + carry) & MASK_24
  }

  /** The top 32 bits as a signed integer. */
  int32(): number {
    this.step()
    return (this.high << 8) | (this.low >>> 16)
  }

  /**
   * 0 <= result < n, for n up to 2^31 - 1. Draws again where a plain remainder would favour small
   * results.
   */
  int(n: number): number {
    this.step()
    let bits = (this.high << 7) | (this.low >>> 17)
    if ((n & (n - 1)) === 0) return Math.floor(n * (bits / 0x80000000))
    let value = bits % n
    while (bits - value + (n - 1) > 0x7fffffff) {
      this.step()
      bits = (this.high << 7) | (this.low >>> 17)
      value = bits % n
    }
    return value
  }

  /** 0 <= result < 1 with 53 random bits; the 26-bit draw comes first. */
  double(): number {
    this.step()
    const upper = this.high * 4 + (this.low >>> 22)
    this.step()
    return (upper * 0x8000000 + this.high * 8 + (this.low >>> 21)) / 0x20000000000000
  }

  /** Passes over `count` draws of one step each. */
  skip(count: number): void {
    for (let i = 0; i < count; i++) this.step()
  }
}
