/** How a slice reads its partitions: in turn, a batch at a time, and who of them is silent. */
import type { SourceBatch } from '../connectors/contract.ts'
import type { PartitionInput } from './partition.ts'
import type { StageEnd } from './slice-end.ts'
import type { SliceParts } from './slice-parts.ts'
import type { Stage } from './stage.ts'
import type { Turns } from './turns.ts'

const lagMs = 1_000

interface TakenBatch {
  readonly input: PartitionInput
  readonly batch: SourceBatch<unknown>
  /** The first row that was not processed. */
  next: number
}

export class PartitionReading {
  /** How far the sources are behind, as they said last. */
  lag: number | undefined
  watchedAtMs = 0
  readonly #slice: SliceParts
  readonly #turns: Turns
  readonly #end: StageEnd
  /** A batch that is being processed, or waits for a full sink. */
  #taken: TakenBatch | undefined
  /** Partitions whose end the watermarks know of; there may be thousands. */
  readonly #ended = new Set<PartitionInput>()
  #next = 0
  #firstOutput = true
  #lagAtMs = 0

  constructor(slice: SliceParts, turns: Turns, end: StageEnd) {
    this.#slice = slice
    this.#turns = turns
    this.#end = end
  }

  /** Runs the chain over the next batch of a partition, or over what is left of one. False when nothing was to do. */
  async read(): Promise<boolean> {
    const [stage] = this.#slice.stages
    if (stage === undefined || this.#slice.held(stage)) return false
    if (this.#taken === undefined) {
      const input = this.#nextReady()
      if (input === undefined) return this.#atEnd(stage)
      const batch = input.take()
      if (batch === undefined) return true
      this.#slice.env.host.crashPoint('source.read')
      this.#taken = { input, batch, next: 0 }
    }
    await this.#process(this.#taken, false)
    return true
  }

  /**
   * Finishes the batch that waits for a full sink, if there is one: positions stand between batches. So a sink is given at
   * most the rest of one batch beyond what it calls full, and no other before it has room.
   */
  async complete(): Promise<void> {
    if (this.#taken !== undefined) await this.#process(this.#taken, true)
  }

  async #atEnd(stage: Stage): Promise<boolean> {
    this.watch()
    if (stage.ended || !this.#slice.inputs.every((i) => i.state === 'ended')) return false
    await this.#end.finish(stage)
    return true
  }

  /** The next partition with rows: in turn, or strictly one after the other in batch mode. */
  #nextReady(): PartitionInput | undefined {
    const inputs = this.#slice.inputs
    if (this.#slice.options.mode === 'batch') {
      const first = inputs.find((i) => i.state !== 'ended')
      if (first === undefined) return undefined
      if (first.state === 'failed') throw first.error
      first.request()
      return first.state === 'ready' ? first : undefined
    }
    const { alignment } = this.#slice
    alignment?.hear()
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[(this.#next + i) % inputs.length]
      if (input === undefined) continue
      if (input.state === 'failed') throw input.error
      if (input.state === 'idle') input.request()
      if (input.state !== 'ready' || alignment?.holds(input)) continue
      this.#next = (this.#next + i + 1) % inputs.length
      return input
    }
    return undefined
  }

  /** Between two calls of the chain a full sink or a checkpoint stops the batch, unless all of it has to go. */
  async #process(taken: TakenBatch, whole: boolean): Promise<void> {
    const { input, batch } = taken
    const { chain, policies, sinks, snapshots, built, stages, env } = this.#slice
    const root = chain?.roots.get(input.source)
    if (root === undefined) return
    for (const origin of built.originsOfSource.get(input.source) ?? []) {
      origin.select(input.channel)
      origin.limit(batch.appendedMs)
    }
    for (const output of stages[0]?.outputs ?? []) output.rank = input.rank
    input.idleSinceMs = Number.NaN
    const place = (index: number): string =>
      `${input.sourceName}[${input.partition}] ${batch.locate(index)}`
    const count = batch.kind === 'rows' ? batch.rows.length : batch.frame.length
    while (taken.next < count) {
      const from = taken.next
      const to = Math.min(from + this.#turns.rowsPerCall, count)
      policies.place = place
      policies.locate = (index) => batch.locate(index)
      this.#slice.inStage(0, () => {
        if (batch.kind === 'rows') root.rows(batch.rows, from, to)
        else root.frame(batch.frame, from, to)
      })
      taken.next = to
      sinks.relieve()
      await this.#turns.give()
      if (this.#slice.stopped) return
      if (whole || taken.next === count) continue
      if (sinks.holder(0) !== undefined || snapshots.due) return
    }
    policies.place = place
    if (batch.kind === 'rows') {
      for (const rejected of batch.rejected)
        policies.undecodable(input.source, rejected, root.rejected)
      sinks.relieve()
    }
    this.#slice.ledger.read(input.source, count, batch.kind === 'rows' ? batch.rejected.length : 0)
    if (this.#firstOutput) {
      this.#firstOutput = false
      env.host.crashPoint('recover.first.output')
    }
    env.host.crashPoint('source.position')
    this.#taken = undefined
    this.#slice.alignment?.read(input)
    input.processed()
  }

  /** Asks the sources now and then how far behind they are; nobody waits for the answer. */
  measureLag(nowMs: number): void {
    if (nowMs - this.#lagAtMs < lagMs) return
    this.#lagAtMs = nowMs
    Promise.all(this.#slice.inputs.map((input) => input.lag())).then(
      (lags) => {
        const known = lags.filter((lag) => lag !== undefined)
        this.lag = known.length === 0 ? undefined : known.reduce((sum, lag) => sum + lag, 0)
      },
      // A source that cannot tell now is asked again; reading reports real failures.
      () => {
        this.lag = undefined
      },
    )
  }

  /**
   * Partitions that ended, and those whose source has had nothing to read for `idleAfter`, no longer hold watermarks
   * back. A partition with unread rows is never idle.
   */
  watch(): void {
    const now = this.#slice.env.clock.monoMs()
    this.watchedAtMs = now
    this.#slice.policies.place = () => 'while a partition fell silent'
    try {
      for (const input of this.#slice.inputs) {
        if (this.#ended.has(input)) continue
        const origins = this.#slice.built.originsOfSource.get(input.source) ?? []
        if (input.state === 'ended') {
          this.#ended.add(input)
          for (const origin of origins) origin.end(input.channel)
        } else if (input.quiet) {
          if (Number.isNaN(input.idleSinceMs)) input.idleSinceMs = now
          for (const origin of origins) {
            const node = this.#slice.plan.nodes[origin.id]
            if (node?.kind === 'event-time' && now - input.idleSinceMs >= node.idleAfter)
              origin.setIdle(input.channel)
          }
        }
      }
      this.#slice.alignment?.look()
    } catch (error) {
      this.#slice.policies.failed(this.#slice.chain?.current(), error, -1)
    }
  }
}
