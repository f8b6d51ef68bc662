import { describe, expect, it } from 'vitest'
import { rampUp } from './ramp-up.ts'

describe('rampUp', () => {
  it('gives every row once and in order, the first ones in small groups', () => {
    const seen: number[] = []
    const sizes: number[] = []
    const loop = rampUp((rows: readonly number[], from, to) => {
      sizes.push(to - from)
      seen.push(...rows.slice(from, to))
    })
    const rows = Array.from({ length: 3_000 }, (_, i) => i)
    loop(rows, 0, 5)
    loop(rows, 5, 5)
    loop(rows, 5, 3_000)
    expect(seen).toEqual(rows)
    expect(sizes).toEqual([1, 2, 2, 8, 16, 32, 64, 128, 256, 512, 1979])
  })

  it('goes on behind a group that threw', () => {
    const seen: number[] = []
    const loop = rampUp((rows: readonly number[], from, to) => {
      if (from === 1) throw new Error('no')
      seen.push(...rows.slice(from, to))
    })
    const rows = [0, 1, 2, 3]
    expect(() => loop(rows, 0, 4)).toThrow('no')
    loop(rows, 3, 4)
    expect(seen).toEqual([0, 3])
  })
})
