import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { anyText } from './arbitraries.test-support.ts'
import { Reader } from './bytes.ts'
import {
  checkKey,
  compareKeys,
  decodeKey,
  hashTextBytes,
  keyBytes,
  keyGroupOf,
  keyHash,
} from './key.ts'
import { textBytes } from './text.ts'
import type { Key } from './types.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../test/golden/keys/v1/keys.json', import.meta.url), 'utf8'),
) as readonly { readonly key: string; readonly bytes: string; readonly hash: number }[]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const atom = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  anyText.filter((text) => checkKey(text) === undefined),
  fc.bigInt(),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.boolean(),
)
const anyKey: fc.Arbitrary<Key> = fc.oneof(atom, fc.array(atom, { maxLength: 3 }))
const zero = (key: Key): Key =>
  Array.isArray(key) ? key.map((one) => (one === 0 ? 0 : one)) : key === 0 ? 0 : key

describe('keys', () => {
  it('keep the bytes and hashes of version 1', () => {
    expect(golden.length).toBeGreaterThan(30)
    for (const one of golden) {
      // `as`: the file holds expressions of keys, evaluated to keep bigints and -0.
      const key = new Function(`return ${one.key}`)() as Key
      expect([one.key, hex(keyBytes(key)), keyHash(key)]).toEqual([one.key, one.bytes, one.hash])
    }
  })

  it('tell 1, 1n, "1" and true apart and 0 from nothing', () => {
    const keys: Key[] = [
      1,
      1n,
      '1',
      true,
      0,
      0n,
      '',
      false,
      [1],
      ['1'],
      ['a', 'b'],
      ['ab'],
      ['a\u0000', 'b'],
      ['a', '\u0000b'],
      [],
    ]
    expect(new Set(keys.map((key) => hex(keyBytes(key)))).size).toBe(keys.length)
    expect(new Set(keys.map(keyHash)).size).toBe(keys.length)
    expect(keyBytes(-0)).toEqual(keyBytes(0))
    expect(keyHash(-0)).toBe(keyHash(0))
    expect(keyGroupOf(keyHash('x'), 128)).toBeGreaterThanOrEqual(0)
  })

  it.each([
    [Number.NaN, 'is NaN'],
    [Number.POSITIVE_INFINITY, 'is Infinity'],
    [null, 'is null'],
    [undefined, 'is undefined'],
    [{}, 'is an object'],
    [() => 1, 'is a function'],
    ['a\ud800', 'half of a surrogate pair'],
    [['a', ['b']], 'item 1 of the tuple is a tuple inside a tuple'],
    [['a', null], 'item 1 of the tuple is null'],
  ])('refuses %j', (key, reason) => {
    expect(checkKey(key)).toContain(reason)
    for (const use of [keyHash, keyBytes]) {
      try {
        use(key as never)
        expect.unreachable()
      } catch (error) {
        expect(isTidemillError(error) && error.code).toBe('TM1042')
      }
    }
  })

  it('come back from their bytes, ordered as their bytes', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        expect(decodeKey(new Reader(keyBytes(a)))).toEqual(zero(a))
        const bytes = Buffer.compare(keyBytes(a), keyBytes(b))
        expect(Math.sign(compareKeys(a, b))).toBe(bytes)
        if (bytes === 0) expect(keyHash(a)).toBe(keyHash(b))
      }),
      { numRuns: 500 },
    )
  })

  it('hash text as its bytes in a frame', () => {
    fc.assert(
      fc.property(
        anyText.filter((text) => checkKey(text) === undefined),
        fc.nat(9),
        (text, offset) => {
          const bytes = textBytes(text)
          const inside = new Uint8Array(bytes.length + offset + 5)
          inside.set(bytes, offset)
          expect(hashTextBytes(inside, offset, offset + bytes.length)).toBe(keyHash(text))
        },
      ),
    )
  })

  it('spread over key groups', () => {
    for (const make of [
      (i: number): Key => i,
      (i: number): Key => `user-${i}`,
      (i: number): Key => i * 1000 + 0.5,
      (i: number): Key => [i, 'x'],
    ]) {
      const counts = new Int32Array(128)
      for (let i = 0; i < 12_800; i++) counts[keyGroupOf(keyHash(make(i)), 128)]!++
      expect(Math.max(...counts)).toBeLessThan(160)
      expect(Math.min(...counts)).toBeGreaterThan(60)
    }
  })

  it('never crash on hostile bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        try {
          expect(hex(keyBytes(decodeKey(new Reader(bytes))))).toBe(hex(bytes))
        } catch (error) {
          if (!isTidemillError(error)) throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})
