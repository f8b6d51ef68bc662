import { crc32 as hostCrc32 } from 'node:zlib'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { crc32Portable } from './crc32.ts'

const bytes = fc.uint8Array({ maxLength: 300 })

test.prop([bytes, fc.nat(0xffffffff)])('equals the host for any bytes and seed', (data, seed) => {
  expect(crc32Portable(data, seed)).toBe(hostCrc32(data, seed))
})

test.prop([bytes, fc.nat()])('of a whole is the continued one of its parts', (data, at) => {
  const cut = at % (data.length + 1)
  const first = crc32Portable(data.subarray(0, cut), 0)
  expect(crc32Portable(data.subarray(cut), first)).toBe(crc32Portable(data, 0))
})

test.prop([fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), fc.nat(7)])(
  'changes with any single bit',
  (data, at, bit) => {
    const damaged = data.slice()
    const index = at % data.length
    damaged[index] = (damaged[index] ?? 0) ^ (1 << bit)
    expect(crc32Portable(damaged, 0)).not.toBe(crc32Portable(data, 0))
  },
)
