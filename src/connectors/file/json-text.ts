/**
 * JSON text with two things that `JSON.parse` does not give: a limit on nesting, and numbers read from their digits
 * where the declared type needs it (`JSON.parse` rounds 9007199254740993 and makes Infinity of 1e400).
 *
 * Of a repeated key the last value counts. A key `__proto__` is an ordinary field.
 */
import { TidemillError } from '../../base/errors.ts'
import { defineField } from '../../schema/check.ts'
import type { SchemaType } from '../../schema/types.ts'
import { connectorErrors } from '../errors.ts'

export const nestingMax = 64

/** Parsed data in JSON form. TM1712, TM1713; TM1714 for a number that its type cannot hold exactly. */
export function parseJson(text: string, type: SchemaType | undefined, exact: boolean): unknown {
  if (tooDeep(text)) {
    throw new TidemillError(connectorErrors.jsonTooDeep, {
      message: `more than ${nestingMax} levels`,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new TidemillError(connectorErrors.jsonInvalid, { message, cause })
  }
  if (!exact && !mayRound.test(text)) return value
  return new ExactReader(text).read(type, value, '')
}

/** Sixteen digits in a row may exceed 2^53, an exponent of three digits the range of a double. */
const mayRound = /\d{16}|[eE]\+?\d{3}/

/** True when a number in such a value always has to be read from its digits. */
export function needsDigits(type: SchemaType): boolean {
  switch (type.kind) {
    case 'decimal':
      return true
    case 'optional':
      return needsDigits(type.of)
    case 'list':
      return needsDigits(type.item)
    case 'map':
      return needsDigits(type.key) || needsDigits(type.value)
    case 'struct':
      return type.fields.some((field) => needsDigits(field.type))
    case 'variant':
      return type.cases.some((one) => needsDigits(one.struct))
    default:
      return false
  }
}

/** Text of fewer characters cannot be well formed and nested deeper. */
const shallowLength = 2 * (nestingMax + 1)

function tooDeep(text: string): boolean {
  if (text.length < shallowLength) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x22) {
      i = stringEnd(text, i)
    } else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > nestingMax) return true
    } else if (unit === 0x7d || unit === 0x5d) {
      depth--
    }
  }
  return false
}

/** Index of the quote that ends the string beginning at `start`, or of the end of the text. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    i = text.indexOf('"', i)
    if (i === -1) return text.length
    let backslashes = 0
    while (text.charCodeAt(i - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return i
  }
}

/** Reads text that is known to be JSON once more, with the types and the parsed value at hand. */
class ExactReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(type: SchemaType | undefined, plain: unknown, path: string): unknown {
    const wanted = type?.kind === 'optional' ? type.of : type
    this.#space()
    const unit = this.#text.charCodeAt(this.#at)
    if (unit === 0x7b) return this.#object(wanted, plain, path)
    if (unit === 0x5b) return this.#array(wanted, plain, path)
    if (unit === 0x22) return this.#string()
    if (unit === 0x74 || unit === 0x6e) this.#at += 4
    else if (unit === 0x66) this.#at += 5
    else return this.#number(wanted, path)
    return unit === 0x6e ? null : unit === 0x74
  }

  #object(type: SchemaType | undefined, plain: unknown, path: string): unknown {
    const fields = fieldTypes(type, plain)
    const result = {}
    this.#at++
    for (this.#space(); this.#text[this.#at] !== '}'; this.#space()) {
      const name = this.#string()
      this.#space()
      this.#at++ // the colon
      const child = fields(name)
      const value = this.read(
        child,
        (plain as Readonly<Record<string, unknown>>)[name],
        path === '' ? name : `${path}.${name}`,
      )
      defineField(result, name, value)
      this.#space()
      if (this.#text[this.#at] === ',') this.#at++
    }
    this.#at++
    return result
  }

  #array(type: SchemaType | undefined, plain: unknown, path: string): unknown {
    const items: unknown[] = []
    this.#at++
    for (this.#space(); this.#text[this.#at] !== ']'; this.#space()) {
      const i = items.length
      const item = type?.kind === 'list' ? type.item : undefined
      items.push(this.read(item, (plain as readonly unknown[])[i], `${path}[${i}]`))
      this.#space()
      if (this.#text[this.#at] === ',') this.#at++
    }
    this.#at++
    return items
  }

  #string(): string {
    const start = this.#at
    const end = stringEnd(this.#text, start)
    this.#at = end + 1
    return JSON.parse(this.#text.slice(start, end + 1)) as string
  }

  #number(type: SchemaType | undefined, path: string): unknown {
    const start = this.#at
    while (/[-+.\deE]/.test(this.#text[this.#at] ?? '')) this.#at++
    const digits = this.#text.slice(start, this.#at)
    const refuse = (reason: string): TidemillError =>
      new TidemillError(connectorErrors.recordRefused, {
        message: `${path === '' ? '' : `${path}: `}${digits} ${reason}`,
      })
    switch (type?.kind) {
      case 'int':
        // A fraction or an exponent is let through only where a double holds the very number that is written.
        if (/^-?\d+$/.test(digits) ? !Number.isSafeInteger(Number(digits)) : digits.length > 15) {
          throw refuse('is not a whole number up to 2^53 - 1')
        }
        return Number(digits)
      case 'int64':
        if (!/^-?\d+$/.test(digits)) throw refuse('is not a whole number')
        return digits
      case 'decimal':
        if (/[eE]/.test(digits)) throw refuse('is written with an exponent')
        return digits
      default:
        if (!Number.isFinite(Number(digits))) throw refuse('is beyond the range of numbers')
        return Number(digits)
    }
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at)
      if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) return
      this.#at++
    }
  }
}

function fieldTypes(
  type: SchemaType | undefined,
  plain: unknown,
): (name: string) => SchemaType | undefined {
  if (type?.kind === 'map') return () => type.value
  let struct = type?.kind === 'struct' ? type : undefined
  if (type?.kind === 'variant') {
    const tag = (plain as Readonly<Record<string, unknown>>)[type.tag]
    struct = type.cases.find((one) => one.tag === tag)?.struct
  }
  const fields = struct?.fields ?? []
  return (name) => fields.find((field) => field.name === name)?.type
}
