/**
 * What every checkpoint storage must do, as tests:
 *
 *     checkpointStorageConformance({ describe, test }, { name: 'my storage', open: (env) => myStorage(env, '/snapshots') })
 */
import type { Env } from '../../base/env.ts'
import type { CheckpointStorage } from '../../checkpoint/storage.ts'
import { createWorld } from '../world/world.ts'
import { type ConformanceHost, expectEqual, expectRejection, expectTrue } from './host.ts'

export interface CheckpointStorageUnderTest {
  readonly name: string
  /** Opens the same storage again at every call. */
  readonly open: (env: Env) => Promise<CheckpointStorage>
  /** Names that the storage takes. Default `a`, `b`, `c`. */
  readonly names?: readonly [string, string, string]
}

export function checkpointStorageConformance(
  host: ConformanceHost,
  storage: CheckpointStorageUnderTest,
): void {
  const [a, b, c] = storage.names ?? ['a', 'b', 'c']
  const inWorld =
    (run: (env: Env, open: () => Promise<CheckpointStorage>) => Promise<void>) =>
    async (): Promise<void> => {
      const end = await createWorld({ seed: 1 }).run((env) => run(env, () => storage.open(env)))
      if (end.kind === 'failed') throw end.error
      expectEqual(end.kind, 'done', 'end of the process')
    }
  host.describe(`checkpoint storage: ${storage.name}`, () => {
    host.test(
      'shows an object when it is finished, whole and in order',
      inWorld(async (_, open) => {
        const one = await open()
        const writer = await one.put(a)
        await writer.write(bytes(1, 2, 3))
        await writer.write(bytes(4))
        expectEqual(writer.sizeBytes, 4, 'size while it is written')
        expectEqual(await content(await open(), a), undefined, 'before it is finished')
        await writer.finish()
        expectEqual(await content(await open(), a), [1, 2, 3, 4], 'content')
        const reader = await one.get(a)
        const part = new Uint8Array(10)
        expectEqual(await reader?.read(part, 3), 1, 'bytes read at the end')
        await reader?.close()
      }),
    )

    host.test(
      'leaves nothing of an object that was given up',
      inWorld(async (_, open) => {
        const one = await open()
        const writer = await one.put(a)
        await writer.write(bytes(1))
        await writer.abort()
        expectEqual(await content(one, a), undefined, 'object')
        expectEqual((await one.list()).includes(a), false, 'listed')
      }),
    )

    host.test(
      'publishes a name once, and never replaces it',
      inWorld(async (_, open) => {
        const [one, two] = [await open(), await open()]
        const won = await Promise.all([one.publish(a, bytes(1)), two.publish(a, bytes(2))])
        expectEqual(won.filter(Boolean).length, 1, 'publishers that won')
        expectEqual(await content(one, a), [won[0] ? 1 : 2], 'content is the winner’s')
        expectEqual(await one.publish(a, bytes(3)), false, 'a later one')
        // A storage may notice at the first or at the last step.
        const overwrite = async (): Promise<void> => {
          const writer = await one.put(a)
          await writer.write(bytes(4))
          await writer.finish()
        }
        await expectRejection(overwrite(), 'an object under a taken name')
        expectEqual(await content(one, a), [won[0] ? 1 : 2], 'content stays')
      }),
    )

    host.test(
      'lists names in order and deletes, also what is absent',
      inWorld(async (_, open) => {
        const one = await open()
        for (const name of [c, a, b]) await one.publish(name, bytes(7))
        expectEqual(await one.list(), [a, b, c].sort(), 'names')
        await one.delete([b, a])
        await one.delete([b])
        expectEqual(await (await open()).list(), [c], 'names left')
      }),
    )

    host.test('keeps its promises over a power cut', async () => {
      for (let seed = 0; seed < 20; seed++) {
        const world = createWorld({ seed })
        const first = await world.run(async (env) => {
          const one = await storage.open(env)
          const kept = await one.put(a)
          await kept.write(bytes(1, 2))
          await kept.finish()
          await one.publish(b, bytes(3))
          await one.publish(c, bytes(4))
          await one.delete([c])
          await (await one.put(c)).write(bytes(5))
        })
        expectEqual(first.kind, 'done', 'first life')
        world.crash('power')
        const second = await world.run(async (env) => {
          const one = await storage.open(env)
          return [await content(one, a), await content(one, b), await content(one, c)]
        })
        expectTrue(second.kind === 'done', 'second life')
        expectEqual(second.value, [[1, 2], [3], undefined], `seed ${seed}: objects`)
      }
    })
  })
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

async function content(storage: CheckpointStorage, name: string): Promise<number[] | undefined> {
  const reader = await storage.get(name)
  if (reader === undefined) return undefined
  const target = new Uint8Array(reader.sizeBytes)
  const count = await reader.read(target, 0)
  await reader.close()
  return [...target.subarray(0, count)]
}
