import { describe, expect, it } from 'vitest'
import type { Key } from '../schema/types.ts'
import { KeyTable } from './key-table.ts'

describe('KeyTable', () => {
  it('numbers keys from 0 and finds them again', () => {
    const table = new KeyTable()
    expect([5, 7, 5].map((n) => table.numberSlot(n))).toEqual([0, 1, 0])
    expect(table.inserted).toBe(false)
    expect(table.find(7)).toBe(1)
    expect(table.find(8)).toBe(-1)
    expect(table.keyAt(1)).toBe(7)
  })

  it('tells 1, 1n, "1", true and [1] apart and takes -0 for 0', () => {
    const table = new KeyTable()
    const keys: Key[] = [1, 1n, '1', true, [1], ['1'], [1n], [true], 0, false, '', []]
    expect(keys.map((key) => table.slot(key))).toEqual(keys.map((_, slot) => slot))
    expect(table.slot(-0)).toBe(8)
    expect(Object.is(table.keyAt(8), 0)).toBe(true)
    expect(table.slot([-0])).toBe(keys.length)
    expect(Object.is((table.keyAt(keys.length) as readonly number[])[0], 0)).toBe(true)
    expect([...table.keys()]).toEqual([...keys, [0]])
  })

  it('keeps fractions, large numbers and neighbours of 2^31 apart', () => {
    const table = new KeyTable()
    const keys = [
      0.5,
      2 ** 31,
      -(2 ** 31),
      2 ** 31 - 1,
      2 ** 53,
      1e300,
      Number.MIN_VALUE,
      -0.5,
      4294967296,
      1,
    ]
    for (const key of keys) table.numberSlot(key)
    expect(keys.map((key) => table.find(key))).toEqual(keys.map((_, slot) => slot))
    expect([...table.keys()]).toEqual(keys)
  })

  it('iterates in insertion order when slots are used again', () => {
    const table = new KeyTable()
    for (let n = 0; n < 10; n++) table.numberSlot(n)
    table.remove(table.find(3))
    table.remove(table.find(0))
    expect(table.slot('new')).toBe(0)
    table.numberSlot(3)
    expect([...table.keys()]).toEqual([1, 2, 4, 5, 6, 7, 8, 9, 'new', 3])
  })

  it('keeps nothing after clear, and starts again at 0', () => {
    const table = new KeyTable()
    for (const key of [1, 'a', 2n, true, [1, 'x'], 0.5] as Key[]) table.slot(key)
    table.clear()
    expect(table.size).toBe(0)
    expect([...table.keys()]).toEqual([])
    for (const key of [1, 'a', 2n, true, [1, 'x'], 0.5] as Key[]) expect(table.find(key)).toBe(-1)
    expect(table.slot('b')).toBe(0)
  })

  it('forgets interned texts with the last tuple that holds them', () => {
    const table = new KeyTable()
    for (let n = 0; n < 2_000; n++) {
      const slot = table.slot([`text ${n}`, n])
      expect(slot).toBe(0)
      table.remove(slot)
    }
    expect(table.bytes()).toBeLessThan(5_000)
  })

  it('spreads multiples of large powers of two', () => {
    const table = new KeyTable()
    for (let n = 0; n < 200_000; n++) table.numberSlot(n * 1024)
    let wrong = 0
    for (let n = 0; n < 200_000; n++) if (table.find(n * 1024) !== n) wrong++
    expect(wrong).toBe(0)
  })

  it.each([
    ['integers', (i: number): Key => i * 3 - 200_000],
    ['fractions', (i: number): Key => i + 0.5],
    ['pairs', (i: number): Key => [i >> 3, i & 7]],
    ['longer tuples', (i: number): Key => [`text ${i % 1_000}`, i, true]],
  ])('finds %s while a large index is moved', (_, keyOf) => {
    // Places double at 5/8 of 2^18 keys, and from that size on bit by bit.
    const grows = 5 * 2 ** 15
    const table = new KeyTable()
    for (let i = 0; i < grows + 50; i++) table.slot(keyOf(i))
    expect(table.bytes()).toBeGreaterThan(3 * 2 ** 20)
    for (let i = 0; i < 1_000; i++) {
      const known = (i * 7_919) % grows
      expect(table.find(keyOf(known))).toBe(known)
      expect(table.find(keyOf(grows * 2 + i))).toBe(-1)
      expect([table.slot(keyOf(known)), table.inserted]).toEqual([known, false])
      expect([table.slot(keyOf(grows + 50 + i)), table.inserted]).toEqual([grows + 50 + i, true])
    }
    table.remove(5)
    expect(table.find(keyOf(5))).toBe(-1)
    for (let i = 6; i < grows + 1_050; i++)
      if (table.find(keyOf(i)) !== i) throw new Error(`key ${i} is lost`)
    expect(table.size).toBe(grows + 1_049)
    table.clear()
    expect(table.find(keyOf(6))).toBe(-1)
    expect([table.slot(keyOf(6)), table.size]).toEqual([0, 1])
  })
})
