import { beforeAll, describe, expect, test } from 'vitest'
import { decimal, float, instant, int, int64, literals, text } from '../../schema/scalars.ts'
import { map, optional } from '../../schema/collections.ts'
import { field, struct } from '../../schema/struct.ts'
import { readAll } from '../read-all.test-support.ts'
import { installNodeFileClients } from './client.ts'
import { csv } from './csv.ts'
import { codeOf, scratchDirectory } from './files.test-support.ts'
import { jsonLines } from './json-lines.ts'

const scratch = scratchDirectory()
beforeAll(() => installNodeFileClients())

const order = struct('order', {
  id: field(1, int),
  total: field(2, int64),
  price: field(3, decimal(20, 2)),
  weight: field(4, optional(float)),
})

async function read(content: string, schema: Parameters<typeof jsonLines>[1] = undefined) {
  return readAll(jsonLines<unknown>(scratch.write('x.jsonl', content), schema))
}

describe('jsonLines', () => {
  test('rejects what does not parse with its line and text (B01)', async () => {
    const { rows, rejected, places } = await read('{"a":1}\n{"a":\n\n  \nnull\n')
    expect(rows).toEqual([{ a: 1 }, null])
    expect(places.map((place) => place.split(':').at(-1))).toEqual(['1', '5'])
    expect(rejected).toMatchObject([
      { raw: '{"a":', position: 2, beforeRow: 1, error: { code: 'TM1713' } },
    ])
  })

  test('refuses more than 64 levels, not more brackets (B03)', async () => {
    const nested = (n: number) => '['.repeat(n) + ']'.repeat(n)
    const { rows, rejected } = await read(
      `${nested(64)}\n${nested(65)}\n${nested(200_000)}\n"${'['.repeat(200)}\\""\n[${'[],'.repeat(99)}[]]\n`,
    )
    expect(rows.length).toBe(3)
    expect(rejected.map((one) => one.error.code)).toEqual(['TM1712', 'TM1712'])
  })

  test('keeps fields that every object inherits (B04)', async () => {
    const { rows } = await read('{"__proto__":{"x":1},"constructor":2,"n":12345678901234567890}\n')
    const row = rows[0] as object
    expect(Object.keys(row)).toEqual(['__proto__', 'constructor', 'n'])
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
  })

  test('reads whole numbers and decimals from their digits and never rounds (B07)', async () => {
    const line = (id: string, total = '1', price = '1.00') =>
      `{"id":${id},"total":${total},"price":${price}}\n`
    const { rows, rejected } = await read(
      line('9007199254740991', '9007199254740993', '123456789012345678.90') +
        line('9007199254740993') +
        line('9007199254740990.7') +
        line('1', '1.5') +
        line('1', '1', '1e2') +
        line('7', '"12"', '"3.10"') +
        '{"id":1,"id":2,"total":3,"price":4}\n' +
        line('2', '2', '0.30'),
      order,
    )
    expect(rows).toEqual([
      { id: 9007199254740991, total: 9007199254740993n, price: '123456789012345678.90' },
      { id: 7, total: 12n, price: '3.10' },
      { id: 2, total: 3n, price: '4' },
      { id: 2, total: 2n, price: '0.30' },
    ])
    expect(rejected.map((one) => [one.position, one.error.code])).toEqual(
      [2, 3, 4, 5].map((n) => [n, 'TM1714']),
    )
    expect((await read('{"weight":1e400}\n')).rejected[0]?.error.message).toContain(
      'beyond the range',
    )
  })

  test('takes any Standard Schema validator, if it is synchronous', async () => {
    const positive = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          Number(value) > 0 ? { value } : { issues: [{ message: 'too small', path: ['n'] }] },
      },
    } as const
    const { rows, rejected } = await read('1\n-1\n', positive)
    expect(rows).toEqual([1])
    expect(rejected[0]?.error.message).toContain('n: too small')
    const slow = {
      '~standard': {
        version: 1,
        vendor: 'slow',
        validate: () => Promise.reject(new Error('later')),
      },
    } as const
    expect((await read('1\n', slow)).rejected[0]?.error.message).toContain('asynchronous')
  })
})

const sample = struct('sample', {
  id: field(1, int),
  at: field(2, instant),
  mode: field(3, literals('5G', 'LTE')),
  snr: field(4, optional(float)),
  extra: field(5, optional(text)),
})

describe('csv', () => {
  test('reads typed rows by column name, ignores other columns and takes missing values', async () => {
    const file = scratch.write(
      's.csv',
      'mode,id,other,at,snr\n5G,1,x,1000,-1.5\nLTE,2,"a,""b""",2026-01-01T00:00:00Z,-\n',
    )
    const { rows, rejected, places } = await readAll(
      csv({ path: file, schema: sample, missing: ['-', ''] }),
    )
    expect(rejected).toEqual([])
    expect(rows).toEqual([
      { id: 1, at: 1000, mode: '5G', snr: -1.5, extra: undefined },
      { id: 2, at: 1767225600000, mode: 'LTE', snr: undefined, extra: undefined },
    ])
    expect(places).toEqual([`${file}:2`, `${file}:3`])
  })

  test('rejects unfit records and says why', async () => {
    const lines = [
      '1,0,5G,0x10',
      '1,0,5G',
      '1,0,6G,1',
      '9007199254740993,0,5G,1',
      ',0,5G,1',
      '1,0,5G,1e400',
      '1,2026-01-01,5G,1',
      '"1"x,0,5G,1',
      '2,0,LTE,"',
      '',
      '3,0,5G,7',
    ]
    const file = scratch.write('bad.csv', lines.join('\r\n'))
    const { rows, rejected } = await readAll(
      csv({ path: file, schema: sample, columns: ['id', 'at', 'mode', 'snr'] }),
    )
    expect(rows).toEqual([])
    expect(rejected.map((one) => one.error.code)).toEqual([
      'TM1714',
      'TM1715',
      'TM1714',
      'TM1714',
      'TM1714',
      'TM1714',
      'TM1714',
      'TM1716',
      'TM1716',
    ])
    expect(rejected[0]?.error.message).toContain('snr: expected a number, got "0x10"')
    expect(rejected.at(-1)?.raw).toBe('2,0,LTE,"\r\n\r\n3,0,5G,7')
  })

  test('reads values of several lines, and quotes inside of values as characters', async () => {
    const file = scratch.write('q.csv', 'a;b\n"x\ny";y\n1;5" pipe\n')
    const { rows, places } = await readAll(csv({ path: file, delimiter: ';' }), { restart: true })
    expect(rows).toEqual([
      { a: 'x\ny', b: 'y' },
      { a: '1', b: '5" pipe' },
    ])
    expect(places).toEqual([`${file}:2`, `${file}:4`])
  })

  test('reads a header anywhere, also one that inherits, and nothing from an empty file', async () => {
    const file = scratch.write('h.csv', '\ufeff\n"__proto__",b\n1,2\n')
    const [row] = (await readAll(csv({ path: file }))).rows
    expect(Object.entries(row ?? {})).toEqual([
      ['__proto__', '1'],
      ['b', '2'],
    ])
    expect((await readAll(csv({ path: scratch.write('e.csv', '') }))).rows).toEqual([])
    expect(await codeOf(readAll(csv({ path: scratch.write('d.csv', 'a,a\n1,2\n') })))).toBe(
      'TM1717',
    )
    expect(
      await codeOf(readAll(csv({ path: scratch.write('m.csv', 'id,at\n1,2\n'), schema: sample }))),
    ).toBe('TM1717')
    expect(() => csv({ path: 'x', header: false })).toThrow('columns')
    expect(() => csv({ path: 'x', schema: struct('m', { a: field(1, map(text, text)) }) })).toThrow(
      'map',
    )
  })
})
