/** The layouts of the frames in which rows of a form travel. */
import { canGenerateCode } from '../base/codegen.ts'
import { FrameLayout } from '../frame/layout.ts'
import { schemaOf } from '../schema/schema.ts'
import type { SchemaType } from '../schema/types.ts'
import { type FieldKind, flatFields, formOfText, hasRecords, type RowForm } from './columns.ts'
import { nestedReaders } from './nested-rows.ts'

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
    const form = formOfText(text)
    layout = new FrameLayout(
      schemaOf(flatType(form)),
      hasRecords(form) ? nestedReaders(form) : undefined,
    )
    layouts.set(key, layout)
  }
  return layout
}

function flatType(form: RowForm): SchemaType {
  const { names, kinds } = form
  if (names === undefined) return typeOfKind(kinds[0]!)
  const fields = hasRecords(form)
    ? flatFields(form).map(({ column, kind }) => ({ name: column, kind }))
    : names.map((name, i) => ({ name, kind: kinds[i]! }))
  return {
    kind: 'struct',
    name: 'row',
    fields: fields.map(({ name, kind }, i) => ({ name, id: i + 1, type: typeOfKind(kind) })),
  }
}

function typeOfKind({ kind, optional }: FieldKind): SchemaType {
  // A column of absent values needs a type: one bit of an optional bool is the smallest. Records have no column.
  const type: SchemaType = { kind: kind === 'absent' || kind === 'record' ? 'bool' : kind }
  return optional ? { kind: 'optional', of: type } : type
}
