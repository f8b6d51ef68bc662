/** Topics that several processes create at the same moment, in the simulated world. */
import { describe, expect, test } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { profileOf } from '../testing/world/profile.ts'
import { createWorld } from '../testing/world/world.ts'
import { openLog } from './log.ts'

const directory = '/data/log'
const seeds = Array.from({ length: 60 }, (_, seed) => seed)

describe('a topic that processes create at the same moment', () => {
  test('is created by one of them; the others get TM1201', async () => {
    for (const seed of seeds) {
      const world = createWorld({ seed })
      const lives = [1, 2, 3].map((partitions) =>
        world.start(async (env) => {
          const log = openLog({ env, directory })
          try {
            return (await log.createTopic('t', { partitions })).id
          } catch (error) {
            return isTidemillError(error) ? error.code : String(error)
          } finally {
            await log.close()
          }
        }),
      )
      const ends = await Promise.all(lives.map(async (life) => await life.end()))
      const told = ends.map((end) => (end.kind === 'done' ? end.value : end.kind))
      const ids = told.filter((text) => text !== 'TM1201')
      expect(ids, `seed ${seed}: ${told.join()}`).toHaveLength(1)
      const stored = await world.run((env) => openLog({ env, directory }).topic('t'))
      expect(stored).toMatchObject({ kind: 'done', value: { id: ids[0] } })
      expect(world.disk.files().filter(({ path }) => path.endsWith('.tmp'))).toEqual([])
    }
  })

  test('has one id for all who need it, also when some of them die', async () => {
    for (const seed of seeds) {
      const world = createWorld({ seed, profile: profileOf(seed) })
      for (let round = 0; round < 4; round++) {
        const lives = [0, 1, 2].map(() =>
          world.start((env) => openLog({ env, directory }).ensureTopic('t', { partitions: 2 })),
        )
        for (const life of lives) await life.end()
      }
      world.setFaults(false)
      world.disk.capacityBytes = Number.POSITIVE_INFINITY
      world.disk.openFilesMax = 1_024
      const lives = [0, 1, 2].map(() =>
        world.start((env) => openLog({ env, directory }).ensureTopic('t', { partitions: 2 })),
      )
      const ids = new Set<string>()
      for (const life of lives) {
        const end = await life.end()
        if (end.kind !== 'done') throw new Error(`seed ${seed}: ${end.kind}`)
        ids.add(end.value.id)
      }
      const stored = await world.run((env) => openLog({ env, directory }).topic('t'))
      expect(stored, `seed ${seed}`).toMatchObject({ kind: 'done', value: { id: [...ids][0] } })
      expect(ids.size, `seed ${seed}`).toBe(1)
    }
  })
})
