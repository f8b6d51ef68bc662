/** Random schemas with values that fit them, shared by the property tests of schemas and frames. */
import fc from 'fast-check'
import { schemaOf } from './schema.ts'
import type { Schema, SchemaType, StructType } from './types.ts'

/** Names that would break out of badly quoted code, or touch what objects inherit. */
export const canaryNames: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toJSON',
  'f0',
  'i0',
  'f',
  'i',
  'f1',
  'length',
  'a"b',
  "a'b",
  'a`b',
  '${1}',
  'a\\',
  '*/',
  '/*',
  '//',
  '\u2028',
  '\u2029',
  'a\nb',
  ']',
  '</script>',
  '-->',
  '0',
  '1a',
  'é',
  '😀',
]

export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(fc.constantFrom('a', 'é', '\ud800', '\udc00', '😀', '\u0000', '\ufeff', '\uffff'), {
      maxLength: 20,
    })
    .map((s) => s.join('')),
)

const name = fc.oneof(fc.constantFrom(...canaryNames), fc.string({ minLength: 1, maxLength: 6 }))

const scalarType: fc.Arbitrary<SchemaType> = fc.oneof(
  fc.constantFrom<SchemaType[]>(
    { kind: 'bool' },
    { kind: 'text' },
    { kind: 'bytes' },
    { kind: 'int' },
    { kind: 'int64' },
    { kind: 'float' },
    { kind: 'instant' },
    { kind: 'date' },
    { kind: 'json' },
    { kind: 'decimal', precision: 6, scale: 2 },
  ),
  fc
    .uniqueArray(name, { minLength: 1, maxLength: 4 })
    .map((values): SchemaType => ({ kind: 'literals', values })),
)

export function structType(
  inner: fc.Arbitrary<SchemaType>,
  without: string = '',
): fc.Arbitrary<StructType> {
  const fieldParts = fc.tuple(
    name.filter((n) => n !== without),
    fc.integer({ min: 1, max: 400 }),
    inner,
    fc.boolean(),
  )
  return fc
    .tuple(name, fc.uniqueArray(fieldParts, { maxLength: 6, selector: (f) => f[0] }))
    .map(([structName, parts]) => {
      const ids = new Set<number>()
      const fields = parts.flatMap(([fieldName, wanted, type, maybe]) => {
        let id = wanted
        while (ids.has(id)) id++
        ids.add(id)
        const full: SchemaType =
          maybe && type.kind !== 'optional' ? { kind: 'optional', of: type } : type
        return [{ name: fieldName, id, type: full }]
      })
      return { kind: 'struct' as const, name: structName, fields }
    })
}

function variantType(inner: fc.Arbitrary<SchemaType>): fc.Arbitrary<SchemaType> {
  return fc.tuple(name, fc.uniqueArray(name, { minLength: 1, maxLength: 3 })).chain(([tag, tags]) =>
    fc.tuple(...tags.map(() => structType(inner, tag))).map(
      (structs): SchemaType => ({
        kind: 'variant',
        name: 'v',
        tag,
        cases: tags.map((one, i) => ({ tag: one, struct: structs[i]! })),
      }),
    ),
  )
}

const nested: fc.Arbitrary<SchemaType> = fc.letrec<{ type: SchemaType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalarType,
    tie('type').map((item): SchemaType => ({ kind: 'list', item })),
    tie('type').map((value): SchemaType => ({ kind: 'map', key: { kind: 'text' }, value })),
    structType(tie('type')),
    variantType(tie('type')),
  ),
})).type

export const anyType: fc.Arbitrary<SchemaType> = nested

/** What a row of a frame can be. */
export const rowType: fc.Arbitrary<SchemaType> = fc.oneof(
  { weight: 3, arbitrary: structType(nested) as fc.Arbitrary<SchemaType> },
  { weight: 2, arbitrary: variantType(nested) },
  { weight: 1, arbitrary: nested },
)

export const anySchema: fc.Arbitrary<Schema<unknown>> = anyType.map((type) => schemaOf(type))
export const rowSchema: fc.Arbitrary<Schema<unknown>> = rowType.map((type) => schemaOf(type))

const jsonData = fc
  .jsonValue({ maxDepth: 2, noUnicodeString: false })
  .map((value) => structuredClone(value))

export function valuesOf(type: SchemaType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'bool':
      return fc.boolean()
    case 'text':
      return anyText
    case 'literals':
      return fc.constantFrom(...type.values)
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 })
    case 'int':
      return fc.oneof(
        fc.integer(),
        fc.maxSafeInteger(),
        fc.constantFrom(0, 63, 64, -64, 2 ** 53 - 1, 1 - 2 ** 53),
      )
    case 'int64':
      return fc.oneof(
        fc.bigInt(),
        fc.bigInt({ min: -5n, max: 5n }),
        fc.constantFrom(2n ** 63n, -(2n ** 63n), 2n ** 64n),
      )
    case 'float':
      return fc.double()
    case 'instant':
      return fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 })
    case 'decimal':
      return fc
        .tuple(fc.integer({ min: -9999, max: 9999 }), fc.integer({ min: 0, max: 99 }))
        .map(([a, b]) => `${a}.${b}`)
    case 'date':
      return fc
        .integer({ min: 0, max: 30_000 })
        .map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10))
    case 'json':
      return jsonData
    case 'dynamic':
      return fc.oneof(jsonData, fc.constantFrom(undefined, -0, Number.NaN, 1n), fc.uint8Array())
    case 'list':
      return fc.array(valuesOf(type.item), { maxLength: 4 })
    case 'map':
      return fc
        .array(fc.tuple(valuesOf(type.key), valuesOf(type.value)), { maxLength: 3 })
        .map((pairs) => new Map(pairs))
    case 'optional':
      return fc.option(valuesOf(type.of), { nil: undefined })
    case 'struct':
      return recordOf(type, [])
    case 'variant':
      return fc.oneof(
        ...type.cases.map((one) => recordOf(one.struct, [[type.tag, fc.constant(one.tag)]])),
      )
  }
}

function recordOf(
  type: StructType,
  first: [string, fc.Arbitrary<unknown>][],
): fc.Arbitrary<unknown> {
  const parts = [
    ...first,
    ...type.fields.map((f): [string, fc.Arbitrary<unknown>] => [f.name, valuesOf(f.type)]),
  ]
  return fc.tuple(...parts.map(([, arbitrary]) => arbitrary)).map((values) => {
    const row = {}
    parts.forEach(([key], i) => {
      Object.defineProperty(row, key, {
        value: values[i],
        enumerable: true,
        configurable: true,
        writable: true,
      })
    })
    return row
  })
}
