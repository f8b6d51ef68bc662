/**
 * What is known of rows without a schema: form and kind of every field, inferred from the rows that were seen and
 * widened for good when a row does not fit. The kinds form a lattice, so a field changes a few times at most.
 *
 *   absent ─▶ any kind, optional      int ─▶ float ─▶ dynamic ◀─ text, bool
 *
 * `int` holds what a `float` holds but for -0 and fractions; reading one is integer arithmetic for V8.
 */
import { canGenerateCode } from '../base/codegen.ts'
import { type FrameLayout, layoutOf } from '../frame/layout.ts'
import { isWellFormed } from '../schema/text.ts'
import { schemaOf } from '../schema/schema.ts'
import type { SchemaType } from '../schema/types.ts'

export type Kind = 'absent' | 'int' | 'float' | 'text' | 'bool' | 'dynamic'

export interface FieldKind {
  readonly kind: Kind
  /** Some rows have `undefined` here. */
  readonly optional: boolean
}

/** The form of rows: records with these fields in this order, or single values (`names` undefined, one kind). */
export interface RowForm {
  readonly names: readonly string[] | undefined
  readonly kinds: readonly FieldKind[]
}

/** More fields than this are not worth a column each: such a record travels as one self-describing value. */
const FIELDS_MAX = 128

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
      return dynamicKind
  }
}

/** The narrowest kind that holds both. */
export function widen(a: FieldKind, b: FieldKind): FieldKind {
  const optional = a.optional || b.optional
  if (a.kind === b.kind) return a.optional === optional ? a : { kind: a.kind, optional }
  if (a.kind === 'absent') return b.kind === 'dynamic' ? b : { kind: b.kind, optional }
  if (b.kind === 'absent') return a.kind === 'dynamic' ? a : { kind: a.kind, optional }
  const numbers = (one: FieldKind): boolean => one.kind === 'int' || one.kind === 'float'
  return numbers(a) && numbers(b) ? { kind: 'float', optional } : dynamicKind
}

export function sameKinds(a: readonly FieldKind[], b: readonly FieldKind[]): boolean {
  return a.every((one, i) => one.kind === b[i]!.kind && one.optional === b[i]!.optional)
}

/** Whether records of these fields can be columns. */
export function canBeColumns(names: readonly string[]): boolean {
  return names.length <= FIELDS_MAX && names.every((one) => one !== '' && isWellFormed(one))
}

/** A form as text: equal text, equal layout. It is how a form travels. */
export function formText(form: RowForm): string {
  const kinds = form.kinds.map((one) => letters[one.kind] + (one.optional ? '?' : ''))
  return JSON.stringify([form.names ?? null, kinds])
}

/**
 * Layouts of inferred forms by their text: making one generates code, which costs milliseconds, and every channel of a
 * thread meets the same few forms. Forgotten together when there are many, so that odd rows cannot fill the memory.
 */
const layouts = new Map<string, FrameLayout>()
/** Forms that a thread remembers. */
export const FORMS_MAX = 512

/** A name of `text` in caches of what is made by generated code, or without it. */
export function cacheKey(text: string): string {
  return canGenerateCode() ? text : `interpreted ${text}`
}

export function layoutOfForm(text: string): FrameLayout {
  const key = cacheKey(text)
  let layout = layouts.get(key)
  if (layout === undefined) {
    if (layouts.size >= FORMS_MAX) layouts.clear()
    layout = layoutOf(schemaOf(typeOfForm(text)))
    layouts.set(key, layout)
  }
  return layout
}

const letters: { readonly [Of in Kind]: string } = {
  absent: 'a',
  int: 'i',
  float: 'f',
  text: 't',
  bool: 'b',
  dynamic: 'd',
}
const kindsByLetter = new Map(Object.entries(letters).map(([kind, letter]) => [letter, kind]))

function typeOfForm(text: string): SchemaType {
  // `as`: written by `formText` in another subtask of the same program.
  const [names, kinds] = JSON.parse(text) as [readonly string[] | null, readonly string[]]
  const types = kinds.map(typeOfKind)
  if (names === null) return types[0]!
  const fields = names.map((name, i) => ({ name, id: i + 1, type: types[i]! }))
  return { kind: 'struct', name: 'row', fields }
}

function typeOfKind(letter: string): SchemaType {
  const kind = kindsByLetter.get(letter[0]!) as Kind
  // A column of absent values needs a type: one bit of an optional bool is the smallest.
  const type: SchemaType = { kind: kind === 'absent' ? 'bool' : kind }
  return letter.length > 1 ? { kind: 'optional', of: type } : type
}

function required(kind: Kind): FieldKind {
  return { kind, optional: false }
}
