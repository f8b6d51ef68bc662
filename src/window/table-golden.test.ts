/** Tables that earlier versions have stored can be read, and today's are stored as the newest sample says. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { SnapshotBlock } from '../state/contract.ts'
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

function written(): readonly Sample[] {
  const tables = [...goldenTables()].map(([namespace, table]) => ({ namespace, table }))
  const frozen = freezeTables(tables, goldenHeader, goldenRange)
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

  it('have the bytes of the newest sample', () => {
    expect(written()).toEqual(sample(3))
  })
})
