/** The value codec as plain recursion over the type: the reference for the generated one, and its replacement. */
import { TidemillError } from '../base/errors.ts'
import { damaged, type Reader, type Writer } from './bytes.ts'
import { defineField, fitsScalar, unfit } from './check.ts'
import type { ValueCodec } from './codec.ts'
import { dynamic, isJson, readJson, writeJson } from './dynamic.ts'
import { schemaErrors } from './errors.ts'
import { readField } from './row.ts'
import { fieldsById, isDate, isDecimal, isSelfSized, wire, wireOf } from './structure.ts'
import type { SchemaType, StructField, StructType } from './types.ts'

export function interpretCodec(type: SchemaType): ValueCodec<unknown> {
  return Object.freeze({
    write: (value: unknown, writer: Writer) => write(type, value, writer, ''),
    read: (reader: Reader) => read(type, reader),
  })
}

function write(type: SchemaType, value: unknown, w: Writer, path: string): void {
  switch (type.kind) {
    case 'optional':
      if (value === undefined) w.u8(0)
      else {
        w.u8(1)
        write(type.of, value, w, path)
      }
      return
    case 'list':
      if (!Array.isArray(value)) throw unfit(type, value, path)
      w.varint(value.length)
      for (let i = 0; i < value.length; i++) write(type.item, value[i], w, `${path}[]`)
      return
    case 'map':
      if (!(value instanceof Map)) throw unfit(type, value, path)
      w.varint(value.size)
      for (const [key, item] of value) {
        write(type.key, key, w, `${path}{key}`)
        write(type.value, item, w, `${path}{}`)
      }
      return
    case 'struct':
      if (!isRecord(value)) throw unfit(type, value, path)
      writeStruct(type, value, w, path)
      return
    case 'variant': {
      if (!isRecord(value)) throw unfit(type, value, path)
      const tag = readField(value, type.tag)
      const found = type.cases.find((one) => one.tag === tag)
      if (found === undefined) throw unfit(type, value, path)
      w.text(found.tag)
      writeStruct(found.struct, value, w, path)
      return
    }
    case 'json':
      if (!isJson(value)) throw unfit(type, value, path)
      writeJson(value, w)
      return
    case 'dynamic':
      dynamic.write(value, w)
      return
    default:
      if (!fitsScalar(type, value)) throw unfit(type, value, path)
      writeScalar(type, value, w)
  }
}

function writeScalar(type: SchemaType, value: unknown, w: Writer): void {
  // `as`: `fitsScalar` has just told the type.
  switch (type.kind) {
    case 'bool':
      w.u8(value === true ? 1 : 0)
      return
    case 'int':
      w.int(value as number)
      return
    case 'float':
    case 'instant':
      w.f64(value as number)
      return
    case 'int64':
      w.bigint(value as bigint)
      return
    case 'bytes':
      w.blob(value as Uint8Array)
      return
    default:
      w.text(value as string)
  }
}

function writeStruct(type: StructType, value: object, w: Writer, path: string): void {
  const fields = fieldsById(type)
  const present: (readonly [StructField, unknown])[] = []
  for (const field of fields) {
    const item = readField(value, field.name)
    if (field.type.kind !== 'optional' || item !== undefined) present.push([field, item])
  }
  w.varint(present.length)
  for (const [field, item] of present) {
    const inner = field.type.kind === 'optional' ? field.type.of : field.type
    const where = path === '' ? field.name : `${path}.${field.name}`
    w.varint(field.id * 4 + wireOf(inner))
    if (isSelfSized(inner)) write(inner, item, w, where)
    else {
      const start = w.beginBlock()
      write(inner, item, w, where)
      w.endBlock(start)
    }
  }
}

function read(type: SchemaType, r: Reader): unknown {
  switch (type.kind) {
    case 'bool':
      return readFlag(r)
    case 'int':
      return r.int()
    case 'float':
      return r.f64()
    case 'instant':
      return readInstant(r)
    case 'int64':
      return r.bigint()
    case 'bytes':
      return r.blob()
    case 'text':
      return r.text()
    case 'literals':
      return readLiteral(r, type.values)
    case 'decimal':
      return readDecimal(r, type.precision, type.scale)
    case 'date':
      return readDate(r)
    case 'json':
      return readJson(r)
    case 'dynamic':
      return dynamic.read(r)
    case 'optional':
      return readFlag(r) ? read(type.of, r) : undefined
    case 'list': {
      const count = r.count()
      const items: unknown[] = []
      for (let i = 0; i < count; i++) items.push(read(type.item, r))
      return items
    }
    case 'map': {
      const count = r.count(2)
      const map = new Map<unknown, unknown>()
      for (let i = 0; i < count; i++) {
        const key = read(type.key, r)
        map.set(key, read(type.value, r))
      }
      return map
    }
    case 'struct':
      return readStruct(type, r, {})
    case 'variant': {
      const tag = r.text()
      const found = type.cases.find((one) => one.tag === tag)
      if (found === undefined)
        throw damaged(`${type.tag} ${JSON.stringify(tag)} is not a case of ${type.name}`)
      const row = {}
      defineField(row, type.tag, tag)
      return readStruct(found.struct, r, row)
    }
  }
}

function readStruct(type: StructType, r: Reader, row: object): unknown {
  const count = r.count()
  const fields = fieldsById(type)
  const values = new Map<number, unknown>()
  for (let i = 0; i < count; i++) {
    const head = r.varint()
    const id = Math.floor(head / 4)
    const field = fields.find((one) => one.id === id)
    if (field === undefined) {
      skipField(r, head)
      continue
    }
    const inner = field.type.kind === 'optional' ? field.type.of : field.type
    if (head % 4 !== wireOf(inner)) throw wireMismatch(type, id)
    if (isSelfSized(inner)) values.set(id, read(inner, r))
    else {
      const outer = r.enterBlock()
      values.set(id, read(inner, r))
      r.leaveBlock(outer)
    }
  }
  for (const field of type.fields) {
    const value = values.get(field.id)
    if (value === undefined && field.type.kind !== 'optional') throw missing(type, field)
    defineField(row, field.name, value)
  }
  return row
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Leaves out a field of a newer program. */
export function skipField(r: Reader, head: number): void {
  switch (head % 4) {
    case wire.varint:
      for (let size = 1; r.u8() >= 0x80; size++)
        if (size > 8) throw damaged('a number is too large')
      return
    case wire.word:
      r.skip(8)
      return
    case wire.block:
      r.skip(r.varint())
      return
    default:
      throw damaged('a field has an unknown wire type')
  }
}

export function readFlag(r: Reader): boolean {
  const flag = r.u8()
  if (flag > 1) throw damaged(`${flag} is neither true nor false`)
  return flag === 1
}

export function readInstant(r: Reader): number {
  const ms = r.f64()
  if (!Number.isFinite(ms)) throw damaged('a time is not finite')
  return ms
}

export function readLiteral(r: Reader, values: readonly string[]): string {
  const text = r.text()
  // The program's own string is returned, so that equal literals are one string in memory.
  for (let i = 0; i < values.length; i++) if (values[i] === text) return values[i]!
  throw damaged(`${JSON.stringify(text)} is not one of the declared literals`)
}

export function readDecimal(r: Reader, precision: number, scale: number): string {
  const text = r.text()
  if (!isDecimal(text, precision, scale))
    throw damaged(`${JSON.stringify(text)} is not a decimal of the declared size`)
  return text
}

export function readDate(r: Reader): string {
  const text = r.text()
  if (!isDate(text)) throw damaged(`${JSON.stringify(text)} is not a day`)
  return text
}

export function missing(type: StructType, field: StructField): TidemillError {
  return new TidemillError(schemaErrors.missingField, {
    message: `${type.name}.${field.name}, id ${field.id}`,
  })
}

export function wireMismatch(type: StructType, id: number): TidemillError {
  return damaged(`field ${id} of ${type.name} was stored with another type`)
}
