/** Many seeds one after the other, and what they add up to. One seed in fifty runs twice and must run the same. */
import { type CrashPoint, crashPoints } from '../../src/base/env.ts'
import { type SeedOptions, type SeedResult, runSeed } from '../../src/testing/simulate/run-seed.ts'
import { planSeed } from './plan-seed.ts'

export interface Tally {
  seeds: number
  steps: number
  lives: number
  crashes: number
  epochs: number
  /** Seeds that ran twice. */
  repeated: number
  /** How often each point was reached, and how often a life died there. */
  readonly hits: Record<string, number>
  readonly deaths: Record<string, number>
  readonly failures: SeedResult[]
}

export function emptyTally(): Tally {
  return {
    seeds: 0,
    steps: 0,
    lives: 0,
    crashes: 0,
    epochs: 0,
    repeated: 0,
    hits: {},
    deaths: {},
    failures: [],
  }
}

export interface CampaignOptions {
  readonly seeds: Iterable<number>
  /** Only this job. */
  readonly job?: string | undefined
  /** Changes what a seed stands for, e.g. to plant a mistake. */
  readonly change?: (options: SeedOptions) => SeedOptions
  readonly failuresMax?: number
  readonly onResult?: (result: SeedResult) => void
}

export async function runCampaign(options: CampaignOptions): Promise<Tally> {
  // Thousands of injected errors: their stacks are rarely looked at and cost more than all else.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 4
  try {
    return await runSeeds(options)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

async function runSeeds(options: CampaignOptions): Promise<Tally> {
  const tally = emptyTally()
  const run = (seed: number): Promise<SeedResult> => {
    const planned = planSeed(seed, options.job)
    return runSeed(options.change?.(planned) ?? planned)
  }
  for (const seed of options.seeds) {
    let result = await run(seed)
    if (seed % 50 === 0 && result.violation === undefined) {
      tally.repeated++
      result = sameAs(await run(seed), result)
    }
    add(tally, result)
    options.onResult?.(result)
    if (tally.failures.length >= (options.failuresMax ?? 10)) break
  }
  return tally
}

/** The second run of a seed, with a violation when it differs from the first. */
function sameAs(again: SeedResult, first: SeedResult): SeedResult {
  if (again.traceHash === first.traceHash) return again
  const violation = {
    oracle: 'R1',
    title: 'a seed runs differently the second time',
    message: `trace ${first.traceHash} after ${first.steps} steps, then ${again.traceHash} after ${again.steps} steps`,
  }
  return { ...again, violation }
}

function add(tally: Tally, result: SeedResult): void {
  tally.seeds++
  tally.steps += result.steps
  tally.lives += result.lives
  tally.crashes += result.crashes
  tally.epochs += result.epochs
  for (const [point, count] of result.hits) tally.hits[point] = (tally.hits[point] ?? 0) + count
  for (const at of result.deaths) {
    const point = /^point (.*)$/.exec(at)?.[1] ?? 'elsewhere'
    tally.deaths[point] = (tally.deaths[point] ?? 0) + 1
  }
  if (result.violation !== undefined) tally.failures.push(result)
}

export function addTally(sum: Tally, part: Tally): void {
  for (const name of ['seeds', 'steps', 'lives', 'crashes', 'epochs', 'repeated'] as const)
    sum[name] += part[name]
  for (const [point, count] of Object.entries(part.hits))
    sum.hits[point] = (sum.hits[point] ?? 0) + count
  for (const [point, count] of Object.entries(part.deaths))
    sum.deaths[point] = (sum.deaths[point] ?? 0) + count
  sum.failures.push(...part.failures)
}

/** Points that no simulated job can reach; the folder that owns them simulates them in tests of its own. */
const elsewhere: ReadonlySet<CrashPoint> = new Set<CrashPoint>([
  'log.retain.recorded',
  'log.retain.unlinked',
  'log.compact.written',
  'log.compact.swapped',
  'log.compact.cleaned',
])

export function pointsNeverHit(tally: Tally, notCalled: readonly string[]): string[] {
  return crashPoints.filter(
    (point) => !(tally.hits[point] ?? 0) && !notCalled.includes(point) && !elsewhere.has(point),
  )
}
