/**
 * One subtask of a job: it reads its share of the partitions, runs every stage of the plan, keeps its share of the
 * state, writes the sinks. Subtasks meet in exchanges (`stages.ts`); with one subtask there is a single stage.
 *
 *   open sinks and sources ─▶ restore ─▶ loop ─▶ input used up ─▶ final watermark ─▶ report `finished` ─▶ wait
 *
 * The loop takes one batch at a time: messages of the other subtasks first, the latest stage before the earlier ones,
 * then rows of the partitions in turn. A stage whose receivers are full gets nothing. Everything asynchronous happens
 * between batches:
 *
 *  1. a checkpoint, when the driver asked for one (`epoch-snapshots.ts`);
 *  2. full sinks are flushed (this is the back-pressure of the outside world), due processing-time timers fire;
 *  3. what is batched for other subtasks is sent when there is nothing to do, and once per millisecond;
 *  4. other work of the thread gets its turn every few milliseconds.
 *
 * In batch mode partitions are read one after the other, event-time steps (with several subtasks: exchanges) collect
 * their rows, and at the end of the input the rows are replayed in stable event-time order.
 */
import type { Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { timestampMax, timestampMin } from '../base/time.ts'
import type { BufferPool } from '../checkpoint/buffer-pool.ts'
import type { Manifest, SourcePosition, SubtaskSnapshot } from '../checkpoint/manifest.ts'
import type { SubtaskMessage, SubtaskReport } from '../checkpoint/messages.ts'
import { restoreBlocks } from '../checkpoint/restore.ts'
import type { CheckpointStorage } from '../checkpoint/storage.ts'
import type { Sink, SinkWriter, SourceHandle } from '../connectors/contract.ts'
import type { Message, SubtaskLinks } from '../exchange/contract.ts'
import type { Letter } from '../graph/letters.ts'
import type { Plan, SourceNode } from '../graph/plan.ts'
import type { KeyGroupRange } from '../state/contract.ts'
import { type BuiltParts, buildParts } from './build.ts'
import type { BatchRows, Chain } from './chain.ts'
import { counterLayout } from './chain.ts'
import type { ChannelInput } from './channel-input.ts'
import { SubtaskClock } from './clock.ts'
import { compileChain } from './compile-chain.ts'
import { EpochSnapshots, lettersStage } from './epoch-snapshots.ts'
import { runtimeErrors } from './errors.ts'
import { ActivityMeter, type SliceActivity, stepsOfStages } from './activity.ts'
import { FailurePolicies } from './failures.ts'
import { LedgerCounter } from './ledger-counter.ts'
import { PartitionInput } from './partition.ts'
import { fieldsRead } from './projection.ts'
import type { SliceProgress } from './progress.ts'
import { replayInOrder } from './replay.ts'
import { SinkEpochs } from './sink-epochs.ts'
import { chainExchanges, connectStages } from './stage-links.ts'
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

/** Longest time without giving other work of the thread its turn. */
const turnMs = 4
/** Rows per call of the chain, at most: full sinks, snapshots and other work of the thread wait for so many. */
const rowsPerCallMax = 1024
/** A call that takes longer makes the next one smaller: one row of slow user code may cost a millisecond. */
const callMsMax = 16
/** Messages taken from one channel before the next has its turn. */
const messagesPerTurn = 4
/** Rows for other subtasks wait at most this long for their frame to fill. */
const flushMs = 1

export class Slice {
  readonly #options: SliceOptions
  readonly #env: Env
  readonly #plan: Plan
  readonly #range: KeyGroupRange
  readonly #clock: SubtaskClock
  readonly #counters: Float64Array
  readonly #cuts: Stages
  readonly #parts: BuiltParts
  readonly #stages: readonly Stage[]
  readonly #collected: Map<number, BatchRows> = new Map()
  readonly #policies: FailurePolicies
  readonly #handles: Map<number, SourceHandle<unknown>> = new Map()
  readonly #sinks: SinkEpochs
  readonly #writers: Map<number, SinkWriter<unknown>> = new Map()
  readonly #ledger: LedgerCounter
  readonly #snapshots: EpochSnapshots
  readonly #meter: ActivityMeter
  readonly #bornMs: number
  readonly #steps: readonly (readonly string[])[]
  #inputs: PartitionInput[] = []
  #chain: Chain | undefined
  /** Sources read nothing any more: a final checkpoint is under way. */
  #sealed = false
  #finished = false
  #stopped = false
  /** A sink could not prepare: what it was given is not safe, and it takes nothing more. */
  #broken: { readonly error: unknown } | undefined
  #wake: (() => void) | undefined
  #woken = false
  #next = 0
  #firstOutput = true
  #rowsPerCall = rowsPerCallMax
  /** When other work of the thread last had its turn. */
  #turnAtMs = 0
  #flushedAtMs = 0
  #lag: number | undefined
  #lagAtMs = 0
  #watchedAtMs = 0

  constructor(options: SliceOptions) {
    const { env, plan, subtask, subtasks } = options
    this.#options = options
    this.#env = env
    this.#plan = plan
    const total = plan.options.maxParallelism
    this.#range = {
      first: Math.floor((total * subtask) / subtasks),
      end: Math.floor((total * (subtask + 1)) / subtasks),
      total,
    }
    this.#cuts = stagesOf(plan, subtasks)
    const stageOf = (node: { readonly id: number }): number => this.#cuts.stageOf[node.id] ?? 0
    this.#clock = new SubtaskClock(env.clock)
    this.#counters = new Float64Array(counterLayout(plan).size)
    this.#policies = new FailurePolicies(plan, this.#counters, stageOf)
    const batch = options.mode === 'batch'
    this.#parts = buildParts({
      plan,
      env,
      range: this.#range,
      processing: this.#clock,
      hooks: this.#policies,
      batch,
      stages: this.#cuts,
    })
    if (batch)
      for (const id of this.#parts.origins.keys()) this.#collected.set(id, { rows: [], times: [] })
    this.#stages = connectStages({
      plan,
      subtask,
      subtasks,
      batch,
      stages: this.#cuts,
      parts: this.#parts,
      links: options.links,
    })
    this.#meter = new ActivityMeter(this.#stages.length, options.cell)
    this.#bornMs = env.clock.monoMs()
    this.#steps = stepsOfStages(plan, this.#cuts)
    this.#sinks = new SinkEpochs(env, plan.options.onError.sink)
    this.#ledger = new LedgerCounter({
      plan,
      counters: this.#counters,
      operators: this.#parts.operators,
      sinks: this.#writers,
      collected: this.#collected,
      stages: this.#cuts,
      waiting: (keyBy) => {
        const edge = this.#cuts.hashOf(keyBy)
        const stage = edge && this.#stages[edge.to]
        return (edge && stage?.collected.get(edge.id)?.length) ?? 0
      },
    })
    this.#snapshots = new EpochSnapshots({
      env,
      job: plan.job,
      subtask,
      storage: options.storage,
      pool: options.pool,
      stages: this.#stages,
      sinks: this.#sinks,
      ledger: this.#ledger,
      policies: this.#policies,
      collected: () => this.#rowsCollected(),
      positions: () => this.#positions(),
      committed: (positions) => this.#tellSources(positions),
      report: options.report,
      stepFailed: (error) => this.#policies.failed(this.#chain?.current(), error, -1),
      broken: (error) => {
        this.#broken ??= { error }
      },
      signal: () => this.#signal(),
    })
  }

  /** Runs until the driver ends the job or something fails. Never rejects. */
  async run(): Promise<void> {
    try {
      if (this.#options.manifest?.finished === true)
        await this.#showResults(this.#options.manifest.epoch)
      else {
        await this.#open()
        await this.#loop()
      }
    } catch (error) {
      if (!this.#stopped) {
        this.#end()
        this.#options.failed(error)
      }
    } finally {
      this.#end()
      await this.#close()
    }
  }

  /** Takes a message of the checkpoint driver. */
  send(message: SubtaskMessage): void {
    if (this.#stopped) return
    if (message.kind === 'abort') this.#sealed = false
    this.#snapshots.receive(message)
    this.#signal()
  }

  /** Stops at the next batch boundary without a checkpoint. */
  stop(): void {
    this.#end()
    this.#signal()
  }

  progress(): SliceProgress {
    const origin =
      [...this.#parts.exchangeOrigins.values()][0] ?? [...this.#parts.origins.values()][0]
    return {
      ...this.#ledger.totals(),
      watermarkMs: origin?.watermark(),
      lag: this.#lag,
      holders:
        origin
          ?.holders()
          .slice(0, 3)
          .map((h) => h.channel) ?? [],
      activity: this.#activity(),
    }
  }

  #activity(): SliceActivity {
    const { idleMs, blockedMs, sinkMs, stageMs, hotKeys } = this.#meter
    const inputs = this.#stages.flatMap((stage) => stage.inputs)
    const outputs = this.#stages.flatMap((stage) => stage.outputs)
    return {
      aliveMs: this.#env.clock.monoMs() - this.#bornMs,
      idleMs,
      blockedMs,
      sinkMs: { ...sinkMs },
      stageMs: [...stageMs],
      stageSteps: this.#steps,
      fills: inputs.map(({ edge, from, fill }) => ({ exchange: edge.id, from, fill })),
      rowsIn: inputs.reduce((sum, { rows }) => sum + rows, 0),
      rowsOut: outputs.reduce((sum, { rowsSent }) => sum + rowsSent, 0),
      bytesOut: outputs.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
      keys: Object.fromEntries(
        [...this.#parts.operators.values()].map((one) => [one.name, one.counts().keys]),
      ),
      hotKeys: hotKeys.top(3),
    }
  }

  async #flushSinks(): Promise<void> {
    await this.#sinks.flush(
      () => this.#stopped,
      (sink, ms) => this.#meter.waitedForSink(sink, ms),
    )
  }

  /** Runs steps of a stage; the time is counted and other threads see which stage it is. */
  #inStage(stage: number, run: () => void): void {
    const sinceMs = this.#env.clock.monoMs()
    this.#meter.enter(stage)
    try {
      run()
    } finally {
      this.#meter.leave(stage, this.#env.clock.monoMs() - sinceMs)
    }
  }

  #end(): void {
    this.#stopped = true
    this.#snapshots.stop()
  }

  // ---- start

  /** A finished job has nothing to read, but its last epoch may have been published and not shown. */
  async #showResults(epoch: number): Promise<void> {
    await this.#openSinks()
    this.#options.report({ kind: 'committed', subtask: this.#options.subtask, epoch })
  }

  async #openSinks(): Promise<void> {
    const { env } = this.#options
    for (const node of this.#plan.nodes) {
      if (node.kind !== 'sink') continue
      const stage = this.#cuts.stageOf[node.id] ?? 0
      this.#writers.set(node.id, await this.#openSink(node.name, node.was, stage, node.sink))
    }
    const { deadLetters } = this.#options
    if (this.#policies.needsDeadLetters && deadLetters !== undefined) {
      this.#policies.deadLetters = await this.#openSink(
        'dead-letters',
        undefined,
        lettersStage,
        deadLetters as Sink<unknown>,
      )
    }
    const snapshots = this.#options.manifest?.subtasks ?? []
    await this.#sinks.recover(snapshots.flatMap((snapshot) => snapshot.sinks))
    env.host.crashPoint('recover.abort')
  }

  async #open(): Promise<void> {
    const { env, links, mode } = this.#options
    const snapshots = this.#options.manifest?.subtasks ?? []
    await this.#openSinks()
    this.#chain = compileChain({
      plan: this.#plan,
      counters: this.#counters,
      operators: this.#parts.operators,
      origins: this.#parts.origins,
      sinks: this.#writers,
      hooks: this.#policies,
      batch: mode === 'batch',
      collected: this.#collected,
      exchanges: chainExchanges(this.#cuts, this.#parts, this.#stages),
    })
    await this.#restoreState()
    for (const node of this.#plan.nodes)
      if (node.kind === 'source') await this.#openSource(node, snapshots)
    env.host.crashPoint('recover.positions')
    for (const origin of this.#parts.inner) {
      origin.open('input')
      origin.select('input')
    }
    this.#restoreTime(snapshots)
    links?.onNews(() => this.#signal())
    // A subtask without partitions says with its first message that nothing will come.
    for (const stage of this.#stages) {
      if (stage.id > 0 || this.#inputs.length > 0)
        for (const output of stage.outputs) output.greet()
    }
  }

  async #openSink(
    name: string,
    was: string | undefined,
    stage: number,
    sink: Sink<unknown>,
  ): Promise<SinkWriter<unknown>> {
    const writer = await sink.open({
      env: this.#env,
      name,
      job: this.#plan.job,
      subtask: this.#options.subtask,
      subtasks: this.#options.subtasks,
      generation: this.#options.generation,
      fresh: this.#options.manifest === undefined,
      stateDirectory: this.#options.stateDirectory,
    })
    this.#sinks.add(name, was, stage, writer)
    return writer
  }

  async #restoreState(): Promise<void> {
    const { manifest, storage, subtask } = this.#options
    if (manifest === undefined) return
    const byName = new Map(
      [...this.#parts.operators.values()].map((operator) => [operator.name, operator]),
    )
    for (const node of this.#plan.nodes) {
      const operator = this.#parts.operators.get(node.id)
      if (operator && node.was !== undefined && !byName.has(node.was))
        byName.set(node.was, operator)
    }
    const selection = { keyGroups: this.#range, unkeyed: () => true }
    await restoreBlocks(storage, manifest, selection, (name, block, writer) => {
      const operator = byName.get(name)
      if (operator === undefined) {
        throw new TidemillError(runtimeErrors.planMismatch, {
          message: `the snapshot holds state of step "${name}", which the program does not have`,
          details: { operator: name },
        })
      }
      operator.restore(block, { writer, own: writer === subtask })
    })
    for (const operator of this.#parts.operators.values()) operator.finishRestore()
    this.#env.host.crashPoint('recover.load')
  }

  async #openSource(node: SourceNode, snapshots: readonly SubtaskSnapshot[]): Promise<void> {
    if (
      this.#options.mode === 'batch' &&
      !node.source.bounded &&
      node.source.endsInBatch !== true
    ) {
      throw new TidemillError(runtimeErrors.notBounded, {
        message: `source "${node.name}" never ends`,
      })
    }
    const handle = await node.source.open({
      env: this.#env,
      name: node.name,
      fields: fieldsRead(this.#plan, node),
      mode: this.#options.mode,
    })
    this.#handles.set(node.id, handle)
    const names = new Set([node.name, node.was])
    const positions = snapshots.flatMap((s) => s.positions).filter((p) => names.has(p.source))
    const partitions = await handle.partitions()
    for (const [index, partition] of partitions.entries()) {
      if (index % this.#options.subtasks !== this.#options.subtask) continue
      const position = positions.find((p) => p.partition === partition)?.position
      const reader = await handle.reader(partition, position)
      const input = new PartitionInput(node, partition, index, reader, position, () =>
        this.#signal(),
      )
      this.#inputs.push(input)
      for (const origin of this.#parts.originsOfSource.get(node.id) ?? [])
        origin.open(input.channel)
    }
  }

  /** Watermarks of partitions as they were; behind an exchange, what all senders had reached. */
  #restoreTime(snapshots: readonly SubtaskSnapshot[]): void {
    for (const origin of this.#parts.origins.values()) {
      if (this.#options.subtasks > 1) origin.seal()
      const stored = snapshots.map((s) => s.watermarks.filter((w) => w.node === origin.id))
      origin.restoreWatermarks(stored)
    }
    for (const { id } of this.#cuts.exchanges) {
      const floor = this.#parts.exchangeClocks.get(id)?.floor() ?? timestampMin
      this.#parts.exchangeOrigins.get(id)?.raiseFloor(floor)
    }
  }

  // ---- the loop

  async #loop(): Promise<void> {
    this.#turnAtMs = this.#env.clock.monoMs()
    while (!this.#stopped) {
      if (this.#broken !== undefined) throw this.#broken.error
      const requested = this.#snapshots.requested
      if (requested !== undefined) {
        if (requested.snapshot === 'final') this.#sealed = true
        await this.#snapshots.start()
      }
      let worked = await this.#readChannels()
      if (!this.#sealed && (await this.#readSome())) worked = true
      await this.#snapshots.continue()
      if (this.#sinks.full) await this.#flushSinks()
      if (this.#clock.tick() >= this.#clock.due) this.#fireProcessingTime()
      const now = this.#env.clock.monoMs()
      if (this.#flushOutputs(now, worked)) worked = true
      this.#measureLag(now)
      if (now - this.#watchedAtMs >= watchMs) this.#watchInputs()
      if (worked || this.#snapshots.working) {
        if (now - this.#turnAtMs < turnMs) continue
        await this.#env.tasks.yield()
      } else await this.#rest()
      this.#turnAtMs = this.#env.clock.monoMs()
    }
  }

  /** Sends what is batched. True when something for this subtask itself was among it. */
  #flushOutputs(nowMs: number, worked: boolean): boolean {
    if (this.#stages.length === 1) return false
    if (worked && nowMs - this.#flushedAtMs < flushMs) return true
    this.#flushedAtMs = nowMs
    for (const stage of this.#stages) for (const output of stage.outputs) output.flush()
    return this.#stages.some(
      (stage) => stage.started && !stage.blocked && stage.inputs.some((input) => input.ready),
    )
  }

  /** Takes messages of the other subtasks, for the last stage first, so that rows leave before new ones come in. */
  async #readChannels(): Promise<boolean> {
    let worked = false
    for (let id = this.#stages.length - 1; id > 0; id--) {
      const stage = this.#stages[id]
      if (stage === undefined || !(stage.started || (await this.#start(stage)))) continue
      for (const input of stage.inputs) {
        for (let i = 0; i < messagesPerTurn && !this.#stopped; i++) {
          if (stage.blocked) break
          const message = input.next()
          if (message === undefined) break
          worked = true
          await this.#take(stage, input, message)
        }
      }
      if (!stage.ended && stage.usedUp) {
        await this.#finishStage(stage)
        worked = true
      }
    }
    return worked
  }

  /** A stage of a timed stream begins when all senders have said where their event time stands. */
  async #start(stage: Stage): Promise<boolean> {
    const timed = stage.inputs.filter(
      ({ edge }) => this.#parts.exchangeOrigins.has(edge.id) && !stage.collected.has(edge.id),
    )
    for (const input of timed) input.listen()
    if (!timed.every((input) => input.heard)) return false
    stage.started = true
    for (const input of timed) {
      const greeting = input.takeGreeting()
      if (greeting !== undefined) await this.#take(stage, input, greeting)
    }
    return true
  }

  async #take(stage: Stage, input: ChannelInput, message: Message): Promise<void> {
    const { edge, channel, from } = input
    const origin = this.#parts.exchangeOrigins.get(edge.id)
    const collected = stage.collected.get(edge.id)
    switch (message.kind) {
      case 'rows': {
        const { rows } = message
        input.rows += rows.length
        if (collected !== undefined) collected.sender = from
        else origin?.select(channel)
        this.#policies.place = (index) => `row ${index} of a batch from subtask ${from}`
        this.#meter.hotKeys.add(rows)
        this.#inStage(stage.id, () =>
          this.#chain?.exchanges.get(edge.id)?.batch(rows, 0, rows.length),
        )
        if (this.#sinks.full) await this.#flushSinks()
        await this.#giveTurn()
        return
      }
      case 'watermark':
        this.#timeMoves(() => origin?.advanceChannel(channel, message.watermark))
        return
      case 'idle':
        this.#timeMoves(() => origin?.setIdle(channel))
        return
      case 'barrier':
        if (this.#snapshots.isOver(message.epoch)) return
        if (stage.barrier(input, message.epoch)) this.#snapshots.aligned(stage, message.epoch)
        return
      case 'end':
        input.ended = true
        if (collected === undefined) this.#timeMoves(() => origin?.end(channel))
    }
  }

  #timeMoves(move: () => void): void {
    this.#policies.place = () => 'while event time advanced'
    try {
      move()
    } catch (error) {
      this.#policies.failed(this.#chain?.current(), error, -1)
    }
  }

  /** Runs the chain over the next batch of a partition, if any. */
  async #readSome(): Promise<boolean> {
    const [stage] = this.#stages
    if (stage === undefined || stage.blocked) return false
    const input = this.#nextReady()
    if (input !== undefined) {
      const batch = input.take()
      if (batch === undefined) return true
      this.#env.host.crashPoint('source.read')
      await this.#process(input, batch)
      this.#env.host.crashPoint('source.position')
      input.processed()
      return true
    }
    this.#watchInputs()
    if (stage.ended || !this.#inputs.every((i) => i.state === 'ended')) return false
    await this.#finishStage(stage)
    return true
  }

  /** The next partition with rows: in turn, or strictly one after the other in batch mode. */
  #nextReady(): PartitionInput | undefined {
    const inputs = this.#inputs
    if (this.#options.mode === 'batch') {
      const first = inputs.find((i) => i.state !== 'ended')
      if (first === undefined) return undefined
      if (first.state === 'failed') throw first.error
      first.request()
      return first.state === 'ready' ? first : undefined
    }
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[(this.#next + i) % inputs.length]
      if (input === undefined) continue
      if (input.state === 'failed') throw input.error
      if (input.state === 'idle') input.request()
      if (input.state !== 'ready') continue
      this.#next = (this.#next + i + 1) % inputs.length
      return input
    }
    return undefined
  }

  async #process(
    input: PartitionInput,
    batch: NonNullable<ReturnType<PartitionInput['take']>>,
  ): Promise<void> {
    const root = this.#chain?.roots.get(input.source)
    if (root === undefined) return
    for (const origin of this.#parts.originsOfSource.get(input.source) ?? [])
      origin.select(input.channel)
    for (const output of this.#stages[0]?.outputs ?? []) output.rank = input.rank
    input.idleSinceMs = Number.NaN
    const place = (index: number): string =>
      `${input.sourceName}[${input.partition}] ${batch.locate(index)}`
    this.#policies.place = place
    const count = batch.kind === 'rows' ? batch.rows.length : batch.frame.length
    for (let from = 0; from < count; ) {
      const to = Math.min(from + this.#rowsPerCall, count)
      const first = from
      this.#inStage(0, () => {
        if (batch.kind === 'rows') root.rows(batch.rows, first, to)
        else root.frame(batch.frame, first, to)
      })
      from = to
      if (this.#sinks.full) await this.#flushSinks()
      await this.#giveTurn()
    }
    if (batch.kind === 'rows') {
      for (const rejected of batch.rejected)
        this.#policies.undecodable(input.source, rejected, root.rejected)
    }
    this.#ledger.read(input.source, count, batch.kind === 'rows' ? batch.rejected.length : 0)
    if (this.#firstOutput) {
      this.#firstOutput = false
      this.#env.host.crashPoint('recover.first.output')
    }
  }

  /**
   * In the middle of a batch: a checkpoint is a row of small writes, and each would else wait for a whole batch. No
   * barrier is taken here, so positions still stand between batches.
   */
  async #giveTurn(): Promise<void> {
    await this.#snapshots.continue()
    const spentMs = this.#env.clock.monoMs() - this.#turnAtMs
    if (spentMs < turnMs) return
    if (spentMs > callMsMax) this.#rowsPerCall = Math.max(1, this.#rowsPerCall >> 1)
    else if (this.#rowsPerCall < rowsPerCallMax) this.#rowsPerCall *= 2
    await this.#env.tasks.yield()
    this.#turnAtMs = this.#env.clock.monoMs()
  }

  /** Asks the sources now and then how far behind they are; nobody waits for the answer. */
  #measureLag(nowMs: number): void {
    if (nowMs - this.#lagAtMs < lagMs) return
    this.#lagAtMs = nowMs
    Promise.all(this.#inputs.map((input) => input.lag())).then(
      (lags) => {
        const known = lags.filter((lag) => lag !== undefined)
        this.#lag = known.length === 0 ? undefined : known.reduce((sum, lag) => sum + lag, 0)
      },
      // A source that cannot tell now is asked again; reading reports real failures.
      () => {
        this.#lag = undefined
      },
    )
  }

  /**
   * Partitions that ended, and those whose source has had nothing to read for `idleAfter`, no longer hold watermarks
   * back. A partition with unread rows is never idle.
   */
  #watchInputs(): void {
    const now = this.#env.clock.monoMs()
    this.#watchedAtMs = now
    this.#policies.place = () => 'while a partition fell silent'
    try {
      for (const input of this.#inputs) {
        const origins = this.#parts.originsOfSource.get(input.source) ?? []
        if (input.state === 'ended') for (const origin of origins) origin.end(input.channel)
        else if (input.quiet) {
          if (Number.isNaN(input.idleSinceMs)) input.idleSinceMs = now
          for (const origin of origins) {
            const node = this.#plan.nodes[origin.id]
            if (node?.kind === 'event-time' && now - input.idleSinceMs >= node.idleAfter)
              origin.setIdle(input.channel)
          }
        }
      }
    } catch (error) {
      this.#policies.failed(this.#chain?.current(), error, -1)
    }
  }

  /** All input of a stage is used up: replay in batch mode, then the end of time, then what steps hold back. */
  async #finishStage(stage: Stage): Promise<void> {
    this.#policies.place = () => 'at the end of the input'
    try {
      if (this.#options.mode === 'batch') await this.#replay(stage)
      for (const origin of stage.inner) origin.end('input')
      for (const operator of stage.operators) {
        operator.advance(timestampMax)
        operator.finish()
        if (this.#sinks.full) await this.#flushSinks()
      }
    } catch (error) {
      this.#policies.failed(this.#chain?.current(), error, -1)
    }
    stage.ended = true
    for (const output of stage.outputs) output.end()
    if (this.#finished || !this.#stages.every((one) => one.ended)) return
    this.#finished = true
    this.#options.report({ kind: 'finished', subtask: this.#options.subtask })
  }

  /** Delivers collected rows in event-time order, the outermost event-time steps first. */
  async #replay(stage: Stage): Promise<void> {
    const pause = async (): Promise<void> => {
      if (this.#sinks.full) await this.#flushSinks()
      await this.#env.tasks.yield()
    }
    for (const [id, collected] of stage.collected) {
      const root = this.#chain?.exchanges.get(id)
      if (root !== undefined) await collected.replay(root.deliver, pause)
    }
    if (this.#stages.length > 1) return
    const depths = [...new Set(this.#parts.depth.values())].sort((a, b) => a - b)
    for (const depth of depths) {
      const origins = [...this.#parts.origins.values()].filter(
        (o) => this.#parts.depth.get(o.id) === depth,
      )
      await replayInOrder(origins, this.#collected, this.#chain?.replay ?? new Map(), pause)
    }
  }

  #fireProcessingTime(): void {
    const now = this.#clock.nowMs()
    this.#clock.due = Number.POSITIVE_INFINITY
    try {
      for (const operator of this.#parts.operators.values()) {
        if (operator.nextProcessingDue() <= now) {
          operator.advanceProcessing(now)
          this.#env.host.crashPoint('timer.fired')
        }
        const due = operator.nextProcessingDue()
        if (due !== Number.POSITIVE_INFINITY) this.#clock.schedule(due)
      }
    } catch (error) {
      this.#policies.failed(this.#chain?.current(), error, -1)
    }
  }

  /** Waits until something happens: data, a message, a timer. */
  async #rest(): Promise<void> {
    if (this.#woken) {
      this.#woken = false
      return
    }
    const untilTimer =
      this.#clock.due === Number.POSITIVE_INFINITY
        ? restMsMax
        : this.#clock.due - this.#clock.nowMs()
    const ms = Math.max(1, Math.min(restMsMax, untilTimer))
    const sinceMs = this.#env.clock.monoMs()
    const blocked = this.#stages.some((stage) => stage.blocked)
    await new Promise<void>((resolve) => {
      const timer = this.#env.clock.timer(ms, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
    this.#woken = false
    const restedMs = this.#env.clock.monoMs() - sinceMs
    if (blocked) this.#meter.blockedMs += restedMs
    else this.#meter.idleMs += restedMs
  }

  #signal(): void {
    this.#woken = true
    this.#wake?.()
  }

  // ---- checkpoints

  /** Batch mode: rows that wait for their replay. */
  #rowsCollected(): number {
    let count = 0
    for (const { rows } of this.#collected.values()) count += rows.length
    for (const { collected } of this.#stages)
      for (const one of collected.values()) count += one.length
    return count
  }

  #positions(): readonly SourcePosition[] {
    return this.#inputs.flatMap(({ sourceName, partition, position }) =>
      position === undefined ? [] : [{ source: sourceName, partition, position }],
    )
  }

  /** Sources may let go of what lies before the positions of a committed epoch. */
  async #tellSources(committed: readonly SourcePosition[]): Promise<void> {
    for (const [id, handle] of this.#handles) {
      const name = this.#plan.nodes[id]?.name
      const positions = committed.filter((p) => p.source === name)
      await handle.committed?.(
        new Map(positions.map(({ partition, position }) => [partition, position])),
      )
    }
  }

  async #close(): Promise<void> {
    this.#options.links?.close()
    const closing = [
      ...this.#inputs.map((input) => input.close()),
      ...[...this.#handles.values()].map((handle) => handle.close()),
      this.#sinks.close(),
    ]
    for (const result of await Promise.allSettled(closing)) {
      if (result.status === 'rejected') {
        this.#env.host.log('warn', 'a resource could not be closed', {
          error: String(result.reason),
        })
      }
    }
  }
}

/** Longest rest while nothing happens; idle inputs and the wall clock are looked at so often. */
const restMsMax = 100

const lagMs = 1_000

/** While there is work, silent partitions are looked for so often. */
const watchMs = 20
