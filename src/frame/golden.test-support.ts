/** The values and rows whose bytes are kept in test/golden, for the test that reads them. */
import { timestamp } from '../base/time.ts'
import { list, map, optional } from '../schema/collections.ts'
import { json } from '../schema/json.ts'
import { keyHash } from '../schema/key.ts'
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
} from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import type { Schema } from '../schema/types.ts'
import { variant } from '../schema/variant.ts'
import { createFrameBuilder } from './create-builder.ts'
import type { Frame } from './frame.ts'
import { layoutOf } from './layout.ts'

export const everything = struct('everything', {
  a: field(1, text),
  b: field(2, int),
  c: field(3, int64),
  d: field(4, float),
  e: field(5, bool),
  f: field(6, bytes),
  g: field(7, decimal(10, 2)),
  h: field(8, instant),
  i: field(9, date),
  j: field(10, jsonValue),
  k: field(11, list(int)),
  l: field(12, map(text, float)),
  m: field(13, optional(text)),
  n: field(14, literals('x', 'a')),
  o: field(16, struct('inner', { p: field(1, text) })),
  q: field(15, optional(int)),
})
export const mixed = variant('mixed', 'type', {
  one: struct('one', { x: field(1, int), t: field(2, text) }),
  two: everything,
})

const row = (n: number) => ({
  a: `text é ${n}`,
  b: n * 1_000_003,
  c: BigInt(n) ** 20n,
  d: n / 3,
  e: n % 2 === 0,
  f: new Uint8Array([n, 255]),
  g: `${n}.50`,
  h: timestamp(1_436_918_400_000 + n),
  i: '2026-11-22',
  j: { k: [n, null, true, 'x'], z: 0.5 },
  k: [n, 0 - n, 2 ** 40],
  l: new Map([['m', n]]),
  m: n % 2 === 0 ? undefined : 'há',
  n: n % 2 === 0 ? ('x' as const) : ('a' as const),
  o: { p: '😀' },
  q: n === 1 ? undefined : n,
})

export interface GoldenValue {
  readonly schema: Schema<unknown>
  readonly value: unknown
  readonly json: Uint8Array
}

export function goldenValues(): GoldenValue[] {
  const all: (readonly [Schema<unknown>, unknown])[] = [
    [everything, row(0)],
    [everything, row(1)],
    [everything, row(130)],
    [mixed, { type: 'one', x: -1, t: 'a\ud800' }],
    [mixed, { type: 'two', ...row(2) }],
    [int, 2 ** 53 - 1],
    [int, -64],
    [int, 63],
    [int64, -(2n ** 63n)],
    [float, Number.NaN],
    [list(optional(text)), ['x', undefined]],
  ]
  return all.map(([schema, value]) => ({ schema, value, json: json(schema).encode(value) }))
}

export function goldenFrame(): (readonly [string, Frame])[] {
  const build = (schema: Schema<unknown>, rows: readonly unknown[], timed: boolean): Frame => {
    const builder = createFrameBuilder(layoutOf(schema))
    rows.forEach((one, i) => {
      if (timed) builder.append(one, 1000 + i, keyHash(i))
      else builder.append(one)
    })
    return builder.build()
  }
  const rows = Array.from({ length: 9 }, (_, n) => row(n))
  return [
    ['struct', build(everything, rows, true)],
    [
      'variant',
      build(
        mixed,
        rows.map((one, n) =>
          n % 3 === 0 ? { type: 'one', x: n, t: `t${n}` } : { type: 'two', ...one },
        ),
        true,
      ),
    ],
    ['text', build(text, ['a', 'é', ''], false)],
  ]
}
