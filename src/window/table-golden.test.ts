/** Tables that earlier versions have stored can be read, and today's are stored as the newest sample says. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { SnapshotBlock } from '../state/contract.ts'
import { type AccumulatorTable, addRow } from './accumulator-table.ts'
import { contentOf, goldenHeader, goldenRange, goldenTables } from './table-golden.test-support.ts'
import { TableRestore } from './table-restore.ts'
import { freezeTables } from './table-snapshot.ts'

interface Sample {
  readonly section: string
  readonly keyGroup: number
  readonly bytes: string
}

function sample(version: number): readonly Sample[] {
  const file = new URL(`../../test/golden/tables/v${version}/blocks.json`, import.meta.url)
  // `as`: written by this test.
  return JSON.parse(readFileSync(file, 'utf8')) as Sample[]
}

function written(
  golden: ReadonlyMap<number, AccumulatorTable> = goldenTables(),
  changesOnly: boolean = false,
): readonly Sample[] {
  const tables = [...golden].map(([namespace, table]) => ({ namespace, table }))
  const frozen = freezeTables(tables, goldenHeader, goldenRange, changesOnly)
  const blocks: SnapshotBlock[] = []
  for (let next = frozen.next(100); next !== undefined; next = frozen.next(100))
    blocks.push(...next.map((block) => ({ ...block, bytes: block.bytes.slice() })))
  return blocks.map(({ section, keyGroup, bytes }) => ({
    section,
    keyGroup,
    bytes: Buffer.from(bytes).toString('base64'),
  }))
}

describe('stored tables', () => {
  it.each([1, 2, 3])('of version %i are read', (version) => {
    const tables = goldenTables()
    const kernel = tables.get(0)!.kernel
    const restore = new TableRestore(kernel)
    for (const { section, keyGroup, bytes } of sample(version))
      restore.add({ section, keyGroup, bytes: Buffer.from(bytes, 'base64') }, goldenRange)
    expect(restore.headers).toEqual([goldenHeader])
    const again = restore.tables()
    expect([...again.keys()]).toEqual([...tables.keys()])
    for (const [namespace, table] of tables)
      expect(contentOf(again.get(namespace))).toEqual(contentOf(table))
  })

  it('and what has changed in them are read, and have the bytes of the sample', () => {
    const tables = goldenTables()
    const whole = written(tables)
    const changed = tables.get(0)!
    addRow(changed, changed.slot(-7), { v: 100 })
    addRow(changed, changed.slot('new'), { v: 101 })
    const changes = written(tables, true)
    expect(changes[0]?.section).toBe('base')
    const file = new URL('../../test/golden/tables/changes-v1/blocks.json', import.meta.url)
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Sample[]
    expect(stored).toEqual([...whole, ...changes])
    const restore = new TableRestore(changed.kernel)
    for (const { section, keyGroup, bytes } of stored)
      restore.add({ section, keyGroup, bytes: Buffer.from(bytes, 'base64') }, goldenRange)
    expect(restore.headers).toEqual([goldenHeader])
    const again = restore.tables()
    for (const [namespace, table] of tables)
      expect(contentOf(again.get(namespace))).toEqual(contentOf(table))
  })

  it('have the bytes of the newest sample', () => {
    expect(written()).toEqual(sample(3))
  })
})
