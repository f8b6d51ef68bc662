/**
 * What a seed stands for: which job, how much input, and what goes wrong. Everything is drawn from streams of the seed
 * that have names, so that a change in one place leaves the rest of the seed as it was.
 */
import { crashPoints } from '../../src/base/env.ts'
import { createSeededRandom } from '../../src/platform/random.ts'
import type { Plan } from '../../src/graph/plan.ts'
import type { SeedOptions } from '../../src/testing/simulate/run-seed.ts'
import type { CrashMoment } from '../../src/testing/world/crash-plan.ts'
import type { DiskCall } from '../../src/testing/world/faults.ts'
import { profileOf, type WorldProfile } from '../../src/testing/world/profile.ts'
import type { World } from '../../src/testing/world/world.ts'
import { accounts } from './jobs/accounts.ts'
import { sales } from './jobs/sales.ts'
import type { JobMaker } from './jobs/support.ts'
import { spread } from './jobs/spread.ts'
import { topics } from './jobs/topics.ts'
import { visits } from './jobs/visits.ts'
import { wordCount } from './jobs/word-count.ts'
import { withStallingSinks } from './stalling-sinks.ts'

export const jobs: Readonly<Record<string, JobMaker>> = {
  'word-count': wordCount,
  accounts,
  visits,
  sales,
  topics,
  spread,
}

export function planSeed(seed: number, only?: string): SeedOptions {
  const random = createSeededRandom(seed).stream('job')
  const names = only === undefined ? Object.keys(jobs) : [only]
  const name = names[random.u32() % names.length]!
  const base = profileOf(seed)
  const pick = <Value>(choices: readonly Value[]): Value => choices[random.u32() % choices.length]!
  const sizes = {
    ...base.sizes,
    records: pick([0, 1, 10, 30, 30, 60, 60, 120]),
    keys: pick([1, 3, 12]),
    bufferRecords: pick([1, 2, 5, 64]),
    segmentBytes: pick([40, 128, 4_096]),
  }
  const paceMs = pick([0, 0.3, 2, 8])
  const intervalMs = pick([1, 5, 20, 60])
  const profile: WorldProfile = {
    ...base,
    sizes,
    crashes: { ...base.crashes, crashesMax: Math.min(base.crashes.crashesMax, 5) },
    capacityBytes:
      random.float() < 0.08 ? 3_000 + (random.u32() % 6_000) : Number.POSITIVE_INFINITY,
  }
  const make = jobs[name]
  if (make === undefined)
    throw new Error(`no job ${name}; there are ${Object.keys(jobs).join(', ')}`)
  const job = make({ random: random.stream('input'), sizes, paceMs, intervalMs })
  // Functions of these jobs remember nothing, so one plan serves all lives; building it is half the cost of a life.
  const plan = withStalls(job.plan(), seed)
  return {
    seed,
    profile,
    job: { ...job, plan: () => plan },
    harm,
    subtasks: subtasksOf(seed, name),
    alignedMs: alignedMsOf(seed, name),
    queueBytes: [64, 1_024, 1 << 20][createSeededRandom(seed).stream('queues').u32() % 3]!,
  }
}

/** Half of the jobs run as several subtasks, a new number in every life. */
function subtasksOf(seed: number, job: string): (life: number) => number {
  const random = createSeededRandom(seed).stream('subtasks')
  // A topic has one writer per partition.
  const most = random.float() < 0.5 ? 1 : job === 'topics' ? 2 : 4
  return (life) => 1 + (random.stream(String(life)).u32() % most)
}

/** A third of the jobs has sinks that stall. */
function withStalls(plan: Plan, seed: number): Plan {
  const random = createSeededRandom(seed).stream('stalls')
  return random.float() < 1 / 3 ? withStallingSinks(plan, random) : plan
}

/**
 * In most lives rows in flight are stored, in some at once. Not in the job that wants every epoch to show both postings of
 * a transfer.
 */
function alignedMsOf(seed: number, job: string): (life: number) => number | 'never' {
  if (job === 'accounts') return () => 'never'
  const random = createSeededRandom(seed).stream('aligned')
  return (life) => [0, 0, 0.5, 3, 1_000][random.stream(String(life)).u32() % 5]!
}

/** Besides random crashes: a death at some named point, at some disk call, at some time; one disk call that fails. */
function harm(world: World): () => void {
  const random = world.random.stream('harm')
  const planned: (() => void)[] = []
  const die = (moment: CrashMoment): void => {
    const crash = world.plan(random.float() < 0.5 ? 'kill' : 'power', moment)
    planned.push(() => crash.cancel())
  }
  for (let n = random.u32() % 3; n > 0; n--) {
    die({ point: crashPoints[random.u32() % crashPoints.length]!, hit: 1 + (random.u32() % 4) })
  }
  if (random.float() < 0.4) die({ operation: 1 + (random.u32() % 300) })
  if (random.float() < 0.3) die({ afterMs: 400 * random.float() })
  if (random.float() < 0.3) {
    const errno = ['EIO', 'ENOSPC', 'EMFILE'][random.u32() % 3]!
    const call = callsThatFail[errno]
    const fault = world.disk.inject({
      nth: 1 + (random.u32() % 250),
      ...(call === undefined ? {} : { call }),
      effect: { kind: 'fail', errno },
    })
    planned.push(() => fault.remove())
  }
  return () => {
    for (const cancel of planned) cancel()
  }
}

const callsThatFail: Readonly<Record<string, readonly DiskCall[]>> = {
  ENOSPC: ['pwrite', 'fdatasync', 'link', 'mkdir'],
  EMFILE: ['open'],
}
