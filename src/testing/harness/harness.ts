/**
 * A piece of a pipeline under test: records in, rows out, on virtual time, without disk, threads and waiting.
 *
 * It drives the same compiled chain and the same stateful steps as a job does. What a job gets from outside comes from
 * the test: records, watermarks, processing time, a seed. Every call returns when all its effects have happened.
 */
import type { Env } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import type { Duration, Timestamp } from '../../base/time.ts'
import type { SinkWriter } from '../../connectors/contract.ts'
import type { Plan } from '../../graph/plan.ts'
import { createSeededRandom } from '../../platform/random.ts'
import { type BuiltParts, buildParts } from '../../runtime/build.ts'
import { type Chain, counterLayout, noExchanges } from '../../runtime/chain.ts'
import { compileChain } from '../../runtime/compile-chain.ts'
import { FailurePolicies } from '../../runtime/failures.ts'
import { stagesOf } from '../../runtime/stages.ts'
import { toPlain } from '../../schema/row.ts'
import { testingErrors } from '../errors.ts'
import { guardedPlan, UserCodeGuard } from '../guard.ts'
import { type Build, harnessPlan, type TimedBuild, timedHarnessPlan } from './plan.ts'
import {
  type HarnessSnapshot,
  readSnapshot,
  type StoredHarness,
  writeSnapshot,
} from './snapshot.ts'

/** How a harness begins. */
export interface HarnessOptions {
  /** Of `ctx.random()`. Default 1. */
  readonly seed?: number
  /** Continues where another harness of the same steps was. */
  readonly restoreFrom?: HarnessSnapshot
  /** Processing time at the start. Default 1970-01-01T00:00:00Z, or that of the snapshot. */
  readonly startAt?: Timestamp
}

/** Says that the tested steps expect event time: `send` then needs the time of each record. */
export interface TimedHarnessOptions extends HarnessOptions {
  readonly time: 'event-time'
}

/**
 * Steps under test. Nothing happens between calls; disposing forgets everything.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Harness<In, Out> extends AsyncDisposable {
  /**
   * Processes one record. `at` is its event time when the harness was made with `time: 'event-time'`; otherwise it is the
   * processing time at which the record arrives, not earlier than now. Throws what the job would fail with.
   */
  send(record: In, at?: Timestamp): void
  /** Nothing earlier than `at` is expected any more: event-time timers and windows up to it fire. Never goes back. */
  watermark(at: Timestamp): void
  /** Lets processing time pass; processing-time timers fire one after the other, each at its own time. */
  advance(by: Duration): void
  /** The rows since the last call, in order. */
  take(): readonly Out[]
  /** What a checkpoint would hold now. Results that steps keep until the end of an epoch come out first. */
  snapshot(): Promise<HarnessSnapshot>
}

/**
 * Makes a harness of the steps that `build` adds to a stream.
 *
 * Errors: TM2110 when a user function reads the real clock or draws real randomness, TM2111 for calls that make no sense.
 *
 * @example
 * ```ts
 * import type { Stream } from 'tidemill'
 * import { harness } from 'tidemill/testing'
 * const counted = (words: Stream<string>) => words.keyBy((word) => word).count('words')
 * await using h = await harness(counted)
 * h.send('to')
 * h.send('to')
 * console.log(h.take()) // [{ key: 'to', count: 1 }, { key: 'to', count: 2 }]
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function harness<In, Out>(
  build: Build<In, Out>,
  options?: HarnessOptions,
): Promise<Harness<In, Out>>
export function harness<In, Out>(
  build: TimedBuild<In, Out>,
  options: TimedHarnessOptions,
): Promise<Harness<In, Out>>
export async function harness<In, Out>(
  build: Build<In, Out> | TimedBuild<In, Out>,
  options: HarnessOptions | TimedHarnessOptions = {},
): Promise<Harness<In, Out>> {
  const timed = 'time' in options
  let at = Number.NaN as Timestamp
  // The overloads tie the kind of `build` to the option.
  const plan = timed
    ? timedHarnessPlan(build as TimedBuild<In, Out>, () => at)
    : harnessPlan(build as Build<In, Out>)
  return new ChainHarness<In, Out>(plan, timed ? (time) => (at = time) : undefined, options)
}

class ChainHarness<In, Out> implements Harness<In, Out> {
  readonly #plan: Plan
  readonly #guard = new UserCodeGuard()
  readonly #parts: BuiltParts
  readonly #chain: Chain
  readonly #policies: FailurePolicies
  readonly #setTime: ((at: Timestamp) => void) | undefined
  readonly #source: number
  #rows: Out[] = []
  #now: number
  #sent = 0
  /** After an error the state is that of half a record, so nothing more can be asked. */
  #ended: TidemillError | undefined

  constructor(plan: Plan, setTime: ((at: Timestamp) => void) | undefined, options: HarnessOptions) {
    this.#plan = guardedPlan(plan, this.#guard)
    this.#setTime = setTime
    const restored = options.restoreFrom && readSnapshot(options.restoreFrom, plan)
    this.#now = options.startAt ?? restored?.nowMs ?? 0
    if (restored !== undefined && this.#now < restored.nowMs) {
      throw wrongUse(`startAt ${this.#now} is before the time of the snapshot, ${restored.nowMs}`)
    }
    const counters = new Float64Array(counterLayout(plan).size)
    this.#policies = new FailurePolicies(this.#plan, counters)
    this.#policies.place = () => `record ${this.#sent} of the harness`
    const maxParallelism = plan.options.maxParallelism
    this.#parts = buildParts({
      plan: this.#plan,
      // Steps draw the seeds of their own randomness, and ask for nothing else.
      env: { random: createSeededRandom(options.seed ?? 1) } as unknown as Env,
      range: { first: 0, end: maxParallelism, total: maxParallelism },
      // Due timers are looked for whenever time moves.
      processing: { nowMs: () => this.#now, schedule: () => {} },
      hooks: this.#policies,
      batch: false,
      stages: stagesOf(plan, 1),
    })
    this.#chain = compileChain({
      plan: this.#plan,
      counters,
      operators: this.#parts.operators,
      origins: this.#parts.origins,
      sinks: new Map(
        plan.nodes.flatMap((node) => (node.kind === 'sink' ? [[node.id, this.#sink()]] : [])),
      ),
      hooks: this.#policies,
      batch: false,
      collected: new Map(),
      exchanges: noExchanges,
    })
    this.#source = plan.nodes.find((node) => node.kind === 'source')?.id ?? 0
    for (const origins of this.#parts.originsOfSource.values())
      for (const origin of origins) origin.open('input')
    for (const origin of this.#parts.inner) origin.open('input')
    if (restored !== undefined) this.#restore(restored)
    for (const origin of this.#parts.origins.values()) origin.select('input')
  }

  send(record: In, at?: Timestamp): void {
    this.#assertUsable()
    if (this.#setTime === undefined) {
      if (at !== undefined) {
        if (!(at >= this.#now))
          throw wrongUse(`send: a record cannot arrive at ${at}, it is ${this.#now} already`)
        this.#advanceTo(at)
      }
    } else if (at === undefined)
      throw wrongUse('send: this harness has event time, so it needs the time of the record')
    else this.#setTime(at)
    this.#sent++
    const root = this.#chain.roots.get(this.#source)
    this.#guarded(() => {
      root?.rows([record], 0, 1)
      this.#fireProcessingTime()
    })
  }

  watermark(at: Timestamp): void {
    this.#assertUsable()
    const { origins } = this.#parts
    if (origins.size === 0) throw wrongUse('watermark: no step has event time')
    if (!Number.isFinite(at)) throw wrongUse(`watermark: ${at} is not a time`)
    this.#guarded(() => {
      for (const origin of origins.values())
        if (at > origin.watermark()) origin.fireAt(at + origin.lag)
    })
  }

  advance(by: Duration): void {
    this.#assertUsable()
    if (!(by >= 0)) throw wrongUse(`advance: time does not go back by ${by} ms`)
    this.#advanceTo(this.#now + by)
  }

  take(): readonly Out[] {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  async snapshot(): Promise<HarnessSnapshot> {
    this.#assertUsable()
    const operators = [...this.#parts.operators.values()]
    this.#guarded(() => {
      for (const operator of operators) operator.flushEpoch()
    })
    return writeSnapshot({
      fingerprint: this.#plan.fingerprint,
      nowMs: this.#now,
      operators: operators.map((operator) => {
        const frozen = operator.freeze()
        const blocks = []
        for (let some = frozen.next(1 << 20); some !== undefined; some = frozen.next(1 << 20)) {
          for (const block of some) blocks.push({ ...block, bytes: block.bytes.slice() })
        }
        return { operator: operator.name, blocks }
      }),
      watermarks: [...this.#parts.origins.values()].flatMap((origin) => origin.storedWatermarks()),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= wrongUse('the harness was disposed')
  }

  #restore(stored: StoredHarness): void {
    const byName = new Map(
      [...this.#parts.operators.values()].map((operator) => [operator.name, operator]),
    )
    for (const { operator, blocks } of stored.operators) {
      const target = byName.get(operator)
      if (target === undefined)
        throw wrongUse(`restoreFrom: the snapshot has a step "${operator}", these steps do not`)
      for (const block of blocks) target.restore(block)
    }
    for (const operator of byName.values()) operator.finishRestore()
    for (const origin of this.#parts.origins.values()) {
      origin.restoreWatermarks([
        stored.watermarks.filter((watermark) => watermark.node === origin.id),
      ])
    }
  }

  #advanceTo(target: number): void {
    this.#guarded(() => {
      for (;;) {
        const next = this.#nextProcessingDue()
        if (!(next <= target)) break
        this.#now = Math.max(this.#now, next)
        this.#fireProcessingTime()
      }
      this.#now = target
    })
  }

  #fireProcessingTime(): void {
    for (const operator of this.#parts.operators.values()) {
      if (operator.nextProcessingDue() <= this.#now) operator.advanceProcessing(this.#now)
    }
  }

  #nextProcessingDue(): number {
    let next = Number.POSITIVE_INFINITY
    for (const operator of this.#parts.operators.values())
      next = Math.min(next, operator.nextProcessingDue())
    return next
  }

  /** Runs user code; an error names its step and ends the harness. */
  #guarded(work: () => void): void {
    try {
      try {
        work()
      } catch (error) {
        this.#policies.failed(this.#chain.current(), error, 0)
      }
      // Also when a policy such as `skip` has swallowed it.
      if (this.#guard.violation !== undefined) throw this.#guard.violation
    } catch (error) {
      this.#ended = error as TidemillError // `failed` throws nothing else
      throw error
    }
  }

  #assertUsable(): void {
    if (this.#ended === undefined) return
    if (this.#ended.code === testingErrors.harnessUse.code) throw this.#ended
    throw wrongUse(`the harness has failed before: ${this.#ended.message}`)
  }

  #sink(): SinkWriter<unknown> {
    return {
      write: (row) => {
        this.#rows.push(toPlain(row) as Out) // rows of the one sink
      },
      full: false,
      flush: () => Promise.resolve(),
      prepare: () => Promise.resolve(new Uint8Array(0)),
      commit: () => Promise.resolve(),
      recover: () => Promise.resolve(),
      counts: () => ({ received: this.#rows.length, skipped: 0, deadLettered: 0 }),
      close: () => Promise.resolve(),
    }
  }
}

function wrongUse(message: string): TidemillError {
  return new TidemillError(testingErrors.harnessUse, { message })
}
