/** Little-endian fields and text, as every file of this folder stores them. */

/** Sizes, offsets, generations and epochs: unsigned, 8 bytes, at most 2^53 - 1. */
export function setCount(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 4_294_967_296), true)
}

/** NaN when the stored number is beyond 2^53 - 1. */
export function getCount(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true)
  return high >= 2_097_152 ? Number.NaN : high * 4_294_967_296 + view.getUint32(at, true)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Throws a `TypeError` for bytes that are not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const digits: ReadonlyMap<string, number> = new Map(
  [...alphabet].map((char, index) => [char, index]),
)

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const three = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    parts.push(
      alphabet.charAt(three >>> 18) +
        alphabet.charAt((three >>> 12) & 63) +
        (left > 1 ? alphabet.charAt((three >>> 6) & 63) : '=') +
        (left > 2 ? alphabet.charAt(three & 63) : '='),
    )
  }
  return parts.join('')
}

/** `undefined` unless `text` is exactly what {@link toBase64} writes. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  for (let i = 0, at = 0; i < text.length; i += 4) {
    let four = 0
    for (let k = 0; k < 4; k++) {
      const char = text.charAt(i + k)
      const digit = char === '=' && i + k >= text.length - padding ? 0 : digits.get(char)
      if (digit === undefined) return undefined
      four = (four << 6) | digit
    }
    for (let shift = 16; shift >= 0 && at < bytes.length; shift -= 8)
      bytes[at++] = (four >>> shift) & 255
  }
  return toBase64(bytes) === text ? bytes : undefined
}
