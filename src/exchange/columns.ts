/**
 * What is known of rows without a schema: form and kind of every field, inferred from the rows that were seen and
 * widened for good when a row does not fit. The kinds form a lattice, so a field changes a few times at most.
 *
 *   absent ─▶ any kind, optional      int ─▶ float ─▶ dynamic ◀─ text, bool, record
 *
 * `int` holds what a `float` holds but for -0 and fractions; reading one is integer arithmetic for V8. A `record` is a small
 * record of numbers, texts and booleans inside of a row, such as the bounds of a window: its fields have columns of their own.
 */
import { isWellFormed } from '../schema/text.ts'
import { isInherited } from '../schema/row.ts'

export type Kind = 'absent' | 'int' | 'float' | 'text' | 'bool' | 'record' | 'dynamic'

export interface FieldKind {
  readonly kind: Kind
  /** Some rows have `undefined` here. */
  readonly optional: boolean
  /** Of a `record`: its fields, which are never optional and no records themselves. */
  readonly record?: RecordForm
}

/** Records with these fields in this order. */
export interface RecordForm {
  readonly names: readonly string[]
  readonly kinds: readonly FieldKind[]
}

/** The form of rows: records with these fields in this order, or single values (`names` undefined, one kind). */
export interface RowForm {
  readonly names: readonly string[] | undefined
  readonly kinds: readonly FieldKind[]
}

/** More fields than this are not worth a column each: such a record travels as one self-describing value. */
const FIELDS_MAX = 128
/** A record inside of a row that has more is one value. */
const RECORD_FIELDS_MAX = 8

const dynamicKind: FieldKind = Object.freeze({ kind: 'dynamic', optional: false })
/** Rows that are anything: one self-describing value each. */
export const dynamicForm: RowForm = Object.freeze({ names: undefined, kinds: [dynamicKind] })

export function kindOf(value: unknown): FieldKind {
  switch (typeof value) {
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? required('int')
        : required('float')
    case 'string':
      return required('text')
    case 'boolean':
      return required('bool')
    case 'undefined':
      return { kind: 'absent', optional: true }
    default:
      return recordKind(value) ?? dynamicKind
  }
}

/** Of a plain record that has a column for each of its fields. */
function recordKind(value: unknown): FieldKind | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined
  const names = Object.keys(value)
  if (names.length === 0 || names.length > RECORD_FIELDS_MAX || !names.every(isMemberName))
    return undefined
  const kinds = names.map((one) => scalarKind((value as Readonly<Record<string, unknown>>)[one]))
  if (kinds.some((one) => one.kind === 'dynamic')) return undefined
  return { kind: 'record', optional: false, record: { names, kinds } }
}

/** Whether a generated object literal and a generated read mean the field of this name. */
function isMemberName(name: string): boolean {
  return name !== '' && !isInherited(name) && isWellFormed(name)
}

function scalarKind(value: unknown): FieldKind {
  const isScalar =
    typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean'
  return isScalar ? kindOf(value) : dynamicKind
}

/** The narrowest kind that holds both. */
export function widen(a: FieldKind, b: FieldKind): FieldKind {
  const optional = a.optional || b.optional
  if (a.kind === 'record' || b.kind === 'record') return widenRecord(a, b)
  if (a.kind === b.kind) return a.optional === optional ? a : { kind: a.kind, optional }
  if (a.kind === 'absent') return b.kind === 'dynamic' ? b : { kind: b.kind, optional }
  if (b.kind === 'absent') return a.kind === 'dynamic' ? a : { kind: a.kind, optional }
  const numbers = (one: FieldKind): boolean => one.kind === 'int' || one.kind === 'float'
  return numbers(a) && numbers(b) ? { kind: 'float', optional } : dynamicKind
}

/** A record holds another one of the same fields; anything else beside it makes both a value. */
function widenRecord({ record: a }: FieldKind, { record: b }: FieldKind): FieldKind {
  if (a === undefined || b === undefined || !sameNames(a.names, b.names)) return dynamicKind
  const kinds = a.kinds.map((one, i) => widen(one, b.kinds[i]!))
  if (kinds.some((one) => one.kind === 'dynamic')) return dynamicKind
  return { kind: 'record', optional: false, record: { names: a.names, kinds } }
}

export function sameKinds(a: readonly FieldKind[], b: readonly FieldKind[]): boolean {
  return a.every((one, i) => {
    const { kind, optional, record } = b[i]!
    if (one.kind !== kind || one.optional !== optional) return false
    return record === undefined || sameKinds(one.record!.kinds, record.kinds)
  })
}

export function sameNames(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((one, i) => one === b[i])
}

/** Whether records of these fields can be columns. */
export function canBeColumns(names: readonly string[]): boolean {
  return names.length <= FIELDS_MAX && names.every((one) => one !== '' && isWellFormed(one))
}

/** A form as text: equal text, equal layout. It is how a form travels. */
export function formText(form: RowForm): string {
  return JSON.stringify([form.names ?? null, form.kinds.map(kindText)])
}

type KindText = string | readonly [names: readonly string[], kinds: readonly KindText[]]

function kindText({ kind, optional, record }: FieldKind): KindText {
  if (record !== undefined) return [record.names, record.kinds.map(kindText)]
  // `as`: records have gone by.
  return letters[kind as keyof typeof letters] + (optional ? '?' : '')
}

export function hasRecords({ kinds }: RowForm): boolean {
  return kinds.some((one) => one.kind === 'record')
}

const letters: { readonly [Of in Exclude<Kind, 'record'>]: string } = {
  absent: 'a',
  int: 'i',
  float: 'f',
  text: 't',
  bool: 'b',
  dynamic: 'd',
}
const kindsByLetter = new Map(Object.entries(letters).map(([kind, letter]) => [letter, kind]))

/** The form that {@link formText} wrote. */
export function formOfText(text: string): RowForm {
  // `as`: written by `formText` in another subtask of the same program.
  const [names, kinds] = JSON.parse(text) as [readonly string[] | null, readonly KindText[]]
  return { names: names ?? undefined, kinds: kinds.map(kindOfText) }
}

function kindOfText(text: KindText): FieldKind {
  if (typeof text !== 'string') {
    const [names, kinds] = text
    return { kind: 'record', optional: false, record: { names, kinds: kinds.map(kindOfText) } }
  }
  // `as`: one of the letters.
  return { kind: kindsByLetter.get(text[0]!) as Kind, optional: text.length > 1 }
}

/** A column of each field, and of each field of a record. */
export interface FlatField {
  /** Where the value is in a row: a field, or a field of a record in it. */
  readonly path: readonly [string] | readonly [string, string]
  /** Name of the column. */
  readonly column: string
  readonly kind: FieldKind
}

/** Columns of rows with records: numbered, since names of rows may be any text. */
export function flatFields({ names, kinds }: RowForm): readonly FlatField[] {
  const fields: FlatField[] = []
  const add = (path: FlatField['path'], kind: FieldKind): void =>
    void fields.push({ path, kind, column: `c${fields.length}` })
  for (const [i, name] of (names ?? []).entries()) {
    const kind = kinds[i]!
    const { record } = kind
    if (record === undefined) add([name], kind)
    else for (const [m, member] of record.names.entries()) add([name, member], record.kinds[m]!)
  }
  return fields
}

function required(kind: Kind): FieldKind {
  return { kind, optional: false }
}
