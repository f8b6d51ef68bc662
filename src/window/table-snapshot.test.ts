import { describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import type { AggregateSpec } from '../graph/aggregate.ts'
import { Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Key } from '../schema/types.ts'
import type { KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { AccumulatorTable } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { contentOf } from './table-golden.test-support.ts'
import { TableRestore } from './table-restore.ts'
import { freezeTables } from './table-snapshot.ts'

interface Row {
  readonly key: Key
  readonly v: number
}

const of = (row: never): number => (row as Row).v
const spec: AggregateSpec = {
  n: { kind: 'count', where: undefined },
  total: { kind: 'sum', of, where: undefined },
  kinds: {
    kind: 'count-distinct',
    of: (row: never) => `kind ${(row as Row).v % 3}`,
    where: undefined,
  },
  seen: {
    kind: 'custom',
    label: 'seen',
    create: () => [],
    add: (list: never, row: never) => [...(list as number[]), (row as Row).v] as never,
    merge: (a: never, b: never) => [...(a as number[]), ...(b as number[])] as never,
    result: (list: never) => list,
    accumulator: undefined,
    decomposable: false,
  },
}

const all: KeyGroupRange = { first: 0, end: 16, total: 16 }
/** More than one slice of a snapshot holds. */
const many = 70_000

function keyOf(i: number): Key {
  if (i % 5 === 1) return `text ${i}`
  if (i % 5 === 2) return [i, `part ${i % 7}`]
  return i % 5 === 3 ? i + 0.5 : i - many / 2
}

function filled(kernel: AggregateKernel, keys: number, from: number = 0): AccumulatorTable {
  const table = new AccumulatorTable(kernel)
  for (let i = from; i < from + keys; i++) add(table, keyOf(i), i)
  return table
}

function add(table: AccumulatorTable, key: Key, v: number): void {
  const { stride, objects } = table.kernel
  const slot = table.slot(key)
  const row: Row = { key, v }
  table.kernel.add(table.words, slot * stride, table.objects, slot * objects, table.sets, slot, row)
}

function blocksOf(table: AccumulatorTable, namespace: number = 0): SnapshotBlock[] {
  const frozen = freezeTables([{ namespace, table }], [], all)
  const blocks: SnapshotBlock[] = []
  for (let next = frozen.next(100_000); next !== undefined; next = frozen.next(100_000))
    blocks.push(...next.map((block) => ({ ...block, bytes: block.bytes.slice() })))
  return blocks
}

/** Text, because large arrays take seconds to compare value by value. */
function textOf(table: AccumulatorTable | undefined): string {
  return contentOf(table)
    .map((row) => JSON.stringify(row))
    .join('\n')
}

describe('tables in a snapshot', () => {
  const kernel = aggregateKernel(spec, false)

  it('come back with keys in their order, values and sets', () => {
    const table = filled(kernel, many)
    const restore = new TableRestore(kernel)
    for (const block of blocksOf(table, 7)) restore.add(block, all)
    const again = restore.tables().get(7)
    expect(textOf(again) === textOf(table)).toBe(true)
    for (const each of [table, again]) add(each!, keyOf(3), 1)
    expect(textOf(again) === textOf(table)).toBe(true)
  })

  it.each<readonly [string, (i: number) => Key]>([
    ['of whole numbers', (i) => [i - 50, i % 3]],
    ['of numbers and texts', (i) => [i / 4, `part ${i % 7}`, i % 2 === 0]],
    ['of large numbers', (i) => [BigInt(i), `part ${i % 7}`]],
    ['whose parts are of several kinds', (i) => [i % 2 === 0 ? i : `text ${i}`, 1]],
    ['of several widths', (i) => (i % 2 === 0 ? [i] : [i, i])],
    ['that are wide', (i) => Array.from({ length: 20 }, () => i)],
  ])('come back with tuples %s', (_name, tuple) => {
    const table = new AccumulatorTable(kernel)
    for (let i = 0; i < 1_000; i++) add(table, tuple(i), i)
    const restore = new TableRestore(kernel)
    for (const block of blocksOf(table)) restore.add(block, all)
    const again = restore.tables().get(0)
    expect(again === undefined ? [] : contentOf(again)).toStrictEqual(contentOf(table))
    // The same keys: nothing is added.
    for (let i = 0; i < 1_000; i++) for (const each of [table, again]) add(each!, tuple(i), 1)
    expect(again === undefined ? [] : contentOf(again)).toStrictEqual(contentOf(table))
  })

  it('keep of each writer the key groups that are wanted, writer after writer', () => {
    const low = filled(kernel, 3_000, 3_000)
    const high = filled(kernel, 3_000)
    const mine = { first: 4, end: 9, total: 16 }
    const restore = new TableRestore(kernel)
    const parts = [low, high].map((table, writer) => {
      const blocks = blocksOf(table).filter(({ keyGroup }) => keyGroup >= 4 && keyGroup < 9)
      const alone = new TableRestore(kernel)
      for (const block of blocks) alone.add(block, all)
      for (const block of blocksOf(table)) restore.add(block, mine, writer)
      return contentOf(alone.tables().get(0))
    })
    expect(parts[0]?.length).toBeGreaterThan(100)
    const rows = contentOf(restore.tables().get(0))
    expect(rows).toEqual(parts.flat())
    // Keys of a group keep the order in which they came.
    const order = contentOf(low).map((row) => JSON.stringify(row))
    const places = parts[0]!.map((row) => order.indexOf(JSON.stringify(row)))
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })

  it('are as they were at the barrier, whatever changes while they are written', () => {
    const table = filled(kernel, many)
    const expected = textOf(table)
    const frozen = freezeTables([{ namespace: 0, table }], [], all)
    const restore = new TableRestore(kernel)
    let i = 0
    for (let next = frozen.next(100_000); next !== undefined; next = frozen.next(100_000)) {
      for (const block of next) restore.add(block, all)
      // Old keys change and new ones make the table grow.
      for (let end = i + 20_000; i < end; i++) add(table, keyOf(i * 7), i)
    }
    expect(textOf(restore.tables().get(0)) === expected).toBe(true)
  })

  it('are refused when their bytes contradict themselves', () => {
    const block = (write: (writer: Writer) => void, section = 'table'): SnapshotBlock => {
      const writer = new Writer()
      writer.f64(0)
      if (section === 'table') writer.varint(0)
      write(writer)
      return { section, keyGroup: 1, bytes: writer.finish() }
    }
    const rows = (count: number, slots: readonly number[], words: number, form: number) =>
      block((writer) => {
        for (const value of [count, 0, words, form]) writer.u32(value)
        for (let i = 0; i < slots.length * kernel.stride; i++) writer.f64(i)
        slots.forEach((_, i) => writer.u32(i))
        for (const slot of slots) writer.u16(slot)
        for (const _ of slots) writer.blob(dynamic.encode([]))
      }, 'rows')
    const row = (writer: Writer, ordinal: number, key: Key): void => {
      writer.varint(ordinal)
      writer.blob(dynamic.encode(key))
      for (let i = 0; i < kernel.stride; i++) writer.f64(i)
      for (const _ of kernel.custom) writer.blob(dynamic.encode([]))
    }
    const read = (one: SnapshotBlock): unknown => {
      const restore = new TableRestore(kernel)
      try {
        restore.add(one, all)
        return restore.tables().get(0)?.size
      } catch (error) {
        return isTidemillError(error) ? error.code : error
      }
    }
    const good = block((writer) => row(writer, 3, 'a'))
    expect(read(good)).toBe(1)
    expect(read({ ...good, section: 'tables' })).toBe('TM1652')
    expect(read({ ...good, bytes: good.bytes.subarray(0, -1) })).toBe('TM1010')
    expect(read(block((writer) => row(writer, 2 ** 31, 'a')))).toBe('TM1652')
    const { stride } = kernel
    expect(read(rows(2, [0, 1], stride, 1))).toBe(2)
    expect(read(rows(2, [1, 1], stride, 1))).toBe('TM1652')
    expect(read(rows(1, [0, 1], stride, 1))).not.toBe(1)
    expect(read(rows(2 ** 31, [0, 1], stride, 1))).toBe('TM1652')
    expect(read(rows(2, [0, 1], stride + 1, 1))).toBe('TM1652')
    expect(read(rows(2, [0, 1], stride, 3))).toBe('TM1652')
    const twice = block((writer) => {
      row(writer, 1, 'a')
      row(writer, 2, 'a')
    })
    expect(read(twice)).toBe('TM1652')
  })
})
