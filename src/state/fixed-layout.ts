/**
 * Values of fixed width as doubles: numbers, booleans, instants, literals (as codes) and structs of only these. The
 * reader and writer of a layout are generated, so that each sees one shape; the interpreted pair has the same results.
 */
import { canGenerateCode, type Code, code, compile, join, literal, name } from '../base/codegen.ts'
import { fieldsById } from '../schema/structure.ts'
import type { SchemaType, StructField } from '../schema/types.ts'

type Scalar = Extract<SchemaType, { kind: 'int' | 'float' | 'bool' | 'instant' | 'literals' }>

export interface FixedLayout {
  readonly words: number
  readonly fields: readonly Scalar[]
  /** Writes `value` at `at`; false, with nothing written, when it does not fit. */
  readonly write: (values: Float64Array, at: number, value: unknown) => boolean
  /** A new value each time. */
  readonly read: (values: Float64Array, at: number) => unknown
}

/** Undefined when values of the type have no fixed width. */
export function fixedLayout(type: SchemaType): FixedLayout | undefined {
  if (isScalar(type)) return layoutOf([type], [])
  if (type.kind !== 'struct' || type.fields.length === 0 || type.fields.length > 64)
    return undefined
  const stored = fieldsById(type)
  const fields: Scalar[] = []
  for (const field of stored) {
    if (!isScalar(field.type) || field.name === '__proto__') return undefined
    fields.push(field.type)
  }
  return layoutOf(
    fields,
    type.fields.map((field) => ({ field, word: stored.indexOf(field) })),
  )
}

/** Whether a stored word is one that a writer of this field can have written. */
export function isWord(type: Scalar, word: number): boolean {
  switch (type.kind) {
    case 'int':
      return Number.isSafeInteger(word)
    case 'instant':
      return Number.isFinite(word)
    case 'bool':
      return word === 0 || word === 1
    case 'literals':
      return Number.isInteger(word) && word >= 0 && word < type.values.length
    case 'float':
      return true
  }
}

function isScalar(type: SchemaType): type is Scalar {
  return ['int', 'float', 'bool', 'instant', 'literals'].includes(type.kind)
}

interface Place {
  readonly field: StructField
  readonly word: number
}

function layoutOf(fields: readonly Scalar[], places: readonly Place[]): FixedLayout {
  const pair = canGenerateCode() ? generated(fields, places) : interpreted(fields, places)
  return { words: fields.length, fields, ...pair }
}

type Pair = Pick<FixedLayout, 'read' | 'write'>

function generated(fields: readonly Scalar[], places: readonly Place[]): Pair {
  const constants: (readonly [Code, unknown])[] = []
  const constant = (value: unknown): Code => {
    const made = name('k', constants.length)
    constants.push([made, value])
    return made
  }
  const checks = fields.map((type, word): Code => {
    const x = name('x', word)
    switch (type.kind) {
      case 'int':
        return code`if (!Number.isSafeInteger(${x})) return false;`
      case 'float':
        return code`if (typeof ${x} !== 'number') return false;`
      case 'instant':
        return code`if (!Number.isFinite(${x})) return false;`
      case 'bool':
        return code`if (typeof ${x} !== 'boolean') return false;`
      default:
        return code`${x} = ${constant(codesOf(type.values))}.get(${x}); if (${x} === undefined) return false;`
    }
  })
  const puts = fields.map((type, word) => {
    const x = name('x', word)
    const put = type.kind === 'bool' ? code`${x} ? 1 : 0` : type.kind === 'int' ? code`${x} + 0` : x
    return code`v[at + ${word}] = ${put};`
  })
  const gets = fields.map((type, word) => {
    if (type.kind === 'bool') return code`v[at + ${word}] === 1`
    return type.kind === 'literals'
      ? code`${constant(type.values)}[v[at + ${word}]]`
      : code`v[at + ${word}]`
  })
  const takes =
    places.length === 0
      ? code`let x0 = value;`
      : code`if (typeof value !== 'object' || value === null) return false;
        ${join(places.map(({ field, word }) => code`let ${name('x', word)} = value[${literal(field.name)}];`))}`
  const result =
    places.length === 0
      ? gets[0]!
      : code`({ ${join(places.map(({ field, word }) => code`${literal(field.name)}: ${gets[word]!},`))} })`
  return compile<Pair>(
    constants,
    code`return {
      write(v, at, value) { ${takes} ${join(checks)} ${join(puts)} return true; },
      read(v, at) { return ${result}; },
    }`,
  )
}

function interpreted(fields: readonly Scalar[], places: readonly Place[]): Pair {
  const codes = fields.map((type) => (type.kind === 'literals' ? codesOf(type.values) : undefined))
  const toWord = (word: number, value: unknown): number | undefined => {
    const type = fields[word]!
    if (type.kind === 'literals') return codes[word]!.get(value)
    if (type.kind === 'bool') return typeof value === 'boolean' ? Number(value) : undefined
    if (typeof value !== 'number') return undefined
    return isWord(type, value) ? (type.kind === 'int' ? value + 0 : value) : undefined
  }
  const fromWord = (word: number, stored: number): unknown => {
    const type = fields[word]!
    if (type.kind === 'bool') return stored === 1
    return type.kind === 'literals' ? type.values[stored] : stored
  }
  return {
    write(values, at, value) {
      const words: number[] = []
      if (places.length === 0) {
        const word = toWord(0, value)
        if (word === undefined) return false
        words.push(word)
      } else {
        if (typeof value !== 'object' || value === null) return false
        for (const { field, word } of places) {
          const made = toWord(word, (value as Readonly<Record<string, unknown>>)[field.name])
          if (made === undefined) return false
          words[word] = made
        }
      }
      values.set(words, at)
      return true
    },
    read(values, at) {
      if (places.length === 0) return fromWord(0, values[at]!)
      const row: Record<string, unknown> = {}
      for (const { field, word } of places) row[field.name] = fromWord(word, values[at + word]!)
      return row
    },
  }
}

function codesOf(values: readonly string[]): ReadonlyMap<unknown, number> {
  return new Map(values.map((value, code) => [value, code]))
}
