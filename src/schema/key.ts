/**
 * Canonical keys: the bytes that say which keys are equal, and the hash that says which key group owns a key. Both are
 * stored and sent, so both are fixed for ever (docs/formats/keys.md, golden bytes in test/golden/keys).
 *
 * A key's bytes are one tag and a payload, and their byte order is a sensible order of keys:
 *
 * | key | tag | payload |
 * | --- | --- | --- |
 * | false, true | 0x10, 0x11 | none |
 * | number | 0x20 | 8 bytes, big-endian double; sign bit flipped if positive, all bits if negative; -0 is 0 |
 * | bigint < 0 | 0x30 | byte length as 4 bytes and magnitude, big-endian, all bits flipped |
 * | bigint >= 0 | 0x31 | byte length as 4 bytes and magnitude, big-endian |
 * | text | 0x40 | UTF-8 |
 * | tuple | 0x50 | its atoms; text inside a tuple ends with 00, and a 00 inside such text is 00 FF |
 *
 * The hash is MurmurHash3 of the payload, seeded with the tag: so the hash of a text is a hash of its UTF-8 bytes where
 * they lie in a frame.
 */
import { type Reader, Writer, damaged } from './bytes.ts'
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from './errors.ts'
import { finish, mixTail, mixWord, murmur3 } from './murmur.ts'
import { show } from './structure.ts'
import { isWellFormed, readText, textBytes, writeText } from './text.ts'
import type { Key, KeyAtom } from './types.ts'

const tag = {
  false: 0x10,
  true: 0x11,
  number: 0x20,
  negative: 0x30,
  bigint: 0x31,
  text: 0x40,
  tuple: 0x50,
} as const

// A seed per type, so that 1, 1n, '1' and true spread differently.
const seedOf = (one: number): number => Math.imul(one, 0x9e3779b1) | 0
const numberSeed: number = seedOf(tag.number)
const textSeed: number = seedOf(tag.text)

const float = new Float64Array(1)
const floatWords = new Uint32Array(float.buffer)
const scratch = new Writer(256)

/** Why `key` cannot be a key, or undefined when it can. */
export function checkKey(key: unknown): string | undefined {
  if (!Array.isArray(key)) return checkAtom(key)
  for (let i = 0; i < key.length; i++) {
    const item: unknown = key[i]
    const reason = Array.isArray(item) ? 'is a tuple inside a tuple' : checkAtom(item)
    if (reason !== undefined) return `item ${i} of the tuple ${reason}`
  }
  return undefined
}

/** TM1042 unless `key` is valid. */
export function assertKey(key: unknown): asserts key is Key {
  const reason = checkKey(key)
  if (reason !== undefined) throw badKey(reason)
}

/** Appends the canonical bytes. TM1042 for an invalid key. */
export function encodeKey(key: Key, writer: Writer): void {
  if (!Array.isArray(key)) {
    writeAtom(key as KeyAtom, writer, false)
    return
  }
  writer.u8(tag.tuple)
  for (let i = 0; i < key.length; i++) writeAtom(key[i] as KeyAtom, writer, true)
}

/** The canonical bytes as an array of their own. */
export function keyBytes(key: Key): Uint8Array<ArrayBuffer> {
  scratch.clear()
  encodeKey(key, scratch)
  return scratch.finish()
}

/** The key in `reader`, which must hold nothing else. TM1010. */
export function decodeKey(reader: Reader): Key {
  const first = reader.u8()
  if (first === tag.text) {
    const start = reader.position
    reader.skip(reader.remaining)
    const text = readText(reader.bytes, start, reader.position)
    if (!isWellFormed(text)) throw damaged('a key holds half of a surrogate pair')
    return text
  }
  if (first !== tag.tuple) {
    const atom = readAtom(first, reader)
    reader.finish()
    return atom
  }
  const atoms: KeyAtom[] = []
  while (reader.remaining > 0) atoms.push(readAtom(reader.u8(), reader))
  return Object.freeze(atoms)
}

/** The hash of a key, a signed 32-bit integer. TM1042 for an invalid key. */
export function keyHash(key: Key): number {
  if (typeof key === 'number') return hashNumber(key)
  if (typeof key === 'string') return hashText(key)
  scratch.clear()
  encodeKey(key, scratch)
  return murmur3(scratch.bytes, 1, scratch.position, seedOf(scratch.bytes[0]!))
}

/** The hash of a number key. */
export function hashNumber(key: number): number {
  // Infinity - Infinity and NaN - NaN are NaN: one test for both.
  if (key - key !== 0) throw badKey(`is ${key}`)
  float[0] = key === 0 ? 0 : key
  const high = floatWords[1]!
  const flip = high >>> 31 === 1 ? -1 : 0
  const h = mixWord(
    mixWord(numberSeed, swap(high ^ (flip | 0x8000_0000))),
    swap(floatWords[0]! ^ flip),
  )
  return finish(h, 8)
}

/** The hash of a text key: `hashTextBytes` of its UTF-8 bytes. */
export function hashText(key: string): number {
  const length = key.length
  let h = textSeed
  let wide = 0
  let i = 0
  for (; i + 4 <= length; i += 4) {
    const a = key.charCodeAt(i)
    const b = key.charCodeAt(i + 1)
    const c = key.charCodeAt(i + 2)
    const d = key.charCodeAt(i + 3)
    wide |= a | b | c | d
    h = mixWord(h, a | (b << 8) | (c << 16) | (d << 24))
  }
  const left = length - i
  if (left > 0) {
    let k = key.charCodeAt(i)
    wide |= k
    if (left > 1) {
      const b = key.charCodeAt(i + 1)
      wide |= b
      k |= b << 8
    }
    if (left > 2) {
      const c = key.charCodeAt(i + 2)
      wide |= c
      k |= c << 16
    }
    h = mixTail(h, k)
  }
  return wide < 0x80 ? finish(h, length) : hashWideText(key)
}

/** The hash of the text key whose UTF-8 bytes are `bytes[start, end)`. */
export function hashTextBytes(bytes: Uint8Array, start: number, end: number): number {
  return murmur3(bytes, start, end, textSeed)
}

/** The key group of a hash; `groups` is a power of two. */
export function keyGroupOf(hash: number, groups: number): number {
  return hash & (groups - 1)
}

/**
 * The order of canonical bytes: false, true, numbers, bigints, texts by code point, tuples item by item with a prefix
 * before its extensions.
 */
export function compareKeys(a: Key, b: Key): number {
  if (!Array.isArray(a)) return Array.isArray(b) ? -1 : compareAtoms(a as KeyAtom, b as KeyAtom)
  if (!Array.isArray(b)) return 1
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const order = compareAtoms(a[i] as KeyAtom, b[i] as KeyAtom)
    if (order !== 0) return order
  }
  return Math.sign(a.length - b.length)
}

/** Whether two keys are the same key. */
export function sameKey(a: Key, b: Key): boolean {
  return a === b || compareKeys(a, b) === 0
}

function checkAtom(key: unknown): string | undefined {
  switch (typeof key) {
    case 'string':
      return isWellFormed(key) ? undefined : 'is a text that holds half of a surrogate pair'
    case 'number':
      return key - key === 0 ? undefined : `is ${key}`
    case 'bigint':
    case 'boolean':
      return undefined
    default:
      return `is ${show(key)}`
  }
}

function writeAtom(key: KeyAtom, w: Writer, inTuple: boolean): void {
  switch (typeof key) {
    case 'string':
      if (!isWellFormed(key)) throw badKey('is a text that holds half of a surrogate pair')
      w.u8(tag.text)
      writeTextKey(key, w, inTuple)
      return
    case 'number':
      if (key - key !== 0) throw badKey(`is ${key}`)
      float[0] = key === 0 ? 0 : key
      w.u8(tag.number)
      {
        const flip = floatWords[1]! >>> 31 === 1 ? -1 : 0
        w.u32(swap(floatWords[1]! ^ (flip | 0x8000_0000)) >>> 0)
        w.u32(swap(floatWords[0]! ^ flip) >>> 0)
      }
      return
    case 'boolean':
      w.u8(key ? tag.true : tag.false)
      return
    case 'bigint':
      writeBigint(key, w)
      return
    default:
      throw badKey(checkKey(key) ?? `is ${show(key)}`)
  }
}

function writeTextKey(key: string, w: Writer, inTuple: boolean): void {
  w.reserve(key.length * 3)
  const length = writeText(key, w.bytes, w.position)
  if (!inTuple) {
    w.position += length
    return
  }
  const plain = w.bytes.slice(w.position, w.position + length)
  for (const byte of plain) {
    w.u8(byte)
    if (byte === 0) w.u8(0xff)
  }
  w.u8(0)
}

function writeBigint(key: bigint, w: Writer): void {
  const flip = key < 0n ? 0xff : 0
  let hex = key === 0n ? '' : (key < 0n ? -key : key).toString(16)
  if (hex.length % 2 === 1) hex = `0${hex}`
  const length = hex.length / 2
  w.u8(key < 0n ? tag.negative : tag.bigint)
  for (let shift = 24; shift >= 0; shift -= 8) w.u8(((length >>> shift) & 0xff) ^ flip)
  for (let i = 0; i < hex.length; i += 2) w.u8(Number.parseInt(hex.slice(i, i + 2), 16) ^ flip)
}

function readAtom(first: number, r: Reader): KeyAtom {
  switch (first) {
    case tag.false:
      return false
    case tag.true:
      return true
    case tag.number: {
      const high = swap(r.u32())
      const low = swap(r.u32())
      const flip = high >>> 31 === 1 ? 0 : -1
      floatWords[1] = high ^ (flip | 0x8000_0000)
      floatWords[0] = low ^ flip
      const value = float[0]!
      if (!Number.isFinite(value) || Object.is(value, -0))
        throw damaged('a number key is not canonical')
      return value
    }
    case tag.negative:
    case tag.bigint:
      return readBigint(first === tag.negative, r)
    case tag.text: {
      const part = new Writer(32)
      for (let byte = r.u8(); ; byte = r.u8()) {
        if (byte === 0 && !(r.remaining > 0 && r.bytes[r.position] === 0xff)) break
        if (byte === 0) r.skip(1)
        part.u8(byte)
      }
      const text = readText(part.bytes, 0, part.position)
      if (!isWellFormed(text)) throw damaged('a key holds half of a surrogate pair')
      return text
    }
    default:
      throw damaged(`${first} is not the tag of a key`)
  }
}

function readBigint(negative: boolean, r: Reader): bigint {
  const flip = negative ? 0xff : 0
  let length = 0
  for (let i = 0; i < 4; i++) length = length * 256 + (r.u8() ^ flip)
  if (length > r.remaining) throw damaged('a bigint key ends too early')
  let hex = ''
  for (let i = 0; i < length; i++) hex += (r.u8() ^ flip).toString(16).padStart(2, '0')
  if (hex.startsWith('00') || (negative && length === 0))
    throw damaged('a bigint key is not canonical')
  const size = length === 0 ? 0n : BigInt(`0x${hex}`)
  return negative ? -size : size
}

function compareAtoms(a: KeyAtom, b: KeyAtom): number {
  const order = rank(a) - rank(b)
  if (order !== 0) return Math.sign(order)
  if (typeof a === 'string') return compareText(a, b as string)
  // -0 and 0 compare equal; booleans, numbers and bigints order as the language does.
  return a < b ? -1 : a > b ? 1 : 0
}

function rank(atom: KeyAtom): number {
  switch (typeof atom) {
    case 'boolean':
      return 0
    case 'number':
      return 1
    case 'bigint':
      return 2
    default:
      return 3
  }
}

/** By code point, which is the order of UTF-8 bytes; the language's own order puts U+FFFF after U+10000. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const xIsHalf = x >= 0xd800 && x < 0xe000
    const yIsHalf = y >= 0xd800 && y < 0xe000
    if (xIsHalf !== yIsHalf) return xIsHalf ? 1 : -1
    return x < y ? -1 : 1
  }
  return Math.sign(a.length - b.length)
}

function hashWideText(key: string): number {
  if (!isWellFormed(key)) throw badKey('is a text that holds half of a surrogate pair')
  const bytes = textBytes(key)
  return hashTextBytes(bytes, 0, bytes.length)
}

function swap(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}

function badKey(reason: string): TidemillError {
  return new TidemillError(schemaErrors.badKey, { message: `the key ${reason}` })
}
