/**
 * Rows that hold records, in columns of their own: how such a row becomes one without them, and how it is read again. The
 * frames know nothing of it.
 */
import {
  canGenerateCode,
  type Code,
  code,
  compile,
  empty,
  join,
  literal,
  name,
} from '../base/codegen.ts'
import type { Columns } from '../frame/columns.ts'
import { constantsIn, internalNames, plainCode, returnCode } from '../frame/emit.ts'
import type { Frame } from '../frame/frame.ts'
import type { Readers } from '../frame/layout.ts'
import { freezeDeep, rowSettings } from '../frame/rows.ts'
import { defineField } from '../schema/check.ts'
import { key } from '../schema/codec-generated.ts'
import { isInherited, plainRow, readField } from '../schema/row.ts'
import { type FlatField, flatFields, type RowForm } from './columns.ts'

/** Gives the row without records, which is good until the next call. The row must be of the form. */
export type Flatten = (row: unknown) => object

export function flattener(form: RowForm): Flatten {
  const fields = flatFields(form)
  return canGenerateCode() ? generateFlatten(fields) : interpretFlatten(fields)
}

function generateFlatten(fields: readonly FlatField[]): Flatten {
  const constants: (readonly [Code, unknown])[] = []
  const constant = constantsIn(constants)
  const records = recordsOf(fields)
  const read = (field: string): Code =>
    isInherited(field)
      ? code`${constant(readField)}(row, ${literal(field)})`
      : code`row[${literal(field)}]`
  const lets = records.map((one, i) => code`const ${name('r', i)} = ${read(one)}`)
  const sets = fields.map(({ path: [field, member], column }) => {
    const value =
      member === undefined
        ? read(field)
        : code`${name('r', records.indexOf(field))}[${literal(member)}]`
    return code`flat[${literal(column)}] = ${value}`
  })
  const first = fields.map(({ column }) => code`${literal(column)}: undefined`)
  return compile(
    constants,
    code`const flat = { ${join(first, code`, `)} }
return function flatten(row) {
${join(lets)}
${join(sets)}
return flat
}`,
  )
}

function interpretFlatten(fields: readonly FlatField[]): Flatten {
  return (row) => {
    const flat = {}
    for (const { path, column } of fields) {
      let value: unknown = row
      // `as`: the row is of the form.
      for (const one of path) value = readField(value as object, one)
      defineField(flat, column, value)
    }
    return flat
  }
}

/** Makes readers of flat frames show the rows as they were. */
export function nestedReaders(form: RowForm): (flat: Readers, columns: Columns) => Readers {
  return canGenerateCode()
    ? (flat, columns) => ({ ...flat, ...generateReaders(form, columns) })
    : (flat) => ({ ...flat, ...interpretReaders(form, flat) })
}

function generateReaders(form: RowForm, columns: Columns): Pick<Readers, 'View' | 'plain'> {
  const constants: (readonly [Code, unknown])[] = []
  const constant = constantsIn(constants)
  const byName = new Map(columns.all.map((column) => [column.field, column]))
  const fields = flatFields(form)
  const names = form.names ?? []
  const membersOf = (field: string): readonly FlatField[] =>
    fields.filter(({ path }) => path[0] === field)
  const plainOf = (one: FlatField): Code =>
    plainCode(byName.get(one.column)!, code`f`, code`i`, constant)
  const recordOf = (members: readonly FlatField[]): Code => {
    const inner = members.map((one) => code`${key(one.path[1]!)}: ${plainOf(one)}`)
    return code`{ ${join(inner, code`, `)} }`
  }
  const isRecord = (field: string): boolean => membersOf(field)[0]?.path.length === 2
  const properties = names.map((field) => {
    const members = membersOf(field)
    return code`${key(field)}: ${isRecord(field) ? recordOf(members) : plainOf(members[0]!)}`
  })
  const [f, i] = internalNames(new Set(names))
  const getters = names.map((field) => {
    const members = membersOf(field)
    const value = isRecord(field)
      ? code`return ${recordOf(members)}`
      : returnCode(byName.get(members[0]!.column)!, constant)
    return code`get [${literal(field)}]() {\nconst f = this.${f}, i = this.${i}\n${value}\n}`
  })
  const toPlain = code`return plain(this.${f}, this.${i})`
  const toJson = names.includes('toJSON') ? empty : code`toJSON() { ${toPlain} }`
  return compile(
    constants,
    code`function plain(f, i) {
const row = { ${join(properties, code`, `)} }
return ${constant(rowSettings)}.freeze ? ${constant(freezeDeep)}(row) : row
}
class View {
constructor(f, i) { this.${f} = f; this.${i} = i }
${join(getters)}
${toJson}
[${constant(plainRow)}]() { ${toPlain} }
}
return { View, plain }`,
  )
}

function interpretReaders(form: RowForm, flat: Readers): Pick<Readers, 'View' | 'plain'> {
  const fields = flatFields(form)
  const plain = (frame: Frame, i: number): unknown => {
    // `as`: rows of records are records.
    const values = flat.plain(frame, i) as object
    const row: Record<string, unknown> = {}
    for (const { path, column } of fields) {
      const value = readField(values, column)
      const [field, member] = path
      if (member === undefined) {
        defineField(row, field, value)
        continue
      }
      if (!Object.hasOwn(row, field)) defineField(row, field, {})
      defineField(row[field] as object, member, value)
    }
    return rowSettings.freeze ? freezeDeep(row) : row
  }
  class View {
    readonly #frame: Frame
    readonly #i: number
    constructor(frame: Frame, i: number) {
      this.#frame = frame
      this.#i = i
    }
    static plain(view: View): unknown {
      return plain(view.#frame, view.#i)
    }
  }
  const toPlain = {
    value(this: View) {
      return View.plain(this)
    },
  }
  for (const field of form.names ?? []) {
    Object.defineProperty(View.prototype, field, {
      get(this: View) {
        return readField(View.plain(this) as object, field)
      },
      configurable: true,
    })
  }
  if (!(form.names ?? []).includes('toJSON'))
    Object.defineProperty(View.prototype, 'toJSON', toPlain)
  Object.defineProperty(View.prototype, plainRow, toPlain)
  return { View, plain }
}

/** Fields that are records, each once. */
function recordsOf(fields: readonly FlatField[]): readonly string[] {
  return [...new Set(fields.flatMap(({ path }) => (path.length === 2 ? [path[0]] : [])))]
}
