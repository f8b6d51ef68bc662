/** Unions of records told apart by the text in one field. */
import { badSchema, type Flatten, makeSchema, validate } from './schema.ts'
import type { StructSchema } from './struct.ts'
import type { Schema, SchemaType } from './types.ts'

export type Cases = Readonly<Record<string, StructSchema<object>>>

type RowOf<One> = One extends StructSchema<infer Row> ? Row : never

/** `{ readonly type: 'person' } & Person | …`, written out. */
export type VariantOf<Tag extends string, Of> = {
  [Name in keyof Of]: Flatten<{ readonly [Field in Tag]: Name } & RowOf<Of[Name]>>
}[keyof Of]

/** A schema whose values are records of several structs. */
export interface VariantSchema<Row> extends Schema<Row> {
  readonly type: Extract<SchemaType, { readonly kind: 'variant' }>
}

/**
 * One of several structs; the text in field `tag` says which. The cases' tags are stored, the name is not.
 *
 * @example
 * const event = variant('type', { person, auction, bid })      // { type: 'person', id: … } | …
 */
export function variant<const Tag extends string, const Of extends Cases>(
  tag: Tag,
  cases: Of,
): VariantSchema<VariantOf<Tag, Of>>
export function variant<const Tag extends string, const Of extends Cases>(
  name: string,
  tag: Tag,
  cases: Of,
): VariantSchema<VariantOf<Tag, Of>>
export function variant(first: string, second: string | Cases, third?: Cases): Schema<unknown> {
  const [name, tag, cases] =
    typeof second === 'string' ? [first, second, third ?? {}] : ['variant', first, second]
  const type: SchemaType = {
    kind: 'variant',
    name,
    tag,
    cases: Object.entries(cases).map(([caseTag, one]) => {
      if (one?.type?.kind !== 'struct')
        throw badSchema(
          `variant ${JSON.stringify(name)}: case ${JSON.stringify(caseTag)} is not a struct`,
        )
      return { tag: caseTag, struct: one.type }
    }),
  }
  return makeSchema(validate(type))
}
