import { describe, expect, it } from 'vitest'
import type { Env } from '../base/env.ts'
import { createWorld, type World } from '../testing/world/world.ts'
import { sampleManifest, writeSample } from '../../test/golden/snapshot/sample.ts'
import { directoryStorage } from './directory-storage.ts'
import { checkSnapshots, inspectSnapshot } from './inspect.ts'
import { encodeManifest } from './manifest.ts'
import { manifestName } from './names.ts'
import { assertRestorable, compareForRestore, comparePlans } from './restore.ts'
import { openStateDirectory } from './state-directory.ts'

async function inWorld<Result>(world: World, main: (env: Env) => Promise<Result>): Promise<Result> {
  const end = await world.run(main)
  if (end.kind === 'failed') throw end.error
  if (end.kind !== 'done') throw new Error(`the process ${end.kind}`)
  return end.value
}

const open = (env: Env, job = 'clicks') => openStateDirectory({ env, directory: '/state', job })

/** Two published snapshots: one of epoch 417 without objects, one of epoch 418 with one. */
async function prepare(world: World): Promise<void> {
  await inWorld(world, async (env) => {
    const storage = await directoryStorage(env, '/state/checkpoints')
    for (const epoch of [417, 418]) {
      const object = epoch === 418 ? await writeSample(storage) : undefined
      const manifest = sampleManifest(object, { epoch })
      await storage.publish(manifestName(manifest), encodeManifest(manifest))
    }
  })
}

describe('opening a state directory', () => {
  it('refuses a second owner and names the first', async () => {
    const world = createWorld({ seed: 1 })
    world.start(async (env) => {
      await open(env)
      await env.clock.sleep(10_000)
    })
    await world.advance(1_000)
    const second = await world.run((env) => open(env))
    expect(second).toMatchObject({ kind: 'failed', error: { code: 'TM1500', kind: 'user' } })
    expect(String((second as { error: unknown }).error)).toMatch(
      /job "clicks", process \d+ on \S+, started 2026-/,
    )
  })

  it('adopts the newest snapshot, counts generations and removes garbage', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    for (const name of ['g7-e419-s0.data', 'g7-e420.manifest.tmp', 'g7-e420-s1.data.publishing']) {
      world.disk.write(`/state/checkpoints/${name}`, new Uint8Array(3))
    }
    world.disk.write('/state/checkpoints/notes.txt', new Uint8Array(3))
    await inWorld(world, async (env) => {
      const state = await open(env)
      expect(state).toMatchObject({ generation: 8, nextEpoch: 420, adopted: { epoch: 418 } })
      expect(state.retained.map(({ epoch }) => epoch)).toEqual([417, 418])
      expect(await state.storage.list()).toEqual([
        'g7-e417.manifest',
        'g7-e418-s0.data',
        'g7-e418.manifest',
        'notes.txt',
      ])
      await state.release()
      expect((await open(env)).generation).toBe(9)
    })
  })

  it('keeps what a snapshot builds on, and says so', async () => {
    const world = createWorld({ seed: 1 })
    await inWorld(world, async (env) => {
      const storage = await directoryStorage(env, '/state/checkpoints')
      const base = { ...(await writeSample(storage)), operators: ['totals'] }
      const [subtask] = sampleManifest(undefined).subtasks
      const subtasks = [{ ...subtask!, bases: [base] }]
      const manifest = sampleManifest(undefined, { epoch: 419, subtasks })
      await storage.publish(manifestName(manifest), encodeManifest(manifest))
    })
    world.disk.write('/state/checkpoints/g7-e418-s1.data', new Uint8Array(3))
    await inWorld(world, async (env) => {
      const state = await open(env)
      expect(await state.storage.list()).toEqual(['g7-e418-s0.data', 'g7-e419.manifest'])
      const summary = await inspectSnapshot(env, '/state')
      // Other operators in the older object are not part of this snapshot.
      expect(summary.operators.map(({ operator, blocks }) => [operator, blocks])).toEqual([
        ['totals', 4],
      ])
      expect(summary.objects).toMatchObject([{ name: 'g7-e418-s0.data', neededBy: ['totals'] }])
      expect(await checkSnapshots(env, '/state')).toMatchObject({ intact: true, garbage: [] })
      await state.release()
    })
    world.disk.remove('/state/checkpoints/g7-e418-s0.data')
    await inWorld(world, async (env) => {
      await expect(open(env)).rejects.toMatchObject({ code: 'TM1503' })
    })
  })

  it('keeps what an older snapshot might build on, when that cannot be read', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    world.disk.write('/state/checkpoints/g7-e416-s0.data', new Uint8Array(3))
    world.disk.write('/state/checkpoints/g7-e419-s0.data', new Uint8Array(3))
    world.disk.corrupt('/state/checkpoints/g7-e417.manifest', 8 * 100)
    await inWorld(world, async (env) => {
      const names = await (await open(env)).storage.list()
      expect(names.filter((name) => name.endsWith('.data'))).toEqual([
        'g7-e416-s0.data',
        'g7-e418-s0.data',
      ])
    })
  })

  it('starts from an older snapshot on request, and the newer one is gone for good', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    await inWorld(world, async (env) => {
      const restore = { generation: 7, epoch: 417 }
      const state = await openStateDirectory({ env, directory: '/state', job: 'clicks', restore })
      expect(state.adopted?.epoch).toBe(417)
      await state.release()
      const again = await open(env)
      expect(again.adopted?.epoch).toBe(417)
      await again.release()
      const missing = openStateDirectory({
        env,
        directory: '/state',
        job: 'clicks',
        restore: { generation: 1, epoch: 1 },
      })
      await expect(missing).rejects.toMatchObject({ code: 'TM1516' })
    })
  })

  it('refuses another job', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    await inWorld(world, async (env) => {
      await expect(open(env, 'views')).rejects.toMatchObject({ code: 'TM1505' })
      await (await open(env)).release()
      await expect(open(env, 'views')).rejects.toMatchObject({ code: 'TM1505' })
    })
  })

  it('stops at a damaged newest manifest, says what is intact, and changes nothing', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    world.disk.corrupt('/state/checkpoints/g7-e418.manifest', 8 * 100)
    await inWorld(world, async (env) => {
      for (let i = 0; i < 2; i++) {
        await expect(open(env)).rejects.toMatchObject({
          code: 'TM1501',
          details: { file: '/state/checkpoints/g7-e418.manifest', intact: 'g7-e417' },
        })
      }
      const report = await checkSnapshots(env, '/state')
      expect(report).toMatchObject({
        intact: false,
        snapshots: [{ status: 'intact' }, { status: 'damaged', problems: [{ code: 'TM1501' }] }],
      })
    })
  })

  it('stops at a missing object and at one of another size', async () => {
    for (const damage of ['remove', 'cut'] as const) {
      const world = createWorld({ seed: 1 })
      await prepare(world)
      const path = '/state/checkpoints/g7-e418-s0.data'
      const bytes = world.disk.read(path)
      if (damage === 'remove') world.disk.remove(path)
      else world.disk.write(path, bytes.subarray(1))
      await inWorld(world, async (env) => {
        await expect(open(env)).rejects.toMatchObject({
          code: 'TM1503',
          details: { file: path, intact: 'g7-e417' },
        })
      })
    }
  })

  it('stops at a damaged seal', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    await inWorld(world, async (env) => (await open(env)).release())
    world.disk.corrupt('/state/owner/g8.seal', 40)
    await inWorld(world, async (env) => {
      await expect(open(env)).rejects.toMatchObject({
        code: 'TM1515',
        details: { file: '/state/owner/g8.seal' },
      })
    })
  })

  it('reports an older snapshot that is damaged, without stopping', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    world.disk.corrupt('/state/checkpoints/g7-e417.manifest', 8 * 100)
    await inWorld(world, async (env) => {
      expect((await open(env)).adopted?.epoch).toBe(418)
    })
    expect(
      world.logs.some(
        ({ level, message }) => level === 'error' && message.includes('older checkpoint'),
      ),
    ).toBe(true)
  })
})

describe('inspecting', () => {
  it('says what a snapshot holds, without lock', async () => {
    const world = createWorld({ seed: 1 })
    await prepare(world)
    const summary = await inWorld(world, async (env) => {
      await open(env)
      return inspectSnapshot(env, '/state')
    })
    expect(summary).toMatchObject({
      job: 'clicks',
      snapshot: 'g7-e418',
      operators: [{ operator: 'größe' }, { operator: 'totals', blocks: 4 }],
    })
    expect(summary.operators[1]?.sections).toEqual([
      { section: 'timers', sizeBytes: 5, blocks: 1, keyGroups: 1 },
      { section: 'values', sizeBytes: 50, blocks: 3, keyGroups: 3 },
    ])
    expect(summary.positions[0]).toEqual({
      source: 'clicks',
      partition: 'a.csv',
      subtask: 0,
      position: '00ff80',
    })
    expect(JSON.parse(JSON.stringify(summary))).toEqual(JSON.parse(JSON.stringify(summary)))
  })

  it('says that there is nothing', async () => {
    const world = createWorld({ seed: 1 })
    await inWorld(world, async (env) => {
      await expect(inspectSnapshot(env, '/nowhere')).rejects.toMatchObject({ code: 'TM1516' })
      await expect(checkSnapshots(env, '/nowhere')).rejects.toMatchObject({ code: 'TM1516' })
    })
  })
})

describe('comparing a program with a snapshot', () => {
  const manifest = sampleManifest(undefined)
  const same = { plan: manifest.plan, parameters: manifest.parameters, maxParallelism: 128 }

  it('accepts the same program and refuses each difference with its code', () => {
    expect(compareForRestore(manifest, same)).toEqual([])
    const plan = { fingerprint: 'other', json: '{"nodes":[]}' }
    expect(() => assertRestorable(manifest, { ...same, plan })).toThrow(
      /source "clicks" was removed/,
    )
    const parameters = { ...manifest.parameters, input: 'b.csv' }
    expect(() => assertRestorable(manifest, { ...same, parameters })).toThrow(
      /input was "a.csv" and is "b.csv"/,
    )
    expect(() =>
      assertRestorable(manifest, { ...same, parameters, acceptParameters: true }),
    ).not.toThrow()
    expect(() => assertRestorable(manifest, { ...same, maxParallelism: 64 })).toThrow(
      /128 is stored, 64 was given/,
    )
    const grouped = { plan: { ...manifest.plan, fingerprint: 'other' }, maxParallelism: 64 }
    expect(() => assertRestorable(manifest, { ...same, ...grouped })).toThrow(
      expect.objectContaining({ code: 'TM1513' }),
    )
  })

  it('names added, removed, renamed and changed steps', () => {
    const before = {
      nodes: [
        { id: 0, kind: 'source', name: 'in' },
        { id: 1, kind: 'map' },
        { id: 2, kind: 'window', name: 'hot', window: { sizeMs: 5 } },
      ],
    }
    const after = {
      nodes: [
        { id: 0, kind: 'source', name: 'input', was: 'in' },
        { id: 1, kind: 'window', name: 'hot', window: { sizeMs: 6 } },
        { id: 2, kind: 'sink', name: 'out' },
      ],
    }
    expect(comparePlans(JSON.stringify(before), JSON.stringify(after))).toEqual([
      { change: 'changed', node: 'window "hot"', fields: ['window.sizeMs'] },
      { change: 'added', node: 'sink "out"', fields: [] },
      { change: 'removed', node: 'a map step', fields: [] },
    ])
  })
})

describe('publishing if absent', () => {
  it('has one winner, with and without hard links', async () => {
    for (const links of [true, false]) {
      const world = createWorld({ seed: 1 })
      if (!links)
        world.disk.inject({
          call: 'link',
          times: Infinity,
          effect: { kind: 'fail', errno: 'ENOTSUP' },
        })
      await inWorld(world, async (env) => {
        const storage = await directoryStorage(env, '/s')
        const both = [1, 2].map((byte) => storage.publish('one', Uint8Array.of(byte)))
        const won = await Promise.all(both)
        expect([...won].sort()).toEqual([false, true])
        expect(await storage.publish('one', Uint8Array.of(3))).toBe(false)
        await expect(storage.put('one')).rejects.toMatchObject({ code: 'TM1512' })
        expect(await storage.list()).toEqual(['one'])
        expect(world.disk.read('/s/one')).toEqual(Uint8Array.of(won[0] ? 1 : 2))
      })
    }
  })
})
