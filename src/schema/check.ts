/**
 * Does a value fit a type, and a copy of it that shares nothing. Properties that a struct does not declare are ignored
 * by `check` and left out of the copy. Fields are read by name, so views and records with getters are fine.
 */
import { TidemillError } from '../base/errors.ts'
import { isDynamic, isJson, ownDynamic, ownJson } from './dynamic.ts'
import { schemaErrors } from './errors.ts'
import { freezeCollection } from './frozen.ts'
import { readField } from './row.ts'
import { expected, isDate, isDecimal, show } from './structure.ts'
import { flatText } from './text.ts'
import type { SchemaType, StructType } from './types.ts'

/** Undefined when `value` fits, else a sentence with the path, `lines[2].amount: expected a number, got "x"`. */
export function checkValue(
  type: SchemaType,
  value: unknown,
  path: string = '',
): string | undefined {
  switch (type.kind) {
    case 'optional':
      return value === undefined ? undefined : checkValue(type.of, value, path)
    case 'list': {
      if (!Array.isArray(value)) return unfitText(type, value, path)
      for (let i = 0; i < value.length; i++) {
        const reason = checkValue(type.item, value[i], `${path}[${i}]`)
        if (reason !== undefined) return reason
      }
      return undefined
    }
    case 'map': {
      if (!(value instanceof Map)) return unfitText(type, value, path)
      for (const [key, item] of value) {
        const reason =
          checkValue(type.key, key, `${path}{key}`) ??
          checkValue(type.value, item, `${path}{${show(key)}}`)
        if (reason !== undefined) return reason
      }
      return undefined
    }
    case 'struct':
      return checkStruct(type, value, path)
    case 'variant': {
      if (typeof value !== 'object' || value === null) return unfitText(type, value, path)
      const tag = readField(value, type.tag)
      const found = type.cases.find((one) => one.tag === tag)
      if (found !== undefined) return checkStruct(found.struct, value, path)
      const where = path === '' ? type.tag : `${path}.${type.tag}`
      return `${where}: expected one of ${type.cases.map((one) => show(one.tag)).join(', ')}, got ${show(tag)}`
    }
    default:
      return fitsScalar(type, value) ? undefined : unfitText(type, value, path)
  }
}

/** The types without parts. */
export function fitsScalar(type: SchemaType, value: unknown): boolean {
  switch (type.kind) {
    case 'bool':
      return typeof value === 'boolean'
    case 'text':
      return typeof value === 'string'
    case 'literals':
      return typeof value === 'string' && type.values.includes(value)
    case 'bytes':
      return value instanceof Uint8Array
    case 'int':
      return Number.isSafeInteger(value)
    case 'int64':
      return typeof value === 'bigint'
    case 'float':
      return typeof value === 'number'
    case 'instant':
      return Number.isFinite(value)
    case 'decimal':
      return isDecimal(value, type.precision, type.scale)
    case 'date':
      return isDate(value)
    case 'json':
      return isJson(value)
    case 'dynamic':
      return isDynamic(value)
    default:
      return false
  }
}

/** A deep, frozen copy. TM1001 if `value` does not fit. */
export function ownValue(type: SchemaType, value: unknown): unknown {
  const reason = checkValue(type, value)
  if (reason !== undefined) throw new TidemillError(schemaErrors.unfit, { message: reason })
  return copyValue(type, value)
}

/** TM1001 for `value` at `path`. */
export function unfit(type: SchemaType, value: unknown, path: string): TidemillError {
  return new TidemillError(schemaErrors.unfit, {
    message: checkValue(type, value, path) ?? unfitText(type, value, path),
  })
}

function checkStruct(type: StructType, value: unknown, path: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return unfitText(type, value, path)
  for (const field of type.fields) {
    const where = path === '' ? field.name : `${path}.${field.name}`
    const reason = checkValue(field.type, readField(value, field.name), where)
    if (reason !== undefined) return reason
  }
  return undefined
}

function copyValue(type: SchemaType, value: unknown): unknown {
  switch (type.kind) {
    case 'optional':
      return value === undefined ? undefined : copyValue(type.of, value)
    case 'text':
    case 'literals':
    case 'decimal':
    case 'date':
      return flatText(value as string)
    case 'int':
      return (value as number) + 0
    case 'bytes':
      return new Uint8Array(value as Uint8Array)
    case 'json':
      return ownJson(value)
    case 'dynamic':
      return ownDynamic(value)
    case 'list':
      return Object.freeze((value as readonly unknown[]).map((item) => copyValue(type.item, item)))
    case 'map': {
      const copy = new Map<unknown, unknown>()
      for (const [key, item] of value as ReadonlyMap<unknown, unknown>) {
        copy.set(copyValue(type.key, key), copyValue(type.value, item))
      }
      return freezeCollection(copy)
    }
    case 'struct':
      return copyStruct(type, value as object, {})
    case 'variant': {
      const tag = readField(value as object, type.tag)
      const found = type.cases.find((one) => one.tag === tag)
      const row = {}
      defineField(row, type.tag, tag)
      return copyStruct(found!.struct, value as object, row)
    }
    default:
      return value
  }
}

function copyStruct(type: StructType, value: object, copy: object): unknown {
  for (const field of type.fields)
    defineField(copy, field.name, copyValue(field.type, readField(value, field.name)))
  return Object.freeze(copy)
}

/** Sets an own property, also one called `__proto__`. */
export function defineField(target: object, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  } else {
    const record = target as Record<string, unknown>
    record[name] = value
  }
}

function unfitText(type: SchemaType, value: unknown, path: string): string {
  const text = `expected ${expected(type)}, got ${show(value)}`
  return path === '' ? text : `${path}: ${text}`
}
