/**
 * Processes that end by SIGKILL exactly where the code names a crash point, and what they leave for the next life:
 *
 *  1. a job from a file to result files and a topic runs undisturbed once; that is what is right;
 *  2. per point, a life ends there - in a new folder, or, for points of recovery, after a life that left it work;
 *  3. the next life has to come through, and files and topic must hold what is right.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { build } from 'esbuild'
import { type CrashPoint, crashPoints } from '../../src/base/env.ts'
import { ordersInput } from './inputs.ts'
import { committedLines, projectRoot } from './program.ts'
import { TopicObserver } from './topic-observer.ts'

/** Maintenance of topics, which no job does: these crash in a simulated machine. */
export const crashedElsewhere: readonly CrashPoint[] = [
  'log.retain.recorded',
  'log.retain.unlinked',
  'log.compact.written',
  'log.compact.swapped',
  'log.compact.cleaned',
]

/** Points that a job passes. */
export const pointsOfJobs: readonly CrashPoint[] = crashPoints.filter(
  (point) => !crashedElsewhere.includes(point),
)

/** How a run went: the kills in it, or what is wrong with what it left. */
export interface PointRun {
  readonly point: CrashPoint
  readonly hit: number
  readonly kills: number
  /** No: all lives were through before they passed it so often. */
  readonly reached: boolean
  readonly problems: readonly string[]
}

/**
 * Lives that leave work to a recovery: an epoch of which nothing or a part is shown, output without an epoch. A first epoch
 * may have no rows and the last one ends the job, so they are tried in turn.
 */
const leaving: readonly (readonly [point: CrashPoint, hit: number])[] = [
  ['sink.marker', 1],
  ['coord.notify.before', 1],
  ['sink.prepare.sync', 1],
  ['sink.prepare.sync', 3],
]

/** A life that takes longer hangs, and is ended by SIGTERM. */
const lifeMsMax = 60_000

interface LifeEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export class CrashPointRuns {
  readonly #folder: string
  readonly #program: string
  #expected: Committed | undefined
  #runs = 0

  constructor(folder: string, program: string) {
    this.#folder = folder
    this.#program = program
  }

  /** Compiles the job once: loading its sources anew would take most of each life. */
  static async open(orders: number): Promise<CrashPointRuns> {
    const folder = mkdtempSync(join(tmpdir(), 'tidemill-crash-points-'))
    // Below the project, where packages are found.
    const cache = join(projectRoot, 'node_modules', '.cache', 'tidemill-crash-points')
    const program = join(cache, `${process.pid}.mjs`)
    await build({
      entryPoints: [join(projectRoot, 'test/e2e/jobs/crash-point.ts')],
      outfile: program,
      bundle: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      logLevel: 'error',
    })
    ordersInput(join(folder, 'orders.jsonl'), orders)
    const runs = new CrashPointRuns(folder, program)
    const undisturbed = runs.#newFolder()
    const { exitCode, stderr } = await runs.#life(undisturbed)
    if (exitCode !== 0) throw new Error(`the undisturbed run failed: ${stderr}`)
    runs.#expected = await committed(undisturbed)
    return runs
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
    rmSync(this.#program, { force: true })
  }

  async run(point: CrashPoint, hit: number): Promise<PointRun> {
    let folder = this.#newFolder()
    let there = await this.#killedAt(folder, point, hit)
    let kills: number = there
    for (const [before, beforeHit] of leaving) {
      if (there === 1) break
      folder = this.#newFolder()
      kills = await this.#killedAt(folder, before, beforeHit)
      there = await this.#killedAt(folder, point, hit)
      kills += there
    }
    if (there === 0) return { point, hit, kills, reached: false, problems: [] }
    const { exitCode, signal, stderr } = await this.#life(folder)
    if (exitCode !== 0)
      return {
        point,
        hit,
        kills,
        reached: true,
        problems: [`ended with ${exitCode ?? signal}: ${stderr}`],
      }
    const problems = differences(await committed(folder), this.#expected!)
    rmSync(folder, { recursive: true, force: true })
    return { point, hit, kills, reached: true, problems }
  }

  /** 1 when the life ended at the point, 0 when it came through without. */
  async #killedAt(folder: string, point: CrashPoint, hit: number): Promise<0 | 1> {
    const { exitCode, signal, stderr } = await this.#life(folder, point, String(hit))
    if (signal === 'SIGKILL') return 1
    if (exitCode === 0) return 0
    throw new Error(`${point}: ended with ${exitCode ?? signal}: ${stderr}`)
  }

  #life(folder: string, ...more: readonly string[]): Promise<LifeEnd> {
    return new Promise((resolve, reject) => {
      const argv = [this.#program, folder, ...more]
      const child = spawn(process.execPath, argv, {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: lifeMsMax,
      })
      let stderr = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
      child.on('error', reject)
      child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stderr }))
    })
  }

  #newFolder(): string {
    const folder = join(this.#folder, String(this.#runs++))
    mkdirSync(folder)
    return folder
  }
}

interface Committed {
  readonly files: readonly string[]
  readonly topic: readonly string[]
}

async function committed(folder: string): Promise<Committed> {
  const observer = new TopicObserver(join(folder, 'log'), 'totals')
  try {
    await observer.look()
    const { violations } = observer.report()
    if (violations.length > 0) throw new Error(violations.join('\n'))
    const files = committedLines(join(folder, 'output'))['files'] ?? []
    return { files, topic: observer.values() }
  } finally {
    await observer.close()
  }
}

/** What is wrong, in words; empty when both are the same. */
export function differences(found: Committed, expected: Committed): string[] {
  const sinks = ['files', 'topic'] as const
  return sinks.flatMap((sink) => {
    const [has, wants] = [found[sink], expected[sink]]
    const at = wants.findIndex((line, i) => has[i] !== line)
    if (at < 0 && has.length === wants.length) return []
    const place = at < 0 ? wants.length : at
    return [
      `${sink}: ${has.length} rows instead of ${wants.length}; the first other one is ${has[place]} instead of ${wants[place]}`,
    ]
  })
}
