/**
 * What generated line parsers call: tables of bytes, and the parts of JSON that are too rare to be written out for each
 * field. Every line that is scanned ends with a line feed, which no value contains: so nothing here looks for the end of
 * its input, a line feed stops every loop.
 *
 * All functions take the index where something begins and give the index behind it, or -1 when the line has to be read
 * in the ordinary way: because it is no JSON, or because it is not worth its own code here.
 */
import { timestamp } from '../../base/time.ts'
import { checkValue } from '../../schema/check.ts'
import { fromJsonForm } from '../../schema/json-form.ts'
import type { SchemaType } from '../../schema/types.ts'
import type { RawColumn } from '../../frame/raw-builder.ts'
import { nestingMax, parseJson } from './json-text.ts'
import { decodeText, firstBadByte } from './utf8.ts'

/** 1 for the ASCII characters that stand for themselves in a JSON string. */
export const plainBytes: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c ? 1 : 0,
)

/** What `\n` and the other escapes of one character stand for; 0 for anything else. */
export const escapes: Uint8Array = new Uint8Array(256)
for (const [letter, character] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'])
  escapes[letter!.charCodeAt(0)] = character!.charCodeAt(0)

/** By number of digits after the point: whole numbers of up to 15 digits divided by these are rounded correctly. */
export const powersOfTen: Float64Array = Float64Array.from({ length: 16 }, (_, n) =>
  Number(`1e${n}`),
)

/** By number of digits in a word: what multiplies them to its end, behind zeros; what they multiply digits before them by. */
export const digitShifts: Int32Array = Int32Array.of(0, 1 << 24, 1 << 16, 1 << 8, 1)
export const digitPowers: Int32Array = Int32Array.of(1, 10, 100, 1_000, 10_000)

/** Past blanks; a line feed is none. */
export function skipSpace(u8: Uint8Array, start: number): number {
  let i = start
  for (let c = u8[i]; c === 0x20 || c === 0x09 || c === 0x0d; c = u8[i]) i++
  return i
}

/** The rest of a string that nobody reads; `from` is in it, `start` is its first byte. */
export function skipString(u8: Uint8Array, start: number, from: number): number {
  let wide = false
  for (let i = from; ; i++) {
    const c = u8[i]!
    if (plainBytes[c] === 1) continue
    if (c === 0x22) return !wide || firstBadByte(u8, start, i) === i ? i + 1 : -1
    if (c >= 0x80) wide = true
    else if (c !== 0x5c) return -1
    else if (escapes[u8[++i]!] === 0) {
      if (u8[i] !== 0x75) return -1
      for (let k = 1; k <= 4; k++) if (!isHexDigit(u8[i + k]!)) return -1
      i += 4
    }
  }
}

/** A string with its first byte at `start`, behind the quote; what it says goes to {@link found}. */
export function readString(u8: Uint8Array, start: number): number {
  const end = skipString(u8, start, start)
  if (end < 0) return -1
  const text = decodeText(u8, start, end - 1)
  if (text === undefined) return -1
  found = text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text
  return end
}

/** What the last call read. */
export let found: string | number = ''

/** A string with characters beyond ASCII or escaped ones, into a column. */
export function putString(u8: Uint8Array, start: number, raw: RawColumn): number {
  const end = readString(u8, start)
  return end >= 0 && raw.putText(found as string) ? end : -1
}

/** A time as ISO text. */
export function readIsoTime(u8: Uint8Array, start: number): number {
  const end = readString(u8, start)
  if (end < 0) return -1
  try {
    found = timestamp(found as string)
    return end
  } catch {
    return -1
  }
}

/** A number of plain digits, as they are written. */
export function readDigits(u8: Uint8Array, start: number): number {
  let i = start
  let digits = ''
  for (let c = u8[i]!; c === 0x2d || c === 0x2e || (c >= 0x30 && c <= 0x39); c = u8[++i]!)
    digits += String.fromCharCode(c)
  found = digits
  return i
}

/** Bytes, or a value that frames keep as a cell; into `raw` unless nobody reads it. `exact` as in {@link parseJson}. */
export function readCell(
  u8: Uint8Array,
  start: number,
  raw: RawColumn | undefined,
  type: SchemaType,
  exact: boolean,
): number {
  const end = valueEnd(u8, start)
  const text = end < 0 ? undefined : decodeText(u8, start, end)
  // Fractions and exponents of whole numbers are judged by what else is in the line.
  if (text === undefined || (/\d[.eE]/.test(text) && hasWholeNumbers(type))) return -1
  let value: unknown
  try {
    value = fromJsonForm(type, parseJson(text, type, exact))
  } catch {
    return -1
  }
  if (checkValue(type, value) !== undefined) return -1
  if (raw === undefined) return end
  if (raw.column.storage === 'cell') return raw.putCell(value) ? end : -1
  raw.putBytes(value as Uint8Array) // the other type without its own code
  return end
}

/** Where a value ends that is well formed; what is not may end anywhere. */
function valueEnd(u8: Uint8Array, start: number): number {
  let depth = 0
  for (let i = start; ; ) {
    const c = u8[i]!
    if (c === 0x22) {
      i = skipString(u8, i + 1, i + 1)
      if (i < 0) return -1
    } else if (c === 0x0a) return -1
    else if (c === 0x7b || c === 0x5b) {
      // One level is the row itself.
      if (++depth >= nestingMax) return -1
      i++
      continue
    } else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return i
      depth--
      i++
    } else if (c === 0x2c && depth === 0) return i
    else {
      i++
      continue
    }
    if (depth === 0) return i
  }
}

function hasWholeNumbers(type: SchemaType): boolean {
  switch (type.kind) {
    case 'int':
    case 'int64':
      return true
    case 'optional':
      return hasWholeNumbers(type.of)
    case 'list':
      return hasWholeNumbers(type.item)
    case 'map':
      return hasWholeNumbers(type.key) || hasWholeNumbers(type.value)
    case 'struct':
      return type.fields.some((field) => hasWholeNumbers(field.type))
    case 'variant':
      return type.cases.some((one) => hasWholeNumbers(one.struct))
    default:
      return false
  }
}

function isHexDigit(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66)
}
