/**
 * The codec of values without a schema: one tag byte, then the value, and nothing else to know. It keeps what
 * JavaScript tells apart - `undefined` from `null`, -0, NaN, bigints, lone surrogates, the order of a Map - and refuses
 * what is not data (functions, symbols, class instances, cycles) with TM1012. JSON cells use its smaller half.
 *
 * Price against a schema: field names travel with every record, and decoded records have one shape per key order.
 */
import { TidemillError } from '../base/errors.ts'
import { damaged, Reader, Writer } from './bytes.ts'
import { schemaErrors } from './errors.ts'
import { freezeCollection } from './frozen.ts'
import { plainRow, toPlain } from './row.ts'
import { show } from './structure.ts'
import { flatText } from './text.ts'
import type { Codec } from './types.ts'

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/** Deeper values are refused when written (a cycle is infinitely deep) and when read (hostile bytes). */
const DEPTH_MAX = 256

const tags = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  int: 4,
  float: 5,
  bigint: 6,
  text: 7,
  bytes: 8,
  array: 9,
  record: 10,
  map: 11,
  set: 12,
} as const

/** The self-describing codec, for values that no schema describes. */
export const dynamic: Codec<unknown> & {
  write(value: unknown, writer: Writer): void
  read(reader: Reader): unknown
} = Object.freeze({
  contentType: 'application/x-tidemill-value',
  encode(value: unknown): Uint8Array {
    const writer = new Writer()
    writeAny(value, writer, false, 0)
    return writer.finish()
  },
  decode(bytes: Uint8Array): unknown {
    const reader = new Reader(bytes)
    const value = readAny(reader, false, 0)
    reader.finish()
    return value
  },
  write(value: unknown, writer: Writer): void {
    writeAny(value, writer, false, 0)
  },
  read(reader: Reader): unknown {
    return readAny(reader, false, 0)
  },
})

/** Writes JSON data in the same form. */
export function writeJson(value: unknown, writer: Writer): void {
  writeAny(value, writer, true, 0)
}

/** Reads what {@link writeJson} wrote; anything that is not JSON data is TM1010. */
export function readJson(reader: Reader): unknown {
  return readAny(reader, true, 0)
}

/** Whether `value` is JSON data: null, booleans, finite numbers, strings, arrays and plain records of these. */
export function isJson(value: unknown, depth: number = 0): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object': {
      if (value === null) return true
      if (depth >= DEPTH_MAX) return false
      if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1))
      if (!isPlain(value)) return plainRow in value && isJson(toPlain(value), depth + 1)
      return Object.values(value).every((item) => item === undefined || isJson(item, depth + 1))
    }
    default:
      return false
  }
}

/** Whether {@link dynamic} can store `value`. */
export function isDynamic(value: unknown, depth: number = 0): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true
  if (depth >= DEPTH_MAX) return false
  const fits = (item: unknown): boolean => isDynamic(item, depth + 1)
  if (Array.isArray(value)) return value.every(fits)
  if (isPlain(value)) return Object.values(value).every(fits)
  if (plainRow in value) return isDynamic(toPlain(value), depth)
  if (value instanceof Map) return [...value].every(([key, item]) => fits(key) && fits(item))
  return value instanceof Set && [...value].every(fits)
}

/** A deep, frozen copy of JSON data; record fields that are `undefined` are left out, as JSON does. */
export function ownJson(value: unknown): unknown {
  return copyAny(value, true, 0)
}

/** A deep, frozen copy of any value that {@link dynamic} can store; keeps no frame alive. TM1012 otherwise. */
export function ownDynamic<Value>(value: Value): Value {
  // `as`: the copy has the structure of its argument by construction.
  return copyAny(value, false, 0) as Value
}

function writeAny(value: unknown, w: Writer, json: boolean, depth: number): void {
  switch (typeof value) {
    case 'string':
      w.u8(tags.text)
      w.text(value)
      return
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
        w.u8(tags.int)
        w.int(value)
      } else {
        if (json && !Number.isFinite(value)) throw notStorable(`${value} is not JSON`)
        w.u8(tags.float)
        w.f64(value)
      }
      return
    case 'boolean':
      w.u8(value ? tags.true : tags.false)
      return
    case 'undefined':
      if (json) throw notStorable('undefined is not JSON')
      w.u8(tags.undefined)
      return
    case 'bigint':
      if (json) throw notStorable('a bigint is not JSON')
      w.u8(tags.bigint)
      w.bigint(value)
      return
    case 'object':
      if (value === null) w.u8(tags.null)
      else writeObject(value, w, json, depth)
      return
    default:
      throw notStorable(`${show(value)} is not data`)
  }
}

function writeObject(value: object, w: Writer, json: boolean, depth: number): void {
  if (depth >= DEPTH_MAX)
    throw notStorable(`it is nested deeper than ${DEPTH_MAX} levels or contains itself`)
  if (Array.isArray(value)) {
    w.u8(tags.array)
    w.varint(value.length)
    for (let i = 0; i < value.length; i++) writeAny(value[i], w, json, depth + 1)
  } else if (isPlain(value)) {
    writeRecord(value as Readonly<Record<string, unknown>>, w, json, depth)
  } else if (plainRow in value) {
    writeObject(toPlain(value) as object, w, json, depth)
  } else if (json) {
    throw notStorable(`${describe(value)} is not JSON`)
  } else if (value instanceof Uint8Array) {
    w.u8(tags.bytes)
    w.blob(value)
  } else if (value instanceof Map) {
    w.u8(tags.map)
    w.varint(value.size)
    for (const [key, item] of value) {
      writeAny(key, w, false, depth + 1)
      writeAny(item, w, false, depth + 1)
    }
  } else if (value instanceof Set) {
    w.u8(tags.set)
    w.varint(value.size)
    for (const item of value) writeAny(item, w, false, depth + 1)
  } else {
    throw notStorable(`${describe(value)} is not plain data`)
  }
}

function writeRecord(
  value: Readonly<Record<string, unknown>>,
  w: Writer,
  json: boolean,
  depth: number,
): void {
  let names = Object.keys(value)
  if (json) names = names.filter((name) => value[name] !== undefined)
  w.u8(tags.record)
  w.varint(names.length)
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    w.text(name)
    writeAny(value[name], w, json, depth + 1)
  }
}

function readAny(r: Reader, json: boolean, depth: number): unknown {
  const tag = r.u8()
  if (depth > DEPTH_MAX) throw damaged(`a value is nested deeper than ${DEPTH_MAX} levels`)
  switch (tag) {
    case tags.null:
      return null
    case tags.false:
      return false
    case tags.true:
      return true
    case tags.int:
      return r.int()
    case tags.float: {
      const value = r.f64()
      if (json && !Number.isFinite(value)) throw damaged('a JSON number is not finite')
      return value
    }
    case tags.text:
      return r.text()
    case tags.array: {
      const count = r.count()
      const items: unknown[] = []
      for (let i = 0; i < count; i++) items.push(readAny(r, json, depth + 1))
      return items
    }
    case tags.record: {
      const count = r.count(2)
      const record: Record<string, unknown> = {}
      for (let i = 0; i < count; i++) setOwn(record, r.text(), readAny(r, json, depth + 1))
      return record
    }
    default:
      if (json) throw damaged(`tag ${tag} is not JSON`)
      return readBeyondJson(tag, r, depth)
  }
}

function readBeyondJson(tag: number, r: Reader, depth: number): unknown {
  switch (tag) {
    case tags.undefined:
      return undefined
    case tags.bigint:
      return r.bigint()
    case tags.bytes:
      return r.blob()
    case tags.map: {
      const count = r.count(2)
      const map = new Map<unknown, unknown>()
      for (let i = 0; i < count; i++) {
        const key = readAny(r, false, depth + 1)
        map.set(key, readAny(r, false, depth + 1))
      }
      return map
    }
    case tags.set: {
      const count = r.count()
      const set = new Set<unknown>()
      for (let i = 0; i < count; i++) set.add(readAny(r, false, depth + 1))
      return set
    }
    default:
      throw damaged(`tag ${tag} is unknown`)
  }
}

function copyAny(value: unknown, json: boolean, depth: number): unknown {
  if (typeof value === 'string') return flatText(value)
  if (typeof value === 'function' || typeof value === 'symbol')
    throw notStorable(`${show(value)} is not data`)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= DEPTH_MAX)
    throw notStorable(`it is nested deeper than ${DEPTH_MAX} levels or contains itself`)
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (let i = 0; i < value.length; i++) items.push(copyAny(value[i], json, depth + 1))
    return Object.freeze(items)
  }
  if (isPlain(value)) {
    const copy: Record<string, unknown> = {}
    for (const name of Object.keys(value)) {
      const item = (value as Readonly<Record<string, unknown>>)[name]
      if (json && item === undefined) continue
      setOwn(copy, flatText(name), copyAny(item, json, depth + 1))
    }
    return Object.freeze(copy)
  }
  if (plainRow in value) return copyAny(toPlain(value), json, depth)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>()
    for (const [key, item] of value)
      copy.set(copyAny(key, json, depth + 1), copyAny(item, json, depth + 1))
    return freezeCollection(copy)
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>()
    for (const item of value) copy.add(copyAny(item, json, depth + 1))
    return freezeCollection(copy)
  }
  throw notStorable(`${describe(value)} is not plain data`)
}

/** An assignment to `__proto__` would change the prototype instead of adding a field. */
function setOwn(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(record, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  } else {
    record[name] = value
  }
}

/**
 * True for records, false for instances of classes. Records of other realms (a vm context, an iframe) have another
 * `Object.prototype`: one that has no prototype itself.
 */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
  )
}

function describe(value: object): string {
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object'
    ? `an instance of ${name}`
    : show(value)
}

function notStorable(message: string): TidemillError {
  return new TidemillError(schemaErrors.notStorable, { message })
}
