import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { float, instant, int, text } from '../../schema/scalars.ts'
import { list, optional } from '../../schema/collections.ts'
import { field, struct } from '../../schema/struct.ts'
import { codeOf, scratchDirectory } from '../file/files.test-support.ts'
import { nodeEnv, readAll } from '../read-all.test-support.ts'
import { parquet } from './index.ts'

const scratch = scratchDirectory()
const path = new URL('../../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url)
  .pathname
const flight = struct('flight', {
  date: field(1, instant),
  delay: field(2, optional(int)),
  origin: field(3, text),
  gate: field(4, optional(text)),
})

test.skipIf(!existsSync(path))(
  'reads the real flights, goes on at any row, and rejects what does not fit',
  async () => {
    const handle = await parquet({ path, schema: flight }).open({
      env: nodeEnv,
      name: 's',
      fields: undefined,
      mode: 'batch',
    })
    const reader = await handle.reader(path, undefined)
    expect(await reader.lag?.()).toBe(3_000_000)
    let count = 0
    let last: unknown
    let position: Uint8Array | undefined
    let later: unknown[] = []
    for (let batch = await reader.read(); batch !== 'end'; batch = await reader.read()) {
      if (batch === 'idle' || batch.kind !== 'rows') throw new Error('rows were expected')
      if (later.length === 0 && position !== undefined) later = [...batch.rows]
      count += batch.rows.length + batch.rejected.length
      last = batch.rows.at(-1)
      if (count > 1_500_000) position ??= reader.position()
    }
    expect(count).toBe(3_000_000)
    expect(last).toMatchObject({ origin: expect.stringMatching(/^[A-Z]{3}$/), gate: undefined })
    const again = await handle.reader(path, position)
    const batch = await again.read()
    expect(typeof batch === 'object' && batch.kind === 'rows' && batch.rows).toEqual(later)
    await handle.close()
  },
  60_000,
)

test.skipIf(!existsSync(path))(
  'names missing columns and rejects unfit values',
  async () => {
    const wrong = struct('wrong', { origin: field(1, float) })
    const handle = await parquet({ path, schema: wrong }).open({
      env: nodeEnv,
      name: 's',
      fields: undefined,
      mode: 'batch',
    })
    const batch = await (await handle.reader(path, undefined)).read()
    await handle.close()
    if (typeof batch === 'string' || batch.kind !== 'rows') throw new Error('rows were expected')
    expect([batch.rows.length, batch.rejected.length]).toEqual([0, 1024])
    expect(batch.rejected[7]).toMatchObject({
      position: 7,
      source: path,
      error: { code: 'TM1714' },
    })
    expect(
      await codeOf(readAll(parquet({ path, schema: struct('x', { gate: field(1, text) }) }))),
    ).toBe('TM1718')
  },
  60_000,
)

test('refuses what is not Parquet', async () => {
  expect(
    await codeOf(
      readAll(parquet({ path: scratch.write('a.parquet', 'not parquet at all, PAR2') })),
    ),
  ).toBe('TM1718')
  expect(await codeOf(readAll(parquet({ path: '/nowhere.parquet' })))).toBe('TM1700')
  expect(() => parquet({ path, schema: struct('x', { a: field(1, list(text)) }) })).toThrow('list')
})
