/** Lines through frames and lines through `JSON.parse`: the same rows, refusals, places and order, whatever the lines. */
import { fc, test } from '@fast-check/vitest'
import { afterEach, beforeAll, describe, expect, test as plainTest } from 'vitest'
import { forbidCodeGeneration } from '../../base/codegen.ts'
import { list, map, optional } from '../../schema/collections.ts'
import {
  bool,
  bytes,
  date,
  decimal,
  float,
  instant,
  int,
  int64,
  jsonValue,
  literals,
  text,
} from '../../schema/scalars.ts'
import { toJsonForm } from '../../schema/json-form.ts'
import { field, struct } from '../../schema/struct.ts'
import type { Schema } from '../../schema/types.ts'
import { variant } from '../../schema/variant.ts'
import { type ReadResult, readAll } from '../read-all.test-support.ts'
import { installNodeFileClients } from './client.ts'
import { scratchDirectory } from './files.test-support.ts'
import { jsonLines } from './json-lines.ts'

const scratch = scratchDirectory()
beforeAll(() => installNodeFileClients())
afterEach(() => forbidCodeGeneration(false))

const flat = struct('flat', {
  id: field(1, int),
  name: field(5, text),
  on: field(3, bool),
  ratio: field(4, float),
  at: field(2, instant),
  mode: field(6, literals('5G', 'LTE', 'é"\\')),
  day: field(7, date),
  note: field(8, optional(text)),
  size: field(9, optional(int)),
  kind: field(10, optional(literals('a', 'b'))),
  yes: field(11, optional(bool)),
})
const priced = struct('priced', {
  id: field(1, int),
  price: field(2, decimal(20, 2)),
  big: field(3, int64),
  rest: field(4, jsonValue),
  maybe: field(5, optional(jsonValue)),
  tags: field(6, list(int)),
  names: field(7, map(text, optional(float))),
  raw: field(8, bytes),
  part: field(9, optional(struct('part', { x: field(1, int), y: field(2, optional(text)) }))),
})
const event = variant('event', 'type', {
  bid: struct('bid', { at: field(1, instant), price: field(2, int), extra: field(3, text) }),
  ask: struct('ask', { at: field(1, instant), who: field(2, text) }),
  end: struct('end', {}),
})
const schemas: readonly Schema<unknown>[] = [flat, priced, event] as never

const anyText = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom(
    '',
    '"',
    '\\',
    'a\\"b',
    '\n\r\t\b\f/',
    'äö€\u{1f600}',
    '\ud800',
    '\udc00x',
    '\u2028',
    'x'.repeat(300),
    '__proto__',
  ),
)
const opt = <Value>(of: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(of, { nil: undefined })
const finite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.integer({ min: -1e9, max: 1e9 }).map((n) => n / 1000),
)
const whole = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.nat(9))
const rowOf: readonly fc.Arbitrary<unknown>[] = [
  fc.record({
    id: whole,
    name: anyText,
    on: fc.boolean(),
    ratio: finite,
    at: fc.oneof(whole, finite),
    mode: fc.constantFrom('5G', 'LTE', 'é"\\'),
    day: fc.constantFrom('2026-11-22', '0001-01-01'),
    note: opt(anyText),
    size: opt(whole),
    kind: opt(fc.constantFrom('a', 'b')),
    yes: opt(fc.boolean()),
  }),
  fc.record({
    id: whole,
    price: fc.constantFrom('0.30', '12', '-123456789012345678.90'),
    big: fc.bigInt(),
    rest: fc.jsonValue({ maxDepth: 3 }),
    maybe: opt(fc.jsonValue({ maxDepth: 2 })),
    tags: fc.array(whole, { maxLength: 4 }),
    names: fc.array(fc.tuple(anyText, opt(finite)), { maxLength: 3 }).map((all) => new Map(all)),
    raw: fc.uint8Array({ maxLength: 6 }),
    part: opt(fc.record({ x: whole, y: opt(anyText) })),
  }),
  fc.oneof(
    fc.record({ type: fc.constant('bid'), at: whole, price: whole, extra: anyText }),
    fc.record({ type: fc.constant('ask'), at: finite, who: anyText }),
    fc.constant({ type: 'end' }),
  ),
]

/** What is done to the JSON form of a line; most lines stay as they are. */
const tokens = [
  '-0',
  '0',
  '00',
  '01',
  '1e400',
  '-1e-400',
  '1e2',
  '1E+2',
  '1.0',
  '-0.0',
  '0.1',
  '.5',
  '5.',
  '9007199254740993',
  '999999999999999',
  '1000000000000000',
  '123456789.123456',
  '12345678901234567890',
  '0.30',
  '"0.30"',
  '1.005',
  'NaN',
  '"NaN"',
  '"Infinity"',
  'null',
  'true',
  'fals',
  '[]',
  '{}',
  '"2026-01-01T00:00:00Z"',
  '"2026-01-01"',
  '"x',
  '"\\u00e9"',
  '"\\ud83d\\ude00"',
  '"\\ud83d"',
  '"\\q"',
  '"\\u12"',
  '"a\\/b"',
  '[1,-0]',
  '{"x":-0}',
  '{"x":1,"x":2}',
  '"\u0001"',
  '"\t"',
  '"5G"',
  '"\\u0035G"',
  '-',
  '+1',
  '1 ',
  '[[1]]',
  '-9',
  '{"__proto__":1}',
] as const
const mutation = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'none' } as const) },
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('spaces' as const), with: fc.constantFrom(' ', '\t', '  ', '\r') }),
  fc.record({
    kind: fc.constant('value' as const),
    at: fc.nat(),
    token: fc.constantFrom(...tokens),
  }),
  fc.record({
    kind: fc.constant('byte' as const),
    at: fc.nat(),
    with: fc.constantFrom(...' "\\{}[],:0a-.\u0000é'),
  }),
  fc.record({ kind: fc.constant('shuffle' as const), by: fc.nat(9) }),
  fc.record({ kind: fc.constant('drop' as const), at: fc.nat(9) }),
  fc.record({
    kind: fc.constant('add' as const),
    at: fc.nat(9),
    name: fc.constantFrom(
      'id',
      'type',
      'at',
      'other',
      '__proto__',
      'constructor',
      'n\\u0061me',
      '',
    ),
    token: fc.constantFrom(...tokens),
  }),
  fc.record({
    kind: fc.constant('around' as const),
    text: fc.constantFrom('', ' ', '\t ', '\ufeff', 'x', '\r', ' \r\r', '{', ']', '\u00a0'),
    before: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('other' as const),
    text: fc.constantFrom('', ' ', '\r', 'null', '[]', '1', `${'['.repeat(70)}${']'.repeat(70)}`),
  }),
  fc.record({
    kind: fc.constant('deep' as const),
    at: fc.nat(9),
    levels: fc.constantFrom(3, 62, 63, 64, 65),
  }),
)
type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never

function lineOf(form: object, how: Mutation): string {
  const members = Object.entries(form).map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? 'null'}`,
  )
  const n = Math.max(1, members.length)
  const line = `{${members.join(',')}}`
  switch (how.kind) {
    case 'none':
      return line
    case 'cut':
      return line.slice(0, how.at % line.length)
    case 'spaces':
      return `{${how.with}${members.map((one) => one.replace(':', `${how.with}:${how.with}`)).join(`${how.with},${how.with}`)}${how.with}}`
    case 'value': {
      const at = how.at % n
      return `{${members.map((one, i) => (i === at ? `${one.slice(0, one.indexOf(':'))}:${how.token}` : one)).join(',')}}`
    }
    case 'byte': {
      const at = how.at % line.length
      return line.slice(0, at) + how.with + line.slice(at + 1)
    }
    case 'shuffle':
      return `{${[...members.slice(how.by % n), ...members.slice(0, how.by % n)].join(',')}}`
    case 'drop':
      return `{${members.filter((_, i) => i !== how.at % n).join(',')}}`
    case 'add':
      return `{${[...members.slice(0, how.at % (n + 1)), `"${how.name}":${how.token}`, ...members.slice(how.at % (n + 1))].join(',')}}`
    case 'around':
      return how.before ? how.text + line : line + how.text
    case 'other':
      return how.text
    default: {
      const nested = '['.repeat(how.levels) + ']'.repeat(how.levels)
      return `{${members.map((one, i) => (i === how.at % n ? `${one.slice(0, one.indexOf(':'))}:${nested}` : one)).join(',')}}`
    }
  }
}

async function bothWays(
  content: Uint8Array,
  schema: Schema<unknown>,
  options: object = {},
  restart: boolean = false,
): Promise<ReadResult<unknown>> {
  const file = scratch.write('lines.jsonl', content)
  forbidCodeGeneration(true)
  const expected = await readAll(jsonLines<unknown>(file, schema))
  forbidCodeGeneration(false)
  const got = await readAll(jsonLines<unknown>(file, schema, options), { restart })
  expect(expected.frames).toBe(0)
  expect(got.rows).toStrictEqual(expected.rows)
  expect(got.rows.map(keysOf)).toEqual(expected.rows.map(keysOf))
  expect(got.places).toEqual(expected.places)
  expect(got.rejected).toStrictEqual(expected.rejected)
  return got
}

function keysOf(row: unknown): readonly string[] {
  return typeof row === 'object' && row !== null ? Object.keys(row) : []
}

const files = fc.nat(schemas.length - 1).chain((index) =>
  fc.record({
    index: fc.constant(index),
    lines: fc.array(fc.tuple(rowOf[index]!, mutation), { maxLength: 30 }),
    repeat: fc.constantFrom(1, 1, 1, 1, 1, 30),
    ending: fc.constantFrom('\n', '\r\n'),
    last: fc.boolean(),
    garbage: fc.oneof(
      { weight: 4, arbitrary: fc.constant(new Uint8Array(0)) },
      fc.uint8Array({ maxLength: 3 }),
    ),
    garbageAt: fc.nat(),
    options: fc.record({
      chunkBytes: fc.constantFrom(7, 100, 1 << 18),
      batchRowsMax: fc.constantFrom(1, 3, 4096),
    }),
    restart: fc.boolean(),
    bom: fc.boolean(),
  }),
)

test.prop([files], { numRuns: 80 })(
  'frames give what rows give, for lines of any kind',
  async ({ index, lines, repeat, ending, last, garbage, garbageAt, options, restart, bom }) => {
    const { type } = schemas[index]!
    const texts = lines.map(([row, how]) => lineOf(toJsonForm(type, row) as object, how))
    const some = texts.join(ending)
    const all = `${bom ? '\ufeff' : ''}${Array.from({ length: repeat }, () => some).join(ending)}${last ? ending : ''}`
    const whole = Buffer.from(all)
    const at = garbageAt % (whole.length + 1)
    const content = Buffer.concat([whole.subarray(0, at), garbage, whole.subarray(at)])
    await bothWays(content, schemas[index]!, options, restart)
  },
  120_000,
)

describe('what is read four bytes at a time', () => {
  const lineWith = (id: string, name: string): string =>
    `{"id":${id},"name":${JSON.stringify(name)},"on":true,"ratio":${id},"at":${id},"mode":"5G","day":"2026-11-22"}`
  const linesOf = (lines: readonly string[]): Promise<ReadResult<unknown>> =>
    bothWays(Buffer.from(lines.join('\n')), flat as never)

  plainTest(
    'numbers of every length, with signs, zeros, fractions and other characters',
    async () => {
      const digits = '9081726354091827364'
      const all = Array.from({ length: digits.length }, (_, n) => digits.slice(0, n + 1))
      const signed = all.flatMap((one) => [one, `-${one}`, `0${one}`, `${one} `])
      const broken = all.flatMap((one) => [...':/xe@p\u00e9'].map((c) => one + c))
      const points = all.flatMap((one) => all.slice(0, 17).map((more) => `${one}.${more}`))
      const result = await linesOf(
        [...signed, ...broken, ...points].map((one) => lineWith(one, 'n')),
      )
      expect(result.frames).toBeGreaterThan(0)
      expect(result.rows.length).toBeGreaterThan(30)
      expect(result.rejected.length).toBeGreaterThan(100)
    },
  )

  plainTest('texts of every length with every character that is not itself', async () => {
    const texts = Array.from({ length: 14 }, (_, n) => 'abcdefghijklmn'.slice(0, n))
    const others = ['"', '\\', '\n', '\u0001', '\u007f', 'é', '€', '\u{1f600}']
    const names = texts.flatMap((one) => [
      one,
      ...others.flatMap((c) => texts.map((rest) => one + c + rest)),
    ])
    const result = await linesOf(names.map((one, i) => lineWith(String(i), one)))
    expect(result.rows).toHaveLength(names.length)
    expect(result.rows.map((row) => (row as { name: string }).name)).toEqual(names)
    const raw = names.map((one) => lineWith('1', one).replace('\\u0001', '\u0001'))
    await linesOf(raw)
  })
})

describe('lines that are written as the schema says', () => {
  const good = (i: number): string =>
    JSON.stringify({
      id: i,
      name: `n"${i}\\`,
      on: i % 2 === 0,
      ratio: i / 8,
      at: 1000 + i,
      mode: 'LTE',
      day: '2026-11-22',
      note: i % 3 ? `ä${i}` : undefined,
      size: i,
    })
  const many = (line: (i: number) => string): Uint8Array =>
    Buffer.from(Array.from({ length: 1000 }, (_, i) => `${line(i)}\n`).join(''))

  plainTest('become full frames', async () => {
    expect((await bothWays(many(good), schemas[0]!)).frames).toBe(4)
  })

  plainTest('may have blanks, another order and fields of their own', async () => {
    const other = (i: number): string => {
      const { id, name, ...rest } = JSON.parse(good(i))
      return JSON.stringify(
        { extra: [i, 'x'], ...rest, name, more: 'y', id },
        undefined,
        1,
      ).replaceAll('\n', '')
    }
    expect((await bothWays(many(other), schemas[0]!)).frames).toBe(4)
  })

  plainTest('go on as frames after lines that are refused', async () => {
    const mixed = (i: number): string =>
      i % 300 === 99 ? '{"id":1e400' : i % 200 === 7 ? '' : good(i)
    const { frames, rejected } = await bothWays(many(mixed), schemas[0]!)
    expect(rejected.length).toBe(4)
    expect(frames).toBeGreaterThan(3)
  })

  plainTest(
    'are cut where a frame is full, and one that is too large for others goes alone',
    async () => {
      const wide = (i: number): string =>
        JSON.stringify({ ...JSON.parse(good(i)), name: 'x'.repeat(i === 500 ? 300_000 : i) })
      expect((await bothWays(many(wide), schemas[0]!)).frames).toBeGreaterThan(8)
    },
  )

  plainTest('have the fields that are asked for, and are refused for any other', async () => {
    const bad = (i: number): string =>
      i === 700 ? good(i).replace('"on":true', '"on":1') : good(i)
    const file = scratch.write('some.jsonl', many(bad))
    const all = await readAll(jsonLines<unknown>(file, flat))
    const some = await readAll(jsonLines<unknown>(file, flat), { fields: ['note', 'id'] })
    expect(some.rejected).toEqual(all.rejected)
    expect(some.places).toEqual(all.places)
    expect(some.rows[3]).toStrictEqual({ id: 3, note: undefined })
    expect(some.rows.map((row) => (row as { id: number }).id)).toEqual(
      all.rows.map((row) => (row as { id: number }).id),
    )
    const none = await readAll(jsonLines<unknown>(file, flat), { fields: [] })
    expect(none.rows.length).toBe(999)
  })
})
