/**
 * CRC-32 (the polynomial of zip and zlib), the checksum of every block on disk. A table version that runs anywhere;
 * `useCrc32` lets the platform replace it by the host's native one, which must give equal results.
 */

export type Crc32 = (bytes: Uint8Array, seed: number) => number

const table: Int32Array = makeTable()
let implementation: Crc32 = crc32Portable

/** Unsigned CRC-32 of `bytes`, continuing from `seed`, the CRC of what came before (0 at the start). */
export function crc32(bytes: Uint8Array, seed: number = 0): number {
  return implementation(bytes, seed)
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
