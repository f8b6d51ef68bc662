import fc from 'fast-check'
import { expect, it } from 'vitest'
import { keyBytes } from '../schema/key.ts'
import type { Key, KeyAtom } from '../schema/types.ts'
import { KeyTable } from './key-table.ts'

const atom: fc.Arbitrary<KeyAtom> = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom('', 'a', 'ab', 'a text that is longer than a slice'),
  fc.boolean(),
  fc.bigInt({ min: -3n, max: 3n }),
)
const coordinate: fc.Arbitrary<KeyAtom> = fc.constantFrom<KeyAtom>(
  0,
  -0,
  1,
  -1,
  0.5,
  2 ** 40,
  true,
  '1',
)
const key: fc.Arbitrary<Key> = fc.oneof(
  { weight: 3, arbitrary: atom },
  fc.array(atom, { maxLength: 4 }),
  // Pairs that meet again: those of two numbers are looked up in a way of their own.
  { weight: 3, arbitrary: fc.tuple(coordinate, coordinate) },
)

const numbersTwice: fc.Arbitrary<Key> = fc.tuple(
  fc.integer({ min: 0, max: 9 }),
  fc.constantFrom(0, 0.5, -0),
)
const pairsFirst: fc.Arbitrary<Key> = fc.oneof(
  { weight: 40, arbitrary: numbersTwice },
  { weight: 1, arbitrary: key },
)

it.each([
  ['of every kind', key],
  ['that are two numbers, with few exceptions', pairsFirst],
])('equals a Map over canonical bytes, also in its order, with keys %s', (_, keys) => {
  const step = fc.record({
    kind: fc.constantFrom('add', 'add', 'add', 'remove', 'find', 'clear-rarely'),
    key: keys,
    n: fc.nat(30),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new KeyTable()
      const model = new Map<string, { slot: number; key: Key }>()
      for (const { kind, key, n } of steps) {
        const id = keyBytes(key).join()
        const known = model.get(id)
        if (kind === 'add') {
          const slot = table.slot(key)
          expect(table.inserted).toBe(known === undefined)
          if (known) expect(slot).toBe(known.slot)
          else {
            expect([...model.values()].some((one) => one.slot === slot)).toBe(false)
            model.set(id, { slot, key })
          }
        } else if (kind === 'remove' && known) {
          table.remove(known.slot)
          model.delete(id)
        } else if (kind === 'clear-rarely' && n === 0) {
          table.clear()
          model.clear()
        } else expect(table.find(key)).toBe(known?.slot ?? -1)
        expect(table.size).toBe(model.size)
        const [firsts, seconds]: [Key[], Key[]] = [[], []]
        for (const { slot, key } of model.values())
          if (table.pairAt(slot, firsts, seconds, 0))
            expect(keyBytes([firsts[0], seconds[0]] as Key).join()).toBe(keyBytes(key).join())
      }
      const ids = [...table.keys()].map((one) => keyBytes(one).join())
      expect(ids).toEqual([...model.keys()])
      const copy = new KeyTable()
      for (const one of table.keys()) copy.slot(one)
      expect([...copy.keys()]).toEqual([...table.keys()])
    }),
    { numRuns: 200 },
  )
})
