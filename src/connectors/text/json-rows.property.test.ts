import { fc, test } from '@fast-check/vitest'
import { expect, test as plainTest } from 'vitest'
import { printJson } from './json-print.ts'
import { JsonRowPrinter } from './json-rows.ts'
import { TextBytes } from './text-bytes.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Lines of `rows`, or the message of the first row that has no form. */
function lines(rows: readonly unknown[], print: (row: unknown) => string): string {
  try {
    return rows.map((row) => `${print(row)}\n`).join('')
  } catch (error) {
    return String(error)
  }
}

function throughBytes(rows: readonly unknown[]): string {
  const printer = new JsonRowPrinter({})
  const out = new TextBytes(1)
  return lines(rows, (row) => {
    const start = out.length
    try {
      printer.print(row, out)
    } catch (error) {
      expect(out.length).toBe(start)
      throw error
    }
    return decoder.decode(out.bytes.subarray(start, out.length))
  })
}

const value = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, 0, 999_999_999, 1e9, 1e15, -1e18, 2 ** 53, 5e-324, '\ud800'),
  fc.constantFrom({}, [], [1, undefined], { a: Number.NaN }, new Date(0), new Map([['k', 1]])),
)
const field = fc.oneof(
  fc.constantFrom('a', 'b', '0', '"', 'toJSON'),
  fc.string(),
  fc.constant('__proto__'),
)
const row = fc.oneof(
  { weight: 9, arbitrary: fc.dictionary(field, value, { noNullPrototype: true }) },
  { weight: 1, arbitrary: value },
)

test.prop([fc.array(row, { maxLength: 6 })], { numRuns: 2_000 })(
  'rows printed into bytes are the texts that printJson gives, or fail with its message',
  (rows) => {
    expect(throughBytes(rows)).toBe(lines(rows, (each) => printJson(each, {})))
  },
)

plainTest.each([
  [{ toJSON: () => ({ b: 1 }) }, '{"b":1}'],
  [
    new (class Point {
      readonly x = 1
      get y(): number {
        return 2
      }
    })(),
    '{"x":1}',
  ],
  [Object.assign(Object.create({ inherited: 1 }) as object, { own: 2 }), '{"own":2}'],
  [{}, '{}'],
  [{ only: undefined }, '{}'],
])('%o is printed as %s', (input, text) => {
  expect(throughBytes([input])).toBe(`${text}\n`)
})

plainTest('names of another row do not stay', () => {
  expect(throughBytes([{ a: 1, b: 2 }, { b: 1, a: 2 }, { c: 1 }, { a: 1, b: 2, c: 3 }])).toBe(
    '{"a":1,"b":2}\n{"b":1,"a":2}\n{"c":1}\n{"a":1,"b":2,"c":3}\n',
  )
})
