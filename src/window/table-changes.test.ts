/** Pictures that hold only what has changed, against the whole picture of the same moment. */
import { describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import type { KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { AccumulatorTable, addRow } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { contentOf } from './table-golden.test-support.ts'
import { TableRestore } from './table-restore.ts'
import { freezeTables } from './table-snapshot.ts'

interface Row {
  readonly key: Key
  readonly v: number
}

const of = (row: never): number => (row as Row).v
const numbers: AggregateSpec = {
  n: { kind: 'count', where: undefined },
  total: { kind: 'sum', of, where: undefined },
}
const everything: AggregateSpec = {
  ...numbers,
  kinds: {
    kind: 'count-distinct',
    of: (row: never) => `kind ${(row as Row).v % 5}`,
    where: undefined,
  },
  odd: {
    kind: 'count-distinct',
    of: (row: never) => `kind ${(row as Row).v % 5}`,
    where: (row: never) => (row as Row).v % 2 === 1,
  },
  seen: {
    kind: 'custom',
    label: 'seen',
    create: () => [],
    add: (list: never, row: never) => [...(list as number[]).slice(-3), (row as Row).v] as never,
    merge: (a: never, b: never) => [...(a as number[]), ...(b as number[])] as never,
    result: (list: never) => list,
    accumulator: undefined,
    decomposable: false,
  },
}

const all: KeyGroupRange = { first: 0, end: 128, total: 128 }

type Tables = Map<number, AccumulatorTable>
type Picture = readonly SnapshotBlock[]

function add(table: AccumulatorTable, key: Key, v: number): void {
  addRow(table, table.slot(key), { key, v })
}

function picture(tables: Tables, changesOnly: boolean, between: () => void = () => {}): Picture {
  const frozen = freezeTables(
    [...tables].map(([namespace, table]) => ({ namespace, table })),
    [tables.size],
    all,
    changesOnly,
  )
  const blocks: SnapshotBlock[] = []
  for (let next = frozen.next(10_000); next !== undefined; next = frozen.next(10_000)) {
    blocks.push(...next.map((block) => ({ ...block, bytes: block.bytes.slice() })))
    between()
  }
  expect(frozen.changesOnly).toBe(blocks.some(({ section }) => section === 'base'))
  return blocks
}

function restored(kernel: AggregateKernel, pictures: readonly Picture[], range = all): string {
  const restore = new TableRestore(kernel)
  for (const block of pictures.flat()) restore.add(block, range)
  const headers = JSON.stringify(restore.headers)
  return `${headers} ${textOf(restore.tables())}`
}

function textOf(tables: ReadonlyMap<number, AccumulatorTable>): string {
  return [...tables]
    .filter(([, table]) => table.size > 0)
    .sort(([a], [b]) => a - b)
    .map(([namespace, table]) => `${namespace}: ${JSON.stringify(contentOf(table))}`)
    .join('\n')
}

function bytesOf(blocks: Picture): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

/** Numbers from 0 on that look random, the same ones each time. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('pictures of the changes', () => {
  it('give with the pictures before what a whole one gives', () => {
    const kernel = aggregateKernel(everything, false)
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed)
      const tables: Tables = new Map()
      let chain: Picture[] = []
      for (let step = 0; step < 12; step++) {
        if (step === 0 || next(3) === 0) tables.set(step, new AccumulatorTable(kernel))
        if (tables.size > 2) tables.delete([...tables.keys()][0]!)
        // A table of the same number in the place of another.
        if (next(6) === 0) tables.set([...tables.keys()][0]!, new AccumulatorTable(kernel))
        const change = (rows: number): void => {
          for (const table of tables.values())
            for (let i = 0; i < rows; i++) add(table, `key ${next(50 * (step + 1))}`, next(1_000))
        }
        change(step === 0 ? 2_000 : next(120))
        const expected = `[[${tables.size}]] ${textOf(tables)}`
        const blocks = picture(tables, step > 0, () => change(5))
        chain = blocks[0]?.section === 'base' ? [...chain, blocks] : [blocks]
        expect(restored(kernel, chain)).toBe(expected)
      }
      expect(chain.length + seed).toBeGreaterThan(1)
    }
  })

  it('are as small as what has changed', () => {
    const kernel = aggregateKernel(numbers, false)
    const table = new AccumulatorTable(kernel)
    const tables: Tables = new Map([[0, table]])
    const keys = 100_000
    for (let key = 0; key < keys; key++) add(table, key, key)
    const whole = picture(tables, false)
    const next = random(1)
    for (let i = 0; i < keys / 100; i++) add(table, next(keys), 1)
    const changes = picture(tables, true)
    // A hundredth, all over the table; two slices of 128 groups have 8 words of a block each.
    expect(bytesOf(changes) * 30).toBeLessThan(bytesOf(whole))
    const nothing = picture(tables, true)
    expect(nothing.map(({ section }) => section)).toEqual(['base', 'header'])
    expect(restored(kernel, [whole, changes, nothing])).toBe(`[[1]] ${textOf(tables)}`)
  })

  it('are whole where most has changed, and where nobody asks for changes', () => {
    const kernel = aggregateKernel(numbers, false)
    const table = new AccumulatorTable(kernel)
    const tables: Tables = new Map([[0, table]])
    const fill = (keys: number): void => {
      for (let key = 0; key < keys; key++) add(table, key, 1)
    }
    fill(1_000)
    picture(tables, false)
    fill(499)
    expect(picture(tables, true)[0]?.section).toBe('base')
    fill(500)
    expect(picture(tables, true)[0]?.section).toBe('header')
    fill(1)
    expect(picture(tables, false)[0]?.section).toBe('header')
  })

  it('go with some key groups to each of several readers', () => {
    const kernel = aggregateKernel(everything, false)
    const table = new AccumulatorTable(kernel)
    const tables: Tables = new Map([[0, table]])
    const next = random(7)
    for (let i = 0; i < 5_000; i++) add(table, next(3_000), next(100))
    const chain = [picture(tables, false)]
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 200; i++) add(table, next(3_300), next(100))
      chain.push(picture(tables, true))
    }
    const ranges = [0, 50, 90].map((first, i) => ({ first, end: [50, 90, 128][i]!, total: 128 }))
    const contents = ranges.map((range) => {
      const restore = new TableRestore(kernel)
      for (const block of chain.flat()) restore.add(block, range)
      return contentOf(restore.tables().get(0))
    })
    const rows = (list: readonly unknown[]): string[] =>
      list.map((row) => JSON.stringify(row)).sort()
    expect(rows(contents.flat())).toEqual(rows(contentOf(table)))
  })

  it('are refused when one of them has a slot twice', () => {
    const kernel = aggregateKernel(numbers, false)
    const table = new AccumulatorTable(kernel)
    const tables: Tables = new Map([[0, table]])
    for (let key = 0; key < 100; key++) add(table, key, 1)
    const whole = picture(tables, false)
    add(table, 3, 1)
    const changes = picture(tables, true)
    const rows = changes.filter(({ section }) => section === 'rows')
    try {
      restored(kernel, [whole, changes, rows])
      expect.unreachable()
    } catch (error) {
      expect(isTidemillError(error) && error.code).toBe('TM1652')
    }
  })
})
