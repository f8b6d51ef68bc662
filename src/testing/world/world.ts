/**
 * A simulated machine: one disk, virtual time, and processes that live and die on it.
 *
 *     const world = createWorld({ seed: 7, profile: profileOf(7) })
 *     let end = await world.run((env) => program(env))
 *     while (end.kind === 'crashed') end = await world.run((env) => program(env))
 *
 * Everything that can differ between two runs is drawn from the seed, so a failure is replayed by its seed.
 *
 * How a process ends: its main function settles, it calls `exit`, it gets a signal it does not handle, or it crashes.
 * A `kill` ends one process and keeps the page cache. A `power` cut ends all of them and leaves the durable side of the
 * disk plus whatever happened to reach it. In each case calls in flight are done wholly, partly or not at all, and
 * none of the process's promises ever settles again.
 */
import type { Env, Random } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import { createSeededRandom } from '../../platform/random.ts'
import { hostTurn, ignoreRejections } from '../../platform/turn.ts'
import { testingErrors } from '../errors.ts'
import { CrashEntry, type CrashMoment, CrashPlans, type PlannedCrash } from './crash-plan.ts'
import type { DiskHooks, SharedDisk } from './disk.ts'
import { DiskImage } from './disk-image.ts'
import { FaultPlan } from './faults.ts'
import { Kernel } from './kernel.ts'
import { createLifeEnv, type LogRecord } from './life-env.ts'
import { type CrashKind, comesFromCrash, type LifeEnd, type LifeState } from './life-state.ts'
import { type Life, LifeHandle, ProcessLife } from './process-life.ts'
import { calmProfile, type WorldProfile } from './profile.ts'
import { formatTrace } from './trace.ts'
import { createWorldDisk, type WorldDisk } from './world-disk.ts'

export interface WorldOptions {
  readonly seed: number
  /** Default: no faults, no crashes. */
  readonly profile?: WorldProfile
  /** Resolves after all microtasks have run; default one macrotask turn of the host. */
  readonly drain?: () => Promise<void>
  /** Steps after which a run counts as endless (TM2101); default 5,000,000. */
  readonly stepsMax?: number
  /** Events kept for `dump`; default 200. */
  readonly traceLength?: number
  /** Wall clock at the start in epoch milliseconds; default 2026-01-01T00:00:00Z. */
  readonly wallStartMs?: number
}

export interface LifeOptions {
  readonly name?: string
  /** Its environment variables. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface World {
  readonly seed: number
  readonly profile: WorldProfile
  readonly disk: WorldDisk
  /** For decisions of the test itself. */
  readonly random: Random
  /** Virtual milliseconds since the world began. */
  readonly nowMs: number
  readonly steps: number
  /** Disk calls so far, of all processes. */
  readonly operations: number
  /** Crashes so far. */
  readonly crashes: number
  /** Hits per crash point, of all processes. */
  readonly hits: ReadonlyMap<string, number>
  readonly logs: readonly LogRecord[]
  /** Text written to standard output, of all processes. */
  readonly output: string
  /** Starts a process; nothing runs before `run`, `end` or `advance`. */
  start<Result>(main: (env: Env) => Result | Promise<Result>, options?: LifeOptions): Life<Result>
  /** Starts a process and runs the world until it has ended. */
  run<Result>(
    main: (env: Env) => Result | Promise<Result>,
    options?: LifeOptions,
  ): Promise<LifeEnd<Result>>
  /** Runs the world for so many virtual milliseconds. */
  advance(ms: number): Promise<void>
  /** Runs the world until the condition holds; it is asked after every step. */
  runUntil(condition: () => boolean): Promise<void>
  /** `power` ends all processes, `kill` the given one, or all. */
  crash(kind: CrashKind, life?: Life<unknown>): void
  /** Plans one crash of the process that gets to this moment; a power cut ends the others too. */
  plan(kind: CrashKind, moment: CrashMoment): PlannedCrash
  /** Switches the profile's random faults and crashes; planned ones still happen. */
  setFaults(on: boolean): void
  jumpWall(byMs: number): void
  /** A stopped wall clock shows the same time until it goes on from there. */
  stopWall(stopped: boolean): void
  /** Of everything that has happened; equal for equal seeds. */
  traceHash(): string
  /** Seed, profile and the last events, for a failure message. */
  dump(): string
}

/** A fresh world. The same options and programs always give the same run. */
export function createWorld(options: WorldOptions): World {
  return new SimulatedWorld(options)
}

let rejectionsIgnored = false

class SimulatedWorld implements World {
  readonly seed: number
  readonly profile: WorldProfile
  readonly disk: WorldDisk
  readonly random: Random
  readonly hits = new Map<string, number>()
  readonly logs: LogRecord[] = []
  operations = 0
  crashes = 0
  output = ''
  readonly #root: Random
  readonly #kernel: Kernel
  readonly #shared: SharedDisk
  readonly #plans: CrashPlans
  readonly #diskHooks: DiskHooks
  readonly #living = new Map<ProcessLife, Life<unknown>>()
  #lives = 0
  #boots = 1
  #bootedMs = 0
  #wallOffsetMs: number
  #wallStoppedMs: number | undefined

  constructor(options: WorldOptions) {
    if (!rejectionsIgnored) {
      rejectionsIgnored = true
      ignoreRejections(comesFromCrash)
    }
    this.seed = options.seed
    this.profile = options.profile ?? calmProfile
    this.#root = createSeededRandom(options.seed)
    this.random = this.#root.stream('test')
    this.#kernel = new Kernel({
      drain: options.drain ?? hostTurn,
      ties: this.#root.stream('ties'),
      stepsMax: options.stepsMax ?? 5_000_000,
      traceLength: options.traceLength ?? 200,
      onUncaught: (life, error) => this.#endLife(life, { kind: 'failed', error }),
    })
    this.#wallOffsetMs = options.wallStartMs ?? 1_767_225_600_000
    this.#shared = {
      image: new DiskImage(),
      locks: new Map(),
      faults: new FaultPlan(this.#root.stream('faults'), this.profile.faults),
      random: this.#root.stream('disk'),
      diskMs: this.profile.diskMs,
      capacityBytes: this.profile.capacityBytes,
      openFilesMax: this.profile.openFilesMax,
    }
    this.#plans = new CrashPlans(this.#root.stream('crashes'), this.profile.crashes)
    this.disk = createWorldDisk(this.#shared, this.#wallMs)
    this.#diskHooks = {
      kernel: this.#kernel,
      mustRun: this.#mustRun,
      wallMs: this.#wallMs,
      afterIssue: (life, call, path) => {
        this.operations++
        const kind = this.#plans.at(undefined)
        if (kind !== undefined)
          this.#crashLife(kind, life, `disk call ${this.operations}, ${call} ${path}`)
      },
      crash: (life, effect, call, path) =>
        this.#crashLife(effect.crash, life, `fault at ${call} ${path}`),
    }
  }

  get nowMs(): number {
    return this.#kernel.nowMs
  }

  get steps(): number {
    return this.#kernel.steps
  }

  start<Result>(
    main: (env: Env) => Result | Promise<Result>,
    options: LifeOptions = {},
  ): Life<Result> {
    const id = ++this.#lives
    const life = new ProcessLife(id, options.name ?? `life ${id}`)
    const handle = new LifeHandle<Result>(life, this.#kernel, () =>
      this.#crashLife('kill', life, 'signal'),
    )
    const env = createLifeEnv(life, {
      kernel: this.#kernel,
      shared: this.#shared,
      diskHooks: this.#diskHooks,
      random: this.#root.stream(`life ${id}`),
      scheduling: this.#root.stream('scheduling'),
      pid: 1_000 + id,
      bootId: `simulated-boot-${this.#boots}`,
      bootedMs: this.#bootedMs,
      environment: options.environment ?? {},
      wallMs: this.#wallMs,
      mustRun: this.#mustRun,
      atCrashPoint: (name) => this.#atCrashPoint(life, name),
      exit: (code) => this.#endLife(life, { kind: 'exited', code }),
      log: (record) => this.logs.push(record),
      output: (text) => (this.output += text),
      signalHandlers: life.handlers,
    })
    this.#living.set(life, handle)
    this.#kernel.schedule(0, life, () => {
      this.#note(life, 'start', life.name)
      void this.#runMain(life, env, main)
    })
    return handle
  }

  run<Result>(
    main: (env: Env) => Result | Promise<Result>,
    options?: LifeOptions,
  ): Promise<LifeEnd<Result>> {
    return this.start(main, options).end()
  }

  async advance(ms: number): Promise<void> {
    let reached = false
    this.#kernel.schedule(ms, undefined, () => (reached = true))
    await this.#kernel.runUntil(() => reached)
  }

  runUntil(condition: () => boolean): Promise<void> {
    return this.#kernel.runUntil(condition)
  }

  crash(kind: CrashKind, life?: Life<unknown>): void {
    if (kind === 'power' || life === undefined) this.#crashAll(kind, 'asked by the test')
    else {
      for (const [living, handle] of this.#living) {
        if (handle === life) this.#crashLife(kind, living, 'asked by the test')
      }
    }
  }

  plan(kind: CrashKind, moment: CrashMoment): PlannedCrash {
    const entry = new CrashEntry(kind, moment)
    if ('afterMs' in moment) {
      this.#kernel.schedule(moment.afterMs, undefined, () => {
        if (entry.cancelled) return
        entry.fired = true
        this.#crashAll(kind, `after ${moment.afterMs} ms`)
      })
    } else this.#plans.add(entry)
    return entry
  }

  setFaults(on: boolean): void {
    this.#shared.faults.enabled = on
    this.#plans.enabled = on
  }

  jumpWall(byMs: number): void {
    if (this.#wallStoppedMs === undefined) this.#wallOffsetMs += byMs
    else this.#wallStoppedMs += byMs
  }

  stopWall(stopped: boolean): void {
    if (stopped) this.#wallStoppedMs ??= this.#wallMs()
    else if (this.#wallStoppedMs !== undefined) {
      this.#wallOffsetMs = this.#wallStoppedMs - this.nowMs
      this.#wallStoppedMs = undefined
    }
  }

  traceHash(): string {
    return this.#kernel.trace.hash()
  }

  dump(): string {
    const entries = this.#kernel.trace.last()
    return [
      `seed ${this.seed}  profile ${this.profile.name}  step ${this.steps}  trace ${this.traceHash()}`,
      `last ${entries.length} events`,
      formatTrace(entries),
    ].join('\n')
  }

  readonly #wallMs = (): number =>
    Math.floor(this.#wallStoppedMs ?? this.#wallOffsetMs + this.nowMs)

  readonly #mustRun = (life: LifeState): void => {
    if (!this.#kernel.running)
      throw new TidemillError(testingErrors.worldIdle, { message: life.name })
  }

  async #runMain(life: ProcessLife, env: Env, main: (env: Env) => unknown): Promise<void> {
    try {
      this.#endLife(life, { kind: 'done', value: await main(env) })
    } catch (error) {
      this.#endLife(life, { kind: 'failed', error })
    }
  }

  #atCrashPoint(life: ProcessLife, name: string): boolean {
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1)
    this.#note(life, 'point', name)
    const kind = this.#plans.at(name)
    if (kind !== undefined) this.#crashLife(kind, life, `point ${name}`)
    return kind !== undefined
  }

  #crashLife(kind: CrashKind, life: LifeState, at: string): void {
    if (kind === 'power') this.#crashAll(kind, at)
    else {
      this.crashes++
      this.#endLife(life, { kind: 'crashed', crash: kind, at })
    }
  }

  #crashAll(kind: CrashKind, at: string): void {
    this.crashes++
    for (const life of [...this.#living.keys()])
      this.#endLife(life, { kind: 'crashed', crash: kind, at })
    if (kind !== 'power') return
    this.#kernel.trace.note(this.steps, this.nowMs, 0, 'power cut', '', 0, 0)
    this.#shared.image.powerCut(this.#root.stream('power'))
    this.#boots++
    this.#bootedMs = this.nowMs
  }

  /** Only the first end counts: what a dead process still does is no concern of the world. */
  #endLife(life: LifeState, end: LifeEnd<unknown>): void {
    if (life.ending !== undefined) return
    life.ending = end
    life.paused = false
    this.#note(life, 'end', end.kind)
    for (const other of this.#living.keys()) if (other === life) this.#living.delete(other)
    for (const [directory, holder] of this.#shared.locks) {
      if (holder.life === life) this.#shared.locks.delete(directory)
    }
    const random = this.#root.stream('landing')
    for (const event of this.#kernel.forget(life)) {
      const fate = random.u32() % 3
      try {
        event.land?.(fate === 0 ? 0 : fate === 1 ? 1 : random.float())
      } catch {
        // The call would have failed, e.g. because the disk is full; nobody is left to be told.
      }
    }
  }

  #note(life: LifeState, what: string, subject: string): void {
    this.#kernel.trace.note(this.steps, this.nowMs, life.id, what, subject, 0, 0)
  }
}
