/**
 * `simulate`: a user's job on a simulated machine that crashes, under many seeds. The same machine and the same runner
 * test Tidemill itself.
 */
import { TidemillError } from '../../base/errors.ts'
import { testingErrors } from '../errors.ts'
import { UserCodeGuard } from '../guard.ts'
import { calmProfile, type WorldProfile } from '../world/profile.ts'
import type { Check, CommittedRows } from './check.ts'
import { formatFailure, hexSeed } from './failure.ts'
import { type JobUnderTest, runSeed, type SeedResult } from './run-seed.ts'
import { type App, outputsOf, planOf, rowsOf, simulatedPlan } from './user-job.ts'

/**
 * What goes wrong, as chances. Every family is off unless named.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Faults {
  /** Chance of dying at each of the named places where it matters, by a kill or a power cut. */
  readonly crash?: number
  /** Chance that a call of the disk fails, or writes less than it was given. */
  readonly diskError?: number
  /** Calls of the disk take very different times, so that they finish in another order than they began. */
  readonly reorder?: boolean
}

export interface SimulateOptions {
  /** How many, from 1; or which, to replay some. */
  readonly seeds: number | readonly number[]
  readonly faults: Faults
  readonly check: Check
  /** Content of the files that the job reads, by the path that the job uses. Nothing of the real disk is visible. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Virtual time between checkpoints. Default 20 ms: small inputs should see several. */
  readonly checkpointIntervalMs?: number
}

export interface SimulationSummary {
  readonly seeds: number
  readonly crashes: number
  readonly lives: number
  readonly epochs: number
}

/**
 * Runs a job under each seed with crashes and failing disk calls, recovers it until it has finished, and holds its
 * committed output against a run in which nothing went wrong. A result that was visible once may not change or vanish.
 * The job must be bounded. Sinks other than `fileSink` are replaced by files on the simulated disk.
 *
 * Pass a function that builds the pipeline, so that every life begins with functions that remember nothing.
 *
 * Errors: TM2112 for the first seed that fails, with the call that replays it; TM2110 when a user function reads the
 * real clock or draws real randomness; TM2114 for wrong options or a job that fails without any fault.
 *
 * @example
 * ```ts
 * import { fileSink, lines, pipeline } from 'tidemill'
 * import { exactlyOnce, simulate } from 'tidemill/testing'
 * const build = () => {
 *   const app = pipeline('word-count')
 *   app
 *     .from('book', lines('book.txt'))
 *     .flatMap((line) => line.split(' '))
 *     .keyBy((word) => word)
 *     .count('words')
 *     .to('counts', fileSink({ directory: 'out' }))
 *   return app
 * }
 * const files = { 'book.txt': 'to be\nor not\nto be\n' }
 * await simulate(build, { seeds: 50, faults: { crash: 0.01, diskError: 0.001 }, check: exactlyOnce(), files })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export async function simulate(app: App, options: SimulateOptions): Promise<SimulationSummary> {
  const seeds =
    typeof options.seeds === 'number'
      ? Array.from({ length: options.seeds }, (_, i) => i + 1)
      : options.seeds
  if (seeds.length === 0 || !seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) {
    throw new TidemillError(testingErrors.simulationUse, {
      message: 'seeds must be at least 1, or a list of whole numbers',
    })
  }
  for (const rate of [options.faults.crash ?? 0, options.faults.diskError ?? 0]) {
    if (!(rate >= 0 && rate <= 1)) {
      throw new TidemillError(testingErrors.simulationUse, {
        message: `a chance is between 0 and 1, got ${rate}`,
      })
    }
  }
  const guard = new UserCodeGuard()
  const undisturbedRows = await undisturbed(app, options, guard)
  const job = jobOf(app, options, guard, ({ rows, ledger }) =>
    options.check.problem({ rows, undisturbedRows, ledger }),
  )
  const profile = profileFor(options.faults)
  let [crashes, lives, epochs] = [0, 0, 0]
  for (const [index, seed] of seeds.entries()) {
    const result = await runSeed({ seed, profile, job })
    if (guard.violation !== undefined) throw guard.violation
    if (result.violation !== undefined) throw failed(result)
    if (index % 50 === 0) await assertRepeatable(result, () => runSeed({ seed, profile, job }))
    crashes += result.crashes
    lives += result.lives
    epochs += result.epochs
  }
  return { seeds: seeds.length, crashes, lives, epochs }
}

async function undisturbed(
  app: App,
  options: SimulateOptions,
  guard: UserCodeGuard,
): Promise<CommittedRows> {
  let rows: CommittedRows = new Map()
  const job = jobOf(app, options, guard, (run) => {
    rows = run.rows
    return undefined
  })
  const result = await runSeed({ seed: 0, profile: calmProfile, job, orderlyStops: false })
  if (guard.violation !== undefined) throw guard.violation
  if (result.violation !== undefined) {
    throw new TidemillError(testingErrors.simulationUse, {
      message: `without any fault, ${result.violation.title}: ${result.violation.message}`,
    })
  }
  return rows
}

type Problem = (run: {
  readonly rows: CommittedRows
  readonly ledger: Parameters<Check['problem']>[0]['ledger']
}) => string | undefined

function jobOf(
  app: App,
  options: SimulateOptions,
  guard: UserCodeGuard,
  problem: Problem,
): JobUnderTest {
  const plan = planOf(app)
  return {
    name: plan.job,
    plan: () => simulatedPlan(planOf(app), guard),
    files: options.files ?? {},
    outputs: outputsOf(plan),
    intervalMs: options.checkpointIntervalMs ?? 20,
    check({ outputs, ledger }) {
      const message = problem({ rows: rowsOf(outputs), ledger })
      return message === undefined
        ? undefined
        : { oracle: 'O01', title: `not ${options.check.name}`, message }
    },
  }
}

function profileFor({ crash = 0, diskError = 0, reorder = false }: Faults): WorldProfile {
  return {
    ...calmProfile,
    name: 'user',
    faults: {
      ...calmProfile.faults,
      error: diskError,
      syncError: diskError,
      shortWrite: diskError,
      slow: reorder ? 0.2 : 0,
      slowMs: reorder ? 20 : 0,
    },
    crashes: { perPoint: crash, perOperation: crash / 4, powerShare: 0.5, crashesMax: 10 },
  }
}

async function assertRepeatable(
  first: SeedResult,
  again: () => Promise<SeedResult>,
): Promise<void> {
  const second = await again()
  if (second.traceHash === first.traceHash) return
  throw new TidemillError(testingErrors.simulationFailed, {
    message: `seed ${hexSeed(first.seed)} ran differently the second time: something outside of the simulation reaches the job`,
    details: { seed: first.seed },
  })
}

function failed(result: SeedResult): TidemillError {
  const report = formatFailure(result, {
    node: process.versions.node,
    replay: `simulate(app, { …, seeds: [${hexSeed(result.seed)}] })`,
  })
  return new TidemillError(testingErrors.simulationFailed, {
    message: `\n${report}`,
    details: { seed: result.seed, oracle: result.violation?.oracle ?? '' },
    ...(result.dump === undefined ? {} : { cause: new Error(result.dump) }),
  })
}
