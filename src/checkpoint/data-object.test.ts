import { describe, expect, it } from 'vitest'
import { crc32 } from '../base/crc32.ts'
import { isTidemillError } from '../base/errors.ts'
import { createWorld } from '../testing/world/world.ts'
import type { Env } from '../base/env.ts'
import { sampleBlocks, sampleIdentity, writeSample } from '../../test/golden/snapshot/sample.ts'
import { createBufferPool } from './buffer-pool.ts'
import { openDataObject } from './data-reader.ts'
import { createDataObjectWriter } from './data-writer.ts'
import { directoryStorage, openDirectoryStorage } from './directory-storage.ts'

const file = '/s/g7-e418-s0.data'

/** Runs in one simulated process; what it throws is thrown here. */
async function inWorld<Result>(
  main: (env: Env) => Promise<Result>,
  world = createWorld({ seed: 1 }),
): Promise<Result> {
  const end = await world.run(main)
  if (end.kind === 'failed') throw end.error
  if (end.kind !== 'done') throw new Error(`the process ${end.kind}`)
  return end.value
}

describe('a data object', () => {
  it('gives back every block in order, byte for byte', async () => {
    const world = createWorld({ seed: 1 })
    const blocks = await inWorld(async (env) => {
      const storage = await directoryStorage(env, '/s')
      const ref = await writeSample(storage)
      const reader = await openDataObject(storage, ref, sampleIdentity)
      const found: unknown[] = []
      await reader.read(
        () => true,
        (operator, block) => {
          found.push({ operator, ...block, bytes: block.bytes.slice() })
        },
      )
      await reader.verify()
      await reader.close()
      expect(ref.crc32).toBe(crc32(world.disk.read(file)))
      expect(ref.sizeBytes).toBe(world.disk.read(file).length)
      return found
    }, world)
    expect(blocks).toEqual(sampleBlocks)
    expect(world.disk.files().map(({ path, unsynced }) => [path, unsynced])).toEqual([[file, 0]])
  })

  it('has the checksums of its bytes, however long its blocks are', async () => {
    const world = createWorld({ seed: 1 })
    await inWorld(async (env) => {
      const storage = await directoryStorage(env, '/s')
      const pool = createBufferPool(4, 50_000)
      const options = { host: env.host, storage, identity: sampleIdentity, pool }
      const writer = await createDataObjectWriter(options)
      for (const length of [0, 4_095, 4_096, 2_500_001, 3, 900_000]) {
        const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255)
        writer.append('a', { section: 'x', keyGroup: 1, bytes })
        if (writer.full) await writer.drain()
      }
      const ref = await writer.finish()
      expect(ref.crc32).toBe(crc32(world.disk.read(file)))
      const reader = await openDataObject(storage, ref, sampleIdentity)
      await reader.verify()
      // Whoever stops while the next blocks are read can close the file.
      const stop = new Error('stop')
      const read = reader.read(
        () => true,
        (_operator, { bytes }) => {
          if (bytes.length > 4_096) throw stop
        },
      )
      await expect(read).rejects.toBe(stop)
      await reader.close()
    }, world)
  })

  it('reads only the blocks that are asked for', async () => {
    await inWorld(async (env) => {
      const storage = await directoryStorage(env, '/s')
      const reader = await openDataObject(storage, await writeSample(storage), sampleIdentity)
      const found: string[] = []
      await reader.read(
        ({ operator, keyGroup }) => operator === 'totals' && keyGroup === 3,
        (_operator, block) => void found.push(block.section),
      )
      await reader.close()
      expect(found).toEqual(['values', 'timers'])
    })
  })

  it('spreads blocks over buffers and bounds what is in flight', async () => {
    await inWorld(async (env) => {
      const storage = await directoryStorage(env, '/s')
      const pool = createBufferPool(3, 128)
      const writer = await createDataObjectWriter({
        host: env.host,
        storage,
        identity: sampleIdentity,
        pool,
      })
      const bytes = Uint8Array.from({ length: 1_000 }, (_, i) => i & 255)
      expect(writer.full).toBe(false)
      writer.append('a', { section: 'x', keyGroup: 1, bytes })
      expect(writer.full).toBe(true)
      bytes.fill(0) // the writer has its own copy
      await writer.drain()
      expect(writer.full).toBe(false)
      const reader = await openDataObject(storage, await writer.finish(), sampleIdentity)
      await reader.verify()
      await reader.read(
        () => true,
        (_operator, block) => expect(block.bytes[999]).toBe(999 & 255),
      )
      await reader.close()
    })
  })

  it('refuses a flipped bit in every byte, naming file and offset', async () => {
    const world = createWorld({ seed: 1 })
    await inWorld(async (env) => {
      const ref = await writeSample(await directoryStorage(env, '/s'))
      const storage = openDirectoryStorage(env, '/s')
      for (let bit = 0; bit < ref.sizeBytes * 8; bit += 7) {
        world.disk.corrupt(file, bit)
        const error = await openDataObject(storage, ref, sampleIdentity).then(
          async (reader) => {
            const failure = await reader
              .read(
                () => true,
                () => {},
              )
              .then(
                () => undefined,
                (cause: unknown) => cause,
              )
            await reader.close()
            return failure
          },
          (cause: unknown) => cause,
        )
        if (!isTidemillError(error)) throw new Error(`bit ${bit} was not noticed: ${String(error)}`)
        expect(['TM1502', 'TM1504']).toContain(error.code)
        expect(error.details['file']).toBe(file)
        world.disk.corrupt(file, bit)
      }
    }, world)
  })

  it('names operator and key group of a damaged block', async () => {
    const world = createWorld({ seed: 1 })
    await inWorld(async (env) => {
      const storage = await directoryStorage(env, '/s')
      const ref = await writeSample(storage)
      const reader = await openDataObject(storage, ref, sampleIdentity)
      const at = world.disk
        .read(file)
        .findIndex((_, i, all) => String.fromCharCode(...all.slice(i, i + 3)) === 'b=2')
      world.disk.corrupt(file, at * 8)
      await expect(
        reader.read(
          () => true,
          () => {},
        ),
      ).rejects.toMatchObject({
        code: 'TM1502',
        details: { operator: 'totals', section: 'values', keyGroup: 3, offset: at - 24 },
      })
      await reader.close()
    }, world)
  })

  it('refuses a file of another epoch, another subtask, another job, and one that is cut', async () => {
    const world = createWorld({ seed: 1 })
    await inWorld(async (env) => {
      const storage = await directoryStorage(env, '/s')
      const ref = await writeSample(storage)
      for (const other of [{ epoch: 419 }, { generation: 8 }, { subtask: 1 }, { job: 'click2' }]) {
        await expect(
          openDataObject(storage, ref, { ...sampleIdentity, ...other }),
        ).rejects.toMatchObject({ code: 'TM1502' })
      }
      const bytes = world.disk.read(file)
      world.disk.write(file, bytes.subarray(0, bytes.length - 1))
      await expect(openDataObject(storage, ref, sampleIdentity)).rejects.toMatchObject({
        code: 'TM1503',
      })
      world.disk.remove(file)
      await expect(openDataObject(storage, ref, sampleIdentity)).rejects.toMatchObject({
        code: 'TM1503',
      })
    }, world)
  })

  it('is poisoned by the first failed write and leaves nothing behind', async () => {
    for (const call of ['pwrite', 'fdatasync', 'link'] as const) {
      const world = createWorld({ seed: 1 })
      await inWorld(async (env) => {
        const storage = await directoryStorage(env, '/s')
        world.disk.inject({ path: 'data', call, effect: { kind: 'fail', errno: 'ENOSPC' } })
        const pool = createBufferPool(2, 64)
        const writer = await createDataObjectWriter({
          host: env.host,
          storage,
          identity: sampleIdentity,
          pool,
        })
        writer.append('a', { section: 'x', keyGroup: 1, bytes: new Uint8Array(500) })
        await expect(writer.finish()).rejects.toMatchObject({ errno: 'ENOSPC' })
        await expect(writer.finish()).rejects.toThrow()
        await writer.abort()
        expect(await storage.list()).toEqual([])
      }, world)
    }
  })
})
