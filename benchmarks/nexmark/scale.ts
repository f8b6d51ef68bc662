/**
 * `nexmark scale`: the rate of two workers over that of one, of the whole program with worker threads, divided by what two
 * processes of this machine reach together over one (P4). Runs with one and with two workers take turns.
 *
 * By the clock on a machine that has nothing else to do. By processor time otherwise: the busiest thread with one worker
 * over the busiest with two, which says what the clock would if every thread had a processor; the ceiling is then 2.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { atLeast, figure, type Figure, Report, round } from '../metrics/figure.ts'
import { listOf, oneOf, parseOptions, positive, UsageError } from './arguments.ts'
import { spinCeiling } from './ceiling.ts'
import { correct } from './correct.ts'
import { type Dataset, datasets } from './dataset.ts'
import { expectedD3 } from './expected.ts'
import { spreadOf } from './provenance.ts'
import type { EngineQuery } from './queries.ts'
import {
  type Format,
  formats,
  partitionedInput,
  type ScaleFigures,
  type ScaleInput,
  scaleRun,
} from './scale-run.ts'
import { segmentDataset } from './segments.ts'

export const scaleQueries = ['q1', 'q5', 'q8', 'q11', 'q17'] as const

export const scaleUsage = `Usage: npm run bench -- nexmark scale [options]

  --queries LIST     ${scaleQueries.join(',')} (default: all)
  --formats LIST     ${formats.join(',')} (default: both)
  --events N         the first N events of D4, a multiple of 5000; 1000000 is D3 (default: 4000000)
  --partitions N     files, or partitions of the topic (default: 4)
  --repetitions N    runs with one and with two workers, in turn (default: 5)
  --checkpoint-ms N  (default: 1000)
  --by auto|wall|cpu auto is wall when the load average is below 0.5 at the start (default: auto)

One JSON object per line: metric, name, measured, goal, holds.`

export interface ScaleSettings {
  readonly events: number
  readonly partitions: number
  readonly repetitions: number
  readonly checkpointIntervalMs: number
  readonly by: 'wall' | 'cpu'
}

export interface Scaled {
  /** Rate with two workers over that with one. */
  readonly scaling: number
  readonly spread: ReturnType<typeof spreadOf>
  readonly ceiling: number
  readonly one: readonly ScaleFigures[]
  readonly two: readonly ScaleFigures[]
}

export async function scaleCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    queries: { type: 'string', default: scaleQueries.join(',') },
    formats: { type: 'string', default: formats.join(',') },
    events: { type: 'string', default: '4000000' },
    partitions: { type: 'string', default: '4' },
    repetitions: { type: 'string', default: '5' },
    'checkpoint-ms': { type: 'string', default: '1000' },
    by: { type: 'string', default: 'auto' },
  })
  const by = oneOf('--by', values['by'], ['auto', 'wall', 'cpu'])
  const settings: ScaleSettings = {
    events: positive('--events', values['events']),
    partitions: positive('--partitions', values['partitions']),
    repetitions: positive('--repetitions', values['repetitions']),
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
    by: by === 'auto' ? quietOrNot() : by,
  }
  const queries = listOf('--queries', values['queries'], scaleQueries)
  const wanted = listOf('--formats', values['formats'], formats)
  const report = new Report('nexmark scale', settings)
  for (const format of wanted) {
    await withInput(format, settings, async (input) => {
      for (const query of queries) report.add(await figureOf(query, input, settings))
    })
  }
  return report.failed ? 1 : 0
}

export function quietOrNot(): 'wall' | 'cpu' {
  return (loadavg()[0] ?? 0) < 0.5 ? 'wall' : 'cpu'
}

export async function withInput(
  format: Format,
  { events, partitions }: ScaleSettings,
  use: (input: ScaleInput) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-partitions-'))
  try {
    await use(await partitionedInput(datasetOf(events), format, partitions, folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function datasetOf(events: number): Dataset {
  if (events === datasets.D3.events) return datasets.D3
  try {
    return segmentDataset(events)
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}

async function figureOf(
  query: (typeof scaleQueries)[number],
  input: ScaleInput,
  settings: ScaleSettings,
): Promise<Figure> {
  const { scaling, spread, ceiling, one, two } = await scale(query, input, settings)
  const rates = (runs: readonly ScaleFigures[]) => ({
    eventsPerSecWall: spreadOf(runs.map((run) => rateOf(run, run.wallMs))),
    eventsPerCpuSec: spreadOf(runs.map((run) => rateOf(run, run.cpuMs))),
  })
  const more = {
    by: settings.by,
    scaling: spread,
    ceiling: round(ceiling),
    workers1: rates(one),
    workers2: rates(two),
    outputRows: one[0]?.rows,
    digestRight: await digestHolds(query, input.format),
  }
  if (!more.digestRight) throw new Error(`${query} has the wrong digest on D2`)
  const name = `${query}, ${input.format}: 2 workers / 1 worker, of what the machine can`
  return figure('P4', name, scaling / ceiling, 'x', atLeast(0.9), more)
}

/** Throws when runs disagree about the result. */
export async function scale(
  query: EngineQuery,
  input: ScaleInput,
  { repetitions, checkpointIntervalMs, by }: ScaleSettings,
): Promise<Scaled> {
  const one: ScaleFigures[] = []
  const two: ScaleFigures[] = []
  const ceilings: number[] = []
  for (let i = 0; i < repetitions; i++) {
    ceilings.push(by === 'wall' ? await spinCeiling(2) : 2)
    one.push(await scaleRun(query, input, 1, checkpointIntervalMs))
    two.push(await scaleRun(query, input, 2, checkpointIntervalMs))
  }
  requireRight(query, input.events, [...one, ...two])
  const ratios = one.map((run, i) => {
    const other = two[i]!
    return by === 'wall' ? run.wallMs / other.wallMs : run.busiestMs / other.busiestMs
  })
  const spread = spreadOf(ratios.map(round))
  return { scaling: spread.median, spread, ceiling: spreadOf(ceilings).median, one, two }
}

function requireRight(query: EngineQuery, events: number, runs: readonly ScaleFigures[]): void {
  const expected = query === 'q12' || events !== datasets.D3.events ? undefined : expectedD3[query]
  const { rows, checksum } = runs[0]!
  for (const run of runs) {
    const differs = run.rows !== rows || run.checksum !== checksum
    if (differs || (expected !== undefined && run.rows !== expected.rows))
      throw new Error(`${query}: ${run.rows} rows with checksum ${run.checksum} are not right`)
  }
}

async function digestHolds(query: EngineQuery, format: Format): Promise<boolean> {
  const profile = format === 'log' ? 'S4' : 'S2'
  const one = { queries: [query], dataset: 'D2', profiles: [profile], gs: [1], modes: ['stream'] }
  // `as`: literals, which the compiler has widened.
  const request = { ...one, workers: [1, 2] } as Parameters<typeof correct>[0]
  for await (const { valid } of correct(request)) if (!valid) return false
  return true
}

function rateOf({ timedEvents }: ScaleFigures, ms: number): number {
  return Math.round(timedEvents / (ms / 1000))
}
