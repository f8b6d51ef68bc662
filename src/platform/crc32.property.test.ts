import * as zlib from 'node:zlib'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { crc32, crc32Joined, crc32Portable, crc32Shift } from '../base/crc32.ts'
import { installNativeCrc32 } from './node-crc32.ts'

const native = (zlib as { crc32?: (bytes: Uint8Array, seed: number) => number }).crc32
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 100, maxLength: 600 }),
)
const anySeed = fc.integer({ min: 0, max: 0xffffffff })

test.prop([anyBytes, anySeed])(
  'the table equals the native CRC-32, where there is one',
  (bytes, seed) => {
    if (native !== undefined) expect(crc32Portable(bytes, seed)).toBe(native(bytes, seed))
  },
)

test.prop([anyBytes, anyBytes, anySeed])(
  'a CRC continues: both halves equal the whole',
  (left, right, seed) => {
    installNativeCrc32()
    const whole = new Uint8Array([...left, ...right])
    expect(crc32(right, crc32(left, seed))).toBe(crc32(whole, seed))
    expect(crc32(whole, seed)).toBe(crc32Portable(whole, seed))
  },
)

test.prop([anyBytes, anyBytes, anySeed])(
  'the CRC of two parts follows from theirs',
  (left, right, seed) => {
    const whole = crc32Portable(right, crc32Portable(left, seed))
    const shift = crc32Shift(right.length)
    expect(crc32Joined(crc32Portable(left, seed), crc32Portable(right, 0), shift)).toBe(whole)
  },
)

test('long parts can be joined', () => {
  const long = new Uint8Array(3_000_001).map((_, i) => i * 7)
  const joined = crc32Joined(0xcafe, crc32(long), crc32Shift(long.length))
  expect(joined).toBe(crc32(long, 0xcafe))
})

test('the check value of the polynomial', () => {
  expect(crc32Portable(new TextEncoder().encode('123456789'), 0)).toBe(0xcbf43926)
})
