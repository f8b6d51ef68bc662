import { crc32 as hostCrc32 } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { crc32, crc32Portable, useCrc32 } from './crc32.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

afterEach(() => useCrc32(crc32Portable))

describe('crc32', () => {
  it('gives the published check value', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926)
    expect(crc32(new Uint8Array(0))).toBe(0)
  })

  it('is unsigned', () => {
    expect(crc32(new Uint8Array([0xff, 0xff, 0xff, 0xff]))).toBe(0xffffffff)
  })

  it('hands the work to the implementation of the platform', () => {
    const calls: number[] = []
    useCrc32((bytes, seed) => {
      calls.push(bytes.length, seed)
      return 7
    })
    expect(crc32(text('abc'), 5)).toBe(7)
    expect(calls).toEqual([3, 5])
  })
})

describe('the portable implementation', () => {
  it('agrees with the host for every length around the four-byte steps', () => {
    const bytes = Uint8Array.from({ length: 67 }, (_, index) => (index * 151 + 7) & 255)
    for (let length = 0; length <= bytes.length; length++) {
      const part = bytes.subarray(0, length)
      expect(crc32Portable(part, 0)).toBe(hostCrc32(part))
    }
  })
})
