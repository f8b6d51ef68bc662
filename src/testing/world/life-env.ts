/** The `Env` of one simulated process: virtual clocks, seeded randomness, a host that only records. */
import type {
  AbortSignalLike,
  Clock,
  CrashPoint,
  Env,
  Host,
  LogLevel,
  Random,
  Tasks,
  TimerHandle,
} from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import { testingErrors } from '../errors.ts'
import { type DiskHooks, LifeDisk, type SharedDisk } from './disk.ts'
import type { Kernel } from './kernel.ts'
import { type LifeState, WorldCrash } from './life-state.ts'
import type { SignalName } from './process-life.ts'

export interface LogRecord {
  readonly timeMs: number
  readonly life: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface LifeSurroundings {
  readonly kernel: Kernel
  readonly shared: SharedDisk
  readonly diskHooks: DiskHooks
  readonly random: Random
  readonly scheduling: Random
  readonly pid: number
  readonly bootId: string
  /** Virtual time at which the machine booted. */
  readonly bootedMs: number
  readonly environment: Readonly<Record<string, string>>
  readonly wallMs: () => number
  readonly mustRun: (life: LifeState) => void
  /** Counts the hit; true when the process is to die here, and then it is dead already. */
  readonly atCrashPoint: (name: CrashPoint) => boolean
  readonly exit: (code: number) => void
  readonly log: (record: LogRecord) => void
  readonly output: (text: string) => void
  readonly signalHandlers: Map<SignalName, Set<() => void>>
}

export function createLifeEnv(life: LifeState, world: LifeSurroundings): Env {
  return {
    clock: createClock(life, world),
    random: world.random,
    disk: new LifeDisk(life, world.shared, world.diskHooks),
    tasks: createTasks(life, world),
    host: createHost(life, world),
  }
}

/** What a dead process gets from a call that has to answer at once. */
function mustLive(life: LifeState): void {
  if (life.ending !== undefined) throw new WorldCrash('it had already ended')
}

function createClock(life: LifeState, world: LifeSurroundings): Clock {
  const { kernel } = world
  const timer = (ms: number, fn: () => void): TimerHandle => {
    mustLive(life)
    world.mustRun(life)
    if (!Number.isFinite(ms))
      throw new TidemillError(testingErrors.worldUse, { message: `a delay of ${ms} ms` })
    const event = kernel.schedule(ms, life, () => {
      kernel.trace.note(kernel.steps, kernel.nowMs, life.id, 'timer', '', ms, 0)
      fn()
    })
    return {
      cancel() {
        event.cancelled = true
      },
    }
  }
  return {
    wallMs() {
      mustLive(life)
      return world.wallMs()
    },
    monoMs() {
      mustLive(life)
      return kernel.nowMs - world.bootedMs
    },
    timer,
    sleep(ms: number, signal?: AbortSignalLike) {
      if (life.ending !== undefined) return new Promise(() => {})
      return new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason)
          return
        }
        const onAbort = () => {
          handle.cancel()
          signal?.removeEventListener('abort', onAbort)
          reject(signal?.reason)
        }
        const handle = timer(ms, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort)
      })
    },
  }
}

/** A turn of the event loop takes time, or a loop that yields until a deadline would never reach it. */
const turnMs = 0.005

function createTasks(life: LifeState, world: LifeSurroundings): Tasks {
  return {
    yield() {
      if (life.ending !== undefined) return new Promise(() => {})
      return new Promise((resolve) => {
        world.mustRun(life)
        world.kernel.schedule(turnMs * (0.5 + world.scheduling.float()), life, resolve)
      })
    },
  }
}

function createHost(life: LifeState, world: LifeSurroundings): Host {
  const { kernel } = world
  return {
    pid: world.pid,
    hostName: 'simulated',
    cpus: 2,
    operatingSystem: 'linux',
    bootId: world.bootId,
    env: (name) => world.environment[name],
    memoryBytes: () => 64 * 1024 * 1024,
    exit(code) {
      if (life.ending === undefined) world.exit(code)
      throw new WorldCrash(`exit ${code}`)
    },
    onSignal(name, fn) {
      const handlers = world.signalHandlers.get(name) ?? new Set()
      world.signalHandlers.set(name, handlers.add(fn))
      return () => void handlers.delete(fn)
    },
    log(level, message, fields = {}) {
      if (life.ending !== undefined) return
      kernel.trace.note(kernel.steps, kernel.nowMs, life.id, `log.${level}`, message, 0, 0)
      world.log({ timeMs: kernel.nowMs, life: life.id, level, message, fields })
    },
    writeOut(text) {
      if (life.ending !== undefined) return new Promise(() => {})
      kernel.trace.note(kernel.steps, kernel.nowMs, life.id, 'out', text, text.length, 0)
      world.output(text)
      return new Promise((resolve) => kernel.schedule(turnMs, life, resolve))
    },
    crashPoint(name) {
      mustLive(life)
      if (world.atCrashPoint(name)) throw new WorldCrash(`point ${name}`)
    },
  }
}
