import { describe, expect, test } from 'vitest'
import { type Mistake, mistakes, runToy } from './toy-log.bench.ts'

describe('a write-ahead log', () => {
  test('that makes no mistake survives every seed', async () => {
    let crashes = 0
    const points = new Set<string>()
    for (let seed = 0; seed < 300; seed++) {
      const { violation, world } = await runToy(seed)
      if (violation !== undefined) throw new Error(`${violation}\n${world.dump()}`)
      crashes += world.crashes
      for (const name of world.hits.keys()) points.add(name)
    }
    expect(crashes).toBeGreaterThan(300)
    expect([...points].sort()).toEqual([
      'log.append.before',
      'log.append.written',
      'log.roll.publish',
      'log.sync.done',
      'recover.verify',
    ])
  }, 30_000)

  /** Seeds within which the mistake must show, with room for other draws: about three times the first seen. */
  const budgets: Readonly<Record<Mistake, number>> = {
    'no sync before the acknowledgement': 10,
    'no sync of the directory': 10,
    'no sync of the file before it is published': 100,
    'no checksum check': 900,
    'no length check': 400,
    'short write not continued': 50,
    'sync retried after it failed': 30,
    'tail adopted without a copy': 30,
  }

  test.each(mistakes)(
    'that has "%s" is caught',
    async (mistake) => {
      let found: number | undefined
      for (let seed = 0; seed < budgets[mistake] && found === undefined; seed++) {
        if ((await runToy(seed, mistake)).violation !== undefined) found = seed
      }
      expect(found).toBeDefined()
    },
    30_000,
  )
})
