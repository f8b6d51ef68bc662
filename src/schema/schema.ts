/** Makes schemas from their types: the one place where the methods of a schema are put together. */
import { TidemillError } from '../base/errors.ts'
import { Reader, Writer } from './bytes.ts'
import { checkValue, ownValue } from './check.ts'
import { valueCodec } from './codec.ts'
import { schemaErrors } from './errors.ts'
import { fingerprint } from './fingerprint.ts'
import { isWellFormed } from './text.ts'
import type { Schema, SchemaType, StandardProps } from './types.ts'

/** The type of a schema's values: `type Order = TypeOf<typeof order>`. */
export type TypeOf<Of> = Of extends {
  readonly '~standard': { readonly types?: { readonly output: infer Value } | undefined }
}
  ? Value
  : never

/** An intersection written out, so that editors show the fields and not how they were put together. */
export type Flatten<Row> = { [Name in keyof Row]: Row[Name] } & {}

export const valueContentType = 'application/x-tidemill-schema-value'

class TypeSchema implements Schema<unknown> {
  readonly type: SchemaType
  readonly hash: string
  readonly contentType: string = valueContentType
  readonly '~standard': StandardProps<unknown>

  constructor(type: SchemaType) {
    this.type = type
    this.hash = fingerprint(type)
    this['~standard'] = Object.freeze({
      version: 1 as const,
      vendor: 'tidemill' as const,
      validate: (value: unknown) => {
        const reason = checkValue(type, value)
        return reason === undefined ? { value } : { issues: [{ message: reason }] }
      },
    })
    Object.freeze(this)
  }

  encode(value: unknown): Uint8Array {
    const writer = new Writer()
    valueCodec(this).write(value, writer)
    return writer.finish()
  }

  decode(bytes: Uint8Array): unknown {
    const reader = new Reader(bytes)
    const value = valueCodec(this).read(reader)
    reader.finish()
    return value
  }

  check(value: unknown): string | undefined {
    return checkValue(this.type, value)
  }

  own(value: unknown): unknown {
    return ownValue(this.type, value)
  }
}

/** The schema of a type that was made by hand or read from a checkpoint. TM1002 if it breaks a rule. */
export function schemaOf(type: SchemaType): Schema<unknown> {
  return makeSchema<unknown>(validate(type))
}

/** For the constructors in this folder: `Value` is what they promise about `type`. */
export function makeSchema<Value>(type: SchemaType): Schema<Value> {
  // `as`: the constructor's signature ties `Value` to the type it passes.
  return new TypeSchema(deepFreeze(type)) as Schema<Value>
}

/** TM1002. */
export function badSchema(message: string): TidemillError {
  return new TidemillError(schemaErrors.badSchema, { message })
}

/** A name of a struct, field or case: not empty, without halves of surrogate pairs (it is stored as UTF-8). */
export function checkName(what: string, name: unknown): void {
  if (typeof name !== 'string') throw badSchema(`the ${what} is not a text`)
  if (name === '') throw badSchema(`the ${what} is empty`)
  if (!isWellFormed(name))
    throw badSchema(`the ${what} ${JSON.stringify(name)} holds half of a surrogate pair`)
}

export const fieldIdMax = 0xff_ffff

/** Returns `type` if it and everything inside obeys the rules; TM1002 otherwise. */
export function validate(
  type: SchemaType,
  where: string = 'the schema',
  depth: number = 0,
): SchemaType {
  if (depth > 64) throw badSchema(`${where} is nested deeper than 64 levels`)
  switch (type.kind) {
    case 'literals':
      if (type.values.length === 0) throw badSchema(`${where}: literals needs at least one value`)
      if (new Set(type.values).size !== type.values.length)
        throw badSchema(`${where}: a literal is repeated`)
      for (const value of type.values) {
        if (typeof value !== 'string') throw badSchema(`${where}: a literal is not a text`)
      }
      return type
    case 'decimal': {
      const { precision, scale } = type
      if (!Number.isInteger(precision) || precision < 1 || precision > 1000)
        throw badSchema(`${where}: precision ${precision} is not a whole number from 1 to 1000`)
      if (!Number.isInteger(scale) || scale < 0 || scale > precision)
        throw badSchema(`${where}: scale ${scale} is not a whole number from 0 to ${precision}`)
      return type
    }
    case 'list':
      validate(type.item, `${where}, item`, depth + 1)
      return type
    case 'map':
      validate(type.key, `${where}, key`, depth + 1)
      validate(type.value, `${where}, value`, depth + 1)
      return type
    case 'optional':
      if (type.of.kind === 'optional') throw badSchema(`${where}: optional of optional`)
      validate(type.of, where, depth + 1)
      return type
    case 'struct':
      validateStruct(type, depth)
      return type
    case 'variant':
      validateVariant(type, depth)
      return type
    case 'bool':
    case 'text':
    case 'bytes':
    case 'int':
    case 'int64':
    case 'float':
    case 'instant':
    case 'date':
    case 'json':
    case 'dynamic':
      return type
    default:
      throw badSchema(
        `${where}: kind ${JSON.stringify((type as { readonly kind?: unknown }).kind)} is unknown`,
      )
  }
}

function validateStruct(type: Extract<SchemaType, { kind: 'struct' }>, depth: number): void {
  checkName('name of a struct', type.name)
  const names = new Map<number, string>()
  const seen = new Set<string>()
  for (const field of type.fields) {
    const where = `struct ${JSON.stringify(type.name)}`
    checkName(`name of a field of ${where}`, field.name)
    if (seen.has(field.name))
      throw badSchema(`${where}: field ${JSON.stringify(field.name)} is repeated`)
    seen.add(field.name)
    if (!Number.isInteger(field.id) || field.id < 1 || field.id > fieldIdMax) {
      throw badSchema(
        `${where}: id ${String(field.id)} of field ${JSON.stringify(field.name)} is not a whole number from 1 to ${fieldIdMax}`,
      )
    }
    const other = names.get(field.id)
    if (other !== undefined) {
      throw badSchema(
        `${where}: fields ${JSON.stringify(other)} and ${JSON.stringify(field.name)} both have id ${field.id}`,
      )
    }
    names.set(field.id, field.name)
    validate(field.type, `${where}, field ${JSON.stringify(field.name)}`, depth + 1)
  }
}

function validateVariant(type: Extract<SchemaType, { kind: 'variant' }>, depth: number): void {
  checkName('name of a variant', type.name)
  checkName(`tag field of variant ${JSON.stringify(type.name)}`, type.tag)
  const where = `variant ${JSON.stringify(type.name)}`
  if (type.cases.length === 0) throw badSchema(`${where} needs at least one case`)
  if (type.cases.length > 255)
    throw badSchema(`${where} has ${type.cases.length} cases, at most 255 are possible`)
  const seen = new Set<string>()
  for (const one of type.cases) {
    checkName(`tag of a case of ${where}`, one.tag)
    if (seen.has(one.tag)) throw badSchema(`${where}: case ${JSON.stringify(one.tag)} is repeated`)
    seen.add(one.tag)
    validateStruct(one.struct, depth + 1)
    if (one.struct.fields.some((field) => field.name === type.tag)) {
      throw badSchema(
        `${where}: case ${JSON.stringify(one.tag)} has a field of the tag's name ${JSON.stringify(type.tag)}`,
      )
    }
  }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const item of Object.values(value)) deepFreeze(item)
    Object.freeze(value)
  }
  return value
}
