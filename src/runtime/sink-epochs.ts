/**
 * The sinks of one subtask, how they are relieved and what they have prepared.
 *
 * A full sink is flushed beside the loop. Until that is done it holds the stage that feeds it, as a full receiver does;
 * everything else goes on, and a barrier may cut the sink meanwhile.
 *
 * A preparation is kept until its epoch or a later one commits:
 * when the attempt of an epoch fails, its output belongs to the next epoch that succeeds.
 */
import type { Env } from '../base/env.ts'
import { isTidemillError } from '../base/errors.ts'
import type { SinkPreparation } from '../checkpoint/manifest.ts'
import type { SinkWriter } from '../connectors/contract.ts'
import type { SinkPolicy } from '../graph/plan.ts'

interface OpenSink {
  readonly name: string
  readonly stage: number
  /** Its former name, under which a restored snapshot may know it. */
  readonly was: string | undefined
  readonly writer: SinkWriter<unknown>
  /** A flush is under way; it never rejects. */
  flushing: Promise<void> | undefined
}

export interface SinkHooks {
  /** A sink cannot write: what it was given is not safe. */
  readonly failed: (error: unknown) => void
  /** A sink has room again, or failed. */
  readonly signal: () => void
}

/** Waits between attempts of a paused sink. */
const pauseMs = 100
const pauseMsMax = 10_000

export class SinkEpochs {
  readonly #env: Env
  readonly #sinks: OpenSink[] = []
  /** Prepared and not committed, in order of epoch. */
  #prepared: SinkPreparation[] = []
  /** Settles when everything that was cut so far is durable. */
  #preparing: Promise<void> = Promise.resolve()
  /** Commits run one after the other. */
  #committing: Promise<void> = Promise.resolve()

  readonly #pauses: boolean
  readonly #hooks: SinkHooks
  /** Nothing is tried again any more. */
  #stopped = false
  #stop: () => void = () => {}
  readonly #stopping: Promise<void>

  /** `pause`: a sink that cannot write for now is tried again, and its stage waits; `fail`: the job fails. */
  constructor(env: Env, policy: SinkPolicy, hooks: SinkHooks) {
    this.#env = env
    this.#pauses = policy === 'pause'
    this.#hooks = hooks
    this.#stopping = new Promise((resolve) => {
      this.#stop = resolve
    })
  }

  add(name: string, was: string | undefined, stage: number, writer: SinkWriter<unknown>): void {
    this.#sinks.push({ name, was, stage, writer, flushing: undefined })
  }

  /** The sink that keeps a stage from going on. Dead letters come from every stage, so their sink holds all of them. */
  holder(stage: number): string | undefined {
    for (const sink of this.#sinks) {
      if (sink.stage !== stage && sink.stage !== lettersStage) continue
      if (sink.flushing !== undefined || sink.writer.full) return sink.name
    }
    return undefined
  }

  /** Begins to write out the sinks that are full. */
  relieve(): void {
    for (const sink of this.#sinks) {
      if (!sink.writer.full || sink.flushing !== undefined) continue
      sink.flushing = this.#flush(sink)
        .catch((error: unknown) => this.#hooks.failed(error))
        .then(() => {
          sink.flushing = undefined
          this.#hooks.signal()
        })
    }
  }

  /** Waits until every sink has room, for whoever cannot let the loop go on meanwhile. */
  async room(): Promise<void> {
    this.relieve()
    const flushing = this.#sinks.flatMap((sink) => sink.flushing ?? [])
    if (flushing.length > 0) await Promise.race([Promise.all(flushing), this.#stopping])
  }

  /** Ends pauses of sinks that cannot write for now. */
  stop(): void {
    this.#stopped = true
    this.#stop()
  }

  async #flush({ name, writer }: OpenSink): Promise<void> {
    for (let waitMs = pauseMs; ; waitMs = Math.min(waitMs * 2, pauseMsMax)) {
      try {
        return await writer.flush()
      } catch (error) {
        if (!this.#pauses || !isTidemillError(error) || error.kind !== 'transient') throw error
        this.#env.host.log('warn', `sink "${name}" cannot write, the job waits: ${error.message}`, {
          code: error.code,
          waitMs,
        })
        await this.#pause(waitMs)
        if (this.#stopped || !writer.full) return
      }
    }
  }

  /** Ends early when the subtask does. */
  async #pause(ms: number): Promise<void> {
    let cancel = (): void => {}
    const slept = new Promise<void>((resolve) => {
      const timer = this.#env.clock.timer(ms, resolve)
      cancel = () => timer.cancel()
    })
    await Promise.race([slept, this.#stopping])
    cancel()
  }

  /** Finishes what a restored snapshot says was prepared, and removes what nobody knows. */
  async recover(preparations: readonly SinkPreparation[]): Promise<void> {
    for (const { name, was, writer } of this.#sinks) {
      await writer.recover(preparations.filter((p) => p.sink === name || p.sink === was))
    }
  }

  /**
   * Cuts the sinks of a stage now; resolves when all that was written to them before is durable, and what was cut earlier
   * too: `preparations` then has it.
   */
  prepare(epoch: number, stage: number): Promise<void> {
    this.#env.host.crashPoint('sink.begin')
    const cuts = this.#sinks
      .filter((sink) => sink.stage === stage)
      .map(({ name, writer }) => ({ name, cut: writer.prepare(epoch) }))
    const earlier = this.#preparing
    const prepared = (async () => {
      const results = await Promise.allSettled(cuts.map(({ cut }) => cut))
      // What an epoch reports holds all that was written before it, also what an attempt that failed still prepares.
      await earlier
      let failure: unknown
      results.forEach((result, index) => {
        if (result.status === 'rejected') failure ??= result.reason
        else if (result.value.length > 0) {
          this.#prepared.push({ sink: cuts[index]?.name ?? '', epoch, prepared: result.value })
        }
      })
      if (failure !== undefined) throw failure
    })()
    this.#preparing = prepared
    return prepared
  }

  preparations(): readonly SinkPreparation[] {
    return [...this.#prepared]
  }

  /** Shows everything prepared up to `epoch`, sink by sink in order of epoch. */
  commit(epoch: number): Promise<void> {
    const due = this.#prepared.filter((p) => p.epoch <= epoch)
    this.#committing = this.#committing.then(async () => {
      for (const { name, writer } of this.#sinks) {
        for (const preparation of due) {
          if (preparation.sink === name)
            await writer.commit(preparation.epoch, preparation.prepared)
        }
      }
      this.#prepared = this.#prepared.filter((p) => !due.includes(p))
    })
    return this.#committing
  }

  async close(): Promise<void> {
    this.stop()
    await Promise.allSettled([this.#committing, ...this.#sinks.map(({ flushing }) => flushing)])
    const results = await Promise.allSettled(this.#sinks.map(({ writer }) => writer.close()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}

/** Dead letters come from every stage, so their sink is cut after the last one. */
export const lettersStage = -1
