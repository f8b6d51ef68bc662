/**
 * A small write-ahead log that proves the world's worth: correct, it survives every seed; with any one of the planted
 * mistakes, some seed shows the damage. Run as a program it measures the simulator:
 *
 *     npx tsx src/testing/world/toy-log.bench.ts            steps and seeds per second
 *     npx tsx src/testing/world/toy-log.bench.ts hash 7     trace hash of one seed
 */
import { fileURLToPath } from 'node:url'
import { crc32 } from '../../base/crc32.ts'
import { readWhole, removeIfPresent, writeFully } from '../../base/disk-io.ts'
import { type Disk, type DiskFile, DiskError, type Env } from '../../base/env.ts'
import { profileOf } from './profile.ts'
import { createWorld, type World } from './world.ts'

export const mistakes = [
  'no sync before the acknowledgement',
  'no sync of the directory',
  'no sync of the file before it is published',
  'no checksum check',
  'no length check',
  'short write not continued',
  'sync retried after it failed',
  'tail adopted without a copy',
] as const
export type Mistake = (typeof mistakes)[number]

const headerBytes = 12
const directory = '/data/log'

/** Appends the records 0, 1, 2, ... and reports each one that is safe. */
export async function toyLog(
  env: Env,
  goal: number,
  mistake: Mistake | undefined,
  safe: (count: number) => void,
) {
  const { disk } = env
  await disk.mkdir(directory)
  await disk.syncDir('/')
  await disk.syncDir('/data')
  const lock = await disk.lock(directory, 'toy')
  const { file, count, bytes } = await recover(env, mistake)
  safe(count)
  let end = bytes
  for (let i = count; i < goal; i++) {
    const record = encode(i)
    env.host.crashPoint('log.append.before')
    end += await append(file, record, end, mistake)
    env.host.crashPoint('log.append.written')
    if (mistake !== 'no sync before the acknowledgement') await sync(file, mistake)
    env.host.crashPoint('log.sync.done')
    safe(i + 1)
    if (i % 7 === 0) await env.clock.sleep(1)
  }
  await file.close()
  await lock.release()
}

/** Copies what is valid in the newest generation into a new one: cached bytes may never have reached the medium. */
async function recover({ disk, host }: Env, mistake: Mistake | undefined) {
  await removeIfPresent(disk, `${directory}/new`)
  const generations = (await disk.list(directory))
    .map((name) => Number(name.slice(4)))
    .sort((a, b) => a - b)
  const newest = generations.at(-1)
  host.crashPoint('recover.verify')
  const old = newest === undefined ? undefined : await readWhole(disk, `${directory}/gen-${newest}`)
  const { count, bytes } = decode(old ?? new Uint8Array(0), mistake)
  if (mistake === 'tail adopted without a copy' && newest !== undefined) {
    const file = await disk.open(`${directory}/gen-${newest}`, 'write')
    await file.truncate(bytes)
    await file.fdatasync()
    return { file, count, bytes }
  }
  const file = await disk.open(`${directory}/new`, 'create')
  await writeFully(file, (old ?? new Uint8Array(0)).subarray(0, bytes), 0)
  if (mistake !== 'no sync of the file before it is published') await sync(file, mistake)
  await disk.link(`${directory}/new`, `${directory}/gen-${(newest ?? 0) + 1}`)
  host.crashPoint('log.roll.publish')
  await disk.unlink(`${directory}/new`)
  if (mistake !== 'no sync of the directory') await disk.syncDir(directory)
  for (const generation of generations) await disk.unlink(`${directory}/gen-${generation}`)
  return { file, count, bytes }
}

async function append(
  file: DiskFile,
  record: Uint8Array,
  end: number,
  mistake: Mistake | undefined,
) {
  if (mistake === 'short write not continued') await file.pwrite(record, end)
  else await writeFully(file, record, end)
  return record.length
}

async function sync(file: DiskFile, mistake: Mistake | undefined): Promise<void> {
  try {
    await file.fdatasync()
  } catch (error) {
    if (mistake !== 'sync retried after it failed') throw error
    await file.fdatasync()
  }
}

/** Length, checksum, number, then a payload that the number determines. */
function encode(i: number): Uint8Array {
  const record = new Uint8Array(headerBytes + 1 + (i % 40)).fill((i % 255) + 1)
  const view = new DataView(record.buffer)
  view.setUint32(0, record.length)
  view.setUint32(8, i)
  view.setUint32(4, crc32(record.subarray(8), record.length))
  return record
}

function decode(bytes: Uint8Array, mistake: Mistake | undefined): { count: number; bytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  let count = 0
  while (at + headerBytes <= bytes.length) {
    const length = view.getUint32(at)
    if (length <= headerBytes) break
    if (mistake !== 'no length check' && at + length > bytes.length) break
    const stop = Math.min(bytes.length, at + length)
    const valid = view.getUint32(at + 4) === crc32(bytes.subarray(at + 8, stop), length)
    // Without the length check the writer of this log also trusted a record that is cut off.
    if (
      !valid &&
      mistake !== 'no checksum check' &&
      !(mistake === 'no length check' && at + length > bytes.length)
    )
      break
    count++
    at = stop
  }
  return { count, bytes: at }
}

/** What is stored, judged by a reader of its own: the records must be 0, 1, 2, ... and complete. */
async function verify(disk: Disk, safeCount: number): Promise<string | undefined> {
  const names = [...(await disk.list(directory))].filter((name) => name.startsWith('gen-'))
  const newest = names
    .map((name) => Number(name.slice(4)))
    .sort((a, b) => a - b)
    .at(-1)
  const bytes =
    newest === undefined ? undefined : await readWhole(disk, `${directory}/gen-${newest}`)
  if (bytes === undefined)
    return safeCount === 0 ? undefined : `no log although ${safeCount} records were acknowledged`
  let at = 0
  for (let i = 0; i < safeCount; i++) {
    const expected = encode(i)
    const found = bytes.subarray(at, at + expected.length)
    if (found.length !== expected.length || found.some((byte, k) => byte !== expected[k])) {
      return `record ${i} of ${safeCount} acknowledged is lost or damaged`
    }
    at += expected.length
  }
  return undefined
}

export interface ToyResult {
  readonly violation: string | undefined
  readonly lives: number
  readonly world: World
}

/** One seed: lives until the goal is reached, checked after every end, and once more after a last power cut. */
export async function runToy(seed: number, mistake?: Mistake): Promise<ToyResult> {
  const world = createWorld({ seed, profile: profileOf(seed) })
  const goal = 20 + (seed % 30)
  let safeCount = 0
  let lives = 0
  const check = async () => {
    world.setFaults(false)
    const end = await world.run((env) => verify(env.disk, safeCount))
    world.setFaults(lives < 12)
    return end.kind === 'done' ? end.value : `the reader ended: ${end.kind}`
  }
  let finished = false
  while (!finished && lives < 20) {
    lives++
    const end = await world.run((env) =>
      toyLog(env, goal, mistake, (count) => (safeCount = Math.max(safeCount, count))),
    )
    if (end.kind === 'failed' && !(end.error instanceof DiskError)) throw end.error
    finished = end.kind === 'done'
    if (finished) world.crash('power')
    const violation = await check()
    if (violation !== undefined) return { violation, lives, world }
  }
  return { violation: finished ? undefined : 'did not finish after faults stopped', lives, world }
}

async function main(): Promise<void> {
  const [what, seedText] = process.argv.slice(2)
  if (what === 'hash') {
    const { world } = await runToy(Number(seedText))
    process.stdout.write(`${world.traceHash()} ${world.random.u32()} ${world.nowMs}\n`)
    return
  }
  const seeds = 1_000
  const start = process.hrtime.bigint()
  let steps = 0
  let crashes = 0
  for (let seed = 0; seed < seeds; seed++) {
    const { world, violation } = await runToy(seed)
    if (violation !== undefined) throw new Error(`${violation}\n${world.dump()}`)
    steps += world.steps
    crashes += world.crashes
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  const perSecond = { seeds: Math.round(seeds / seconds), steps: Math.round(steps / seconds) }
  process.stdout.write(`${JSON.stringify({ seeds, steps, crashes, seconds, perSecond })}\n`)
  for (const mistake of mistakes) {
    let failed = 0
    let first = -1
    for (let seed = 0; seed < 500; seed++) {
      const { violation } = await runToy(seed, mistake)
      if (violation === undefined) continue
      failed++
      if (first < 0) first = seed
    }
    process.stdout.write(`${JSON.stringify({ mistake, seeds: 500, failed, first })}\n`)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
