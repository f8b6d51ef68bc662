/** Text of a CSV column as a value of the declared type. */
import { timestamp } from '../../base/time.ts'
import { fromBase64 } from '../../schema/json-form.ts'
import { isDate, isDecimal, show } from '../../schema/structure.ts'
import type { SchemaType } from '../../schema/types.ts'
import { badOption } from '../errors.ts'
import { parseJson } from './json-text.ts'

/** Throws an error whose message says what was expected. */
export type TextParser = (text: string) => unknown

/** TM1704 for a type that has no form in a column. */
export function textParser(
  type: SchemaType,
  field: string,
  missing: ReadonlySet<string>,
): TextParser {
  switch (type.kind) {
    case 'optional': {
      const parse = textParser(type.of, field, missing)
      return (text) => (missing.has(text) ? undefined : parse(text))
    }
    case 'text':
      return (text) => text
    case 'int':
      return parseInt53
    case 'float':
      return parseFloat64
    case 'literals': {
      const { values } = type
      return (text) =>
        values.includes(text) ? text : unfit(text, `one of ${values.map(show).join(', ')}`)
    }
    case 'bool':
      return parseBool
    case 'int64':
      return (text) =>
        /^[+-]?\d{1,4096}$/.test(text) ? BigInt(text) : unfit(text, 'a whole number')
    case 'decimal': {
      const { precision, scale } = type
      return (text) =>
        isDecimal(text, precision, scale)
          ? text
          : unfit(text, `a decimal of at most ${precision} digits, ${scale} after the point`)
    }
    case 'instant':
      return parseInstant
    case 'date':
      return (text) => (isDate(text) ? text : unfit(text, 'a day such as 2026-11-22'))
    case 'bytes':
      return (text) => fromBase64(text) ?? unfit(text, 'base64')
    case 'json':
      return (text) => parseJson(text, type, false)
    default:
      throw badOption(
        `csv: field ${JSON.stringify(field)} is a ${type.kind}, which a column cannot hold`,
      )
  }
}

function parseInt53(text: string): number {
  const length = text.length
  const first = text.charCodeAt(0)
  const signed = first === 0x2d || first === 0x2b
  let value = 0
  for (let i = signed ? 1 : 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return unfit(text, 'a whole number')
    value = value * 10 + digit
  }
  if (length === 0 || (signed && length === 1)) return unfit(text, 'a whole number')
  if (value > Number.MAX_SAFE_INTEGER) return unfit(text, 'a whole number up to 2^53 - 1')
  return first === 0x2d && value !== 0 ? -value : value
}

const floatForm = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

function parseFloat64(text: string): number {
  if (!floatForm.test(text)) return unfit(text, 'a number')
  const value = Number(text)
  return Number.isFinite(value) ? value : unfit(text, 'a number within range')
}

function parseBool(text: string): boolean {
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  return unfit(text, 'true or false')
}

function parseInstant(text: string): number {
  if (/^[+-]?\d{1,16}$/.test(text)) return Number(text)
  try {
    return timestamp(text)
  } catch {
    return unfit(text, 'epoch milliseconds or a time with its offset')
  }
}

function unfit(text: string, expected: string): never {
  throw new TypeError(`expected ${expected}, got ${show(text)}`)
}
