/** Records: fields with a name for programs and an id for stored bytes. */
import { badSchema, type Flatten, makeSchema, validate } from './schema.ts'
import type { Schema, StructField, StructType } from './types.ts'

/** What {@link field} makes. */
export interface Field<Value> {
  readonly id: number
  readonly schema: Schema<Value>
}

export type Fields = Readonly<Record<string, Field<unknown>>>

type ValueOfField<One> = One extends Field<infer Value> ? Value : never

type OptionalNames<Of> = {
  [Name in keyof Of]: undefined extends ValueOfField<Of[Name]> ? Name : never
}[keyof Of]

/** The record that `struct` describes; fields that may be `undefined` may also be left out. */
export type StructOf<Of> = Flatten<
  { readonly [Name in Exclude<keyof Of, OptionalNames<Of>>]: ValueOfField<Of[Name]> } & {
    readonly [Name in OptionalNames<Of>]?: ValueOfField<Of[Name]>
  }
>

/** A schema whose values are records. */
export interface StructSchema<Row> extends Schema<Row> {
  readonly type: StructType
}

/**
 * A field of a struct. The id names it in stored bytes: it is never changed and never given to another field, while
 * the name and the place in the struct may change.
 */
export function field<Value>(id: number, schema: Schema<Value>): Field<Value> {
  return Object.freeze({ id, schema })
}

/**
 * A record with named fields. Decoded records have all declared fields in the order of declaration, `undefined` where
 * an optional one is absent. TM1002 for repeated or impossible ids and empty names.
 *
 * @example
 * const order = struct('order', { orderId: field(1, text), amount: field(2, float), note: field(3, optional(text)) })
 */
export function struct<const Of extends Fields>(
  name: string,
  fields: Of,
): StructSchema<StructOf<Of>> {
  const list: StructField[] = Object.entries(fields).map(([fieldName, one]) => {
    if (typeof one?.schema?.type?.kind !== 'string') {
      throw badSchema(
        `struct ${JSON.stringify(name)}: ${JSON.stringify(fieldName)} is not made by field(id, schema)`,
      )
    }
    return { name: fieldName, id: one.id, type: one.schema.type }
  })
  const type: StructType = { kind: 'struct', name, fields: list }
  // `as`: the mapped type above says in types what the list of fields says in data.
  return makeSchema(validate(type)) as StructSchema<StructOf<Of>>
}
