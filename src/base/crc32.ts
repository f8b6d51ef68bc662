/**
 * CRC-32 (the polynomial of zip and zlib), the checksum of every block on disk. A table version that runs anywhere;
 * `useCrc32` lets the platform replace it by the host's native one, which must give equal results.
 */

export type Crc32 = (bytes: Uint8Array, seed: number) => number

const table: Int32Array = makeTable()
/** x to the powers 1, 2, 4, ... modulo the polynomial; the top bit is x to the power of 0. */
const squares: Int32Array = makeSquares()
let implementation: Crc32 = crc32Portable

/** Unsigned CRC-32 of `bytes`, continuing from `seed`, the CRC of what came before (0 at the start). */
export function crc32(bytes: Uint8Array, seed: number = 0): number {
  return implementation(bytes, seed)
}

/** What a CRC has to be multiplied with when so many more bytes follow; see {@link crc32Joined}. */
export function crc32Shift(bytes: number): number {
  let shift = 1 << 31
  // x to the power of 8 times the number, by squares.
  for (let left = bytes, square = 3; left > 0; left = Math.floor(left / 2), square++)
    if (left % 2 === 1) shift = product(squares[square & 31]!, shift)
  return shift
}

/**
 * The CRC of A and B together, of that of A and that of B alone; `shift` is `crc32Shift` of the length of B. So bytes that
 * two checksums cover are read once.
 */
export function crc32Joined(first: number, second: number, shift: number): number {
  return (product(shift, first) ^ second) >>> 0
}

/** Called once by the platform at start, before any block is read or written. */
export function useCrc32(native: Crc32): void {
  implementation = native
}

/** The portable implementation: four bytes at a time through four tables. */
export function crc32Portable(bytes: Uint8Array, seed: number): number {
  let crc = ~seed
  const end = bytes.length & ~3
  let i = 0
  for (; i < end; i += 4) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      table[768 + (crc & 255)]! ^
      table[512 + ((crc >>> 8) & 255)]! ^
      table[256 + ((crc >>> 16) & 255)]! ^
      table[crc >>> 24]!
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 255]!
  return ~crc >>> 0
}

/** Product of polynomials modulo that of the CRC. */
function product(left: number, right: number): number {
  let [sum, term] = [0, right]
  for (let bit = 31; bit >= 0; bit--) {
    if ((left >>> bit) & 1) sum ^= term
    term = term & 1 ? (term >>> 1) ^ 0xedb88320 : term >>> 1
  }
  return sum
}

function makeSquares(): Int32Array {
  const powers = new Int32Array(32)
  powers[0] = 1 << 30
  for (let i = 1; i < 32; i++) powers[i] = product(powers[i - 1]!, powers[i - 1]!)
  return powers
}

function makeTable(): Int32Array {
  const t = new Int32Array(1024)
  for (let n = 0; n < 256; n++) {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
    t[n] = c
  }
  for (let n = 0; n < 256; n++) {
    for (let k = 1; k < 4; k++)
      t[k * 256 + n] = (t[(k - 1) * 256 + n]! >>> 8) ^ t[t[(k - 1) * 256 + n]! & 255]!
  }
  return t
}
