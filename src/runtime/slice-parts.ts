/**
 * What the pieces of a slice share: everything that is made of the plan for one subtask, and the little that changes
 * while it runs. `slice.ts` owns it; opening, reading partitions, reading channels and ending a stage work on it.
 */
import type { Env } from '../base/env.ts'
import type { BufferPool } from '../checkpoint/buffer-pool.ts'
import type { Manifest, SourcePosition } from '../checkpoint/manifest.ts'
import type { SubtaskReport } from '../checkpoint/messages.ts'
import type { CheckpointStorage } from '../checkpoint/storage.ts'
import type { Sink, SinkWriter, SourceHandle } from '../connectors/contract.ts'
import type { SubtaskLinks } from '../exchange/contract.ts'
import { Standings, standingWords } from '../exchange/standings.ts'
import type { Letter } from '../graph/letters.ts'
import type { Plan } from '../graph/plan.ts'
import { ActivityMeter } from './activity.ts'
import { alignmentGroups, SourceAlignment } from './alignment.ts'
import type { Arrival } from './arrival.ts'
import { type BuiltParts, buildParts } from './build.ts'
import type { BatchRows, Chain } from './chain.ts'
import { counterLayout } from './chain.ts'
import { SubtaskClock } from './clock.ts'
import { EpochSnapshots } from './epoch-snapshots.ts'
import { FailurePolicies } from './failures.ts'
import { keyRange, rangeOfStep } from './key-ranges.ts'
import { LedgerCounter } from './ledger-counter.ts'
import { channelsOf } from './rows-in-flight.ts'
import { type PartialInput, partialInputs } from './partials.ts'
import type { PartitionInput } from './partition.ts'
import { SinkEpochs } from './sink-epochs.ts'
import { connectStages } from './stage-links.ts'
import type { Stage } from './stage.ts'
import { type Stages, stagesOf } from './stages.ts'

export interface SliceOptions {
  readonly env: Env
  readonly plan: Plan
  readonly mode: 'stream' | 'batch'
  readonly subtask: number
  readonly subtasks: number
  readonly generation: number
  readonly stateDirectory: string | undefined
  readonly storage: CheckpointStorage
  readonly pool: BufferPool
  /** What to restore; when it is absent the state is born now, and sinks must find nothing published. */
  readonly manifest: Manifest | undefined
  /**
   * The manifest has rows in flight, and the life is there for them to arrive: nothing is read from the sources. It has as
   * many subtasks as the life before.
   */
  readonly arriving?: boolean
  /** Where the policy `dead-letter` stores records that the program sends nowhere. */
  readonly deadLetters: Sink<Letter> | undefined
  /** Ways to the other subtasks; needed when there are any. */
  readonly links?: SubtaskLinks | undefined
  /** Where the number of the running stage is kept for other threads. */
  readonly cell?: Int32Array | undefined
  readonly report: (report: SubtaskReport) => void
  /** The subtask cannot go on; it has stopped by itself. Called at most once. */
  readonly failed: (error: unknown) => void
}

export interface SliceHooks {
  readonly committed: (positions: readonly SourcePosition[]) => Promise<void>
  /** Something has happened: the loop should not rest. */
  readonly signal: () => void
}

export class SliceParts {
  readonly options: SliceOptions
  readonly env: Env
  readonly plan: Plan
  readonly clock: SubtaskClock
  readonly counters: Float64Array
  readonly cuts: Stages
  readonly built: BuiltParts
  readonly stages: readonly Stage[]
  readonly partials: ReadonlyMap<number, PartialInput>
  readonly collected: Map<number, BatchRows> = new Map()
  readonly policies: FailurePolicies
  readonly handles: Map<number, SourceHandle<unknown>> = new Map()
  readonly sinks: SinkEpochs
  readonly writers: Map<number, SinkWriter<unknown>> = new Map()
  readonly ledger: LedgerCounter
  readonly snapshots: EpochSnapshots
  readonly meter: ActivityMeter
  /** Where partitions are kept together in event time. */
  readonly alignment: SourceAlignment | undefined
  readonly signal: () => void
  readonly inputs: PartitionInput[] = []
  /** Rows that an earlier life left in flight, by exchange. */
  readonly restored: Map<number, number> = new Map()
  chain: Chain | undefined
  /** In a life in which rows arrive that were in flight. */
  arrival: Arrival | undefined
  stopped = false
  /** A sink could not write or prepare: what it was given is not safe, and it takes nothing more. */
  broken: { readonly error: unknown } | undefined

  constructor(options: SliceOptions, hooks: SliceHooks) {
    const { env, plan, subtask, subtasks } = options
    this.options = options
    this.signal = hooks.signal
    this.env = env
    this.plan = plan
    this.cuts = stagesOf(plan, subtasks)
    const stageOf = (node: { readonly id: number }): number => this.cuts.stageOf[node.id] ?? 0
    this.clock = new SubtaskClock(env.clock)
    this.counters = new Float64Array(counterLayout(plan).size)
    this.policies = new FailurePolicies(plan, this.counters, stageOf)
    const batch = options.mode === 'batch'
    this.built = buildParts({
      plan,
      env,
      range: keyRange(plan.options.maxParallelism, subtask, subtasks),
      rangeOf: (step) => rangeOfStep(plan, this.cuts, step, subtask),
      processing: this.clock,
      hooks: this.policies,
      batch,
      stages: this.cuts,
    })
    if (batch)
      for (const id of this.built.origins.keys()) this.collected.set(id, { rows: [], times: [] })
    this.stages = connectStages({
      plan,
      subtask,
      subtasks,
      batch,
      stages: this.cuts,
      parts: this.built,
      links: options.links,
      clock: env.clock,
    })
    const { exchanges } = this.cuts
    this.partials = partialInputs(plan, exchanges, this.built, this.counters)
    this.meter = new ActivityMeter(this.stages.length, options.cell)
    const groups = batch ? 0 : alignmentGroups(plan).length
    if (groups > 0) {
      const words = options.links?.standings ?? standingWords(groups, 1)
      const standings = new Standings(words, subtask, subtasks)
      this.alignment = new SourceAlignment(plan, this.built.originsOfSource, this.inputs, standings)
    }
    const broken = (error: unknown): void => {
      this.broken ??= { error }
    }
    this.sinks = new SinkEpochs(env, plan.options.onError.sink, {
      failed: broken,
      signal: hooks.signal,
    })
    this.ledger = new LedgerCounter({
      plan,
      counters: this.counters,
      operators: this.built.operators,
      sinks: this.writers,
      collected: this.collected,
      stages: this.cuts,
      waiting: (node) => {
        const edge = this.cuts.of(node)
        const stage = edge && this.stages[edge.to]
        return (edge && stage?.collected.get(edge.id)?.length) ?? 0
      },
      restored: this.restored,
    })
    this.snapshots = new EpochSnapshots({
      env,
      job: plan.job,
      subtask,
      storage: options.storage,
      pool: options.pool,
      stages: this.stages,
      sinks: this.sinks,
      ledger: this.ledger,
      policies: this.policies,
      collected: () => this.#rowsCollected(),
      positions: () => this.#positions(),
      watermarks: (stage) =>
        this.arrival?.watermarks(stage) ??
        stage.origins.flatMap((origin) => origin.storedWatermarks()),
      channels: (stage) => channelsOf(stage, (id) => this.built.exchangeOrigins.get(id)),
      committed: hooks.committed,
      report: options.report,
      stepFailed: (error) => this.policies.failed(this.chain?.current(), error, -1),
      broken,
      signal: hooks.signal,
    })
  }

  /** Nothing more should be made in a stage: a receiver is full, or a sink writes. */
  held(stage: Stage): boolean {
    return stage.blocked || this.sinks.holder(stage.id) !== undefined
  }

  /** Runs steps of a stage; the time is counted and other threads see which stage it is. Gives back how long it took. */
  inStage(stage: number, run: () => void): number {
    const sinceMs = this.env.clock.monoMs()
    let tookMs = 0
    this.meter.enter(stage)
    try {
      run()
    } finally {
      tookMs = this.env.clock.monoMs() - sinceMs
      this.meter.leave(stage, tookMs)
    }
    return tookMs
  }

  /** Batch mode: rows that wait for their replay. */
  #rowsCollected(): number {
    let count = 0
    for (const { rows } of this.collected.values()) count += rows.length
    for (const { collected } of this.stages)
      for (const one of collected.values()) count += one.length
    return count
  }

  #positions(): readonly SourcePosition[] {
    if (this.arrival !== undefined) return this.arrival.positions
    return this.inputs.flatMap(({ sourceName, partition, position }) =>
      position === undefined ? [] : [{ source: sourceName, partition, position }],
    )
  }
}
