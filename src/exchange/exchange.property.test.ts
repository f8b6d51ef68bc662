import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { forbidCodeGeneration } from '../base/codegen.ts'
import { dynamic } from '../schema/dynamic.ts'
import { compareKeys, keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import { anyKey, anyRow, exchange, rowsOf } from './rows.test-support.ts'

afterEach(() => forbidCodeGeneration(false))

/** Equal as a program sees it: prototypes, -0, own keys and their order. */
function expectSame(actual: readonly unknown[], wanted: readonly unknown[]): void {
  expect(actual.length).toBe(wanted.length)
  wanted.forEach((row, i) => {
    if (!isDeepStrictEqual(actual[i], row)) expect(actual[i]).toStrictEqual(row)
    expect(dynamic.encode(actual[i])).toEqual(dynamic.encode(row))
  })
}

describe.each([false, true])('without generated code: %s', (forbidden) => {
  test('rows, keys, times and marks arrive as they were sent', () => {
    const sent = fc.tuple(anyKey, anyRow, fc.double(), fc.double())
    fc.assert(
      fc.property(
        fc.array(sent, { maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        (rows, pause) => {
          forbidCodeGeneration(forbidden)
          const { writer, channel } = exchange()
          rows.forEach(([key, row, time, mark], i) => {
            writer.send(key as Key, row, time, mark)
            if (i % pause === 0) writer.flush()
          })
          writer.flush()
          const batches = channel.batches()
          expectSame(
            rowsOf(batches),
            rows.map(([, row]) => row),
          )
          const keys = batches.flatMap((batch) => Array.from(batch.keys))
          rows.forEach(([key], i) => expect(compareKeys(keys[i]!, key as Key)).toBe(0))
          const column = (of: 'times' | 'marks'): number[] =>
            batches.flatMap((batch) => [...batch[of]])
          expectSame(
            column('times'),
            rows.map(([, , time]) => time),
          )
          expectSame(
            column('marks'),
            rows.map(([, , , mark]) => mark),
          )
          const hashes = batches.flatMap((batch) => [...batch.hashes!])
          expect(hashes).toEqual(rows.map(([key]) => keyHash(key as Key)))
        },
      ),
      { numRuns: forbidden ? 60 : 100 },
    )
  })

  test('projected rows show the same fields', () => {
    const fields = ['a', '__proto__', '', 'constructor']
    const few = fields.filter((one) => one !== '')
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 30 }), fc.boolean(), (rows, withOdd) => {
        forbidCodeGeneration(forbidden)
        const wanted = withOdd ? fields : few
        const { writer, channel } = exchange({ fields: wanted })
        const read = (row: unknown): unknown =>
          typeof row === 'object' && row !== null
            ? wanted.map((one) => (Object.hasOwn(row, one) ? Reflect.get(row, one) : undefined))
            : row
        for (const row of rows) writer.send(0, row, 0, 0)
        writer.flush()
        expectSame(rowsOf(channel.batches()).map(read), rows.map(read))
      }),
      { numRuns: forbidden ? 60 : 150 },
    )
  })
})
