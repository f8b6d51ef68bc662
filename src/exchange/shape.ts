/** A form of rows together with what writes them: a number by which messages name it, its layout, and a quick test. */
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
import { constantsIn } from '../frame/emit.ts'
import type { FrameLayout } from '../frame/layout.ts'
import { isInherited, readField } from '../schema/row.ts'
import { formText, hasRecords, type RecordForm, type RowForm } from './columns.ts'
import { cacheKey, FORMS_MAX, layoutOfForm } from './form-layouts.ts'
import { type Flatten, flattener } from './nested-rows.ts'

export interface Shape {
  /** Unique within a writer. */
  readonly id: number
  readonly form: RowForm
  readonly text: string
  readonly layout: FrameLayout
  /**
   * False when a row is not of this form. True when it may be: fields are the right ones, and no column of whole
   * numbers would lose the sign of a zero; the builder of the layout checks the rest.
   */
  readonly matches: (row: unknown) => boolean
  /** What to give the builder instead of a row with records in it. */
  readonly flatten: Flatten | undefined
}

/** `projected`: rows may have other fields as well, which nobody reads. */
export function makeShape(id: number, form: RowForm, projected: boolean): Shape {
  const text = formText(form)
  const known = projected ? projectedMatches : wholeMatches
  const key = cacheKey(text)
  let matches = known.get(key)
  if (matches === undefined) {
    matches = canGenerateCode() ? generateMatch(form, projected) : interpretMatch(form, projected)
    if (known.size >= FORMS_MAX) known.clear()
    known.set(key, matches)
  }
  const flatten = hasRecords(form) ? flattener(form) : undefined
  return { id, form, text, layout: layoutOfForm(text), matches, flatten }
}

type Match = (row: unknown) => boolean

/** One per form, so that what V8 has learned serves every exchange and every life. */
const wholeMatches = new Map<string, Match>()
const projectedMatches = new Map<string, Match>()

function generateMatch(form: RowForm, projected: boolean): Match {
  const constants: (readonly [Code, unknown])[] = []
  const constant = constantsIn(constants)
  const { names, kinds } = form
  if (names === undefined) {
    const zero = kinds[0]!.kind === 'int' ? code`!(row === 0 && 1 / row < 0)` : code`true`
    const body = projected
      ? code`(typeof row !== 'object' || row === null) && ${zero}`
      : code`(typeof row !== 'object' || row === null || !${constant(isRecord)}(row)) && ${zero}`
    return compile(constants, code`return function matches(row) { return ${body} }`)
  }
  const isZero = (v: Code): Code => code`if (${v} === 0 && 1 / ${v} < 0) return false`
  // Behind the reads of fields V8 knows the prototype of a record; before them the look-up is a call.
  const hasKeys = (v: Code, own: readonly string[]): Code =>
    code`if (${constant(Object.getPrototypeOf)}(${v}) !== ${constant(Object.prototype)}) return false
{
let i = 0
for (const name in ${v}) if (name !== ${constant([...own])}[i++]) return false
if (i !== ${own.length}) return false
}`
  const isSuch = (v: Code, record: RecordForm): Code => {
    const members = record.names.map((member, m) => {
      if (record.kinds[m]!.kind !== 'int') return empty
      return code`{\nconst m = ${v}[${literal(member)}]\n${isZero(code`m`)}\n}`
    })
    return code`if (typeof ${v} !== 'object' || ${v} === null) return false
${join(members)}
${hasKeys(v, record.names)}`
  }
  const tests = names.map((field, i) => {
    const { kind, record } = kinds[i]!
    if (kind !== 'int' && record === undefined) return empty
    const v = name('v', i)
    const read = isInherited(field)
      ? code`${constant(readField)}(row, ${literal(field)})`
      : code`row[${literal(field)}]`
    return code`const ${v} = ${read}\n${record === undefined ? isZero(v) : isSuch(v, record)}`
  })
  return compile(
    constants,
    code`return function matches(row) {
if (typeof row !== 'object' || row === null) return false
${join(tests)}
${projected ? empty : hasKeys(code`row`, names)}
return true
}`,
  )
}

function interpretMatch(form: RowForm, projected: boolean): Match {
  const { names, kinds } = form
  const isSafe = (value: unknown, i: number): boolean => {
    const { kind, record } = kinds[i]!
    if (record === undefined) return kind !== 'int' || !Object.is(value, -0)
    return interpretMatch(record, false)(value)
  }
  if (names === undefined) {
    return (row) =>
      (typeof row !== 'object' || row === null || !(projected || isRecord(row))) && isSafe(row, 0)
  }
  return (row) => {
    if (typeof row !== 'object' || row === null) return false
    if (!projected) {
      if (!isRecord(row)) return false
      const own = Object.keys(row)
      if (own.length !== names.length || !own.every((one, i) => one === names[i])) return false
    }
    return names.every((one, i) => isSafe(readField(row, one), i))
  }
}

/** The usual kind of record; others (without a prototype, of another realm) take the slow path. */
function isRecord(row: object): boolean {
  return Object.getPrototypeOf(row) === Object.prototype
}
