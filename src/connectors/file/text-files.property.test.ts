import { fc, test } from '@fast-check/vitest'
import { parse } from 'csv-parse/sync'
import { beforeAll, expect } from 'vitest'
import { bool, float, int, int64, jsonValue, text } from '../../schema/scalars.ts'
import { list, optional } from '../../schema/collections.ts'
import { field, struct } from '../../schema/struct.ts'
import { toJsonForm } from '../../schema/json-form.ts'
import { readAll } from '../read-all.test-support.ts'
import { installNodeFileClients } from './client.ts'
import { csv } from './csv.ts'
import { scratchDirectory } from './files.test-support.ts'
import { jsonLines } from './json-lines.ts'
import { lines } from './lines.ts'

const scratch = scratchDirectory()
beforeAll(() => installNodeFileClients())

const bytes = fc.array(
  fc.oneof(
    fc.constantFrom('\n', '\r\n', '"', ',', '""', 'ä€', '"\n', '\n"', 'abc', '\u{1f600}'),
    fc.string({ maxLength: 5 }),
  ),
  { maxLength: 40 },
)
const cut = {
  chunkBytes: fc.integer({ min: 1, max: 70 }),
  batchRowsMax: fc.integer({ min: 1, max: 5 }),
  recordBytesMax: fc.integer({ min: 4, max: 60 }),
}

test.prop([bytes, fc.record(cut), fc.boolean(), fc.uint8Array({ maxLength: 3 })])(
  'where reads, batches and restarts fall changes no row, no rejection and no place',
  async (parts, options, restart, garbage) => {
    const content = Buffer.concat([
      Buffer.from(parts.join('')),
      garbage,
      Buffer.from(parts.join('')),
    ])
    const file = scratch.write('any.txt', content)
    const { recordBytesMax } = options
    const sources = [
      (o: object) => lines(file, { ...o, recordBytesMax }),
      (o: object) => csv({ path: file, columns: ['a', 'b'], ...o, recordBytesMax }),
    ]
    for (const make of sources) {
      const whole = await readAll<unknown>(make({}))
      const pieces = await readAll<unknown>(make(options), { restart })
      expect(pieces.rows).toEqual(whole.rows)
      expect(pieces.places).toEqual(whole.places)
      expect(pieces.rejected).toEqual(whole.rejected)
    }
  },
)

test.prop([bytes])('lines are what a plain split gives', async (parts) => {
  const content = parts.join('').replace(/^\ufeff+/, '')
  const file = scratch.write('plain.txt', content)
  const expected = content.split('\n').map((line) => line.replace(/\r$/, ''))
  if (content === '' || content.endsWith('\n')) expected.pop()
  expect((await readAll(lines(file))).rows).toEqual(expected)
})

const cell = fc
  .array(fc.constantFrom('a', 'b', ',', '"', '\n', ' ', 'é'), { maxLength: 6 })
  .map((units) => units.join(''))
const table = fc.array(fc.tuple(cell, cell, cell), { maxLength: 12 })

test.prop([table, fc.record({ chunkBytes: cut.chunkBytes, batchRowsMax: cut.batchRowsMax })])(
  'CSV written by the book reads back, as the reference parser reads it',
  async (rows, options) => {
    const quoted = rows.map((row) =>
      row
        .map((value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
        .join(','),
    )
    const content = `x,y,z\n${quoted.map((line) => `${line}\n`).join('')}`
    const file = scratch.write('table.csv', content)
    const { rows: read, rejected } = await readAll(csv({ path: file, ...options }), {
      restart: true,
    })
    expect(rejected).toEqual([])
    expect(read).toEqual(parse(content, { columns: true }))
  },
)

const row = struct('row', {
  id: field(1, int),
  big: field(2, int64),
  ratio: field(3, float),
  name: field(4, text),
  on: field(5, bool),
  note: field(6, optional(text)),
  tags: field(7, list(int)),
  rest: field(8, jsonValue),
})

test.prop([
  fc.array(
    fc.record({
      id: fc.maxSafeInteger(),
      big: fc.bigInt(),
      ratio: fc.double({ noNaN: true, noDefaultInfinity: true }),
      name: fc.string(),
      on: fc.boolean(),
      note: fc.option(fc.string(), { nil: undefined }),
      tags: fc.array(fc.maxSafeInteger()),
      rest: fc.jsonValue({ maxDepth: 3 }),
    }),
    { maxLength: 10 },
  ),
])('rows written as JSON lines read back exactly', async (rows) => {
  const file = scratch.write(
    'rows.jsonl',
    rows.map((one) => `${JSON.stringify(toJsonForm(row.type, one))}\n`).join(''),
  )
  const { rows: read, rejected } = await readAll(jsonLines<unknown>(file, row))
  expect(rejected).toEqual([])
  expect(read.map((one) => JSON.stringify(toJsonForm(row.type, one)))).toEqual(
    rows.map((one) => JSON.stringify(toJsonForm(row.type, one))),
  )
})
