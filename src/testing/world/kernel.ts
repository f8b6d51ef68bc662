/**
 * The heart of the simulation. It takes the earliest event, moves virtual time there, runs the event, lets all
 * microtasks drain, and goes on until what the caller waits for has happened.
 *
 * Product code is ordinary `async` code: each of its waits is a promise that an event settles. JavaScript runs
 * microtasks in a fixed order and nothing else runs in between, so a run depends on the seed alone.
 */
import type { Random } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import { testingErrors } from '../errors.ts'
import { EventQueue, type WorldEvent } from './event-queue.ts'
import { type LifeState, comesFromCrash } from './life-state.ts'
import { formatTrace, Trace } from './trace.ts'

export interface KernelOptions {
  /** Resolves after all microtasks have run. */
  readonly drain: () => Promise<void>
  readonly ties: Random
  readonly stepsMax: number
  readonly traceLength: number
  /** A timer or signal handler of this process threw. */
  readonly onUncaught: (life: LifeState, error: unknown) => void
}

interface Waiter {
  readonly until: () => boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Kernel {
  readonly trace: Trace
  readonly #options: KernelOptions
  readonly #queue = new EventQueue()
  #waiters: Waiter[] = []
  #looping = false
  #serial = 0
  #nowMs = 0
  #steps = 0

  constructor(options: KernelOptions) {
    this.#options = options
    this.trace = new Trace(options.traceLength)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  get steps(): number {
    return this.#steps
  }

  /** Whether events are being run now; code under simulation must not act at any other time. */
  get running(): boolean {
    return this.#looping
  }

  schedule(
    delayMs: number,
    life: LifeState | undefined,
    run: () => void,
    land?: (share: number) => void,
  ): WorldEvent {
    const event: WorldEvent = {
      timeMs: this.#nowMs + (delayMs > 0 ? delayMs : 0),
      tie: this.#options.ties.u32(),
      serial: this.#serial++,
      life,
      run,
      land,
      cancelled: false,
    }
    this.#queue.push(event)
    return event
  }

  /** Runs events until `until` holds. Several callers may wait at once. */
  runUntil(until: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ until, resolve, reject })
      if (!this.#looping) void this.#loop()
    })
  }

  /** Takes a dead process's events out of the world; those in the hands of the operating system are returned. */
  forget(life: LifeState): WorldEvent[] {
    const events = [...life.deferred, ...this.#queue.removeOf(life)]
    life.deferred.length = 0
    return events.filter((event) => event.land !== undefined && !event.cancelled)
  }

  resume(life: LifeState): void {
    for (const event of life.deferred.splice(0)) this.#queue.push(event)
  }

  async #loop(): Promise<void> {
    this.#looping = true
    try {
      while (this.#releaseWaiters()) {
        if (this.#steps >= this.#options.stepsMax) throw this.#failure(testingErrors.worldEndless)
        const event = this.#queue.pop()
        if (event === undefined) throw this.#failure(testingErrors.worldStuck)
        if (event.cancelled) continue
        this.#nowMs = Math.max(this.#nowMs, event.timeMs)
        if (event.life?.paused) {
          event.life.deferred.push(event)
          continue
        }
        this.#steps++
        this.#run(event)
        await this.#options.drain()
      }
    } catch (error) {
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
    } finally {
      this.#looping = false
    }
  }

  #run(event: WorldEvent): void {
    try {
      event.run()
    } catch (error) {
      if (event.life === undefined) throw error
      if (!comesFromCrash(error)) this.#options.onUncaught(event.life, error)
    }
  }

  /** True while somebody still waits. */
  #releaseWaiters(): boolean {
    let waiting = false
    for (const waiter of this.#waiters) {
      if (waiter.until()) waiter.resolve()
      else waiting = true
    }
    if (this.#waiters.length > 1 || !waiting)
      this.#waiters = this.#waiters.filter(({ until }) => !until())
    return waiting
  }

  #failure(definition: (typeof testingErrors)['worldStuck' | 'worldEndless']): TidemillError {
    const entries = this.trace.last()
    return new TidemillError(definition, {
      message: `step ${this.#steps}, ${this.#nowMs.toFixed(3)} ms of virtual time`,
      cause: new Error(`last ${entries.length} events\n${formatTrace(entries)}`),
    })
  }
}
