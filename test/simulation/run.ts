/**
 * Simulates whole jobs under many seeds:
 *
 *     npm run sim -- --seeds 2000            seeds 1 to 2000, on every processor
 *     npm run sim -- --seed 0x5f3            one seed, with its last events
 *     npm run sim -- --seeds 200 --profile visits --from 1000
 *     npm run sim -- --planted               mistakes that it must find
 *
 * `--profile` names one of the jobs; without it each seed chooses its own. Ends with the sums, the crash points that were
 * never reached, and exit code 1 when a promise was broken or a point that the code calls was never reached.
 */
import { execFileSync, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatFailure, hexSeed } from '../../src/testing/simulate/failure.ts'
import type { SeedResult } from '../../src/testing/simulate/run-seed.ts'
import { pendingCrashPoints } from '../../tools/tidy.ts'
import { findAllBugs, plantedBugs } from './bugs/find.ts'
import { addTally, emptyTally, pointsNeverHit, runCampaign, type Tally } from './campaign.ts'
import { jobs } from './plan-seed.ts'

export interface RunRequest {
  readonly from: number
  readonly count: number
  readonly job?: string | undefined
}

/** Shares the seeds between processes; the result is the same for any number of them. */
export async function runShared(request: RunRequest, processes: number): Promise<Tally> {
  const { from, count, job } = request
  if (processes <= 1 || count < 50) return runCampaign({ seeds: range(from, count), job })
  const share = Math.ceil(count / processes)
  const parts = await Promise.all(
    Array.from({ length: processes }, (_, i) => {
      const start = from + i * share
      return runInChild({
        from: start,
        count: Math.max(0, Math.min(share, from + count - start)),
        job,
      })
    }),
  )
  const sum = emptyTally()
  for (const part of parts) addTally(sum, part)
  return sum
}

function runInChild(request: RunRequest): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--child'], {
      execArgv: process.execArgv,
      stdio: 'inherit',
    })
    let tally: Tally | undefined
    child.on('message', (message) => {
      tally = message as Tally // the other end is this file
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      if (tally === undefined) reject(new Error(`a simulating process ended with code ${code}`))
      else resolve(tally)
    })
    child.send(request)
  })
}

export function report(result: SeedResult): string {
  return formatFailure(result, {
    commit: commit(),
    node: process.versions.node,
    replay: `npm run sim -- --seed ${hexSeed(result.seed)} --profile ${result.job}`,
  })
}

export function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}

function* range(from: number, count: number): Iterable<number> {
  for (let seed = from; seed < from + count; seed++) yield seed
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      from: { type: 'string', default: '1' },
      profile: { type: 'string' },
      processes: { type: 'string', default: String(availableParallelism()) },
      planted: { type: 'boolean', default: false },
      child: { type: 'boolean', default: false },
    },
  })
  if (values.child) {
    process.once('message', async (request) => {
      const { from, count, job } = request as RunRequest // the other end is this file
      const tally = await runCampaign({ seeds: range(from, count), job })
      process.send?.(tally, () => process.disconnect())
    })
    return 0
  }
  if (values.planted) {
    const missed = await findAllBugs(console.log)
    console.log(`${plantedBugs.length - missed} passed, ${missed} failed`)
    return missed === 0 ? 0 : 1
  }
  if (values.profile !== undefined && jobs[values.profile] === undefined) {
    console.error(`no profile ${values.profile}; there are ${Object.keys(jobs).join(', ')}`)
    return 2
  }
  const started = performance.now()
  const one = values.seed === undefined ? undefined : Number(values.seed)
  const count = one === undefined ? Number(values.seeds ?? 200) : 1
  const from = one ?? Number(values.from)
  if (![count, from].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    console.error('--seeds, --seed and --from are whole numbers')
    return 2
  }
  const tally = await runShared({ from, count, job: values.profile }, Number(values.processes))
  for (const failure of tally.failures) console.log(report(failure))
  if (one !== undefined) console.log(tally.failures[0]?.dump ?? 'no violation')
  const seconds = (performance.now() - started) / 1000
  const rows = Object.entries(tally.hits).sort(([a], [b]) => (a < b ? -1 : 1))
  if (one === undefined) {
    for (const [point, hits] of rows)
      console.log(`${point.padEnd(24)} reached ${hits}, died there ${tally.deaths[point] ?? 0}`)
  }
  const missed =
    one === undefined && count >= 500 && values.profile === undefined
      ? pointsNeverHit(tally, pendingCrashPoints)
      : []
  if (missed.length > 0) console.log(`never reached: ${missed.join(', ')}`)
  console.log(
    `${tally.seeds} seeds, ${tally.lives} lives, ${tally.crashes} crashes, ${tally.epochs} epochs, ${tally.steps} steps, ` +
      `${tally.repeated} run twice, ${seconds.toFixed(1)} s, ${(tally.seeds / seconds).toFixed(1)} seeds/s`,
  )
  const failed = tally.failures.length + missed.length
  console.log(`${tally.seeds - tally.failures.length} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main()
