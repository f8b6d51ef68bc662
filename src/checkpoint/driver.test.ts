/**
 * A miniature job - two subtasks that count records and append to a transactional sink - under the real driver and
 * state directory, on a simulated disk. The oracle: after any crash the sink shows every record once, in order, what
 * it showed never changes, and the restored state fits the restored positions.
 */
import { describe, expect, it } from 'vitest'
import type { CrashPoint, Env } from '../base/env.ts'
import { isTidemillError } from '../base/errors.ts'
import { createWorld, type World } from '../testing/world/world.ts'
import { createBufferPool } from './buffer-pool.ts'
import { createDataObjectWriter } from './data-writer.ts'
import { checkpointDirectory, openStateDirectory, type StateDirectory } from './state-directory.ts'
import {
  type CheckpointDriver,
  createCheckpointDriver,
  type DriverOptions,
  type DriverOutcome,
} from './driver.ts'
import { checkSnapshots, inspectSnapshot } from './inspect.ts'
import { emptyLedger, type Ledger } from './ledger.ts'
import type { Manifest, SinkPreparation } from './manifest.ts'
import type { SubtaskMessage, SubtaskPort } from './messages.ts'
import { compareSnapshotIds } from './names.ts'
import { restoreBlocks } from './restore.ts'
import { importSnapshot } from './snapshot-copy.ts'

const records = 40
const subtasks = 2

/** What the outside saw, per subtask: survives every crash, checked at every commit. */
type Shown = number[][]

class Subtask implements SubtaskPort {
  readonly #env: Env
  readonly #directory: StateDirectory
  readonly #index: number
  readonly #shown: Shown
  readonly #pool = createBufferPool(2, 128)
  driver: CheckpointDriver | undefined
  next = 0
  sum = 0
  read = 0
  #told = false
  #epochOutput: number[] = []
  #prepared: SinkPreparation[] = []
  /** Sabotage for the test of the ledger. */
  readonly #loses: boolean

  constructor(env: Env, directory: StateDirectory, index: number, shown: Shown, loses: boolean) {
    this.#env = env
    this.#directory = directory
    this.#index = index
    this.#shown = shown
    this.#loses = loses
  }

  async restore(manifest: Manifest): Promise<void> {
    const own = manifest.subtasks[this.#index]!
    this.next = own.positions[0]!.position[0]!
    await restoreBlocks(
      this.#directory.storage,
      manifest,
      { keyGroups: { first: this.#index, end: this.#index + 1, total: 2 }, unkeyed: () => false },
      (_operator, block) => {
        this.sum = Number(new TextDecoder().decode(block.bytes))
      },
    )
    expect(this.sum, 'state fits the position').toBe((this.next * (this.next - 1)) / 2)
    for (const { prepared } of own.sinks) this.#show([...prepared])
  }

  /** One record. */
  work(): void {
    if (this.next < records) {
      this.sum += this.next
      this.#epochOutput.push(this.next)
      this.next++
      this.read++
    } else if (!this.#told) {
      this.#told = true
      this.driver?.receive({ kind: 'finished', subtask: this.#index })
    }
  }

  send(message: SubtaskMessage): void {
    if (message.kind === 'checkpoint') void this.#checkpoint(message.epoch).catch(() => {})
    else if (message.kind === 'commit') {
      const ready = this.#prepared.filter(({ epoch }) => epoch <= message.epoch)
      this.#prepared = this.#prepared.filter(({ epoch }) => epoch > message.epoch)
      for (const { prepared } of ready) this.#show([...prepared])
      this.driver?.receive({ kind: 'committed', subtask: this.#index, epoch: message.epoch })
    }
  }

  async #checkpoint(epoch: number): Promise<void> {
    const { sum, next, read } = this
    const prepared = { sink: 'out', epoch, prepared: Uint8Array.from(this.#epochOutput) }
    this.#epochOutput = []
    this.#prepared.push(prepared)
    const sinks = [...this.#prepared]
    const { generation, job, storage } = this.#directory
    const identity = { job, generation, epoch, subtask: this.#index }
    try {
      const writer = await createDataObjectWriter({
        host: this.#env.host,
        storage,
        identity,
        pool: this.#pool,
      })
      try {
        writer.append('sum', {
          section: 'value',
          keyGroup: this.#index,
          bytes: new TextEncoder().encode(String(sum)),
        })
        const object = await writer.finish()
        this.#env.host.crashPoint('op.ack')
        this.driver?.receive({
          kind: 'prepared',
          ack: {
            epoch,
            subtask: this.#index,
            object,
            positions: [
              { source: 'in', partition: `p${this.#index}`, position: Uint8Array.of(next) },
            ],
            watermarks: [],
            sinks,
            captured: false,
            channels: [],
            random: new Uint8Array(0),
            ledger: this.#ledger(read),
          },
        })
      } catch (error) {
        await writer.abort()
        throw error
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.driver?.receive({
        kind: 'prepare-failed',
        subtask: this.#index,
        epoch,
        error: { message },
      })
    }
  }

  #ledger(read: number): Ledger {
    const emitted = this.#loses ? read - 1 : read
    return {
      ...emptyLedger,
      sources: [{ name: 'in', read, emitted, skipped: 0, deadLettered: 0, rejected: 0 }],
      sinks: [{ name: 'out', received: emitted, published: emitted, skipped: 0, deadLettered: 0 }],
    }
  }

  /** Appends what is new; what was shown before must be the same. */
  #show(rows: readonly number[]): void {
    const shown = this.#shown[this.#index]!
    for (const row of rows) {
      if (row < shown.length) expect(shown[row], 'shown output never changes').toBe(row)
      else {
        expect(row, 'nothing is lost or doubled').toBe(shown.length)
        shown.push(row)
      }
    }
  }
}

interface JobOptions extends Partial<DriverOptions> {
  readonly loses?: boolean
  /** Called before each round of work. */
  readonly onRound?: (driver: CheckpointDriver, round: number) => void
  readonly roundMs?: number
}

const job = {
  plan: { fingerprint: 'f', json: '{}' },
  parameters: {},
  maxParallelism: 2,
  schemas: [],
  versions: {},
}

/** One life of the job, from recovery to its end. */
async function runJob(env: Env, shown: Shown, options: JobOptions = {}): Promise<DriverOutcome> {
  const directory = await openStateDirectory({ env, directory: '/state', job: 'mini' })
  if (directory.adopted?.finished) {
    await directory.release()
    return { kind: 'finished', manifest: directory.adopted }
  }
  const ports = Array.from(
    { length: subtasks },
    (_, i) => new Subtask(env, directory, i, shown, options.loses ?? false),
  )
  for (const port of ports) if (directory.adopted) await port.restore(directory.adopted)
  const driver = createCheckpointDriver({
    env,
    directory,
    subtasks: ports,
    job,
    intervalMs: 20,
    ...options,
  })
  for (const port of ports) port.driver = driver
  let outcome: DriverOutcome | undefined
  void driver.outcome.then((value) => {
    outcome = value
  })
  for (let round = 0; outcome === undefined; round++) {
    options.onRound?.(driver, round)
    for (const port of ports) port.work()
    await env.clock.sleep(options.roundMs ?? 5)
  }
  await directory.release()
  return outcome
}

const fresh = (): Shown => Array.from({ length: subtasks }, () => [])
const complete = Array.from({ length: subtasks }, () =>
  Array.from({ length: records }, (_, i) => i),
)

/** Lives until one ends by itself. */
async function untilDone(
  world: World,
  shown: Shown,
  options: JobOptions = {},
): Promise<DriverOutcome> {
  for (let lives = 0; lives < 60; lives++) {
    const end = await world.run((env) => runJob(env, shown, options))
    if (end.kind === 'done' && end.value.kind !== 'failed') return end.value
    if (end.kind === 'done' && end.value.kind === 'failed') {
      const { error } = end.value
      if (!isTidemillError(error) || error.kind !== 'transient') throw error
    }
    if (end.kind === 'failed') {
      if (!isTidemillError(end.error) || end.error.kind !== 'transient') throw end.error
    }
  }
  throw new Error(`no life ended well\n${world.dump()}`)
}

async function expectExact(world: World, shown: Shown): Promise<void> {
  expect(shown).toEqual(complete)
  const end = await world.run(async (env) => {
    const report = await checkSnapshots(env, '/state')
    const summary = await inspectSnapshot(env, '/state')
    return { report, summary }
  })
  if (end.kind !== 'done') throw new Error(`the check ${end.kind}\n${world.dump()}`)
  expect(end.value.report).toMatchObject({ intact: true, foreign: [] })
  const { summary } = end.value
  expect(summary).toMatchObject({ finished: true, kind: 'final' })
  const [source] = summary.ledger.total.sources
  expect(source, 'every record is counted once, over all lives').toMatchObject({
    read: 2 * records,
    emitted: 2 * records,
  })
}

const points: readonly CrashPoint[] = [
  'own.lock',
  'own.claim',
  'own.seal',
  'own.release',
  'recover.manifest',
  'recover.verify',
  'op.slice.write',
  'op.data.sync',
  'op.data.publish',
  'op.data.dirsync',
  'op.ack',
  'coord.trigger',
  'coord.ack.first',
  'coord.ack.last',
  'coord.manifest.temp',
  'coord.manifest.sync',
  'coord.manifest.publish',
  'coord.manifest.dirsync',
  'coord.notify.before',
  'coord.notify.after',
  'coord.readback',
  'coord.retire',
]

describe('a job under the driver', () => {
  it('commits epochs, keeps two snapshots and finishes', async () => {
    const world = createWorld({ seed: 1 })
    const shown = fresh()
    const end = await world.run((env) => runJob(env, shown))
    expect(end, end.kind === 'failed' ? String((end.error as Error).stack) : '').toMatchObject({
      kind: 'done',
      value: { kind: 'finished' },
    })
    await expectExact(world, shown)
    const names = world.disk.files().map(({ path }) => path.replace('/state/', ''))
    expect(names.filter((name) => name.endsWith('.manifest'))).toHaveLength(2)
    expect(names.filter((name) => name.endsWith('.data'))).toHaveLength(4)
    expect(names.some((name) => name.endsWith('.tmp'))).toBe(false)
    expect(world.disk.files().every(({ unsynced }) => unsynced === 0)).toBe(true)
    // A finished job that is started again says so and reads nothing.
    const again = await world.run((env) => runJob(env, shown))
    expect(again).toMatchObject({
      kind: 'done',
      value: { kind: 'finished', manifest: { finished: true } },
    })
  })

  for (const point of points) {
    it(`survives dying at ${point}, by kill and by power cut, and again in the recovery`, async () => {
      for (const kind of ['kill', 'power'] as const) {
        for (const hit of [1, 2, 5]) {
          const world = createWorld({ seed: hit * 7 })
          const shown = fresh()
          const crash = world.plan(kind, { point, hit })
          world.plan(kind, { point: 'recover.verify', hit: 2 })
          await untilDone(world, shown)
          if (hit === 1) expect(crash.fired, `${point} is reached`).toBe(true)
          await expectExact(world, shown)
        }
      }
    })
  }

  it('survives death at any disk call', async () => {
    for (let operation = 1; operation <= 400; operation += 7) {
      const world = createWorld({ seed: operation })
      const shown = fresh()
      const kind = operation % 2 === 0 ? 'kill' : 'power'
      world.plan(kind, { operation })
      world.plan(kind, { operation: operation + 20 })
      await untilDone(world, shown)
      await expectExact(world, shown)
    }
  })

  it('goes on when one disk call fails, whichever it is', async () => {
    for (const errno of ['ENOSPC', 'EIO']) {
      for (let nth = 1; nth <= 300; nth += 9) {
        const world = createWorld({ seed: nth })
        const shown = fresh()
        world.disk.inject({
          nth,
          call: ['open', 'pwrite', 'fdatasync', 'link', 'unlink', 'syncDir', 'list', 'mkdir'],
          effect: { kind: 'fail', errno },
        })
        await untilDone(world, shown)
        await expectExact(world, shown)
      }
    }
  })

  it('waits out a full disk, then commits everything with the next epoch that succeeds', async () => {
    const world = createWorld({ seed: 3 })
    const shown = fresh()
    const failures: number[] = []
    const full = world.disk.inject({
      path: 'checkpoints/',
      call: 'pwrite',
      nth: 9,
      times: Infinity,
      effect: { kind: 'fail', errno: 'ENOSPC' },
    })
    const end = await world.run((env) =>
      runJob(env, shown, {
        onAttemptFailed: (failure) => {
          failures.push(failure.failures)
          expect(failure.error.code).toBe('TM1510')
          if (failure.failures === 4) full.remove()
        },
      }),
    )
    expect(end).toMatchObject({ kind: 'done', value: { kind: 'finished' } })
    expect(failures).toEqual([1, 2, 3, 4])
    await expectExact(world, shown)
  })

  it('fails after the configured number of failed attempts', async () => {
    const world = createWorld({ seed: 3 })
    world.disk.inject({
      path: '.data',
      call: 'pwrite',
      times: Infinity,
      effect: { kind: 'fail', errno: 'ENOSPC' },
    })
    const end = await world.run((env) => runJob(env, fresh(), { failuresMax: 3 }))
    expect(end).toMatchObject({
      kind: 'done',
      value: { kind: 'failed', error: { code: 'TM1517' } },
    })
  })

  it('does not commit an epoch whose ledger does not balance', async () => {
    const world = createWorld({ seed: 3 })
    const shown = fresh()
    const end = await world.run((env) => runJob(env, shown, { loses: true }))
    expect(end).toMatchObject({
      kind: 'done',
      value: { kind: 'failed', error: { code: 'TM1508', kind: 'bug' } },
    })
    expect(shown).toEqual(fresh())
    expect(world.disk.files().some(({ path }) => path.endsWith('.manifest'))).toBe(false)
  })

  it('fails by its outcome when a subtask says what cannot be: the caller may be a promise nobody awaits', async () => {
    const world = createWorld({ seed: 3 })
    const end = await world.run((env) =>
      runJob(env, fresh(), {
        onRound: (driver, round) => {
          if (round === 2) driver.receive({ kind: 'finished', subtask: subtasks })
        },
      }),
    )
    expect(end).toMatchObject({
      kind: 'done',
      value: { kind: 'failed', error: { code: 'TM1000', kind: 'bug' } },
    })
  })

  it('stops with a final checkpoint and goes on from there', async () => {
    const world = createWorld({ seed: 4 })
    const shown = fresh()
    const stopAt = 7
    const end = await world.run((env) =>
      runJob(env, shown, {
        intervalMs: Infinity,
        onRound: (driver, round) => void (round === stopAt && driver.stop()),
      }),
    )
    expect(end).toMatchObject({
      kind: 'done',
      value: { kind: 'stopped', final: true, manifest: { kind: 'final', finished: false } },
    })
    expect(shown[0]).toHaveLength(stopAt)
    await untilDone(world, shown)
    await expectExact(world, shown)
  })

  it('writes a savepoint that another state directory can start from', async () => {
    const world = createWorld({ seed: 5 })
    const shown = fresh()
    let saved: Promise<Manifest> | undefined
    await world.run(async (env) => {
      const outcome = await runJob(env, shown, {
        onRound: (driver, round) => {
          if (round === 9) saved = driver.savepoint('/saved/one')
        },
      })
      expect(await saved).toMatchObject({ kind: 'savepoint' })
      return outcome
    })
    const end = await world.run(async (env) => {
      expect(await importSnapshot({ env, from: '/saved/one', directory: '/other' })).toBe(true)
      expect(await importSnapshot({ env, from: '/saved/one', directory: '/other' })).toBe(false)
      const directory = await openStateDirectory({ env, directory: '/other', job: 'mini' })
      return { adopted: directory.adopted, generation: directory.generation }
    })
    expect(end).toMatchObject({
      kind: 'done',
      value: { adopted: { kind: 'savepoint' }, generation: 2 },
    })
  })

  it('lets go of an attempt that takes too long', async () => {
    const world = createWorld({ seed: 6 })
    const shown = fresh()
    world.disk.inject({ path: '.data', call: 'fdatasync', effect: { kind: 'delay', ms: 1_000 } })
    const errors: string[] = []
    const end = await world.run((env) =>
      runJob(env, shown, {
        timeoutMs: 300,
        onAttemptFailed: ({ error }) => void errors.push(error.message),
      }),
    )
    expect(end).toMatchObject({ kind: 'done', value: { kind: 'finished' } })
    expect(errors[0]).toMatch(/took longer than 300 ms; subtasks not prepared: \d/)
    await expectExact(world, shown)
  })
})

describe('an old owner', () => {
  it('does not commit after somebody else has claimed the directory, and its late manifest is ignored', async () => {
    const world = createWorld({ seed: 8 })
    const end = await world.run(async (env) => {
      const shown = fresh()
      const old = await openStateDirectory({ env, directory: '/state', job: 'mini' })
      const port = new Subtask(env, old, 0, shown, false)
      const driver = createCheckpointDriver({
        env,
        directory: old,
        subtasks: [port],
        job,
        intervalMs: Infinity,
      })
      port.driver = driver
      port.work()
      const first = await driver.checkpoint()
      // The lock does not reach a container that shares the volume: here it is simply given up.
      await old.release()
      const next = await openStateDirectory({ env, directory: '/state', job: 'mini' })
      expect(compareSnapshotIds(next.adopted!, first)).toBe(0)
      port.work()
      await expect(driver.checkpoint()).rejects.toMatchObject({ code: 'TM1509' })
      expect(await driver.outcome).toMatchObject({ kind: 'failed', error: { code: 'TM1509' } })
      expect(shown[0]).toEqual([0])
      // The same manifest, published in spite of that by an owner that was paused after its last look.
      const late = { ...first, epoch: 9 }
      const { encodeManifest } = await import('./manifest.ts')
      world.disk.write(`${checkpointDirectory('/state')}/g1-e9.manifest`, encodeManifest(late))
      await next.release()
      const third = await openStateDirectory({ env, directory: '/state', job: 'mini' })
      expect(third.adopted).toMatchObject({ generation: 1, epoch: first.epoch })
      expect(await third.storage.list()).not.toContain('g1-e9.manifest')
    })
    expect(end.kind, end.kind === 'failed' ? ((end.error as Error).stack ?? '') : '').toBe('done')
  })
})
