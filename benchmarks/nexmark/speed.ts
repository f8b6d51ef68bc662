/**
 * `nexmark speed`: events per CPU second of the engine and of hand-written loops on the same events, turn by turn, each
 * run in a process of its own, with guarantees on. See the rules in `../README.md`.
 *
 * Profile S1, frames in memory, or S2, JSON lines from disk, for queries that only filter and map. A loop decides how many segments are needed for the CPU time asked for; the engine then reads exactly
 * as many, so both have the same input and must come to the same rows and the same checksum.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { listOf, oneOf, parseOptions, positive, UsageError } from './arguments.ts'
import { correct } from './correct.ts'
import { BASE_TIME_MS } from './dataset.ts'
import { loadFrames } from './frames.ts'
import { describeMachine, identity, type Spread, spreadOf } from './provenance.ts'
import { type EngineQuery, engineQueries } from './queries.ts'
import { segmentFile } from './segment-lines.ts'
import { segmentDataset } from './segments.ts'
import type { RunFigures, RunRequest } from './speed-run.ts'

/** Queries that may read the same events again and again. */
const linesQueries = ['q0', 'q1', 'q2', 'q13', 'q14', 'q21', 'q22'] as const

export const speedUsage = `Usage: npm run bench -- nexmark speed [options]

  --queries LIST         ${engineQueries.join(',')} (default: all)
  --profile P            S1 or S2; S2 for ${linesQueries.join(',')} (default: S1)
  --events N             events of a segment; less than 1000000 is for trying out only (default: 1000000)
  --cpu-seconds S        CPU time of the timed part of the loop, at least (default: 5)
  --repetitions N        runs of each system, in turn (default: 5)
  --checkpoint-ms N      between checkpoints; lower it until the timed part has two (default: 2000)
  --startup              measures the time from process start to the first result of q1 instead
  --json                 one JSON object per line and run, then one summary per query and one of all`

type SpeedProfile = RunRequest['profile']

/** Both systems of one query, as one repetition measured them. */
interface Pair {
  readonly tidemill: RunFigures
  readonly loop: RunFigures
}

interface Settings {
  readonly queries: readonly EngineQuery[]
  readonly profile: SpeedProfile
  readonly events: number
  readonly cpuSeconds: number
  readonly repetitions: number
  readonly checkpointIntervalMs: number
  readonly json: boolean
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export async function speedCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    queries: { type: 'string' },
    profile: { type: 'string', default: 'S1' },
    events: { type: 'string', default: '1000000' },
    'cpu-seconds': { type: 'string', default: '5' },
    repetitions: { type: 'string', default: '5' },
    'checkpoint-ms': { type: 'string', default: '2000' },
    startup: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  })
  const profile = oneOf('--profile', values['profile'], ['S1', 'S2'])
  const possible = profile === 'S1' ? engineQueries : linesQueries
  const settings: Settings = {
    profile,
    queries: listOf('--queries', values['queries'] ?? possible.join(','), possible),
    events: positive('--events', values['events']),
    cpuSeconds: positive('--cpu-seconds', values['cpu-seconds'], false),
    repetitions: positive('--repetitions', values['repetitions']),
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
    json: values['json'] === true,
  }
  if (values['startup'] === true) {
    const { startupCommand } = await import('./startup.ts')
    return startupCommand(settings.repetitions, settings.json)
  }
  return measure(settings)
}

async function measure(settings: Settings): Promise<number> {
  const { queries, repetitions, json } = settings
  const dataset = datasetOf(settings)
  const program = await bundle(fileURLToPath(new URL('./speed-run.ts', import.meta.url)))
  const machine = describeMachine()
  const ratios: number[] = []
  let valid = true
  for (const query of queries) {
    const digests = await digestsOf(query, settings.profile)
    const pairs: Pair[] = []
    let segments: number | undefined
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      const request = { ...settings, query, segmentEvents: settings.events }
      const startedAt = new Date()
      const loadBefore = loadavg()[0] ?? 0
      // The first run says how many segments there are; later ones may find the machine faster.
      const cpuSeconds = settings.cpuSeconds * 1.3
      const loop = await run(program, { ...request, system: 'loop', segments, cpuSeconds })
      segments = loop.segments
      const tidemill = await run(program, { ...request, system: 'tidemill', segments })
      const pair = { tidemill, loop }
      pairs.push(pair)
      const reason = invalidReason(query, pair, digests, settings)
      valid &&= reason === undefined
      if (!json) continue
      for (const system of ['loop', 'tidemill'] as const) {
        const object = {
          ...identity(startedAt),
          machine: { ...machine, loadBefore, loadAfter: loadavg()[0] ?? 0 },
        }
        const described = describe(system, query, pair[system], settings)
        const verdict = { ...digests, valid: reason === undefined, invalidReason: reason ?? null }
        console.log(
          JSON.stringify({
            ...object,
            ...described,
            dataset,
            ...verdict,
            repetition,
            of: repetitions,
          }),
        )
      }
    }
    const summary = summarise(query, settings.profile, pairs)
    ratios.push(summary.ratio.median)
    console.log(json ? JSON.stringify(summary) : textLine(summary))
  }
  const overall = {
    summary: 'all',
    profile: settings.profile,
    queries: queries.length,
    ratioGeometricMean: round(
      Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length),
    ),
    ratioMin: Math.min(...ratios),
    valid,
  }
  console.log(
    json
      ? JSON.stringify(overall)
      : `all   ratio ${overall.ratioGeometricMean} (least ${overall.ratioMin})${valid ? '' : '  INVALID'}`,
  )
  return valid ? 0 : 1
}

/** Why a repetition must not be quoted. */
function invalidReason(
  query: EngineQuery,
  { tidemill, loop }: Pair,
  digests: Digests,
  { cpuSeconds }: Settings,
): string | undefined {
  if (digests.digest !== digests.digestExpected) return 'the digest on D2 is wrong'
  if (query === 'q12') {
    const bids = ((tidemill.warmupEvents + tidemill.timedEvents) / 50) * 46
    if (tidemill.counted !== bids) return `the counts sum to ${tidemill.counted} of ${bids} bids`
  } else if (tidemill.outputRows !== loop.outputRows || tidemill.checksum !== loop.checksum) {
    return `${tidemill.outputRows} rows with checksum ${tidemill.checksum}, the loop has ${loop.outputRows} with ${loop.checksum}`
  }
  const checkpoints = tidemill.checkpoints?.count ?? 0
  if (checkpoints < 2)
    return `only ${checkpoints} checkpoints in the timed part: lower --checkpoint-ms`
  if (cpuSeconds < 5) return undefined
  const least = Math.min(tidemill.cpuUserMs + tidemill.cpuSysMs, loop.cpuUserMs + loop.cpuSysMs)
  return least < 4_500 ? `only ${least} ms of CPU in the timed part` : undefined
}

interface Digests {
  readonly digest: string
  readonly digestExpected: string
}

/** The same query and profile with a collecting sink on D2. */
async function digestsOf(query: EngineQuery, profile: SpeedProfile): Promise<Digests> {
  const request = {
    queries: [query],
    dataset: 'D2',
    profiles: [profile],
    gs: [1],
    modes: ['stream'],
  } as const
  for await (const { digest, digestExpected } of correct(request)) return { digest, digestExpected }
  throw new Error('no result to compare with')
}

function describe(
  system: 'tidemill' | 'loop',
  query: EngineQuery,
  figures: RunFigures,
  settings: Settings,
) {
  const { warmupEvents, timedEvents, wallMs, cpuUserMs, cpuSysMs, checkpoints, ...rest } = figures
  const options =
    system === 'loop'
      ? { guarantee: 'none' }
      : {
          guarantee: 'exactly-once',
          checkpointIntervalMs: settings.checkpointIntervalMs,
          stateBackend: 'memory',
          miniBatch: 'epoch, for q15 q16 q17',
        }
  return {
    system,
    query,
    profile: settings.profile,
    sink: 'checksum',
    parallelism: 1,
    options: { ...options, segmentEvents: settings.events, segments: figures.segments },
    warmupEvents,
    timedEvents,
    wallMs,
    cpuUserMs,
    cpuSysMs,
    eventsPerSecWall: Math.round(timedEvents / (wallMs / 1000)),
    eventsPerCpuSec: rateOf(figures),
    outputRows: rest.outputRows,
    checksum: rest.checksum,
    peakRssBytes: rest.peakRssBytes,
    gcMs: rest.gcMs,
    gcMaxPauseMs: rest.gcMaxPauseMs,
    eventLoopDelayMaxMs: rest.eventLoopDelayMaxMs,
    eventLoopDelayP99Ms: rest.eventLoopDelayP99Ms,
    checkpoints: checkpoints ?? null,
  }
}

/** Writes the segment to the cache, so that no run has to, and says what it is. */
function datasetOf({ events, profile }: Settings) {
  try {
    const dataset = segmentDataset(events)
    if (profile === 'S2') segmentFile(events)
    const frames = loadFrames(dataset)
    const hash = createHash('sha256')
    for (const frame of frames) hash.update(frame.bytes)
    return {
      name: dataset.name,
      events,
      generators: 1,
      rate: dataset.ratePerSec,
      G: 1,
      baseTime: BASE_TIME_MS,
      sha256: hash.digest('hex'),
    }
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}

function run(program: string, request: RunRequest): Promise<RunFigures> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, JSON.stringify(request)], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const line = output.trim().split('\n').at(-1) ?? ''
      if (code !== 0) reject(new Error(`${request.system} ${request.query} ended with ${code}`))
      else resolve(JSON.parse(line))
    })
  })
}

function rateOf({ timedEvents, cpuUserMs, cpuSysMs }: RunFigures): number {
  return Math.round(timedEvents / ((cpuUserMs + cpuSysMs) / 1000))
}

interface Summary {
  readonly summary: EngineQuery
  readonly profile: SpeedProfile
  readonly tidemill: Spread
  readonly loop: Spread
  readonly ratio: Spread
}

function summarise(query: EngineQuery, profile: SpeedProfile, pairs: readonly Pair[]): Summary {
  const ratios = pairs.map(({ tidemill, loop }) => round(rateOf(tidemill) / rateOf(loop)))
  return {
    summary: query,
    profile,
    tidemill: spreadOf(pairs.map(({ tidemill }) => rateOf(tidemill))),
    loop: spreadOf(pairs.map(({ loop }) => rateOf(loop))),
    ratio: spreadOf(ratios),
  }
}

function textLine({ summary, tidemill, loop, ratio }: Summary): string {
  const millions = ({ median, min, max }: Spread): string =>
    `${(median / 1e6).toFixed(2)} (${(min / 1e6).toFixed(2)}-${(max / 1e6).toFixed(2)})`
  return `${summary.padEnd(4)}  tidemill ${millions(tidemill)} M/s  loop ${millions(loop)} M/s  ratio ${ratio.median} (${ratio.min}-${ratio.max})`
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
