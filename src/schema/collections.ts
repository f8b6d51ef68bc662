/** Schemas made of one or two others. */
import { makeSchema, validate } from './schema.ts'
import type { Schema } from './types.ts'

/** An array whose items have one schema. */
export function list<Item>(item: Schema<Item>): Schema<readonly Item[]> {
  return makeSchema(validate({ kind: 'list', item: item.type }, 'list'))
}

/** A `Map`, in insertion order. */
export function map<Key, Value>(
  key: Schema<Key>,
  value: Schema<Value>,
): Schema<ReadonlyMap<Key, Value>> {
  return makeSchema(validate({ kind: 'map', key: key.type, value: value.type }, 'map'))
}

/**
 * The value or `undefined`. A field of this schema may be left out of a record (`name?: T | undefined`) and costs no
 * byte when it is; only such fields can be added to a struct whose values are stored already.
 */
export function optional<Value>(of: Schema<Value>): Schema<Value | undefined> {
  if (of.type.kind === 'optional') return of
  return makeSchema({ kind: 'optional', of: of.type })
}
