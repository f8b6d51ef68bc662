/**
 * The log in the simulated world: random crashes, torn writes, failing and full disks, seeds by the hundred.
 *
 * One trial is several lives of one program on one disk. What the program was told (acknowledged offsets, outcomes) and
 * what readers saw is kept outside the lives and compared with what is stored after every life:
 *  - nothing acknowledged is lost, nothing is doubled or moved to another offset
 *  - what a reader has seen never changes and never vanishes
 *  - a committed transaction is visible as a whole, an aborted one never
 *
 * More seeds: `LOG_TRIALS=20000 npx vitest run src/log/crash.test.ts`.
 */
import { describe, expect, test } from 'vitest'
import { crashPoints, type Env } from '../base/env.ts'
import { isTidemillError } from '../base/errors.ts'
import { calmProfile, profileOf, type WorldProfile } from '../testing/world/profile.ts'
import { createWorld, type World } from '../testing/world/world.ts'
import { logErrors } from './errors.ts'
import { type EventLog, openLog } from './log.ts'
import { readRecords, recordsBatch } from './records.ts'
import type { Durability, TransactionId } from './types.ts'

const directory = '/data/log'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What was promised to the outside, over all lives. */
class Promised {
  readonly acknowledged = new Map<number, number>()
  readonly seen = new Map<number, number>()
  readonly committed = new Map<number, readonly number[]>()
  readonly aborted = new Set<number>()
  nextId = 1
  nextEpoch = 1
  /** A power cut may take back what only the process was told. */
  forgetAbove = 0
}

interface Trial {
  readonly durability: Durability
  readonly records: number
}

function batchOf(id: number, transaction?: TransactionId) {
  const value = encoder.encode(`${id}:${'x'.repeat((id * 37) % 400)}`)
  return recordsBatch([{ key: encoder.encode(`k${id % 7}`), value, timestamp: id }], transaction)
}

async function openTopic(env: Env, durability: Durability): Promise<EventLog> {
  const log = openLog({ env, directory })
  await log.ensureTopic('t', { durability, segmentBytes: 4096, retention: { bytes: 1e9 } })
  return log
}

/** One life: recover, decide what is open, append with several clients, run transactions, close. */
async function life(env: Env, trial: Trial, promised: Promised): Promise<void> {
  const log = await openTopic(env, trial.durability)
  const writer = await log.openWriter('t', 0, { owner: `pid ${env.host.pid}` })
  for (const { producerId, epoch, prepared } of writer.openTransactions()) {
    // A prepared one belongs to a checkpoint that may have been published, so it is committed.
    if (prepared) await writer.commit(producerId, epoch)
    else await writer.abort(producerId, epoch)
    if (!prepared) promised.aborted.add(epoch)
  }
  const client = async (): Promise<void> => {
    while (promised.nextId <= trial.records) {
      const id = promised.nextId++
      const { baseOffset } = await writer.append(batchOf(id))
      promised.acknowledged.set(baseOffset, id)
    }
  }
  const transactions = async (): Promise<void> => {
    while (promised.nextId <= trial.records) {
      const epoch = promised.nextEpoch++
      const ids: number[] = []
      const id = writer.begin(9, epoch)
      for (let i = 0; i < 3; i++) {
        ids.push(promised.nextId)
        const { baseOffset } = await writer.append(batchOf(promised.nextId++, id))
        promised.acknowledged.set(baseOffset, ids[i]!)
      }
      await writer.prepare(9, epoch)
      if (epoch % 4 === 0) {
        await writer.abort(9, epoch)
        // Not before: a crash in between leaves it prepared, and the next life commits those.
        promised.aborted.add(epoch)
      } else {
        promised.committed.set(epoch, ids)
        await writer.commit(9, epoch)
      }
    }
  }
  const follower = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) {
      await env.clock.sleep(4)
      await look(log, promised)
    }
  }
  const done = await Promise.allSettled([client(), client(), client(), transactions(), follower()])
  await log.close()
  for (const one of done) if (one.status === 'rejected') throw one.reason
}

/** Reads everything in both ways; throws when it contradicts what was promised or seen before. */
async function look(log: EventLog, promised: Promised): Promise<void> {
  const reader = await log.openReader('t', 0, { isolation: 'uncommitted', chunkBytes: 4096 })
  const ids = new Set<number>()
  for (let batches = await reader.read(); batches !== undefined; batches = await reader.read()) {
    for (const batch of batches) {
      for (const record of readRecords(batch)) {
        const id = Number(decoder.decode(record.value!).split(':')[0])
        const before = promised.seen.get(record.offset)
        if (before !== undefined && before !== id)
          throw new Error(`offset ${record.offset} changed`)
        promised.seen.set(record.offset, id)
        if (ids.has(id)) throw new Error(`record ${id} is stored twice`)
        ids.add(id)
      }
    }
  }
  await reader.close()
}

/** The final judgement after a life, by a process that only reads, after a writer has recovered the log. */
async function judge(env: Env, trial: Trial, promised: Promised): Promise<void> {
  const log = await openTopic(env, trial.durability)
  const writer = await log.openWriter('t', 0)
  await writer.close()
  await look(log, promised)
  const stored = new Map<number, number>()
  const reader = await log.openReader('t', 0, { isolation: 'uncommitted', chunkBytes: 4096 })
  for (let batches = await reader.read(); batches !== undefined; batches = await reader.read()) {
    for (const batch of batches) {
      for (const record of readRecords(batch)) {
        stored.set(record.offset, Number(decoder.decode(record.value!).split(':')[0]))
      }
    }
  }
  for (const [offset, id] of promised.acknowledged) {
    if (stored.get(offset) !== id)
      throw new Error(`acknowledged record ${id} at offset ${offset} is lost`)
  }
  for (const [offset, id] of promised.seen) {
    if (stored.get(offset) !== id)
      throw new Error(`record ${id} at offset ${offset} was seen and is gone`)
  }
  const visible = new Map<number, number>()
  const committed = await log.openReader('t', 0, { chunkBytes: 4096 })
  for (
    let batches = await committed.read();
    batches !== undefined;
    batches = await committed.read()
  ) {
    for (const batch of batches) {
      const epoch = batch.transaction?.epoch ?? 0
      if (promised.aborted.has(epoch)) throw new Error(`aborted epoch ${epoch} is visible`)
      visible.set(epoch, (visible.get(epoch) ?? 0) + batch.recordCount)
    }
  }
  const open = writer.openTransactions().map((transaction) => transaction.epoch)
  const blocked = open.length > 0
  for (const [epoch, ids] of promised.committed) {
    if (
      !blocked &&
      !open.includes(epoch) &&
      writer.outcome(9, epoch) === 'committed' &&
      visible.get(epoch) !== ids.length
    ) {
      throw new Error(
        `committed epoch ${epoch} shows ${visible.get(epoch)} of ${ids.length} records`,
      )
    }
  }
  const report = await log.verify('t')
  if (!report.intact) throw new Error(`verify: ${JSON.stringify(report.problems)}`)
  await log.close()
}

const passing: readonly string[] = [
  logErrors.diskFull.code,
  logErrors.ioFailed.code,
  logErrors.closed.code,
]

/** Errors that a program may meet while the disk misbehaves. Damage may be reported only where reads lie. */
function isExpected(error: unknown, profile: WorldProfile): boolean {
  if (!isTidemillError(error)) return false
  if (passing.includes(error.code)) return true
  const refused = error.code === logErrors.corrupt.code || error.code === logErrors.endsEarly.code
  return refused && profile.faults.readFlip > 0
}

async function runTrial(seed: number, trial: Trial, profile: WorldProfile): Promise<World> {
  const world = createWorld({ seed, profile })
  const promised = new Promised()
  for (let lives = 1; lives <= 14; lives++) {
    const end = await world.run((env) => life(env, trial, promised))
    if (end.kind === 'failed' && !isExpected(end.error, profile)) throw failed(world, end.error)
    const power = end.kind === 'done' || (end.kind === 'crashed' && end.crash === 'power')
    if (end.kind === 'done') world.crash('power')
    if (power && trial.durability !== 'sync') {
      promised.acknowledged.clear()
      promised.seen.clear()
      promised.committed.clear()
    }
    world.setFaults(false)
    const verdict = await world.run((env) => judge(env, trial, promised))
    if (verdict.kind !== 'done')
      throw failed(world, verdict.kind === 'failed' ? verdict.error : verdict.kind)
    world.setFaults(lives < 10)
    if (end.kind === 'done') return world
  }
  throw failed(world, 'the program did not finish after the faults had stopped')
}

function failed(world: World, error: unknown): Error {
  const text =
    error instanceof Error
      ? `${error.stack}\n${JSON.stringify((error as { details?: unknown }).details)}`
      : String(error)
  const cause =
    error instanceof Error && error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : ''
  return new Error(`seed ${world.seed}: ${text}${cause}\n${world.dump()}`)
}

const trials = Number(process.env['LOG_TRIALS'] ?? 500)
const firstSeed = Number(process.env['LOG_FIRST_SEED'] ?? 0)

describe('the log in a world that crashes', () => {
  test(`loses nothing in ${trials} trials`, async () => {
    let crashes = 0
    for (let seed = firstSeed; seed < firstSeed + trials; seed++) {
      const durability = seed % 10 === 8 ? 'process' : seed % 10 === 9 ? 'none' : 'sync'
      const world = await runTrial(seed, { durability, records: 8 + (seed % 24) }, profileOf(seed))
      crashes += world.crashes
    }
    expect(crashes).toBeGreaterThan(trials)
  }, 600_000)

  const points = crashPoints.filter((name) =>
    /^log\.(append|sync|roll|index)|^recover\.log|^own\./.test(name),
  )

  test.each(points)('survives a crash at %s', async (point) => {
    for (const kind of ['kill', 'power'] as const) {
      for (const hit of [1, 4]) {
        const world = createWorld({ seed: hit, profile: calmProfile })
        const promised = new Promised()
        const trial: Trial = { durability: 'sync', records: 60 }
        // A first crash in the middle makes the second life recover, so that its points are reached.
        world.plan('kill', { point: 'log.append.written', hit: 9 })
        world.plan(kind, { point, hit })
        for (let lives = 0; lives < 4; lives++) {
          const end = await world.run((env) => life(env, trial, promised))
          if (end.kind === 'failed') throw failed(world, end.error)
          const verdict = await world.run((env) => judge(env, trial, promised))
          if (verdict.kind === 'failed') throw failed(world, verdict.error)
        }
        expect(world.hits.get(point) ?? 0).toBeGreaterThan(0)
      }
    }
  })
})
