/**
 * The writer of one partition: group commit, rolling, transactions.
 *
 * Appends are gathered in a buffer while the previous group is on its way; one write and one sync are in flight at any
 * moment. A group goes through these steps, in the order of the appends:
 *
 *  1. `log.append.before`  offsets, times, generation, durable mark and checksums are put in; roll when the segment is full
 *  2. `log.append.half`    one write call for all of it
 *  3. `log.append.written` sync, for `sync` topics and prepared transactions
 *  4. `log.sync.done`      the durable mark moves, readers see the group, callers get their offsets; the sidecar follows
 *
 * Laws: an append is acknowledged only after its step 3. After a failed sync, or a write that failed for another reason
 * than space, the file is never touched again: all callers get TM1210 and a new writer has to recover. A full disk is cut
 * back to the last whole group, synced, and the writer goes on. Offsets have no holes outside compacted segments.
 */
import { DiskError, type Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { removeIfPresent, writeFully } from '../base/disk-io.ts'
import {
  type ActiveSegment,
  createSegment,
  StepFailure,
  writeSealedIndex,
} from './active-segment.ts'
import { checkAppend, controlBatch } from './append-check.ts'
import { encodeEnvelope, envelopeKind, publishFile } from './envelope.ts'
import { isDiskFull, logErrors, wrapDiskError } from './errors.ts'
import { batchKind, batchLength, field, putU53, sealBatch } from './format.ts'
import { type BatchFields, Gather, type Pending } from './gather.ts'
import { cleanName, type Extent, type PartitionPlace } from './layout.ts'
import { compactSegments, type CompactionReport } from './compaction.ts'
import { bootNumber, MarksWriter, openMarks } from './marks.ts'
import { PartitionState } from './partition-state.ts'
import {
  afterFailure,
  fencedBy,
  highestGeneration,
  type Recovered,
  recoverPartition,
} from './recovery.ts'
import { applyRetention, type RetentionReport } from './retention.ts'
import type { SegmentIndex } from './segment-index.ts'
import { segmentKind } from './segment.ts'
import type { TransactionTable } from './transactions.ts'
import type {
  AppendBatch,
  Appended,
  OpenTransaction,
  RecoveryReport,
  TransactionId,
  TransactionOutcome,
} from './types.ts'

export interface WriterOptions {
  /** Shown to whoever is refused while this writer lives. Default `writer`. */
  readonly owner?: string
  /** An offset that a checkpoint names: the log must reach it, or opening fails with TM1207. */
  readonly durableAtLeast?: number
  /** Bytes that may wait for the disk; more is refused with TM1216. Default 64 MiB. */
  readonly pendingBytesMax?: number
}

/** A live sealed segment as the writer keeps it. */
export interface SealedSegment {
  readonly extent: Extent
  readonly index: SegmentIndex
}

/** Records of a `process` topic that a power cut may take back: at most those of one second. */
const processSyncMs = 1_000
/** Retention looks at ages this often; a segment may outlive its age by this much. */
const retentionCheckMs = 60_000

export type Pins = (topic: string, partition: number) => number | undefined

/** Opens the partition for appending: takes the lease, recovers, and returns the one writer. */
export async function openPartitionWriter(
  env: Env,
  place: PartitionPlace,
  options: WriterOptions,
  pins: Pins,
): Promise<LogWriter> {
  const owner = options.owner ?? 'writer'
  const recovered = await recoverPartition(env, place, owner, options.durableAtLeast ?? 0)
  try {
    const { file, created } = await openMarks(env.disk, place.directory)
    if (created) await env.disk.syncDir(place.directory)
    const writer = new LogWriter(
      env,
      place,
      recovered,
      new MarksWriter(file, place.seed),
      options,
      pins,
    )
    await writer.publishMarks()
    return writer
  } catch (error) {
    await afterFailure(env, place, async () => await recovered.active?.file.close())
    await afterFailure(env, place, () => recovered.lock.release())
    throw wrapDiskError(error, 'opening the partition', place.directory)
  }
}

export class LogWriter {
  readonly topic: string
  readonly partition: number
  readonly recovery: RecoveryReport
  /** Shared with readers of this process. */
  readonly state: PartitionState
  readonly #env: Env
  readonly #place: PartitionPlace
  readonly #recovered: Recovered
  readonly #marks: MarksWriter
  readonly #boot: number
  readonly #pins: Pins
  readonly #pendingBytesMax: number
  readonly #transactions: TransactionTable
  readonly #sealed: SealedSegment[]
  #active: ActiveSegment | undefined
  #filling = new Gather()
  #flushing = new Gather()
  #nextSequence: number
  #nextOffset: number
  #startOffset: number
  #lastAppendMs: number
  #running: Promise<void> | undefined
  #marksRunning: Promise<void> | undefined
  #marksStale = false
  #maintenance: Promise<unknown> = Promise.resolve()
  #syncWaiters: { resolve: () => void; reject: (error: unknown) => void }[] = []
  #rollWanted = false
  #dirty = false
  #timer: { cancel(): void } | undefined
  #retentionTimer: { cancel(): void } | undefined
  #failure: unknown
  #failed = false
  #closing: Promise<void> | undefined

  constructor(
    env: Env,
    place: PartitionPlace,
    recovered: Recovered,
    marks: MarksWriter,
    options: WriterOptions,
    pins: Pins,
  ) {
    this.topic = place.topic.name
    this.partition = place.partition
    this.recovery = recovered.report
    this.#env = env
    this.#place = place
    this.#recovered = recovered
    this.#marks = marks
    this.#boot = bootNumber(env.host.bootId)
    this.#pins = pins
    this.#pendingBytesMax = options.pendingBytesMax ?? 64 * 1024 * 1024
    this.#transactions = recovered.transactions
    this.#sealed = recovered.sealed
    this.#active = recovered.active
    this.#nextSequence = recovered.nextSequence
    this.#nextOffset = recovered.endOffset
    this.#startOffset = recovered.startOffset
    this.#lastAppendMs = recovered.lastAppendMs
    const end = recovered.endOffset
    const stable = recovered.transactions.stableOffset(end)
    // Recovery left everything synced: it copied what was above the mark.
    this.state = new PartitionState(
      place.topic.durability,
      recovered.report.generation,
      end,
      end,
      stable,
    )
    this.#scheduleRetention()
  }

  /** The offset that the next record gets when nothing else is waiting. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /** Everything below it survives a power cut. */
  get durableOffset(): number {
    return this.state.durable
  }

  /** Bytes that wait for the disk. */
  get pendingBytes(): number {
    return this.#filling.used + this.#flushing.used
  }

  get generation(): number {
    return this.recovery.generation
  }

  /**
   * Appends one batch. Resolves to its offset when it is as safe as the topic asks for; rejections mean that the batch
   * is not in the log (TM1209), or that this is decided by the next writer (TM1210).
   */
  append(batch: AppendBatch): Promise<Appended> {
    try {
      if (batch.transaction !== undefined) this.#transactions.requireOpen(batch.transaction)
      return this.#enqueue(checkAppend(batch, this.#place.topic))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Appends several batches in this order, with nothing in between. Checks all of them before the first is taken. */
  async appendMany(batches: readonly AppendBatch[]): Promise<Appended[]> {
    const checked: BatchFields[] = []
    let bytes = 0
    for (const batch of batches) {
      if (batch.transaction !== undefined) this.#transactions.requireOpen(batch.transaction)
      const fields = checkAppend(batch, this.#place.topic)
      bytes += batchLength(fields.payload.length)
      checked.push(fields)
    }
    this.#requireRoom(bytes)
    return await Promise.all(checked.map((fields) => this.#enqueue(fields)))
  }

  /** Resolves when everything appended before is synced, whatever the durability of the topic. */
  sync(): Promise<void> {
    try {
      this.#requireRunning()
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      this.#syncWaiters.push({ resolve, reject })
      this.#kick()
    })
  }

  /** Begins a transaction. Nothing is written; a producer's epochs must grow. */
  begin(producerId: number, epoch: number): TransactionId {
    this.#requireRunning()
    const id = { producerId, epoch }
    this.#transactions.begin(id)
    return id
  }

  /**
   * Makes everything appended in the transaction durable and ends it for further appends. From here on only `commit` or
   * `abort` decides, also after any crash. May be repeated.
   */
  async prepare(producerId: number, epoch: number): Promise<void> {
    this.#requireRunning()
    const id = { producerId, epoch }
    if (this.#transactions.startPrepare(id)) await this.#control(batchKind.prepare, id)
    await this.sync()
  }

  /** Makes the transaction visible. May be repeated, also by a later writer. Durable when it resolves. */
  commit(producerId: number, epoch: number): Promise<void> {
    return this.#decide({ producerId, epoch }, 'committed')
  }

  /** Hides the transaction for ever from readers with isolation `committed`. May be repeated. */
  abort(producerId: number, epoch: number): Promise<void> {
    return this.#decide({ producerId, epoch }, 'aborted')
  }

  /** What became of a transaction. `unknown`: never begun here, or so old that its outcome is forgotten. */
  outcome(producerId: number, epoch: number): TransactionOutcome {
    return this.#transactions.outcome({ producerId, epoch })
  }

  /** Transactions without outcome, oldest first. After a recovery their owner has to decide each of them. */
  openTransactions(): readonly OpenTransaction[] {
    return this.#transactions.openTransactions()
  }

  /** Removes segments by age and size now. Runs by itself after every roll and once a minute. */
  runRetention(): Promise<RetentionReport> {
    return this.#exclusively(() => this.#retain())
  }

  /** Rewrites sealed segments of a compacted topic so that they keep the newest record of every key. */
  runCompaction(): Promise<CompactionReport> {
    return this.#exclusively(() => this.#compact())
  }

  /** Ends the current segment, so that retention and compaction may take it. */
  async roll(): Promise<void> {
    this.#rollWanted = true
    await this.sync()
  }

  /** Waits for pending appends, writes the clean mark and gives the lease back. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ------------------------------------------------------------------ group commit

  #enqueue(fields: BatchFields): Promise<Appended> {
    this.#requireRoom(batchLength(fields.payload.length))
    const promise = new Promise<Appended>((resolve, reject) =>
      this.#filling.add(fields, resolve, reject),
    )
    this.#kick()
    return promise
  }

  #requireRoom(bytes: number): void {
    this.#requireRunning()
    if (this.#filling.used === 0 || this.#filling.used + bytes <= this.#pendingBytesMax) return
    throw new TidemillError(logErrors.queueFull, {
      message: `${this.#filling.used} bytes wait, the limit is ${this.#pendingBytesMax}`,
    })
  }

  #requireRunning(): void {
    if (this.#failed) throw this.#failure
    if (this.#closing !== undefined) {
      throw new TidemillError(logErrors.closed, { message: `the writer of topic "${this.topic}"` })
    }
  }

  #kick(): void {
    this.#running ??= this.#run()
  }

  /** The only place that writes to segments. Ends when nothing is left to do. */
  async #run(): Promise<void> {
    while (!this.#failed && (this.#filling.pending.length > 0 || this.#syncWaiters.length > 0)) {
      // Callers whose appends were just answered get to append again before the next group is taken.
      await this.#env.tasks.yield()
      const group = this.#filling
      this.#filling = this.#flushing
      this.#flushing = group
      const waiters = this.#syncWaiters
      this.#syncWaiters = []
      try {
        await this.#commitGroup(group, waiters.length > 0)
        for (const waiter of waiters) waiter.resolve()
      } catch (error) {
        for (const waiter of waiters) waiter.reject(error)
      }
      group.clear()
    }
    this.#running = undefined
  }

  async #commitGroup(group: Gather, syncWanted: boolean): Promise<void> {
    let first = 0
    try {
      while (first < group.pending.length) first = await this.#commitSlice(group, first)
      if (this.#rollWanted && this.#active?.isEmpty === false) await this.#rollNow()
      this.#rollWanted = false
      if (syncWanted && this.#dirty) await this.#syncActive()
    } catch (error) {
      const stopped = await this.#failureOf(error)
      for (let i = first; i < group.pending.length; i++) this.#rejectOne(group.pending[i]!, stopped)
      throw stopped
    }
  }

  /** Writes as many batches from `first` on as the segment holds. Returns the first one that is left. */
  async #commitSlice(group: Gather, first: number): Promise<number> {
    const segment = await this.#segmentFor(group.pending[first]!.length)
    const last = this.#fill(group, first, segment)
    const from = group.pending[first]!.at
    const end = group.pending[last - 1]!
    const bytes = group.bytes.subarray(from, end.at + end.length)
    const { host } = this.#env
    await segment.preallocate(bytes.length, this.#place.topic.segmentBytes)
    host.crashPoint('log.append.before')
    const writing = writeFully(segment.file, bytes, segment.position)
    host.crashPoint('log.append.half')
    await writing
    host.crashPoint('log.append.written')
    this.#dirty = true
    if (this.#place.topic.durability === 'sync') {
      await segment.sync()
      host.crashPoint('log.sync.done')
      this.#dirty = false
    }
    this.#accept(group, first, last, segment)
    return last
  }

  /** Gives the batches their place. Returns one past the last that fits. */
  #fill(group: Gather, first: number, segment: ActiveSegment): number {
    const now = Math.max(this.#lastAppendMs, this.#env.clock.wallMs())
    const { segmentBytes } = this.#place.topic
    const { view, bytes, pending } = group
    let offset = this.#nextOffset
    let position = segment.position
    let i = first
    for (; i < pending.length; i++) {
      const { at, length, span } = pending[i]!
      if (i > first && position + length > segmentBytes) break
      view.setUint32(at + field.generation, this.generation, true)
      putU53(view, at + field.baseOffset, offset)
      putU53(view, at + field.durableMark, this.state.durable)
      view.setFloat64(at + field.appendTime, now, true)
      if (Number.isNaN(view.getFloat64(at + field.minTimestamp, true))) {
        view.setFloat64(at + field.minTimestamp, now, true)
        view.setFloat64(at + field.maxTimestamp, now, true)
      }
      sealBatch(bytes, view, at, length, this.#place.seed)
      pending[i]!.baseOffset = offset
      offset += span
      position += length
    }
    this.#lastAppendMs = now
    return i
  }

  /** Step 4: the batches are part of the log. */
  #accept(group: Gather, first: number, last: number, segment: ActiveSegment): void {
    let position = segment.position
    for (let i = first; i < last; i++) {
      const { kind, producerId, epoch, baseOffset, span, length } = group.pending[i]!
      if (producerId >= 0) this.#transactions.apply(kind, producerId, epoch, baseOffset)
      segment.index.add(baseOffset, baseOffset + span, position, length, this.#lastAppendMs)
      position += length
      this.#nextOffset = baseOffset + span
    }
    segment.advance(position - segment.position)
    this.state.written = this.#nextOffset
    if (!this.#dirty) this.state.durable = this.#nextOffset
    else if (this.#place.topic.durability === 'process') this.#scheduleSync()
    this.#moved()
    for (let i = first; i < last; i++) {
      const { resolve, baseOffset } = group.pending[i]!
      resolve({ baseOffset })
    }
  }

  #rejectOne(pending: Pending, error: unknown): void {
    if (pending.kind !== batchKind.data) this.#transactions.takeBack(pending)
    pending.reject(error)
  }

  async #syncActive(): Promise<void> {
    await this.#active?.sync()
    this.#env.host.crashPoint('log.sync.done')
    this.#dirty = false
    this.state.durable = this.#nextOffset
    this.#moved()
  }

  #scheduleSync(): void {
    this.#timer ??= this.#env.clock.timer(processSyncMs, () => {
      this.#timer = undefined
      if (this.#failed || this.#closing !== undefined || !this.#dirty) return
      this.sync().catch(() => undefined) // The failure is kept in #failure and meets the next caller.
    })
  }

  // ------------------------------------------------------------------ segments

  async #segmentFor(length: number): Promise<ActiveSegment> {
    const active = this.#active
    const full =
      active === undefined ||
      (!active.isEmpty && active.position + length > this.#place.topic.segmentBytes)
    if (full) await this.#rollNow()
    return this.#active!
  }

  /** Seals the active segment and begins the next. The old one is durable to its end before the new one exists. */
  async #rollNow(): Promise<void> {
    const old = this.#active
    await this.#requireNewest()
    if (old !== undefined) {
      await old.seal()
      this.#dirty = false
      this.state.durable = this.#nextOffset
    }
    const active = await createSegment(this.#env, this.#place, {
      kind: segmentKind.open,
      generation: this.generation,
      sequence: this.#nextSequence++,
      baseOffset: this.#nextOffset,
      endOffset: this.#nextOffset,
      state: this.#transactions.toState(),
    })
    this.#active = active
    if (old !== undefined) {
      await old.file.close()
      await this.#retire(old)
      this.runRetention().catch((error: unknown) =>
        this.#warn('retention failed and will be tried again', error),
      )
    }
  }

  /** The old active segment joins the sealed ones. */
  async #retire(old: ActiveSegment): Promise<void> {
    const extent = { ...old.extent, to: old.index.endOffset }
    this.#sealed.push({ extent, index: old.index })
    await writeSealedIndex(this.#env, this.#place, extent, old.index)
  }

  /** TM1205 when somebody claimed a newer generation. */
  async #requireNewest(): Promise<void> {
    const newest = highestGeneration(await this.#env.disk.list(this.#place.directory))
    if (newest > this.generation) throw fencedBy(this.#place, newest)
  }

  /**
   * What a failed step means. A full disk is undone and the writer goes on; everything else stops it. Errors that are
   * none of the disk, such as the end of a simulated life, are passed on as they are.
   */
  async #failureOf(error: unknown): Promise<unknown> {
    const final = error instanceof StepFailure && error.final
    const cause = error instanceof StepFailure ? error.cause : error
    const file = this.#active?.extent.path ?? this.#place.directory
    const wrapped = wrapDiskError(cause, 'appending', file)
    if (isDiskFull(cause) && !final) {
      try {
        await this.#active?.cutBack()
        return wrapped
      } catch (second) {
        if (!(second instanceof DiskError || second instanceof StepFailure))
          return this.#stop(second)
      }
    }
    if (isDiskFull(cause)) {
      const occurrence = {
        message: 'the disk is full and the append could not be undone',
        details: { file },
        cause,
      }
      return this.#stop(new TidemillError(logErrors.ioFailed, occurrence))
    }
    return this.#stop(wrapped)
  }

  #stop(failure: unknown): unknown {
    this.#failed = true
    this.#failure = failure
    for (const pending of this.#filling.pending) this.#rejectOne(pending, failure)
    for (const waiter of this.#syncWaiters) waiter.reject(failure)
    this.#filling.clear()
    this.#syncWaiters = []
    this.#timer?.cancel()
    this.#retentionTimer?.cancel()
    return failure
  }

  // ------------------------------------------------------------------ marks

  /** Writes the sidecar as it is now and waits for it. */
  async publishMarks(): Promise<void> {
    await this.#marks.write(this.#currentMarks(false))
  }

  #currentMarks(closed: boolean) {
    const { generation, durable, written, stable } = this.state
    return { generation, durable, written, stable, boot: this.#boot, closed }
  }

  /** Readers may go on: those of this process at once, others when the sidecar is written. */
  #moved(): void {
    this.state.stable = this.#transactions.stableOffset(this.state.visible)
    this.state.notify()
    this.#marksStale = true
    this.#marksRunning ??= this.#writeMarks()
  }

  /** At most one write of the sidecar in flight; what changes meanwhile goes into the next. */
  async #writeMarks(): Promise<void> {
    try {
      while (this.#marksStale && !this.#failed) {
        this.#marksStale = false
        await this.#marks.write(this.#currentMarks(false))
      }
    } catch (error) {
      this.#warn(
        'the sidecar of the log could not be written; readers in other processes wait',
        error,
      )
    }
    this.#marksRunning = undefined
  }

  #warn(message: string, error: unknown): void {
    if (!(error instanceof DiskError) && !(error instanceof TidemillError)) {
      if (!this.#failed) this.#stop(error)
      return
    }
    const fields = { topic: this.topic, partition: this.partition, error: error.message }
    this.#env.host.log('warn', message, fields)
  }

  // ------------------------------------------------------------------ transactions

  async #decide(id: TransactionId, outcome: 'committed' | 'aborted'): Promise<void> {
    this.#requireRunning()
    await this.#wrapped('checking the lease', () => this.#requireNewest())
    if (this.#transactions.startDecision(id, outcome)) {
      await this.#control(outcome === 'committed' ? batchKind.commit : batchKind.abort, id)
    }
    await this.sync()
  }

  async #control(kind: number, id: TransactionId): Promise<void> {
    try {
      await this.#enqueue(controlBatch(kind, id))
    } catch (error) {
      this.#transactions.takeBack(id)
      throw error
    }
  }

  // ------------------------------------------------------------------ maintenance

  /** Retention and compaction exclude each other, and run beside appends. */
  #exclusively<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#maintenance.then(() => {
      this.#requireRunning()
      return this.#wrapped('tidying the partition', task)
    })
    this.#maintenance = result.catch(() => undefined)
    return result
  }

  async #wrapped<Result>(doing: string, task: () => Promise<Result>): Promise<Result> {
    try {
      return await task()
    } catch (error) {
      throw wrapDiskError(error, doing, this.#place.directory)
    }
  }

  async #retain(): Promise<RetentionReport> {
    const { retention } = this.#place.topic
    const active = this.#active
    if (retention.ageMs !== undefined && active !== undefined && !active.isEmpty) {
      const age = this.#env.clock.wallMs() - active.index.newestAppendMs
      if (age > retention.ageMs) await this.roll()
    }
    const pin = this.#pins(this.topic, this.partition) ?? Number.POSITIVE_INFINITY
    const limit = Math.min(pin, this.state.stable)
    const activeBytes = this.#active?.position ?? 0
    const report = await applyRetention(
      this.#env,
      this.#place,
      this.#sealed,
      this.#startOffset,
      limit,
      activeBytes,
    )
    this.#startOffset = report.startOffset
    return report
  }

  #compact(): Promise<CompactionReport> {
    return compactSegments(this.#env, this.#place, this.#sealed, {
      generation: this.generation,
      stableOffset: this.state.stable,
      pin: this.#pins(this.topic, this.partition) ?? Number.POSITIVE_INFINITY,
      nextSequence: () => this.#nextSequence++,
    })
  }

  #scheduleRetention(): void {
    const { ageMs } = this.#place.topic.retention
    if (ageMs === undefined) return
    this.#retentionTimer = this.#env.clock.timer(
      Math.min(retentionCheckMs, Math.max(1_000, ageMs)),
      () => {
        if (this.#failed || this.#closing !== undefined) return
        void this.#retainAndSchedule()
      },
    )
  }

  async #retainAndSchedule(): Promise<void> {
    try {
      await this.runRetention()
    } catch (error) {
      this.#warn('retention failed and will be tried again', error)
    }
    if (!this.#failed && this.#closing === undefined) this.#scheduleRetention()
  }

  // ------------------------------------------------------------------ end

  async #close(): Promise<void> {
    this.#timer?.cancel()
    this.#retentionTimer?.cancel()
    await this.#running
    await this.#maintenance
    await this.#running
    await this.#marksRunning
    try {
      if (!this.#failed) await this.#closeCleanly()
    } catch (error) {
      const cause = error instanceof StepFailure ? error.cause : error
      throw wrapDiskError(cause, 'closing the partition', this.#place.directory)
    } finally {
      this.state.closed = true
      this.state.notify()
      const env = this.#env
      await afterFailure(env, this.#place, async () => await this.#active?.file.close())
      await afterFailure(env, this.#place, () => this.#marks.close())
      await afterFailure(env, this.#place, () => this.#recovered.lock.release())
      env.host.crashPoint('own.release')
    }
  }

  /** Seals, publishes the clean mark, and only then removes the older one. */
  async #closeCleanly(): Promise<void> {
    await this.#requireNewest()
    const active = this.#active
    if (active !== undefined) {
      await active.seal()
      this.state.durable = this.#nextOffset
      await this.#retire(active)
    }
    this.state.stable = this.#transactions.stableOffset(this.#nextOffset)
    await this.#marks.write(this.#currentMarks(true))
    await this.#marks.sync()
    const { disk } = this.#env
    const { directory, seed } = this.#place
    const record = {
      generation: this.generation,
      endOffset: this.#nextOffset,
      stableOffset: this.state.stable,
      dataBytes: active?.position ?? this.#sealed.at(-1)?.index.dataBytes ?? 0,
    }
    await publishFile(
      disk,
      directory,
      cleanName(this.generation),
      encodeEnvelope(envelopeKind.clean, record, seed),
    )
    for (const name of await disk.list(directory)) {
      const isOlder = /^clean-\d{10}$/.test(name) && name < cleanName(this.generation)
      if (isOlder) await removeIfPresent(disk, `${directory}/${name}`)
    }
  }
}
