/**
 * Strings as bytes. Text is stored as UTF-8; a lone surrogate, which JavaScript strings may hold and UTF-8 may not, is
 * stored as the three bytes that the UTF-8 rule gives its code unit (known as WTF-8). So every string comes back as it
 * was, well-formed text is plain UTF-8, and every string has exactly one encoding.
 */
import { readAscii } from '../base/ascii.ts'
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from './errors.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** V8 keeps the parent of slices from this length on, and joins shorter pieces at once; shorter strings are flat. */
const SLICE_LENGTH_MIN = 13

let scratch: Uint8Array<ArrayBuffer> = new Uint8Array(1 << 12)

/** False when `text` holds half of a surrogate pair. */
export function isWellFormed(text: string): boolean {
  // In every host since 2023, and constant time for strings without wide characters; the type library lags behind.
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed()
}

/**
 * Writes `text` at `target[start...]`, which must hold `3 * text.length` bytes, and returns the number of bytes.
 */
export function writeText(text: string, target: Uint8Array, start: number): number {
  const units = text.length
  if (units < 48) {
    let i = 0
    for (; i < units; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) break
      target[start + i] = unit
    }
    if (i === units) return units
  }
  const { read, written } = encoder.encodeInto(text, target.subarray(start, start + units * 3))
  if (written === units || (read === units && isWellFormed(text))) return written
  return writeUnits(text, target, start)
}

/** The bytes of `text`, in a buffer of their own. */
export function textBytes(text: string): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(text.length * 3)
  return room.slice(0, writeText(text, room, 0))
}

/** The string in `bytes[start, end)`. TM1010 when they are not the encoding of one. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= 24) {
    const short = readShortAscii(bytes, start, end)
    if (short !== undefined) return short
  }
  const ascii = readAscii(bytes, start, end)
  if (ascii !== undefined) return ascii
  const part = bytes.subarray(start, end)
  try {
    return decoder.decode(part)
  } catch {
    return readUnits(part)
  }
}

/**
 * The same text in memory of its own: a slice of a long text keeps all of it alive, so whatever outlives a frame is
 * copied by this first.
 */
export function flatText(text: string): string {
  const units = text.length
  if (units < SLICE_LENGTH_MIN) return text
  if (scratch.length < units * 3) scratch = new Uint8Array(units * 4)
  const length = writeText(text, scratch, 0)
  const copy = readText(scratch, 0, length)
  if (scratch.length > 1 << 20) scratch = new Uint8Array(1 << 12)
  return copy
}

function readShortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let any = 0
  for (let i = start; i < end; i++) any |= bytes[i]!
  if (any > 0x7f) return undefined
  let text = ''
  let i = start
  for (; i + 8 <= end; i += 8) {
    text += String.fromCharCode(
      bytes[i]!,
      bytes[i + 1]!,
      bytes[i + 2]!,
      bytes[i + 3]!,
      bytes[i + 4]!,
      bytes[i + 5]!,
      bytes[i + 6]!,
      bytes[i + 7]!,
    )
  }
  for (; i + 2 <= end; i += 2) text += String.fromCharCode(bytes[i]!, bytes[i + 1]!)
  return i < end ? text + String.fromCharCode(bytes[i]!) : text
}

function writeUnits(text: string, target: Uint8Array, start: number): number {
  let at = start
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i)
    if (code >= 0xd800 && code < 0xdc00) {
      const low = text.charCodeAt(i + 1)
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
        i++
      }
    }
    if (code < 0x80) target[at++] = code
    else if (code < 0x800) {
      target[at++] = 0xc0 | (code >> 6)
      target[at++] = 0x80 | (code & 0x3f)
    } else if (code < 0x10000) {
      target[at++] = 0xe0 | (code >> 12)
      target[at++] = 0x80 | ((code >> 6) & 0x3f)
      target[at++] = 0x80 | (code & 0x3f)
    } else {
      target[at++] = 0xf0 | (code >> 18)
      target[at++] = 0x80 | ((code >> 12) & 0x3f)
      target[at++] = 0x80 | ((code >> 6) & 0x3f)
      target[at++] = 0x80 | (code & 0x3f)
    }
  }
  return at - start
}

/** The strict, slow reader: lone surrogates are allowed, a pair written as two halves or any other slip is not. */
function readUnits(bytes: Uint8Array): string {
  const units: number[] = []
  let text = ''
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i]!
    const size =
      lead < 0x80
        ? 1
        : lead >= 0xc2 && lead < 0xe0
          ? 2
          : lead >= 0xe0 && lead < 0xf0
            ? 3
            : lead >= 0xf0 && lead < 0xf5
              ? 4
              : 0
    if (size === 0 || i + size > bytes.length) throw notText()
    let code = size === 1 ? lead : lead & (0xff >> (size + 1))
    for (let k = 1; k < size; k++) {
      const next = bytes[i + k]!
      if ((next & 0xc0) !== 0x80) throw notText()
      code = (code << 6) | (next & 0x3f)
    }
    if ((size === 3 && code < 0x800) || (size === 4 && (code < 0x10000 || code > 0x10ffff)))
      throw notText()
    const previous =
      units.length > 0
        ? units[units.length - 1]!
        : text === ''
          ? 0
          : text.charCodeAt(text.length - 1)
    if (code >= 0xdc00 && code < 0xe000 && previous >= 0xd800 && previous < 0xdc00) throw notText()
    if (code < 0x10000) units.push(code)
    else units.push(0xd800 + ((code - 0x10000) >> 10), 0xdc00 + ((code - 0x10000) & 0x3ff))
    if (units.length >= 4096) {
      text += String.fromCharCode(...units)
      units.length = 0
    }
    i += size
  }
  return text + String.fromCharCode(...units)
}

function notText(): TidemillError {
  return new TidemillError(schemaErrors.damaged, { message: 'a text is not UTF-8' })
}
