import * as zlib from 'node:zlib'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { crc32, crc32Portable } from '../base/crc32.ts'
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

test('the check value of the polynomial', () => {
  expect(crc32Portable(new TextEncoder().encode('123456789'), 0)).toBe(0xcbf43926)
})
