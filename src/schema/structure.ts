/** Facts about schema types that codecs, layouts and fingerprints share. */
import type { SchemaType, StructField, StructType, VariantCase } from './types.ts'

export type VariantType = Extract<SchemaType, { readonly kind: 'variant' }>

const sortedFields = new WeakMap<StructType, readonly StructField[]>()

/** Fields in ascending id: the order of every stored form, so that names and their order may change. */
export function fieldsById(struct: StructType): readonly StructField[] {
  let fields = sortedFields.get(struct)
  if (fields === undefined) {
    fields = Object.freeze([...struct.fields].sort((a, b) => a.id - b.id))
    sortedFields.set(struct, fields)
  }
  return fields
}

/** Cases in ascending order of their tags. */
export function casesByTag(variant: VariantType): readonly VariantCase[] {
  return [...variant.cases].sort((a, b) => (a.tag < b.tag ? -1 : 1))
}

/** The type without `optional`. */
export function required(type: SchemaType): SchemaType {
  return type.kind === 'optional' ? required(type.of) : type
}

/** How a field's value lies in bytes, which is all that a reader needs to skip a field it does not know. */
export const wire = { varint: 0, word: 1, block: 2 } as const
export type Wire = (typeof wire)[keyof typeof wire]

export function wireOf(type: SchemaType): Wire {
  switch (required(type).kind) {
    case 'bool':
    case 'int':
      return wire.varint
    case 'float':
    case 'instant':
      return wire.word
    default:
      return wire.block
  }
}

/** Whether the payload carries its own length already; the others are put into a block inside structs. */
export function isSelfSized(type: SchemaType): boolean {
  switch (required(type).kind) {
    case 'struct':
    case 'variant':
    case 'list':
    case 'map':
    case 'json':
    case 'dynamic':
      return false
    default:
      return true
  }
}

/** An exact decimal of the type's size. */
export function isDecimal(text: unknown, precision: number, scale: number): boolean {
  if (typeof text !== 'string') return false
  const match = /^-?(0|[1-9]\d*)(?:\.(\d+))?$/.exec(text)
  if (match === null) return false
  const whole = match[1] === '0' ? 0 : (match[1] ?? '').length
  const fraction = (match[2] ?? '').length
  return fraction <= scale && whole <= precision - scale
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** A day of the calendar as `2026-11-22`, years 0001 to 9999. */
export function isDate(text: unknown): boolean {
  if (typeof text !== 'string') return false
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (match === null) return false
  const year = Number(match[1])
  const month = Number(match[2])
  const day = Number(match[3])
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = month === 2 && leap ? 29 : (monthDays[month - 1] ?? 0)
  return year >= 1 && day >= 1 && day <= days
}

/** Something that can stand in a message: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return 'an array'
    if (value instanceof Uint8Array) return 'bytes'
    if (value instanceof Map) return 'a Map'
    if (value instanceof Set) return 'a Set'
    return 'an object'
  }
  if (typeof value === 'function') return 'a function'
  return Object.is(value, -0) ? '-0' : String(value)
}

/** What a value of the type is called in a message. */
export function expected(type: SchemaType): string {
  switch (type.kind) {
    case 'bool':
      return 'true or false'
    case 'text':
      return 'a text'
    case 'literals':
      return `one of ${type.values.slice(0, 8).map(show).join(', ')}${type.values.length > 8 ? ', …' : ''}`
    case 'bytes':
      return 'a Uint8Array'
    case 'int':
      return 'a safe integer'
    case 'int64':
      return 'a bigint'
    case 'float':
      return 'a number'
    case 'decimal':
      return `a decimal text with at most ${type.precision} digits, ${type.scale} of them after the point`
    case 'instant':
      return 'a finite number of epoch milliseconds'
    case 'date':
      return 'a day such as "2026-11-22"'
    case 'json':
      return 'JSON data'
    case 'dynamic':
      return 'plain data'
    case 'list':
      return 'an array'
    case 'map':
      return 'a Map'
    case 'optional':
      return `${expected(type.of)} or undefined`
    case 'struct':
      return 'a record'
    case 'variant':
      return `a record whose ${show(type.tag)} is one of ${type.cases.map((one) => show(one.tag)).join(', ')}`
  }
}
