/**
 * The fingerprint of a type: equal for types whose values have equal bytes and equal frames. It covers field ids and
 * types, tags and literals; names of structs and fields, their order and the order of cases and literals do not count,
 * so a rename or a reordering keeps it.
 */
import { Writer } from './bytes.ts'
import { murmur3 } from './murmur.ts'
import { casesByTag, fieldsById } from './structure.ts'
import type { SchemaType } from './types.ts'

// Part of the fingerprint for ever: numbers are added at the end, never reused.
const kinds: { readonly [Kind in SchemaType['kind']]: number } = {
  bool: 1,
  text: 2,
  literals: 3,
  bytes: 4,
  int: 5,
  int64: 6,
  float: 7,
  decimal: 8,
  instant: 9,
  date: 10,
  json: 11,
  list: 12,
  map: 13,
  optional: 14,
  struct: 15,
  variant: 16,
  dynamic: 17,
}

/** 16 hex digits. */
export function fingerprint(type: SchemaType): string {
  const writer = new Writer()
  describe(type, writer)
  const half = (seed: number): string =>
    (murmur3(writer.bytes, 0, writer.position, seed) >>> 0).toString(16).padStart(8, '0')
  return half(0x7469_6465) + half(0x6d69_6c6c)
}

function describe(type: SchemaType, w: Writer): void {
  w.u8(kinds[type.kind])
  switch (type.kind) {
    case 'literals':
      w.varint(type.values.length)
      for (const value of [...type.values].sort()) w.text(value)
      return
    case 'decimal':
      w.varint(type.precision)
      w.varint(type.scale)
      return
    case 'list':
      describe(type.item, w)
      return
    case 'map':
      describe(type.key, w)
      describe(type.value, w)
      return
    case 'optional':
      describe(type.of, w)
      return
    case 'struct':
      w.varint(type.fields.length)
      for (const field of fieldsById(type)) {
        w.varint(field.id)
        describe(field.type, w)
      }
      return
    case 'variant':
      w.varint(type.cases.length)
      for (const one of casesByTag(type)) {
        w.text(one.tag)
        describe(one.struct, w)
      }
      return
    default:
      return
  }
}
