/**
 * One subtask of a job: it reads its share of the partitions, runs the chain, keeps the state, writes the sinks.
 *
 *   open sinks and sources ─▶ restore ─▶ loop ─▶ input used up ─▶ final watermark ─▶ report `finished` ─▶ wait
 *
 * The loop takes one batch at a time from the partitions in turn. Everything asynchronous happens between batches:
 *
 *  1. a barrier, when the driver asked for one: steps flush, sinks cut their epoch, positions and watermarks are noted,
 *     state is frozen - all without yielding, so that the cut is one moment;
 *  2. a slice of the frozen state goes to the data object; when it is complete and the sinks have prepared, the
 *     subtask reports `prepared`;
 *  3. full sinks are flushed (this is the back-pressure of the outside world), due processing-time timers fire;
 *  4. other work of the thread gets its turn every few milliseconds.
 *
 * In batch mode partitions are read one after the other, event-time steps collect their rows, and at the end of the
 * input the rows are replayed in stable event-time order.
 */
import type { Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { timestampMax } from '../base/time.ts'
import type { BufferPool } from '../checkpoint/buffer-pool.ts'
import { type DataObjectWriter, createDataObjectWriter } from '../checkpoint/data-writer.ts'
import type { Manifest, SubtaskSnapshot } from '../checkpoint/manifest.ts'
import type { ReportedError, SubtaskMessage, SubtaskReport } from '../checkpoint/messages.ts'
import { restoreBlocks } from '../checkpoint/restore.ts'
import type { CheckpointStorage } from '../checkpoint/storage.ts'
import type { Sink, SinkWriter, SourceHandle } from '../connectors/contract.ts'
import type { Letter } from '../graph/letters.ts'
import type { Plan, SourceNode } from '../graph/plan.ts'
import type { FrozenState, KeyGroupRange } from '../state/contract.ts'
import { type BuiltParts, buildParts } from './build.ts'
import type { Chain, BatchRows } from './chain.ts'
import { counterLayout } from './chain.ts'
import { SubtaskClock } from './clock.ts'
import { compileChain } from './compile-chain.ts'
import { runtimeErrors } from './errors.ts'
import { FailurePolicies } from './failures.ts'
import { LedgerCounter } from './ledger-counter.ts'
import { PartitionInput } from './partition.ts'
import { fieldsRead } from './projection.ts'
import { replayInOrder } from './replay.ts'
import { SinkEpochs } from './sink-epochs.ts'

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
  readonly report: (report: SubtaskReport) => void
  /** The subtask cannot go on; it has stopped by itself. Called at most once. */
  readonly failed: (error: unknown) => void
}

/** Work on the frozen state of one epoch. */
interface Snapshotting {
  readonly epoch: number
  readonly writer: DataObjectWriter
  readonly frozen: { readonly operator: string; readonly state: FrozenState }[]
  readonly positions: SubtaskSnapshot['positions']
  readonly watermarks: SubtaskSnapshot['watermarks']
  readonly prepared: Promise<void>
  readonly ledger: ReturnType<LedgerCounter['ledger']>
  finishing: boolean
}

export interface SliceProgress {
  readonly recordsRead: number
  readonly recordsWritten: number
  readonly recordsLate: number
  readonly recordsRejected: number
  readonly watermarkMs: number | undefined
  /** Unread records or bytes of all partitions, where the sources know. */
  readonly lag: number | undefined
  /** Source partitions that hold the watermark back, slowest first. */
  readonly holders: readonly string[]
}

/** State written per turn of the loop while a snapshot runs: about half a millisecond of work. */
const sliceBytes = 256 * 1024
/** Longest time without giving other work of the thread its turn. */
const turnMs = 4
/** Rows per call of the chain, at most: full sinks, snapshots and other work of the thread wait for so many. */
const rowsPerCallMax = 1024
/** A call that takes longer makes the next one smaller: one row of slow user code may cost a millisecond. */
const callMsMax = 16

export class Slice {
  readonly #options: SliceOptions
  readonly #env: Env
  readonly #plan: Plan
  readonly #range: KeyGroupRange
  readonly #clock: SubtaskClock
  readonly #counters: Float64Array
  readonly #parts: BuiltParts
  readonly #collected: Map<number, BatchRows> = new Map()
  readonly #policies: FailurePolicies
  readonly #handles: Map<number, SourceHandle<unknown>> = new Map()
  readonly #sinks: SinkEpochs
  readonly #writers: Map<number, SinkWriter<unknown>> = new Map()
  readonly #ledger: LedgerCounter
  #inputs: PartitionInput[] = []
  #chain: Chain | undefined
  #barrier: (SubtaskMessage & { readonly kind: 'checkpoint' }) | undefined
  #snapshotting: Snapshotting | undefined
  /** Reported and not yet committed, ascending. */
  #acknowledged: { readonly epoch: number; readonly positions: SubtaskSnapshot['positions'] }[] = []
  /** Sources read nothing any more: a final checkpoint is under way. */
  #sealed = false
  #inputEnded = false
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
  #lag: number | undefined
  #lagAtMs = 0
  #watchedAtMs = 0

  constructor(options: SliceOptions) {
    this.#options = options
    this.#env = options.env
    this.#plan = options.plan
    const total = options.plan.options.maxParallelism
    this.#range = {
      first: Math.floor((total * options.subtask) / options.subtasks),
      end: Math.floor((total * (options.subtask + 1)) / options.subtasks),
      total,
    }
    this.#clock = new SubtaskClock(options.env.clock)
    this.#counters = new Float64Array(counterLayout(options.plan).size)
    this.#policies = new FailurePolicies(options.plan, this.#counters)
    const batch = options.mode === 'batch'
    this.#parts = buildParts({
      plan: options.plan,
      env: options.env,
      range: this.#range,
      processing: this.#clock,
      hooks: this.#policies,
      batch,
    })
    if (batch)
      for (const id of this.#parts.origins.keys()) this.#collected.set(id, { rows: [], times: [] })
    this.#sinks = new SinkEpochs(options.env, options.plan.options.onError.sink)
    this.#ledger = new LedgerCounter({
      plan: options.plan,
      counters: this.#counters,
      operators: this.#parts.operators,
      sinks: this.#writers,
      collected: this.#collected,
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
        this.#stopped = true
        this.#options.failed(error)
      }
    } finally {
      this.#stopped = true
      await this.#close()
    }
  }

  /** Takes a message of the checkpoint driver. */
  send(message: SubtaskMessage): void {
    if (this.#stopped) return
    if (message.kind === 'checkpoint') this.#barrier = message
    else if (message.kind === 'abort') this.#abandon(message.epoch)
    else this.#commit(message.epoch)
    this.#signal()
  }

  /** Stops at the next batch boundary without a checkpoint. */
  stop(): void {
    this.#stopped = true
    this.#signal()
  }

  progress(): SliceProgress {
    const origin = [...this.#parts.origins.values()][0]
    return {
      ...this.#ledger.totals(),
      watermarkMs: origin?.watermark(),
      lag: this.#lag,
      holders:
        origin
          ?.holders()
          .slice(0, 3)
          .map((h) => h.channel) ?? [],
    }
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
      if (node.kind === 'sink')
        this.#writers.set(node.id, await this.#openSink(node.name, node.was, node.sink))
    }
    const { deadLetters } = this.#options
    if (this.#policies.needsDeadLetters && deadLetters !== undefined) {
      this.#policies.deadLetters = await this.#openSink(
        'dead-letters',
        undefined,
        deadLetters as Sink<unknown>,
      )
    }
    const snapshots = this.#options.manifest?.subtasks ?? []
    await this.#sinks.recover(snapshots.flatMap((snapshot) => snapshot.sinks))
    env.host.crashPoint('recover.abort')
  }

  async #open(): Promise<void> {
    const { env } = this.#options
    const snapshots = this.#options.manifest?.subtasks ?? []
    await this.#openSinks()
    this.#chain = compileChain({
      plan: this.#plan,
      counters: this.#counters,
      operators: this.#parts.operators,
      origins: this.#parts.origins,
      sinks: this.#writers,
      hooks: this.#policies,
      batch: this.#options.mode === 'batch',
      collected: this.#collected,
    })
    await this.#restoreState()
    for (const node of this.#plan.nodes)
      if (node.kind === 'source') await this.#openSource(node, snapshots)
    env.host.crashPoint('recover.positions')
    for (const origin of this.#parts.inner) origin.open('input')
  }

  async #openSink(
    name: string,
    was: string | undefined,
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
    this.#sinks.add(name, was, writer)
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
    // State that belongs to no key goes to the subtask of the same number.
    const selection = { keyGroups: this.#range, unkeyed: (writer: number) => writer === subtask }
    await restoreBlocks(storage, manifest, selection, (name, block) => {
      const operator = byName.get(name)
      if (operator === undefined) {
        throw new TidemillError(runtimeErrors.planMismatch, {
          message: `the snapshot holds state of step "${name}", which the program does not have`,
          details: { operator: name },
        })
      }
      operator.restore(block)
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
      const input = new PartitionInput(node, partition, reader, position, () => this.#signal())
      this.#inputs.push(input)
      for (const origin of this.#parts.originsOfSource.get(node.id) ?? [])
        origin.open(input.channel)
    }
    for (const origin of this.#parts.origins.values()) {
      const stored = snapshots.flatMap((s) => s.watermarks).filter((w) => w.node === origin.id)
      origin.restoreWatermarks(stored)
    }
  }

  // ---- the loop

  async #loop(): Promise<void> {
    this.#turnAtMs = this.#env.clock.monoMs()
    while (!this.#stopped) {
      if (this.#broken !== undefined) throw this.#broken.error
      if (this.#barrier !== undefined && this.#snapshotting === undefined)
        await this.#startSnapshot(this.#barrier)
      const worked = this.#sealed ? false : await this.#readSome()
      if (this.#snapshotting !== undefined) await this.#continueSnapshot(this.#snapshotting)
      if (this.#sinks.full) await this.#sinks.flush(() => this.#stopped)
      if (this.#clock.tick() >= this.#clock.due) this.#fireProcessingTime()
      const now = this.#env.clock.monoMs()
      this.#measureLag(now)
      if (now - this.#watchedAtMs >= watchMs) this.#watchInputs()
      if (worked || this.#working()) {
        if (now - this.#turnAtMs < turnMs) continue
        await this.#env.tasks.yield()
      } else await this.#rest()
      this.#turnAtMs = this.#env.clock.monoMs()
    }
  }

  #working(): boolean {
    return this.#snapshotting !== undefined && !this.#snapshotting.finishing
  }

  /** Runs the chain over the next batch, if any; at the end of all input, the final watermark. */
  async #readSome(): Promise<boolean> {
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
    if (!this.#inputEnded && this.#inputs.every((i) => i.state === 'ended')) {
      this.#inputEnded = true
      await this.#finishInput()
      this.#options.report({ kind: 'finished', subtask: this.#options.subtask })
      return true
    }
    return false
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
    input.idleSinceMs = Number.NaN
    const place = (index: number): string =>
      `${input.sourceName}[${input.partition}] ${batch.locate(index)}`
    this.#policies.place = place
    const count = batch.kind === 'rows' ? batch.rows.length : batch.frame.length
    for (let from = 0; from < count; ) {
      const to = Math.min(from + this.#rowsPerCall, count)
      if (batch.kind === 'rows') root.rows(batch.rows, from, to)
      else root.frame(batch.frame, from, to)
      from = to
      if (this.#sinks.full) await this.#sinks.flush(() => this.#stopped)
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
    if (this.#snapshotting !== undefined) await this.#continueSnapshot(this.#snapshotting)
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

  /** All input is used up: replay in batch mode, then the end of time, then what steps hold back. */
  async #finishInput(): Promise<void> {
    this.#policies.place = () => 'at the end of the input'
    try {
      if (this.#options.mode === 'batch') await this.#replay()
      for (const origin of this.#parts.inner) origin.end('input')
      for (const operator of this.#parts.operators.values()) {
        operator.advance(timestampMax)
        operator.finish()
        if (this.#sinks.full) await this.#sinks.flush(() => this.#stopped)
      }
    } catch (error) {
      this.#policies.failed(this.#chain?.current(), error, -1)
    }
  }

  /** Delivers collected rows in event-time order, the outermost event-time steps first. */
  async #replay(): Promise<void> {
    const depths = [...new Set(this.#parts.depth.values())].sort((a, b) => a - b)
    for (const depth of depths) {
      const origins = [...this.#parts.origins.values()].filter(
        (o) => this.#parts.depth.get(o.id) === depth,
      )
      await replayInOrder(origins, this.#collected, this.#chain?.replay ?? new Map(), async () => {
        if (this.#sinks.full) await this.#sinks.flush(() => this.#stopped)
        await this.#env.tasks.yield()
      })
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
    await new Promise<void>((resolve) => {
      const timer = this.#env.clock.timer(ms, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
    this.#woken = false
  }

  #signal(): void {
    this.#woken = true
    this.#wake?.()
  }

  // ---- checkpoints

  /** The barrier: from the first flush to the last freeze nothing else runs. */
  async #startSnapshot(message: SubtaskMessage & { readonly kind: 'checkpoint' }): Promise<void> {
    const { env, plan } = this.#options
    const { epoch } = message
    this.#barrier = undefined
    if (message.snapshot === 'final') this.#sealed = true
    const identity = {
      job: plan.job,
      generation: message.generation,
      epoch,
      subtask: this.#options.subtask,
    }
    let writer: DataObjectWriter
    try {
      writer = await createDataObjectWriter({
        host: env.host,
        storage: this.#options.storage,
        identity,
        pool: this.#options.pool,
      })
    } catch (error) {
      this.#options.report({
        kind: 'prepare-failed',
        subtask: this.#options.subtask,
        epoch,
        error: reported(error),
      })
      return
    }
    env.host.crashPoint('source.barrier')
    try {
      for (const operator of this.#parts.operators.values()) operator.flushEpoch()
    } catch (error) {
      this.#policies.failed(this.#chain?.current(), error, -1)
    }
    env.host.crashPoint('op.barrier.first')
    const prepared = this.#sinks.prepare(epoch)
    // The attempt cannot simply be repeated: the rows are with a sink that refuses to go on.
    prepared.catch((error: unknown) => {
      this.#broken ??= { error }
      this.#signal()
    })
    this.#snapshotting = {
      epoch,
      writer,
      frozen: [...this.#parts.operators.values()].map((operator) => ({
        operator: operator.name,
        state: operator.freeze(),
      })),
      positions: this.#inputs.flatMap(({ sourceName, partition, position }) =>
        position === undefined ? [] : [{ source: sourceName, partition, position }],
      ),
      watermarks: [...this.#parts.origins.values()].flatMap((origin) => origin.storedWatermarks()),
      prepared,
      ledger: this.#ledger.ledger(),
      finishing: false,
    }
    env.host.crashPoint('op.freeze')
  }

  /** Writes some of the frozen state; starts the end of the snapshot when all is written. */
  async #continueSnapshot(snapshot: Snapshotting): Promise<void> {
    if (snapshot.finishing) return
    try {
      const current = snapshot.frozen[0]
      if (current !== undefined) {
        const blocks = current.state.next(sliceBytes)
        if (blocks === undefined) snapshot.frozen.shift()
        else
          for (const block of blocks) {
            snapshot.writer.append(current.operator, block)
            if (snapshot.writer.full) await snapshot.writer.drain()
          }
        this.#env.host.crashPoint('op.slice.write')
        return
      }
    } catch (error) {
      this.#fail(snapshot, error)
      return
    }
    snapshot.finishing = true
    this.#finishSnapshot(snapshot).catch((error: unknown) => this.#fail(snapshot, error))
  }

  async #finishSnapshot(snapshot: Snapshotting): Promise<void> {
    const object = await snapshot.writer.finish()
    await snapshot.prepared
    if (this.#snapshotting !== snapshot) return
    this.#snapshotting = undefined
    this.#acknowledged.push({ epoch: snapshot.epoch, positions: snapshot.positions })
    this.#env.host.crashPoint('op.ack')
    this.#options.report({
      kind: 'prepared',
      ack: {
        epoch: snapshot.epoch,
        subtask: this.#options.subtask,
        object,
        positions: snapshot.positions,
        watermarks: snapshot.watermarks,
        sinks: this.#sinks.preparations(),
        random: new Uint8Array(0),
        ledger: snapshot.ledger,
      },
    })
    this.#signal()
  }

  #fail(snapshot: Snapshotting, error: unknown): void {
    if (this.#snapshotting !== snapshot) return
    this.#abandon(snapshot.epoch)
    this.#options.report({
      kind: 'prepare-failed',
      subtask: this.#options.subtask,
      epoch: snapshot.epoch,
      error: reported(error),
    })
  }

  #abandon(epoch: number): void {
    const snapshot = this.#snapshotting
    if (this.#barrier?.epoch === epoch) this.#barrier = undefined
    this.#sealed = false
    if (snapshot === undefined || snapshot.epoch !== epoch) return
    this.#snapshotting = undefined
    for (const { state } of snapshot.frozen) state.abandon()
    snapshot.writer.abort().catch((error: unknown) => {
      this.#env.host.log('warn', 'an abandoned snapshot could not be removed', {
        error: String(error),
      })
    })
  }

  #commit(epoch: number): void {
    const { subtask } = this.#options
    this.#sinks.commit(epoch).then(
      async () => {
        await this.#tellCommitted(epoch)
        if (!this.#stopped) this.#options.report({ kind: 'committed', subtask, epoch })
      },
      (error: unknown) => {
        if (!this.#stopped)
          this.#options.report({ kind: 'commit-failed', subtask, epoch, error: reported(error) })
      },
    )
  }

  /** Sources may let go of what lies before the positions of a committed epoch. */
  async #tellCommitted(epoch: number): Promise<void> {
    const committed = this.#acknowledged.filter((a) => a.epoch <= epoch).at(-1)
    this.#acknowledged = this.#acknowledged.filter((a) => a.epoch > epoch)
    if (committed === undefined) return
    for (const [id, handle] of this.#handles) {
      const name = this.#plan.nodes[id]?.name
      const positions = committed.positions.filter((p) => p.source === name)
      await handle.committed?.(
        new Map(positions.map(({ partition, position }) => [partition, position])),
      )
    }
  }

  async #close(): Promise<void> {
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

function reported(error: unknown): ReportedError {
  if (isTidemillError(error)) return { message: error.message, code: error.code }
  return { message: error instanceof Error ? error.message : String(error) }
}
