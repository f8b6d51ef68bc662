/**
 * MurmurHash3 (x86, 32 bit) over bytes. Public domain algorithm by Austin Appleby; part of stored formats, so neither
 * the mixing nor the seeds of its callers may ever change.
 */

/** The hash of `bytes[start, end)` as a signed 32-bit integer. */
export function murmur3(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let h = seed
  const wordsEnd = start + ((end - start) & ~3)
  let i = start
  for (; i < wordsEnd; i += 4) {
    h = mixWord(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  }
  const left = end - i
  if (left > 0) {
    let k = bytes[i]!
    if (left > 1) k |= bytes[i + 1]! << 8
    if (left > 2) k |= bytes[i + 2]! << 16
    h = mixTail(h, k)
  }
  return finish(h, end - start)
}

/** Four bytes, the first one lowest. */
export function mixWord(h: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51)
  const mixed = h ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

/** The last one to three bytes, the first one lowest. */
export function mixTail(h: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51)
  return h ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

export function finish(h: number, length: number): number {
  let x = h ^ length
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}
