/**
 * The sinks of one subtask and what they have prepared. A preparation is kept until its epoch or a later one commits:
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

  /** `pause`: a sink that cannot write for now is tried again, and the job waits; `fail`: the job fails. */
  constructor(env: Env, policy: SinkPolicy) {
    this.#env = env
    this.#pauses = policy === 'pause'
  }

  add(name: string, was: string | undefined, stage: number, writer: SinkWriter<unknown>): void {
    this.#sinks.push({ name, was, stage, writer })
  }

  /** Some sink has no room for more rows. */
  get full(): boolean {
    for (const { writer } of this.#sinks) if (writer.full) return true
    return false
  }

  /** Writes out what is buffered until every sink has room again; `ended` gives up waiting. */
  async flush(ended: () => boolean, waited: (sink: string, ms: number) => void): Promise<void> {
    for (const { name, writer } of this.#sinks) {
      if (!writer.full) continue
      const sinceMs = this.#env.clock.monoMs()
      for (
        let waitMs = pauseMs;
        writer.full && !ended();
        waitMs = Math.min(waitMs * 2, pauseMsMax)
      ) {
        try {
          await writer.flush()
          break
        } catch (error) {
          if (!this.#pauses || !isTidemillError(error) || error.kind !== 'transient') throw error
          this.#env.host.log(
            'warn',
            `sink "${name}" cannot write, the job waits: ${error.message}`,
            { code: error.code, waitMs },
          )
          await this.#env.clock.sleep(waitMs)
        }
      }
      waited(name, this.#env.clock.monoMs() - sinceMs)
    }
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
    await Promise.allSettled([this.#committing])
    const results = await Promise.allSettled(this.#sinks.map(({ writer }) => writer.close()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}
