/** Strict UTF-8. */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of `bytes[start, end)`, or undefined when it is not UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return decoder.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/** Index of the first byte of `bytes[start, end)` that no UTF-8 text has there; `end` when all is well. */
export function firstBadByte(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end) {
    const lead = bytes[i]!
    if (lead < 0x80) {
      i++
      continue
    }
    const size =
      lead >= 0xc2 && lead < 0xe0
        ? 2
        : lead >= 0xe0 && lead < 0xf0
          ? 3
          : lead >= 0xf0 && lead < 0xf5
            ? 4
            : 0
    if (size === 0) return i
    for (let k = 1; k < size; k++) {
      if (i + k >= end) return i
      const [low, high] = k === 1 ? secondByteRange(lead) : [0x80, 0xbf]
      const next = bytes[i + k]!
      if (next < low || next > high) return i + k
    }
    i += size
  }
  return end
}

/** Excludes overlong forms, surrogates and code points past U+10FFFF. */
function secondByteRange(lead: number): readonly [number, number] {
  if (lead === 0xe0) return [0xa0, 0xbf]
  if (lead === 0xed) return [0x80, 0x9f]
  if (lead === 0xf0) return [0x90, 0xbf]
  if (lead === 0xf4) return [0x80, 0x8f]
  return [0x80, 0xbf]
}
