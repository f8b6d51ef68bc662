import { describe, expect, it } from 'vitest'
import { StateChains } from './chains.ts'
import type { BaseObject } from './manifest.ts'

/** Writes one object: bytes by holder, negative ones for a picture of the changes if that is possible. */
function write(
  chains: StateChains,
  epoch: number,
  holders: Readonly<Record<string, number>>,
  { whole = false, belowBytes = 0, commit = true } = {},
): readonly BaseObject[] {
  chains.begin(whole, belowBytes)
  let sizeBytes = 0
  for (const [holder, bytes] of Object.entries(holders)) {
    const changesOnly = bytes < 0 && chains.mayBuild(holder)
    chains.froze(holder, changesOnly)
    chains.wrote(holder, changesOnly ? -bytes : 10_000_000)
    sizeBytes += changesOnly ? -bytes : 10_000_000
  }
  const bases = chains.finish(epoch, { name: `e${epoch}`, sizeBytes, crc32: 0 })
  if (commit) chains.committed(epoch)
  return bases
}

const names = (bases: readonly BaseObject[]): readonly string[] =>
  bases.map(({ name, operators }) => `${name} ${operators.join('+')}`)

describe('chains of objects', () => {
  it('build on what is committed, holder by holder', () => {
    const chains = new StateChains()
    expect(write(chains, 1, { a: -1_000, b: -1_000 })).toEqual([])
    expect(names(write(chains, 2, { a: -1_000, b: 0 }))).toEqual(['e1 a'])
    expect(names(write(chains, 3, { a: -1_000, b: -1_000 }))).toEqual(['e1 a', 'e2 a+b'])
    expect(write(chains, 4, { a: -1_000, b: -1_000 }, { whole: true })).toEqual([])
    expect(names(write(chains, 5, { a: -1_000, b: -1_000 }))).toEqual(['e4 a+b'])
  })

  it('name the oldest object first, whichever holder it is for', () => {
    const chains = new StateChains()
    write(chains, 1, { a: -1_000, b: -1_000 })
    write(chains, 2, { a: 0, b: -1_000 })
    expect(names(write(chains, 3, { a: -1_000, b: -1_000 }))).toEqual(['e1 b', 'e2 a+b'])
  })

  it('end with an attempt that fails, and with one of which nothing is known', () => {
    const chains = new StateChains()
    write(chains, 1, { a: -1_000 })
    write(chains, 2, { a: -1_000 }, { commit: false })
    chains.abandon()
    chains.committed(2)
    expect(write(chains, 3, { a: -1_000 }, { commit: false })).toEqual([])
    expect(write(chains, 4, { a: -1_000 })).toEqual([])
    expect(names(write(chains, 5, { a: -1_000 }))).toEqual(['e4 a'])
  })

  it('are bounded in bytes, in objects and in what they keep for nothing', () => {
    const long = new StateChains()
    const bases = Array.from({ length: 70 }, (_, i) => write(long, i, { a: -1_000 }).length)
    expect(Math.max(...bases)).toBe(63)
    expect(bases.at(64)).toBe(0)

    const heavy = new StateChains()
    const sizes = Array.from({ length: 5 }, (_, i) => write(heavy, i, { a: -4_000_000 }).length)
    expect(sizes).toEqual([0, 1, 2, 3, 0])

    const beside = new StateChains()
    const kept = Array.from(
      { length: 5 },
      (_, i) => write(beside, i, { a: -1_000, b: 0, c: 0 }).length,
    )
    // 30 + 20 + 20 million bytes are more than twice the 30 that are needed.
    expect(kept).toEqual([0, 1, 2, 0, 1])
  })

  it('are not made of a few bytes', () => {
    const chains = new StateChains()
    write(chains, 1, { a: -1_000 })
    expect(write(chains, 2, { a: -1_000 }, { belowBytes: 10_000_001 })).toEqual([])
  })
})
