/** One run of `tidemill run --workers N` on partitioned input, and what its threads have told. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dataset } from './dataset.ts'
import { writeJsonLines } from './jsonl.ts'
import { dealtFiles } from './partitions.ts'
import { fillTopic } from './profiles.ts'
import type { EngineQuery } from './queries.ts'
import type { ThreadTotals } from './scale.job.ts'

export const formats = ['jsonl', 'log'] as const
export type Format = (typeof formats)[number]

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const JOB = fileURLToPath(new URL('./scale.job.ts', import.meta.url))
const WARMUP_SHARE = 0.2

export interface ScaleInput {
  readonly format: Format
  readonly path: string
  readonly events: number
}

export interface ScaleFigures {
  readonly timedEvents: number
  readonly wallMs: number
  /** Of all threads, garbage collection and compilation included. */
  readonly cpuMs: number
  /** Of the busiest subtask thread: what bounds the rate when every thread has a processor. */
  readonly busiestMs: number
  readonly rows: number
  readonly checksum: number
}

/** The data set as partitions below `folder`. */
export async function partitionedInput(
  dataset: Dataset,
  format: Format,
  partitions: number,
  folder: string,
): Promise<ScaleInput> {
  const { events } = dataset
  const own = join(folder, format)
  mkdirSync(own)
  if (format === 'log') {
    await fillTopic(dataset, own, partitions)
    return { format, path: join(own, 'log'), events }
  }
  const file = writeJsonLines(dataset)[0]
  if (file === undefined) throw new Error('the data set has no file')
  return { format, path: dealtFiles(file.path, partitions, own).join(','), events }
}

export async function scaleRun(
  query: EngineQuery,
  { format, path, events }: ScaleInput,
  workers: number,
  checkpointIntervalMs: number,
): Promise<ScaleFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-scale-'))
  const output = join(folder, 'totals')
  mkdirSync(output)
  const warmup = Math.floor((events * WARMUP_SHARE) / workers)
  const params = { query, format, input: path, output, warmup }
  try {
    await ended([
      'run',
      JOB,
      ...['--workers', String(workers)],
      ...['--state', join(folder, 'state')],
      ...['--checkpoint-interval', `${checkpointIntervalMs}ms`],
      ...Object.entries(params).flatMap(([name, value]) => ['--param', `${name}=${value}`]),
    ])
    return figuresOf(output, events)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function figuresOf(output: string, events: number): ScaleFigures {
  const threads = readdirSync(output).map(
    (name): ThreadTotals => JSON.parse(readFileSync(join(output, name), 'utf8')),
  )
  const read = threads.reduce((sum, one) => sum + one.events, 0)
  if (read !== events) throw new Error(`${read} of ${events} events were read`)
  const warm = threads.flatMap((one) => (one.warm === undefined ? [] : [one.warm]))
  const ends = threads.map(({ end }) => end)
  // The warm-up is over for all when it is over for the last one.
  const warmAtMs = Math.max(...warm.map(({ atMs }) => atMs))
  const warmMs = Math.max(...warm.map(({ processMs }) => processMs))
  return {
    timedEvents: Math.round(events * (1 - WARMUP_SHARE)),
    wallMs: Math.max(...ends.map(({ atMs }) => atMs)) - warmAtMs,
    cpuMs: Math.max(...ends.map(({ processMs }) => processMs)) - warmMs,
    busiestMs: Math.max(
      ...threads.map(({ warm: from, end }) => end.threadMs - (from?.threadMs ?? 0)),
    ),
    rows: threads.reduce((sum, { rows }) => sum + rows, 0),
    checksum: threads.reduce((sum, { checksum }) => (sum + checksum) | 0, 0),
  }
}

function ended(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', 'ignore', 'pipe'] as const
    const child = spawn(process.execPath, ['bin/tidemill.js', ...args], {
      cwd: ROOT,
      stdio: [...stdio],
    })
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`tidemill run ended with ${code}\n${errors}`))
    })
  })
}
