/**
 * One job under one seed, from first start to verified end:
 *
 *  1. a fresh world gets the input files; crashes and faults are drawn from the seed;
 *  2. the job runs life after life; each life is built anew, so that only the disk survives. A life that fails with a
 *     coded error that is not `fatal` or `bug` is started again, as a supervisor would;
 *  3. after so many lives or so much time the faults stop, and the job must finish within a bound (O08);
 *  4. a last power cut, one more start - which must find the job finished - and the checks of the result.
 */
import type { Env } from '../../base/env.ts'
import { isTidemillError } from '../../base/errors.ts'
import type { Ledger } from '../../checkpoint/ledger.ts'
import type { Plan } from '../../graph/plan.ts'
import { describeJob } from '../../runtime/describe.ts'
import { inlineHost } from '../../runtime/inline-host.ts'
import { type JobOutcome, startJob, type SubtaskHost } from '../../runtime/job.ts'
import type { LifeEnd } from '../world/life-state.ts'
import type { WorldProfile } from '../world/profile.ts'
import { createWorld, type World } from '../world/world.ts'
import { type OutputDirectory, type OutputFile, OutputObserver, watchNames } from './observer.ts'
import type { Violation } from './violation.ts'

export interface JobUnderTest {
  readonly name: string
  /** A fresh plan for every life. */
  readonly plan: () => Plan
  /** Input by absolute path. */
  readonly files: Readonly<Record<string, string | Uint8Array>>
  readonly outputs: readonly OutputDirectory[]
  /** Makes input that is not plain files; runs before anything goes wrong. */
  readonly prepare?: (env: Env) => Promise<void>
  /** Reads output that is not plain files, at the end. */
  readonly collect?: (env: Env) => Promise<ReadonlyMap<string, readonly OutputFile[]>>
  readonly intervalMs: number
  readonly check: (end: FinishedJob) => Violation | undefined
}

export interface FinishedJob {
  /** Committed files by sink, in order of name. */
  readonly outputs: ReadonlyMap<string, readonly OutputFile[]>
  /** Of the job's whole life. */
  readonly ledger: Ledger
  /** Epochs that committed, ascending; without those after whose commit the life ended at once. */
  readonly committed: readonly number[]
}

/** Changes what a life is made of: how tests plant mistakes. */
export interface Interference {
  /** Called before the world begins; the result undoes it. */
  readonly install?: () => () => void
  readonly env?: (env: Env) => Env
  readonly plan?: (plan: Plan) => Plan
  readonly host?: (host: SubtaskHost, env: Env) => SubtaskHost
}

export interface SeedOptions {
  readonly seed: number
  readonly profile: WorldProfile
  readonly job: JobUnderTest
  /** Plans crashes and faults besides the profile's random ones; the result takes back those that have not happened. */
  readonly harm?: (world: World) => () => void
  /** How long a full disk stays full, in virtual time; default 200 ms. Retries without end take long to simulate. */
  readonly fullDiskMs?: number
  readonly interference?: Interference
  /** Subtasks of each life, by its number; state moves between lives. Default 1. */
  readonly subtasks?: (life: number) => number
  /** How long barriers of each life may take to align; default 1,000. */
  readonly alignedMs?: (life: number) => number | 'never'
  /** Bytes that a channel between two subtasks holds; small ones are full all the time. Default 1 MiB. */
  readonly queueBytes?: number
  /** Default 15. */
  readonly livesWithFaults?: number
  /** Whether some lives are stopped with a final checkpoint and started again. Default true. */
  readonly orderlyStops?: boolean
}

export interface SeedResult {
  readonly seed: number
  readonly profile: string
  readonly job: string
  readonly violation: Violation | undefined
  /** Epochs committed, over all lives. */
  readonly epochs: number
  readonly lives: number
  readonly crashes: number
  readonly steps: number
  readonly traceHash: string
  readonly hits: ReadonlyMap<string, number>
  /** Points at which a life died. */
  readonly deaths: readonly string[]
  /** Events for a person; only after a violation. */
  readonly dump: string | undefined
}

const stateDirectory = '/state'
/** Virtual time after which faults stop, and within which the job must then finish. */
const faultsMs = 10_000
const livenessMs = 300_000
/** Lives that may still fail after the faults have stopped: what they left may take one recovery. */
const livesToFinish = 3

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const undo = options.interference?.install?.()
  try {
    return await new SeedRun(options).run()
  } finally {
    undo?.()
  }
}

class SeedRun {
  readonly #options: SeedOptions
  readonly #world: World
  readonly #observer: OutputObserver
  readonly #deaths: string[] = []
  #lives = 0
  /** Faults have stopped: the job is left alone until it has finished. */
  #quiet = false
  readonly #committed: Set<number> = new Set()

  constructor(options: SeedOptions) {
    this.#options = options
    this.#world = createWorld({
      seed: options.seed,
      profile: options.profile,
      stepsMax: 400_000,
      traceLength: 200,
    })
    this.#observer = new OutputObserver(this.#world.disk, options.job.outputs)
  }

  async run(): Promise<SeedResult> {
    let violation: Violation | undefined
    try {
      violation = await this.#story()
    } catch (error) {
      // The world itself gives up: nothing left to do with the job unfinished, or no end in sight.
      violation = { oracle: 'O08', title: 'the job does not end', message: messageOf(error) }
    }
    const { seed, profile, job } = this.#options
    return {
      seed,
      profile: profile.name,
      job: job.name,
      violation,
      epochs: this.#committed.size,
      lives: this.#lives,
      crashes: this.#world.crashes,
      steps: this.#world.steps,
      traceHash: this.#world.traceHash(),
      hits: this.#world.hits,
      deaths: this.#deaths,
      dump: violation === undefined ? undefined : this.#world.dump(),
    }
  }

  async #story(): Promise<Violation | undefined> {
    const world = this.#world
    const { job } = this.#options
    for (const [path, content] of Object.entries(job.files)) {
      world.disk.write(
        path,
        typeof content === 'string' ? new TextEncoder().encode(content) : content,
      )
    }
    if (job.prepare !== undefined) {
      world.setFaults(false)
      const { capacityBytes } = world.disk
      world.disk.capacityBytes = Number.POSITIVE_INFINITY
      await this.#outside(job.prepare)
      world.disk.capacityBytes = capacityBytes
      world.setFaults(true)
    }
    const takeBack = this.#options.harm?.(world)
    const troubled = await this.#withFaults()
    if (troubled.violation !== undefined) return troubled.violation
    takeBack?.()
    this.#calm()
    const problem = troubled.finished ? undefined : await this.#untilFinished()
    if (problem !== undefined) return problem
    world.crash('power')
    this.#observer.powerCut()
    const last = await this.#life(world.nowMs + livenessMs)
    if (last?.kind !== 'done') return lifeViolation(last) ?? stuck()
    if (last.value.status !== 'already-finished') {
      return {
        oracle: 'O04',
        title: 'a finished job began again',
        message: `after a power cut it ${last.value.status}`,
      }
    }
    const files = this.#observer.finish()
    const outputs =
      job.collect === undefined ? files : new Map([...files, ...(await this.#outside(job.collect))])
    const committed = [...this.#committed].sort((a, b) => a - b)
    return this.#observer.violation ?? job.check({ outputs, committed, ledger: last.value.ledger })
  }

  async #withFaults(): Promise<{
    readonly finished: boolean
    readonly violation: Violation | undefined
  }> {
    const livesMax = this.#options.livesWithFaults ?? 15
    while (this.#lives < livesMax && this.#world.nowMs < faultsMs) {
      const end = await this.#life()
      // A life that has not ended goes on without faults.
      if (end === undefined) break
      const violation = this.#observer.violation ?? lifeViolation(end)
      if (violation !== undefined) return { finished: false, violation }
      if (end.kind === 'done' && end.value.status !== 'stopped')
        return { finished: true, violation: undefined }
    }
    return { finished: false, violation: undefined }
  }

  async #untilFinished(): Promise<Violation | undefined> {
    const deadlineMs = this.#world.nowMs + livenessMs
    for (let failures = 0; failures < livesToFinish; failures++) {
      const end = await this.#life(deadlineMs)
      if (end === undefined) return stuck()
      const violation = this.#observer.violation ?? lifeViolation(end)
      if (violation !== undefined) return violation
      if (end.kind === 'done' && end.value.status !== 'stopped') return undefined
      if (end.kind === 'failed' && failures === livesToFinish - 1) {
        return {
          oracle: 'O08',
          title: 'the job fails without faults',
          message: messageOf(end.error),
        }
      }
    }
    return stuck()
  }

  #open: ReturnType<World['start']> | undefined

  /** Runs the open life, or a new one, to its end; `undefined` when time is up before. */
  async #life(deadlineMs: number = faultsMs): Promise<LifeEnd<JobOutcome> | undefined> {
    const world = this.#world
    if (this.#open === undefined) {
      this.#lives++
      this.#open = world.start((env) => this.#main(env))
    }
    const life = this.#open
    const fullUntilMs = this.#options.fullDiskMs ?? 200
    await world.runUntil(() => {
      if (world.nowMs >= fullUntilMs) world.disk.capacityBytes = Number.POSITIVE_INFINITY
      return life.ended !== undefined || world.nowMs >= deadlineMs
    })
    const end = life.ended as LifeEnd<JobOutcome> | undefined
    if (end === undefined) return undefined
    this.#open = undefined
    if (end.kind === 'crashed') {
      this.#deaths.push(end.at)
      if (end.crash === 'power') this.#observer.powerCut()
    }
    this.#observer.look()
    return end
  }

  #main(env: Env): Promise<JobOutcome> {
    const { job, interference } = this.#options
    const watched: Env = { ...env, disk: watchNames(env.disk, (path) => this.#changed(path)) }
    const own = interference?.env?.(watched) ?? watched
    const plan = interference?.plan?.(job.plan()) ?? job.plan()
    const { queueBytes } = this.#options
    const host = inlineHost(own, plan, queueBytes === undefined ? {} : { queueBytes })
    const running = startJob({
      env: own,
      job: plan.job,
      description: describeJob(plan, {}),
      host: interference?.host?.(host, own) ?? host,
      mode: 'stream',
      stateDirectory,
      intervalMs: job.intervalMs,
      alignedMs: this.#options.alignedMs?.(this.#lives),
      // However little state there is: snapshots that build on others are what goes wrong.
      wholeBelowBytes: 0,
      acceptParameters: false,
      subtasks: this.#options.subtasks?.(this.#lives) ?? 1,
      onCommitted: ({ epoch }) => {
        this.#committed.add(epoch)
      },
    })
    // Now and then somebody stops the job in an orderly way; the next life continues.
    const orderly = this.#world.random.stream(`stop ${this.#lives}`)
    if (!this.#quiet && this.#options.orderlyStops !== false && orderly.float() < 0.15)
      env.clock.timer(200 * orderly.float(), () => running.stop())
    return running.outcome
  }

  #changed(path: string): void {
    if (this.#options.job.outputs.some(({ directory }) => path.startsWith(directory)))
      this.#observer.look()
  }

  /** Something that is no life of the job. */
  async #outside<Result>(main: (env: Env) => Promise<Result>): Promise<Result> {
    const end = await this.#world.run(main)
    if (end.kind === 'done') return end.value
    throw new Error(
      `preparing or reading ended: ${end.kind}`,
      end.kind === 'failed' ? { cause: end.error } : {},
    )
  }

  #calm(): void {
    this.#quiet = true
    this.#world.setFaults(false)
    this.#world.disk.capacityBytes = Number.POSITIVE_INFINITY
    this.#world.disk.openFilesMax = 1_024
  }
}

/** What may never happen, faults or not: damage, a broken invariant, an error without a code. */
function lifeViolation(end: LifeEnd<JobOutcome> | undefined): Violation | undefined {
  if (end?.kind === 'exited')
    return { oracle: 'O04', title: 'the job left the process', message: `exit ${end.code}` }
  if (end?.kind !== 'failed') return undefined
  const { error } = end
  if (!isTidemillError(error))
    return { oracle: 'O04', title: 'an error without a code', message: messageOf(error) }
  if (error.code === 'TM1508')
    return { oracle: 'O13', title: 'the ledger does not balance', message: messageOf(error) }
  if (error.kind === 'bug' || error.kind === 'fatal') {
    return { oracle: 'O04', title: 'the job cannot go on', message: messageOf(error) }
  }
  return undefined
}

function stuck(): Violation {
  return {
    oracle: 'O08',
    title: 'the job does not end',
    message: `not finished ${livenessMs / 1000} s after the last fault`,
  }
}

function messageOf(error: unknown): string {
  if (isTidemillError(error))
    return `${error.code} ${error.message} ${JSON.stringify(error.details)}${causeOf(error)}`
  return error instanceof Error ? `${error.stack ?? error.message}${causeOf(error)}` : String(error)
}

function causeOf(error: Error): string {
  return error.cause === undefined ? '' : `\ncaused by ${messageOf(error.cause)}`
}
