/**
 * `latency`: how long after an event was due its result is there, at a fixed rate that nothing slows down (P9). The
 * rate is a share of what the same query reaches on this machine right before, or a given one.
 */
import { rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { runChild } from '../child.ts'
import { listOf, parseOptions, positive, UsageError } from '../nexmark/arguments.ts'
import { correct } from '../nexmark/correct.ts'
import { BASE_TIME_MS } from '../nexmark/dataset.ts'
import { loadFrames } from '../nexmark/frames.ts'
import { describeMachine, identity } from '../nexmark/provenance.ts'
import { segmentDataset } from '../nexmark/segments.ts'
import { atMost, figure, type Goal, round } from './figure.ts'
import type { LatencyFigures, LatencyQuery, LatencyRequest } from './latency-run.ts'

const queriesOf = ['q1', 'q5', 'q8'] as const

export const latencyUsage = `Usage: npm run bench -- latency [options]

  --queries LIST    ${queriesOf.join(',')} (default: all)
  --shares LIST     percent of the highest rate (default: 50,80)
  --rate N          events per second instead
  --warmup S        seconds (default: 20)
  --seconds S       timed part (default: 60)
  --max-seconds S   of the run that finds the highest rate, half of it warm-up (default: 10)
  --events N        of the segment that is sent again and again (default: 200000)
  --checkpoint-ms N (default: 10000)

One JSON object per run, with the goals it holds. Results count when the sink is given them; one that shows
rows only with the next checkpoint adds up to its interval.`

interface Settings {
  readonly queries: readonly LatencyQuery[]
  readonly shares: readonly number[]
  readonly rate: number | undefined
  readonly warmupMs: number
  readonly timedMs: number
  readonly highestMs: number
  readonly segmentEvents: number
  readonly checkpointIntervalMs: number
}

export async function latencyCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    queries: { type: 'string', default: queriesOf.join(',') },
    shares: { type: 'string', default: '50,80' },
    rate: { type: 'string' },
    warmup: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    'max-seconds': { type: 'string', default: '10' },
    events: { type: 'string', default: '200000' },
    'checkpoint-ms': { type: 'string', default: '10000' },
  })
  const seconds = (flag: string): number => positive(`--${flag}`, values[flag], false) * 1000
  const shares = String(values['shares']).split(',')
  return measure({
    queries: listOf('--queries', values['queries'], queriesOf),
    shares: shares.map((share) => positive('--shares', share, false)),
    rate: values['rate'] === undefined ? undefined : positive('--rate', values['rate']),
    warmupMs: seconds('warmup'),
    timedMs: seconds('seconds'),
    highestMs: seconds('max-seconds'),
    segmentEvents: positive('--events', values['events']),
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
  })
}

async function measure(settings: Settings): Promise<number> {
  const { segmentEvents, checkpointIntervalMs, warmupMs, timedMs, highestMs } = settings
  try {
    loadFrames(segmentDataset(segmentEvents))
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
  const program = await bundle(fileURLToPath(new URL('./latency-run.ts', import.meta.url)))
  const run = (request: LatencyRequest): Promise<LatencyFigures> => runChild(program, request)
  const machine = describeMachine()
  let good = true
  try {
    for (const query of settings.queries) {
      const common = { query, segmentEvents, checkpointIntervalMs }
      const digests = await digestsOf(query)
      let rates = [{ ratePerSec: settings.rate ?? 0, share: undefined as number | undefined }]
      let highest: number | undefined
      if (settings.rate === undefined) {
        const half = highestMs / 2
        const { timedEvents, wallMs } = await run({ ...common, warmupMs: half, timedMs: half })
        const found = timedEvents / (wallMs / 1000)
        highest = Math.round(found)
        rates = settings.shares.map((share) => ({
          ratePerSec: Math.max(1000, Math.round((found * share) / 100)),
          share,
        }))
      }
      for (const { ratePerSec, share } of rates) {
        const startedAt = new Date()
        const loadBefore = loadavg()[0] ?? 0
        const figures = await run({ ...common, ratePerSec, warmupMs, timedMs })
        const invalid = invalidReason(figures, digests)
        const goals = goalsOf(query, figures)
        good &&= invalid === undefined && goals.every(({ holds }) => holds === true)
        console.log(
          JSON.stringify({
            ...identity(startedAt),
            machine: { ...machine, loadBefore, loadAfter: loadavg()[0] ?? 0 },
            ...describe(query, figures, settings, { ratePerSec, share, highest }),
            ...digests,
            valid: invalid === undefined,
            invalidReason: invalid ?? null,
            goals,
          }),
        )
      }
    }
  } finally {
    rmSync(program)
  }
  return good ? 0 : 1
}

interface Rate {
  readonly ratePerSec: number
  readonly share: number | undefined
  readonly highest: number | undefined
}

function describe(
  query: LatencyQuery,
  figures: LatencyFigures,
  { segmentEvents, checkpointIntervalMs, warmupMs, timedMs }: Settings,
  { ratePerSec, share, highest }: Rate,
) {
  const { latencyMs, checkpoints, timedEvents, wallMs, cpuUserMs, cpuSysMs } = figures
  const { rate, ...dataset } = { rate: 10_000, generators: 1, G: 1, baseTime: BASE_TIME_MS }
  return {
    system: 'tidemill',
    query,
    profile: 'S1, by schedule',
    sink: 'probe',
    parallelism: 1,
    dataset: { name: `D4[${segmentEvents}]`, rate, ...dataset },
    options: { guarantee: 'exactly-once', checkpointIntervalMs, warmupMs, timedMs },
    ...figures,
    eventsPerSecWall: Math.round(timedEvents / (wallMs / 1000)),
    eventsPerCpuSec: Math.round(timedEvents / ((cpuUserMs + cpuSysMs) / 1000)),
    checkpoints: { count: checkpoints },
    latencyMs: {
      ...latencyMs,
      ratePerSec,
      percentOfHighest: share ?? null,
      highestPerSec: highest ?? null,
    },
  }
}

function goalsOf(query: LatencyQuery, { latencyMs }: LatencyFigures) {
  const goal = (part: 'p50' | 'p99' | 'p999', is: Goal) =>
    figure('P9', `${query} ${part}`, latencyMs[part], 'ms', is)
  return query === 'q1'
    ? [goal('p99', atMost(20))]
    : [goal('p50', atMost(10)), goal('p999', atMost(50))]
}

/** The schedule must have been kept, results must have come, and they must be right. */
function invalidReason(
  { outputRows, behindMs }: LatencyFigures,
  { digest, digestExpected }: Awaited<ReturnType<typeof digestsOf>>,
): string | undefined {
  if (digest !== digestExpected) return 'the digest on D2 is wrong'
  if (outputRows === 0) return 'no result in the timed part: the rate or the time is too low'
  return behindMs > 1000 ? `the last event was handed over ${round(behindMs)} ms late` : undefined
}

async function digestsOf(query: LatencyQuery) {
  const request = { queries: [query], dataset: 'D2', profiles: ['S1'], gs: [1], modes: ['stream'] }
  // `as`: literals, which the compiler has widened.
  for await (const { digest, digestExpected } of correct(request as Parameters<typeof correct>[0]))
    return { digest, digestExpected }
  throw new Error('no result to compare with')
}
