/**
 * One run of `checkpoint` in this process: state is filled, a checkpoint is taken, then the timed part begins. Prints
 * one JSON object.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { milliseconds, pipeline } from 'tidemill'
import { probeSink } from './probe-sink.ts'
import { type Stall, StallWatch } from './stall.ts'
import { syntheticSource } from './synthetic.ts'
import { NewFiles, type WideSums, wideSums } from './wide-state.ts'

export interface CheckpointRequest {
  readonly keys: number
  /** 0 for none in the timed part. */
  readonly intervalMs: number
  /** Length of the timed part, which goes on until there were enough checkpoints; with `touched` they alone end it. */
  readonly timedMs: number
  /** Keys that change once between two checkpoints; absent for all the rows that the job takes. */
  readonly touched?: number
  readonly checkpoints?: number
}

export interface CheckpointFigures {
  readonly events: number
  readonly cpuMs: number
  readonly wallMs: number
  /** Of the first checkpoint, with all keys. */
  readonly stateBytes: number
  readonly checkpoints: readonly Taken[]
  readonly duringStall: Stall
  readonly betweenStall: Stall
}

export interface Taken {
  /** From the barrier until it is committed. */
  readonly ms: number
  readonly bytes: number
}

const OFF_MS = 3_600_000
/** Fills are quick, and no checkpoint may begin before their end. */
const FIRST_AFTER_MS = 1_000

// `as`: written by `checkpoint.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as CheckpointRequest
const folder = mkdtempSync(join(tmpdir(), 'tidemill-checkpoint-'))
try {
  process.stdout.write(`${JSON.stringify(await run(request))}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(wanted: CheckpointRequest): Promise<CheckpointFigures> {
  const { keys, intervalMs, timedMs, touched } = wanted
  const state = join(folder, 'state')
  mkdirSync(state)
  const files = new NewFiles(state)
  const stalls = new StallWatch()
  const checkpoints: Taken[] = []
  const stop = new AbortController()
  let filled = false
  let over = touched !== undefined // nothing but the number of checkpoints is waited for
  let fullAt = Number.NaN // the epoch of the first checkpoint with all keys
  let begun:
    | { readonly cpu: NodeJS.CpuUsage; readonly atMs: number; readonly rows: number }
    | undefined
  let figures: CheckpointFigures | undefined
  let [rows, allowed, stateBytes, barrierMs] = [0, keys, 0, 0]

  const begin = (): void => {
    stalls.start()
    begun = { cpu: process.cpuUsage(), atMs: performance.now(), rows }
    allowed = touched === undefined ? Number.POSITIVE_INFINITY : keys + touched
    if (touched === undefined) setTimeout(endOnceEnough, timedMs)
  }
  const endOnceEnough = (): void => {
    over = true
    if (checkpoints.length >= (wanted.checkpoints ?? 0)) end()
  }
  const end = (): void => {
    if (begun === undefined || figures !== undefined) return
    const { user, system } = process.cpuUsage(begun.cpu)
    const { during, otherwise } = stalls.stop()
    figures = {
      events: rows - begun.rows,
      cpuMs: (user + system) / 1000,
      wallMs: performance.now() - begun.atMs,
      stateBytes,
      checkpoints,
      duringStall: during,
      betweenStall: otherwise,
    }
    stop.abort()
  }

  const source = syntheticSource({
    keys,
    phases: [
      { draw: 'scan', events: keys },
      // Neighbours in number are neighbours nowhere else: rows are spread by the hash of their key.
      { draw: touched === undefined ? 'uniform' : 'scan', events: Number.MAX_SAFE_INTEGER / 2 },
    ],
    stays: true,
    ended: () => {
      filled = true
    },
    allowed: () => {
      if (rows === keys) filled = true
      return allowed
    },
  })
  const sink = probeSink<WideSums>({
    row: () => void rows++,
    barrier: (epoch) => {
      if (filled && Number.isNaN(fullAt)) fullAt = epoch
      barrierMs = performance.now()
      stalls.goesOn = true
    },
    commit: (epoch) => {
      const ms = performance.now() - barrierMs
      stalls.goesOn = false
      const bytes = files.bytes()
      if (begun !== undefined && figures === undefined) {
        checkpoints.push({ ms, bytes })
        if (touched !== undefined) allowed += touched
        if (over) endOnceEnough()
      } else if (epoch >= fullAt && figures === undefined) {
        stateBytes = bytes
        begin()
      }
    },
  })
  const app = pipeline('checkpoint')
  wideSums(app.from('rows', source)).to('sink', sink)
  const job = await app.start({
    state,
    checkpointInterval: milliseconds(intervalMs === 0 ? OFF_MS : Math.max(intervalMs, 1)),
  })
  if (intervalMs === 0) await firstBySavepoint(job, () => filled)
  await new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve()
    stop.signal.addEventListener('abort', () => resolve())
  })
  await job.stop()
  if (figures === undefined) throw new Error('the run ended before its timed part')
  return figures
}

/** Without checkpoints at intervals the full one is asked for. */
async function firstBySavepoint(
  job: { savepoint(folder: string): Promise<void> },
  isFilled: () => boolean,
): Promise<void> {
  while (!isFilled()) await new Promise((resolve) => setTimeout(resolve, FIRST_AFTER_MS / 10))
  await job.savepoint(join(folder, 'first'))
}
