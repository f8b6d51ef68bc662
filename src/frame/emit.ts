/**
 * Generates the classes of a layout. Fields enter the code as quoted literals, texts and codecs as constants; internal
 * properties of views have numbered names that no field of the layout has.
 */
import { type Code, code, compile, empty, join, literal, name } from '../base/codegen.ts'
import { outOfLine } from '../base/out-of-line.ts'
import { valueCodec } from '../schema/codec.ts'
import { key } from '../schema/codec-generated.ts'
import { plainRow } from '../schema/row.ts'
import type { Column, Columns, Part } from './columns.ts'
import { SLOTS } from './format.ts'
import { Frame, openHeap } from './frame.ts'
import type { Readers } from './layout.ts'
import { freezeDeep, readCell, rowSettings } from './rows.ts'

export function emitReaders(columns: Columns): Readers {
  const constants: (readonly [Code, unknown])[] = []
  const constant = constantsIn(constants)
  return compile<Readers>(
    constants,
    code`${emitFrameClass(columns, constant)}
${emitPlain(columns, constant)}
${emitView(columns, constant)}
return { FrameClass, View, plain }`,
  )
}

/** Collects constants, each once. */
export function constantsIn(constants: (readonly [Code, unknown])[]): (value: unknown) => Code {
  return (value) => {
    const found = constants.find(([, known]) => known === value)
    if (found !== undefined) return found[0]
    const constant = name('k', constants.length)
    constants.push([constant, value])
    return constant
  }
}

/** An expression for `field` of row `i` of frame `f`; both are repeated in it. */
export function fieldCode(
  columns: Columns,
  field: string,
  f: Code,
  i: Code,
  constant: (value: unknown) => Code,
): Code | undefined {
  if (columns.rows !== 'variant') {
    const column = columns.all.find((one) => one.field === field)
    return column && columnCode(column, f, i, constant)
  }
  const tag = code`${f}.u8[${f}.o0 + ${i}]`
  if (field === columns.tag) return code`${constant(columns.all[0]!.values)}[${tag}]`
  const place = code`${f}.u8[${f}.o1 + ${i}]`
  let any = false
  const cases = columns.parts.map((part, index) => {
    const column = part.columns.find((one) => one.field === field)
    any ||= column !== undefined
    return column ? code`${tag} === ${index} ? ${columnCode(column, f, place, constant)} : ` : empty
  })
  return any ? code`(${join(cases, empty)}undefined)` : undefined
}

/** An expression for the value at place `i` of `column`. */
export function columnCode(
  column: Column,
  f: Code,
  i: Code,
  constant: (value: unknown) => Code,
): Code {
  const k = column.index
  const first = code`${f}.${name('o', k)} + ${i}`
  let value: Code
  switch (column.storage) {
    case 'number':
      value = code`${f}.f64[${first}]`
      break
    case 'bool':
      value = code`${f}.u8[${first}] === 1`
      break
    case 'code':
      value = code`${constant(column.values)}[${f}.u8[${first}]]`
      break
    case 'place':
      value = code`${f}.u8[${first}]`
      break
    case 'text':
      value = code`${f}.${name('t', k)}().slice(${f}.i32[${first}], ${f}.i32[${first} + 1])`
      break
    default: {
      const start = code`${f}.${name('p', k)} + ${f}.i32[${first}]`
      const end = code`${f}.${name('p', k)} + ${f}.i32[${first} + 1]`
      value =
        column.storage === 'bytes'
          ? code`${f}.u8.slice(${start}, ${end})`
          : code`${constant(readCell)}(${constant(valueCodec(column))}, ${f}.u8, ${start}, ${end})`
    }
  }
  return column.optional ? code`(${absent(column, f, i)} ? undefined : ${value})` : code`(${value})`
}

/** A condition that is true where an optional column has no value. */
export function absent(column: Column, f: Code, i: Code): Code {
  return code`(${f}.u8[${f}.${name('n', column.index)} + (${i} >> 3)] >> (${i} & 7) & 1) === 1`
}

/** `o`, `n`, `p`, `b`, `a` of every column that has them, and one method per text heap. */
function emitFrameClass(columns: Columns, constant: (value: unknown) => Code): Code {
  const assigns: Code[] = []
  const methods: Code[] = []
  const openers: Code[] = []
  for (const column of columns.all) {
    const k = column.index
    const slot = (offset: number): Code => code`s[${k * SLOTS + offset}]`
    assigns.push(code`this.${name('o', k)} = ${slot(0)}`)
    if (column.optional) assigns.push(code`this.${name('n', k)} = ${slot(1)}`)
    if (column.storage === 'text' || column.storage === 'bytes' || column.storage === 'cell') {
      assigns.push(code`this.${name('p', k)} = ${slot(2)}`, code`this.${name('b', k)} = ${slot(3)}`)
    }
    if (column.storage !== 'text') continue
    assigns.push(code`this.${name('a', k)} = ${slot(4)}`, code`this.${name('h', k)} = undefined`)
    const rows = columns.rows === 'variant' ? code`f.${name('r', column.part)}` : code`f.length`
    methods.push(code`${name('t', k)}() {
const h = this.${name('h', k)}
return h === undefined ? this.${name('h', k)} = ${constant(outOfLine)}(heaps, ${openers.length}, this, undefined) : h
}`)
    openers.push(
      code`f => ${constant(openHeap)}(f.u8, f.${name('p', k)}, f.${name('b', k)}, f.i32[f.${name('o', k)} + ${rows}], f.${name('a', k)})`,
    )
  }
  const parts =
    columns.rows === 'variant' ? columns.parts.map((_, part) => partRowsCode(columns, part)) : []
  return code`const heaps = [${join(openers, code`, `)}]
class FrameClass extends ${constant(Frame)} {
constructor(layout, region, head, s) {
super(layout, region, head)
${join(assigns)}
${join(parts)}
}
${join(methods)}
}`
}

/** Rows of a case, as the directory has them: its first entries belong to the parts. */
function partRowsCode(_columns: Columns, part: number): Code {
  return code`this.${name('r', part)} = region.i32[(head.start + 48 >>> 2) + ${part * 2}]`
}

function emitPlain(columns: Columns, constant: (value: unknown) => Code): Code {
  const frozen = (row: Code): Code =>
    code`const row = ${row}\nreturn ${constant(rowSettings)}.freeze ? ${constant(freezeDeep)}(row) : row`
  if (columns.rows === 'value') {
    const column = columns.all[0]!
    return code`function plain(f, i) {\n${frozen(columnCode(column, code`f`, code`i`, constant))}\n}`
  }
  if (columns.rows === 'struct') {
    return code`function plain(f, i) {\n${frozen(objectCode(columns.parts[0]!, empty, code`i`, constant))}\n}`
  }
  const cases = columns.parts.map((part, index) => {
    const first = code`${key(columns.tag)}: ${literal(part.tag ?? '')}${part.shown.length > 0 ? code`, ` : empty}`
    return code`case ${index}: {\n${frozen(objectCode(part, first, code`j`, constant))}\n}`
  })
  return code`function plain(f, i) {
const j = f.u8[f.o1 + i]
switch (f.u8[f.o0 + i]) {
${join(cases)}
}
}`
}

function objectCode(part: Part, first: Code, i: Code, constant: (value: unknown) => Code): Code {
  const properties = part.shown.map(
    (one) => code`${key(one.field)}: ${plainCode(one, code`f`, i, constant)}`,
  )
  return code`{ ${first}${join(properties, code`, `)} }`
}

/** An expression for the value at place `i` of `column` in a plain row. */
export function plainCode(
  column: Column,
  f: Code,
  i: Code,
  constant: (value: unknown) => Code,
): Code {
  const value = columnCode(column, f, i, constant)
  return column.type.kind === 'int' && !column.optional ? code`${constant(small)}(${value})` : value
}

/** A small integer needs no box of its own in a plain row; the doubles of a column would each get one. */
function small(value: number): number {
  const int = value | 0
  return int === value ? int : value
}

/**
 * A view of a variant knows from the start which case its row is and where it lies in it: V8 then tests the case once
 * per row instead of once per field, since the objects themselves vanish.
 */
function emitView(columns: Columns, constant: (value: unknown) => Code): Code {
  const fields = fieldNames(columns)
  const [f, i, tag, place] = internalNames(fields)
  const variant = columns.rows === 'variant'
  const located = variant
    ? code`; this.${tag} = f.u8[f.o0 + i]; this.${place} = f.u8[f.o1 + i]`
    : empty
  const getters = [...fields].map((field) => {
    if (variant)
      return code`get [${literal(field)}]() {\nconst f = this.${f}, i = this.${place}\n${caseCode(columns, field, code`this.${tag}`, constant)}\n}`
    const column = columns.all.find((one) => one.field === field)!
    return code`get [${literal(field)}]() {\nconst f = this.${f}, i = this.${i}\n${returnCode(column, constant)}\n}`
  })
  const toPlain = code`return plain(this.${f}, this.${i})`
  const toJson = fields.has('toJSON') ? empty : code`toJSON() { ${toPlain} }`
  return code`class View {
constructor(f, i) { this.${f} = f; this.${i} = i${located} }
${join(getters)}
${toJson}
[${constant(plainRow)}]() { ${toPlain} }
}`
}

/**
 * Statements that return `field` of a row whose case is `tag`.
 *
 * What a getter may return decides whether V8 keeps numbers in registers: one that may return `undefined` as well boxes each
 * of them. So a field of all cases has no way out without a value. In a case that lacks the field, `undefined` is read from
 * the frame: as long as that has never happened V8 leaves it out.
 */
function caseCode(
  columns: Columns,
  field: string,
  tag: Code,
  constant: (value: unknown) => Code,
): Code {
  if (field === columns.tag) {
    const { values } = columns.all[0]!
    const known = values
      .slice(1)
      .map((value, index) => code`if (${tag} === ${index + 1}) return ${literal(value)}`)
    return code`${join(known)}\nreturn ${literal(values[0] ?? '')}`
  }
  const having = columns.parts.flatMap((part, index) => {
    const column = part.columns.find((one) => one.field === field)
    return column === undefined ? [] : [{ index, read: returnCode(column, constant) }]
  })
  const everywhere = having.length === columns.parts.length
  const cases = having.map(({ index, read }) =>
    everywhere && index === having.length - 1
      ? code`{ ${read} }`
      : code`if (${tag} === ${index}) { ${read} }\n`,
  )
  return everywhere ? join(cases, empty) : code`${join(cases, empty)}return f.missing`
}

/**
 * Statements that return the value at place `i` of `column` in frame `f`. A column of whole numbers holds doubles; those that fit 32 bits are
 * returned as such, so that `%`, comparisons and keys are integer arithmetic for V8.
 */
export function returnCode(column: Column, constant: (value: unknown) => Code): Code {
  const value = columnCode(column, code`f`, code`i`, constant)
  if (column.type.kind !== 'int' || column.optional) return code`return ${value}`
  return code`const v = ${value}, n = v | 0; return n === v ? n : ${constant(wide)}(v)`
}

/**
 * What does not fit 32 bits goes through a call. As long as none was made, V8 knows the getter by its other way out, and the
 * number stays an integer in a register; a choice between an integer and a double is a double, turned back where it is used.
 */
function wide(value: number): number {
  return value
}

/** All names that rows show. */
export function fieldNames(columns: Columns): ReadonlySet<string> {
  const names = new Set<string>()
  if (columns.rows === 'variant') names.add(columns.tag)
  if (columns.rows !== 'value')
    for (const part of columns.parts) for (const one of part.shown) names.add(one.field)
  return names
}

/** Names for the properties of a view: its frame, its row, the row's case and its place there. */
export function internalNames(fields: ReadonlySet<string>): readonly [Code, Code, Code, Code] {
  let n = 0
  while (['f', 'i', 'k', 'j'].some((letter) => fields.has(`${letter}${n}`))) n++
  return [name('f', n), name('i', n), name('k', n), name('j', n)]
}
