/**
 * The sinks of one subtask and what they have prepared. A preparation is kept until its epoch or a later one commits:
 * when the attempt of an epoch fails, its output belongs to the next epoch that succeeds.
 */
import type { Env } from '../base/env.ts'
import type { SinkPreparation } from '../checkpoint/manifest.ts'
import type { SinkWriter } from '../connectors/contract.ts'

interface OpenSink {
  readonly name: string
  readonly writer: SinkWriter<unknown>
}

export class SinkEpochs {
  readonly #env: Env
  readonly #sinks: OpenSink[] = []
  /** Prepared and not committed, in order of epoch. */
  #prepared: SinkPreparation[] = []
  /** Commits run one after the other. */
  #committing: Promise<void> = Promise.resolve()

  constructor(env: Env) {
    this.#env = env
  }

  add(name: string, writer: SinkWriter<unknown>): void {
    this.#sinks.push({ name, writer })
  }

  /** Some sink has no room for more rows. */
  get full(): boolean {
    for (const { writer } of this.#sinks) if (writer.full) return true
    return false
  }

  async flush(): Promise<void> {
    for (const { writer } of this.#sinks) if (writer.full) await writer.flush()
  }

  /** Finishes what a restored snapshot says was prepared, and removes what nobody knows. */
  async recover(preparations: readonly SinkPreparation[]): Promise<void> {
    for (const { name, writer } of this.#sinks) {
      await writer.recover(preparations.filter((p) => p.sink === name))
    }
  }

  /** Cuts every sink now; resolves when all that was written before is durable. */
  prepare(epoch: number): Promise<void> {
    this.#env.host.crashPoint('sink.begin')
    const cuts = this.#sinks.map(({ name, writer }) => ({ name, cut: writer.prepare(epoch) }))
    return (async () => {
      const results = await Promise.allSettled(cuts.map(({ cut }) => cut))
      let failure: unknown
      results.forEach((result, index) => {
        if (result.status === 'rejected') failure ??= result.reason
        else if (result.value.length > 0) {
          this.#prepared.push({ sink: cuts[index]?.name ?? '', epoch, prepared: result.value })
        }
      })
      if (failure !== undefined) throw failure
    })()
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
          if (preparation.sink === name) await writer.commit(preparation.epoch, preparation.prepared)
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
