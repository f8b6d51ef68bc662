import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { isTidemillError } from '../base/errors.ts'
import { type Timestamp, timestamp } from '../base/time.ts'
import { list, map, optional } from './collections.ts'
import { json } from './json.ts'
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
} from './scalars.ts'
import { schemaOf, type TypeOf } from './schema.ts'
import { field, struct } from './struct.ts'
import { variant } from './variant.ts'

const code = (run: () => unknown): string | undefined => {
  try {
    run()
  } catch (error) {
    return isTidemillError(error) ? error.code : `other: ${String(error)}`
  }
  return undefined
}

const line = struct('line', { sku: field(1, text), amount: field(2, float) })
const order = struct('order', {
  orderId: field(1, text),
  shopId: field(2, int),
  lines: field(3, list(line)),
  placedAt: field(4, instant),
  note: field(5, optional(text)),
  state: field(6, literals('open', 'paid')),
})

describe('types', () => {
  it('infers flat records', () => {
    expectTypeOf<TypeOf<typeof line>>().toEqualTypeOf<{
      readonly sku: string
      readonly amount: number
    }>()
    expectTypeOf<TypeOf<typeof order>['note']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<TypeOf<typeof order>['state']>().toEqualTypeOf<'open' | 'paid'>()
    expectTypeOf<TypeOf<typeof order>['placedAt']>().toEqualTypeOf<Timestamp>()
    const event = variant('type', { line, order })
    expectTypeOf<Extract<TypeOf<typeof event>, { type: 'line' }>>().toEqualTypeOf<{
      readonly type: 'line'
      readonly sku: string
      readonly amount: number
    }>()
    expectTypeOf<TypeOf<ReturnType<typeof map<string, bigint>>>>().toEqualTypeOf<
      ReadonlyMap<string, bigint>
    >()
    expect(event.type.kind).toBe('variant')
  })
})

describe('malformed schemas', () => {
  const bad: readonly (readonly [string, () => unknown])[] = [
    ['a repeated id', () => struct('a', { x: field(1, text), y: field(1, text) })],
    ['id 0', () => struct('a', { x: field(0, text) })],
    ['a fraction as id', () => struct('a', { x: field(1.5, text) })],
    ['an empty struct name', () => struct('', { x: field(1, text) })],
    ['an empty field name', () => struct('a', { '': field(1, text) })],
    ['half a surrogate pair as name', () => struct('a\ud800', {})],
    ['a field that is none', () => struct('a', { x: text as never })],
    ['no literals', () => literals(...([] as unknown as [string]))],
    ['a repeated literal', () => literals('a', 'a')],
    ['an impossible scale', () => decimal(2, 3)],
    ['a variant without cases', () => variant('type', {})],
    ['a case that holds the tag', () => variant('sku', { line })],
    ['a case that is no struct', () => variant('type', { a: text as never })],
    ['a foreign kind', () => schemaOf({ kind: 'nope' } as never)],
  ]
  it.each(bad)('refuses %s', (_, make) => expect(code(make)).toBe('TM1002'))
})

describe('check and own', () => {
  const good: TypeOf<typeof order> = {
    orderId: 'o1',
    shopId: 7,
    lines: [{ sku: 'a', amount: 1.5 }],
    placedAt: timestamp(5),
    state: 'open',
  }
  it('names the path', () => {
    expect(order.check(good)).toBeUndefined()
    expect(order.check({ ...good, lines: [{ sku: 'a', amount: 'x' }] })).toBe(
      'lines[0].amount: expected a number, got "x"',
    )
    expect(order.check({ ...good, shopId: 2 ** 53 })).toContain('shopId: expected a safe integer')
    expect(order.check({ ...good, placedAt: Number.NaN })).toContain('placedAt')
    expect(order.check(null)).toBe('expected a record, got null')
    expect(decimal(5, 2).check('123.45')).toBeUndefined()
    expect(decimal(5, 2).check('1234.5')).toBeDefined()
    expect(decimal(5, 2).check('1.234')).toBeDefined()
    expect(date.check('2024-02-29')).toBeUndefined()
    expect(date.check('2023-02-29')).toBeDefined()
  })
  it('copies and freezes', () => {
    const copy = order.own(good)
    expect(copy).toEqual({ ...good, note: undefined })
    expect(
      Object.isFrozen(copy) && Object.isFrozen(copy.lines) && Object.isFrozen(copy.lines[0]),
    ).toBe(true)
    expect(code(() => order.own({ ...good, state: 'lost' as never }))).toBe('TM1001')
    const owned = map(text, int).own(new Map([['a', 1]])) as Map<string, number>
    expect(() => owned.set('b', 2)).toThrow(TypeError)
  })
})

describe('fingerprint', () => {
  it('survives renames and reordering, not changes of type', () => {
    const renamed = struct('lineX', { amount2: field(2, float), sku2: field(1, text) })
    expect(renamed.hash).toBe(line.hash)
    expect(line.hash).toMatch(/^[0-9a-f]{16}$/)
    expect(struct('line', { sku: field(1, text), amount: field(2, int) }).hash).not.toBe(line.hash)
    expect(struct('line', { sku: field(1, text), amount: field(3, float) }).hash).not.toBe(
      line.hash,
    )
    expect(literals('a', 'b').hash).toBe(literals('b', 'a').hash)
  })
})

describe('evolution', () => {
  const v1 = struct('cart', {
    items: field(1, list(text)),
    total: field(2, float),
    gone: field(7, optional(line)),
  })
  const v2 = struct('cart', {
    lines: field(1, list(text)),
    total: field(2, optional(float)),
    currency: field(4, optional(text)),
  })
  it('reads added, removed and renamed fields', () => {
    const old = v1.encode({ items: ['a'], total: 2, gone: { sku: 'x', amount: 1 } })
    expect(v2.decode(old)).toEqual({ lines: ['a'], total: 2, currency: undefined })
    const newer = v2.encode({ lines: ['b'], total: 1, currency: 'EUR' })
    expect(v1.decode(newer)).toEqual({ items: ['b'], total: 1, gone: undefined })
  })
  it('says which required field is missing, and what changed its type', () => {
    const without = v2.encode({ lines: [] })
    expect(code(() => v1.decode(without))).toBe('TM1011')
    const other = struct('cart', { items: field(1, int) }).encode({ items: 4 })
    expect(code(() => v1.decode(other))).toBe('TM1010')
  })
  it('takes literals in any order', () => {
    expect(literals('b', 'a').decode(literals('a', 'b').encode('a'))).toBe('a')
    expect(code(() => literals('b').decode(text.encode('a')))).toBe('TM1010')
  })
})

describe('json at the edge', () => {
  const wide = struct('wide', {
    id: field(1, int64),
    at: field(2, instant),
    raw: field(3, bytes),
    x: field(4, float),
    m: field(5, map(text, int)),
    j: field(6, jsonValue),
    b: field(7, bool),
    n: field(8, optional(int)),
  })
  it('converts what JSON lacks', () => {
    const row = {
      id: 2n ** 70n,
      at: timestamp(3),
      raw: new Uint8Array([1, 2, 255, 4]),
      x: Number.NaN,
      m: new Map([['__proto__', 1]]),
      j: { a: [null] },
      b: true,
    }
    const codec = json(wide)
    expect(codec.decode(codec.encode(row))).toEqual({ ...row, n: undefined })
    const outside =
      '{"id":5,"at":"1970-01-01T00:00:01Z","raw":"","x":1,"m":{},"j":1,"b":false,"n":null}'
    expect(codec.decode(new TextEncoder().encode(outside))).toMatchObject({
      id: 5n,
      at: 1000,
      n: undefined,
    })
  })
  it('tells bad text from refused values', () => {
    const at = (body: string) => () => json(line).decode(new TextEncoder().encode(body))
    expect(code(at('{'))).toBe('TM1020')
    expect(code(at('{"sku":1,"amount":1}'))).toBe('TM1021')
  })
  it('takes any Standard Schema validator and refuses asynchronous ones', () => {
    const codec = json(z.object({ a: z.string().transform((s) => s.length) }))
    expectTypeOf(codec.decode).returns.toEqualTypeOf<{ a: number }>()
    expect(codec.decode(new TextEncoder().encode('{"a":"abc"}'))).toEqual({ a: 3 })
    expect(code(() => codec.decode(new TextEncoder().encode('{"a":1}')))).toBe('TM1021')
    const slow = json(z.object({ a: z.string().refine(async () => true) }))
    expect(code(() => slow.decode(new TextEncoder().encode('{"a":"x"}')))).toMatch('TM1022')
  })
  it('is a Standard Schema itself', () => {
    expect(line['~standard'].validate({ sku: 'a', amount: 1 })).toEqual({
      value: { sku: 'a', amount: 1 },
    })
    expect(line['~standard'].validate({ sku: 'a' })).toMatchObject({
      issues: [{ message: expect.stringContaining('amount') }],
    })
  })
})
