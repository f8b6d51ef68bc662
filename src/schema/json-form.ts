/**
 * Values of a schema as JSON data. What JSON lacks is written as text: int64 as decimal digits, bytes as base64, NaN and
 * the infinities by name; a map is an object when its keys are text, else an array of pairs (an object puts keys such as "7" first, so their order is lost); an absent optional field is
 * left out. Reading also takes an instant as ISO text with an offset and an int64 as a safe integer, since others write
 * them so. Whether the result fits is the caller's check: values of the wrong kind are passed on as they are.
 */
import { timestamp } from '../base/time.ts'
import { defineField } from './check.ts'
import { readField } from './row.ts'
import type { SchemaType, StructType } from './types.ts'

export function toJsonForm(type: SchemaType, value: unknown): unknown {
  if (value === undefined || value === null) return value
  switch (type.kind) {
    case 'optional':
      return toJsonForm(type.of, value)
    case 'int64':
      return String(value)
    case 'bytes':
      return value instanceof Uint8Array ? toBase64(value) : value
    case 'float':
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
    case 'list':
      return (value as readonly unknown[]).map((item) => toJsonForm(type.item, item) ?? null)
    case 'map': {
      const entries = [...(value as ReadonlyMap<unknown, unknown>)].map(
        ([key, item]) => [toJsonForm(type.key, key), toJsonForm(type.value, item) ?? null] as const,
      )
      return hasTextKeys(type) ? fromEntries(entries) : entries
    }
    case 'struct':
      return structForm(type, value as object, {}, toJsonForm)
    case 'variant': {
      const tag = readField(value as object, type.tag)
      const found = type.cases.find((one) => one.tag === tag)
      if (found === undefined) return value
      const row = {}
      defineField(row, type.tag, tag)
      return structForm(found.struct, value as object, row, toJsonForm)
    }
    default:
      return value
  }
}

export function fromJsonForm(type: SchemaType, value: unknown): unknown {
  switch (type.kind) {
    case 'optional':
      if (value === undefined || (value === null && type.of.kind !== 'json')) return undefined
      return fromJsonForm(type.of, value)
    case 'int64':
      if (typeof value === 'string' && /^-?\d{1,4096}$/.test(value)) return BigInt(value)
      return Number.isSafeInteger(value) ? BigInt(value as number) : value
    case 'bytes':
      return typeof value === 'string' ? (fromBase64(value) ?? value) : value
    case 'float':
      return value === 'NaN' || value === 'Infinity' || value === '-Infinity'
        ? Number(value)
        : value
    case 'instant':
      return typeof value === 'string' ? (isoTime(value) ?? value) : value
    case 'list': {
      return Array.isArray(value)
        ? value.map((one: unknown) => fromJsonForm(type.item, one))
        : value
    }
    case 'map': {
      const pairs = hasTextKeys(type) && isRecord(value) ? Object.entries(value) : value
      if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
        return value
      return new Map(
        (pairs as readonly (readonly [unknown, unknown])[]).map(
          ([key, item]) => [fromJsonForm(type.key, key), fromJsonForm(type.value, item)] as const,
        ),
      )
    }
    case 'struct':
      return isRecord(value) ? structForm(type, value, {}, fromJsonForm) : value
    case 'variant': {
      if (!isRecord(value)) return value
      const tag = readField(value, type.tag)
      const found = type.cases.find((one) => one.tag === tag)
      if (found === undefined) return value
      const row = {}
      defineField(row, type.tag, found.tag)
      return structForm(found.struct, value, row, fromJsonForm)
    }
    default:
      return value
  }
}

function structForm(
  type: StructType,
  value: object,
  row: object,
  form: (type: SchemaType, value: unknown) => unknown,
): object {
  for (const field of type.fields)
    defineField(row, field.name, form(field.type, readField(value, field.name)))
  return row
}

function hasTextKeys(type: Extract<SchemaType, { kind: 'map' }>): boolean {
  return type.key.kind === 'text' || type.key.kind === 'literals'
}

function fromEntries(entries: readonly (readonly [unknown, unknown])[]): object {
  const record = {}
  for (const [key, item] of entries) defineField(record, key as string, item)
  return record
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isoTime(text: string): number | undefined {
  try {
    return timestamp(text)
  } catch {
    return undefined
  }
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text += alphabet[word >>> 18]! + alphabet[(word >>> 12) & 63]!
    text += i + 1 < bytes.length ? alphabet[(word >>> 6) & 63]! : '='
    text += i + 2 < bytes.length ? alphabet[word & 63]! : '='
  }
  return text
}

export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  let at = 0
  for (let i = 0; i < text.length; i += 4) {
    let word = 0
    for (let k = 0; k < 4; k++) word = (word << 6) | Math.max(0, alphabet.indexOf(text[i + k]!))
    for (let shift = 16; shift >= 0 && at < bytes.length; shift -= 8)
      bytes[at++] = (word >>> shift) & 0xff
  }
  return bytes
}
