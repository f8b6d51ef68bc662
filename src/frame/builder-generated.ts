/** Generates a layout's frame builder: one function that checks and stores all fields of a row, with known types. */
import { type Code, code, compile, empty, join, literal, name } from '../base/codegen.ts'
import { unfit } from '../schema/check.ts'
import { valueCodec } from '../schema/codec.ts'
import { isInherited, readField } from '../schema/row.ts'
import { isDate, isDecimal } from '../schema/structure.ts'
import { FrameBuilder } from './builder.ts'
import { type Column, type Columns, fixedBytes, hasHeap, type Part } from './columns.ts'
import { absent, constantsIn } from './emit.ts'
import { FRAME_ROWS_MAX } from './frame.ts'
import type { FrameLayout } from './layout.ts'

export function emitBuilder(columns: Columns): new (layout: FrameLayout) => FrameBuilder {
  const constants: (readonly [Code, unknown])[] = []
  const emitter = new Emitter(constantsIn(constants), columns)
  return compile(
    constants,
    code`return class extends ${emitter.constant(FrameBuilder)} {
append(row, timestampMs, hash) {
const n = this.length
if (n === ${FRAME_ROWS_MAX}) throw this.full()
${emitter.append()}
}
copyRow(f, i, timestampMs, hash) {
const n = this.length
if (n === ${FRAME_ROWS_MAX}) throw this.full()
${emitter.copyRow()}
}
}`,
  )
}

class Emitter {
  readonly constant: (value: unknown) => Code
  private readonly columns: Columns

  constructor(constant: (value: unknown) => Code, columns: Columns) {
    this.constant = constant
    this.columns = columns
  }

  append(): Code {
    const { rows, parts, all, tag } = this.columns
    if (rows === 'value') {
      const v = name('v', 0)
      return code`const j = n, s0 = this.scratch[0], v0 = row\n${this.check(all[0]!, v)}\n${this.finish(parts[0]!, 0)}`
    }
    const isRecord = code`if (typeof row !== 'object' || row === null) throw ${this.unfitRow()}`
    if (rows === 'struct') return code`${isRecord}\nconst j = n\n${this.store(parts[0]!, 0)}`
    const cases = parts.map(
      (part, index) =>
        code`case ${literal(part.tag ?? '')}: {\nconst j = this.counts[${index}]\n${this.store(part, index)}\n}`,
    )
    return code`${isRecord}
switch (${this.property(tag)}) {
${join(cases)}
default: throw ${this.unfitRow()}
}`
  }

  copyRow(): Code {
    const { rows, parts } = this.columns
    if (rows !== 'variant') return code`const j = n\n${this.copy(parts[0]!, 0, code`i`)}`
    const cases = parts.map(
      (part, index) =>
        code`case ${index}: {\nconst j = this.counts[${index}], x = f.u8[f.o1 + i]\n${this.copy(part, index, code`x`)}\n}`,
    )
    return code`switch (f.u8[f.o0 + i]) {\n${join(cases)}\n}`
  }

  /** Reads and checks every field, then stores; nothing in the second half can throw. */
  private store(part: Part, index: number): Code {
    const scratches = part.columns.map(
      (one) => code`const ${name('s', one.index)} = this.scratch[${one.index}]`,
    )
    const reads = part.columns.map(
      (one) => code`const ${name('v', one.index)} = ${this.property(one.field)}`,
    )
    const checks = part.columns.map((one) => this.check(one, name('v', one.index)))
    return code`${join(scratches)}\n${join(reads)}\n${join(checks)}\n${this.finish(part, index)}`
  }

  private finish(part: Part, index: number): Code {
    const sizes = part.columns
      .filter((one) => hasHeap(one.storage))
      .map((one) => code` + ${heapSize(one)}`)
    const stores = part.columns.map((one) => this.storeValue(one, name('v', one.index)))
    return code`const size = ${fixedBytes(part)}${join(sizes, empty)}
${join(stores)}
${this.counted(index)}
return this.added(timestampMs, hash, size)`
  }

  private counted(index: number): Code {
    if (this.columns.rows !== 'variant') return code`this.counts[0] = n + 1`
    return code`this.scratch[0].u8[n] = ${index}\nthis.scratch[1].u8[n] = j\nthis.counts[${index}] = j + 1`
  }

  /** A statement that throws TM1001 if `v` does not fit; cells are encoded here, which is their check. */
  private check(column: Column, v: Code): Code {
    const refuse = code`throw ${this.constant(unfit)}(${this.constant(column.type)}, ${v}, ${literal(column.field)})`
    const present = column.optional ? code`${v} !== undefined && ` : empty
    if (column.storage === 'cell') {
      const s = name('s', column.index)
      const encode = code`${s}.writer.position = ${s}.ends[j]
${column.optional ? code`if (${v} !== undefined) ` : empty}${this.constant(cellWriter(column))}(${v}, ${s}.writer)`
      return encode
    }
    return code`if (${present}!(${this.fits(column, v)})) ${refuse}`
  }

  private fits(column: Column, v: Code): Code {
    const { type } = column
    switch (type.kind) {
      case 'int':
        return code`Number.isSafeInteger(${v})`
      case 'float':
        return code`typeof ${v} === 'number'`
      case 'instant':
        return code`Number.isFinite(${v})`
      case 'bool':
        return code`typeof ${v} === 'boolean'`
      case 'bytes':
        return code`${v} instanceof Uint8Array`
      case 'literals':
        return code`${this.constant(codesOf(column))}.has(${v})`
      case 'decimal':
        return code`${this.constant(isDecimal)}(${v}, ${type.precision}, ${type.scale})`
      case 'date':
        return code`${this.constant(isDate)}(${v})`
      default:
        return code`typeof ${v} === 'string'`
    }
  }

  private storeValue(column: Column, v: Code): Code {
    const s = name('s', column.index)
    const orZero = (value: Code, zero: Code): Code =>
      column.optional ? code`${v} === undefined ? ${zero} : ${value}` : value
    const mark = column.optional ? markAbsent(s, code`${v} === undefined`) : empty
    switch (column.storage) {
      case 'number':
        // `+ 0` turns -0, which `int` does not keep, into 0.
        return code`${mark}${s}.f64[j] = ${orZero(column.type.kind === 'int' ? code`${v} + 0` : v, code`0`)}`
      case 'bool':
        return code`${mark}${s}.u8[j] = ${v} === true ? 1 : 0`
      case 'code':
        return code`${mark}${s}.u8[j] = ${orZero(code`${this.constant(codesOf(column))}.get(${v})`, code`0`)}`
      case 'text': {
        const text = column.optional ? code`(${v} ?? '')` : v
        return code`${mark}${s}.text += ${text}\n${s}.ends[j + 1] = ${s}.ends[j] + ${text}.length`
      }
      case 'bytes':
        return code`${mark}${s}.writer.position = ${s}.ends[j]
${column.optional ? code`if (${v} !== undefined) ` : empty}${s}.writer.raw(${v})
${s}.ends[j + 1] = ${s}.writer.position`
      default:
        return code`${mark}${s}.ends[j + 1] = ${s}.writer.position`
    }
  }

  private copy(part: Part, index: number, i: Code): Code {
    const scratches = part.columns.map(
      (one) => code`const ${name('s', one.index)} = this.scratch[${one.index}]`,
    )
    const copies = part.columns.map((one) => copyValue(one, i))
    return code`let size = ${fixedBytes(part)}
${join(scratches)}
${join(copies)}
${this.counted(index)}
return this.added(timestampMs, hash, size)`
  }

  private property(field: string): Code {
    if (isInherited(field)) return code`${this.constant(readField)}(row, ${literal(field)})`
    return code`row[${literal(field)}]`
  }

  private unfitRow(): Code {
    return code`${this.constant(unfit)}(this.layout.schema.type, row, '')`
  }
}

const codeMaps = new WeakMap<Column, ReadonlyMap<unknown, number>>()

/** Codes of a column's texts. */
export function codesOf(column: Column): ReadonlyMap<unknown, number> {
  let codes = codeMaps.get(column)
  if (codes === undefined) {
    codes = new Map(column.values.map((value, index) => [value, index]))
    codeMaps.set(column, codes)
  }
  return codes
}

const cellWriters = new WeakMap<Column, (value: unknown, writer: unknown) => void>()

function cellWriter(column: Column): (value: unknown, writer: unknown) => void {
  let write = cellWriters.get(column)
  if (write === undefined) {
    // `as`: the generated caller passes the column's own writer.
    write = valueCodec(column).write as (value: unknown, writer: unknown) => void
    cellWriters.set(column, write)
  }
  return write
}

function markAbsent(s: Code, condition: Code): Code {
  return code`if (${condition}) ${s}.absent[j >> 3] |= 1 << (j & 7)
else ${s}.absent[j >> 3] &= ~(1 << (j & 7))
`
}

function heapSize(column: Column): Code {
  const v = name('v', column.index)
  const s = name('s', column.index)
  if (column.storage === 'cell') return code`${s}.writer.position - ${s}.ends[j]`
  return column.optional ? code`(${v} === undefined ? 0 : ${v}.length)` : code`${v}.length`
}

function copyValue(column: Column, i: Code): Code {
  const k = column.index
  const s = name('s', k)
  const first = code`f.${name('o', k)} + ${i}`
  const mark = column.optional ? markAbsent(s, absent(column, code`f`, i)) : empty
  switch (column.storage) {
    case 'number':
      return code`${mark}${s}.f64[j] = f.f64[${first}]`
    case 'text':
      return code`${mark}{
const a = f.i32[${first}], b = f.i32[${first} + 1]
${s}.text += f.${name('t', k)}().slice(a, b)
${s}.ends[j + 1] = ${s}.ends[j] + b - a
size += b - a
}`
    case 'bytes':
    case 'cell':
      return code`${mark}{
const a = f.i32[${first}], b = f.i32[${first} + 1]
${s}.writer.position = ${s}.ends[j]
${s}.writer.copy(f.u8, f.${name('p', k)} + a, f.${name('p', k)} + b)
${s}.ends[j + 1] = ${s}.ends[j] + b - a
size += b - a
}`
    default:
      return code`${mark}${s}.u8[j] = f.u8[${first}]`
  }
}
