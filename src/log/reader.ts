/**
 * Reading a partition: any number of readers in any number of processes, beside one writer.
 *
 * `committed` (the default) shows a batch of a transaction only when its commit marker is in the visible part of the
 * log. At the first batch whose outcome is unknown, the headers of later segments are asked, then a second cursor runs ahead
 * over the markers; if it finds none, the reader stops there, so records always come in the order of their offsets. Markers
 * are never delivered.
 */
import type { AbortSignalLike, Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { BatchCursor } from './cursor.ts'
import { logErrors, wrapDiskError } from './errors.ts'
import { batchHeaderBytes, batchKind, field, getU53, payloadKindRecords } from './format.ts'
import type { PartitionPlace } from './layout.ts'
import { EndWatcher, type StateLookup, type VisibleEnd } from './visible-end.ts'
import type {
  Gap,
  Isolation,
  LogBatch,
  PayloadKind,
  ReaderOptions,
  TransactionId,
} from './types.ts'

const defaultChunkBytes = 1024 * 1024
const defaultReadBytes = 1024 * 1024

/** Opens a reader; TM1208 when the position was removed, TM1212 when the log never had it. */
export async function openPartitionReader(
  env: Env,
  place: PartitionPlace,
  options: ReaderOptions,
  lookup: StateLookup,
  closed: (reader: LogReader) => void,
): Promise<LogReader> {
  const reader = new LogReader(env, place, options, lookup, closed)
  try {
    await reader.start(options.from ?? 'earliest')
  } catch (error) {
    await reader.close()
    throw wrapDiskError(error, 'opening a reader', place.directory)
  }
  return reader
}

class Batch implements LogBatch {
  readonly kind: PayloadKind
  readonly baseOffset: number
  readonly nextOffset: number
  readonly recordCount: number
  readonly skip: number
  readonly payload: Uint8Array
  readonly minTimestamp: number
  readonly maxTimestamp: number
  readonly appendTime: number
  readonly generation: number
  readonly schemaFingerprint: bigint
  readonly transaction: TransactionId | undefined

  constructor(cursor: BatchCursor, position: number) {
    const { view, at } = cursor
    const start = at + batchHeaderBytes
    this.kind = view.getUint8(at + field.payloadKind) === payloadKindRecords ? 'records' : 'frame'
    this.baseOffset = cursor.offset
    this.nextOffset = cursor.nextOffset
    this.recordCount = view.getUint32(at + field.recordCount, true)
    this.skip = Math.max(0, position - cursor.offset)
    this.payload = cursor.bytes.subarray(
      start,
      start + view.getUint32(at + field.payloadLength, true),
    )
    this.minTimestamp = view.getFloat64(at + field.minTimestamp, true)
    this.maxTimestamp = view.getFloat64(at + field.maxTimestamp, true)
    this.appendTime = view.getFloat64(at + field.appendTime, true)
    this.generation = view.getUint32(at + field.generation, true)
    this.schemaFingerprint = view.getBigUint64(at + field.fingerprint, true)
    this.transaction = isTransactional(cursor) ? transactionOf(cursor) : undefined
  }
}

export class LogReader {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly isolation: Isolation
  readonly #env: Env
  readonly #place: PartitionPlace
  readonly #skipGaps: boolean
  readonly #pollMs: number
  readonly #lookup: StateLookup
  readonly #whenClosed: (reader: LogReader) => void
  readonly #watcher: EndWatcher
  readonly #cursor: BatchCursor
  readonly #ahead: BatchCursor
  readonly #outcomes = new Map<number, Map<number, boolean>>()
  readonly #gaps: Gap[] = []
  #end: VisibleEnd = { generation: 0, durable: 0, visible: 0, stable: 0 }
  #position = 0
  /** The last read stopped at the end that was known, or at an open transaction: look for news first. */
  #exhausted = true
  #closed = false

  constructor(
    env: Env,
    place: PartitionPlace,
    options: ReaderOptions,
    lookup: StateLookup,
    closed: (reader: LogReader) => void,
  ) {
    this.topic = place.topic.name
    this.topicId = place.topic.id
    this.partition = place.partition
    this.isolation = options.isolation ?? 'committed'
    this.#env = env
    this.#place = place
    this.#skipGaps = options.onGap === 'skip'
    this.#pollMs = options.pollMs ?? 10
    this.#lookup = lookup
    this.#whenClosed = closed
    this.#watcher = new EndWatcher(env, place, lookup)
    const chunkBytes = Math.max(4096, options.chunkBytes ?? defaultChunkBytes)
    this.#cursor = new BatchCursor(env, place, 0, {
      chunkBytes,
      reuse: options.reuse ?? false,
      markersOnly: false,
    })
    this.#ahead = new BatchCursor(env, place, 0, { chunkBytes, reuse: true, markersOnly: true })
  }

  /** The offset that comes next: store it, and open with it after a restart. */
  get position(): number {
    return this.#position
  }

  /** Ranges that were skipped because retention had removed them. */
  get gaps(): readonly Gap[] {
    return this.#gaps
  }

  async start(from: number | 'earliest' | 'latest'): Promise<void> {
    this.#end = await this.#watcher.refresh()
    // The listing tells where the log starts now.
    await this.#cursor.reopen()
    const start = this.#cursor.startOffset
    if (from === 'earliest') this.#position = start
    else if (from === 'latest') this.#position = Math.max(start, this.#endFor(this.#end))
    else this.#position = checkedOffset(from)
    if (this.#position > this.#end.visible) await this.#requireWithin(this.#position)
    await this.#cursor.seek(this.#position)
    if (this.#position < start) await this.#passGap()
  }

  /**
   * The next batches, together about `maxBytes` of payload and at least one; `undefined` when there is nothing to read
   * now; an empty list when only aborted data and markers were passed.
   */
  async read(maxBytes: number = defaultReadBytes): Promise<LogBatch[] | undefined> {
    if (this.#closed)
      throw new TidemillError(logErrors.closed, { message: `the reader of topic "${this.topic}"` })
    try {
      if (this.#exhausted) this.#end = await this.#watcher.refresh()
      const from = this.#position
      const batches: LogBatch[] = []
      this.#exhausted = false
      await this.#collect(batches, maxBytes)
      if (batches.length > 0) return batches
      return this.#position > from ? [] : undefined
    } catch (error) {
      throw wrapDiskError(error, 'reading the log', this.#place.directory)
    }
  }

  /** As {@link read}, but waits until there is something. Rejects with the signal's reason. */
  async follow(options: { maxBytes?: number; signal?: AbortSignalLike } = {}): Promise<LogBatch[]> {
    const { maxBytes, signal } = options
    for (;;) {
      if (signal?.aborted) throw signal.reason
      const seen = this.#lookup()?.visible
      const batches = await this.read(maxBytes)
      if (batches !== undefined && batches.length > 0) return batches
      if (batches === undefined) await this.#wait(seen, signal)
    }
  }

  /** One past the last offset that this reader may see now. */
  async endOffset(): Promise<number> {
    return this.#endFor(await this.#watcher.refresh())
  }

  /** Offsets between the position and the end. */
  async lag(): Promise<number> {
    return Math.max(0, (await this.endOffset()) - this.#position)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#whenClosed(this)
    await this.#cursor.close()
    await this.#ahead.close()
    await this.#watcher.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #endFor(end: VisibleEnd): number {
    return this.isolation === 'committed' ? Math.min(end.stable, end.visible) : end.visible
  }

  async #collect(batches: LogBatch[], maxBytes: number): Promise<void> {
    const cursor = this.#cursor
    let bytes = 0
    let scanned = 0
    // Passing much data that is not delivered lets the caller do something else now and then.
    while (bytes < maxBytes && scanned < 16 * maxBytes) {
      const step = await cursor.step(this.#end, batches.length > 0)
      if (step === 'full') break
      if (step === 'end') {
        this.#exhausted = true
        break
      }
      if (step === 'gap') {
        await this.#passGap()
        continue
      }
      scanned += cursor.length
      const kind = cursor.view.getUint8(cursor.at + field.kind)
      if (kind !== batchKind.data) this.#forget(cursor, kind)
      else if (this.isolation === 'uncommitted' || !isTransactional(cursor))
        bytes += this.#deliver(batches)
      else {
        const committed = await this.#isCommitted()
        if (committed === undefined) {
          cursor.unstep()
          this.#exhausted = true
          // The marker may have gone because compaction made the data plain: look at the new segment next time.
          if (this.#place.topic.compaction) await cursor.reopen()
          return
        }
        if (committed) bytes += this.#deliver(batches)
      }
      this.#position = cursor.nextOffset
    }
  }

  /** Adds the batch at the cursor. Batches that compaction emptied only move the position. */
  #deliver(batches: LogBatch[]): number {
    const batch = new Batch(this.#cursor, this.#position)
    if (batch.recordCount > 0) batches.push(batch)
    return this.#cursor.length
  }

  /** `undefined` while the transaction of the batch at the cursor is open. */
  async #isCommitted(): Promise<boolean | undefined> {
    const wanted = transactionOf(this.#cursor)
    const { producerId, epoch } = wanted
    const known = this.#outcomes.get(producerId)?.get(epoch)
    if (known !== undefined) return known
    const told = this.#cursor.decided(wanted, this.#end)
    if (told !== undefined) {
      this.#remember(wanted, told)
      return told
    }
    const ahead = this.#ahead
    if (ahead.nextOffset < this.#cursor.offset) await ahead.adopt(this.#cursor)
    while ((await ahead.step(this.#end)) === 'batch') {
      const kind = ahead.view.getUint8(ahead.at + field.kind)
      if (kind !== batchKind.commit && kind !== batchKind.abort) continue
      const id = transactionOf(ahead)
      this.#remember(id, kind === batchKind.commit)
      if (id.producerId === producerId && id.epoch === epoch) return kind === batchKind.commit
    }
    return undefined
  }

  #remember({ producerId, epoch }: TransactionId, committed: boolean): void {
    let epochs = this.#outcomes.get(producerId)
    if (epochs === undefined) {
      epochs = new Map()
      this.#outcomes.set(producerId, epochs)
    }
    if (!epochs.has(epoch)) epochs.set(epoch, committed)
  }

  /** Behind its marker a transaction has no more data. */
  #forget(cursor: BatchCursor, kind: number): void {
    if (kind === batchKind.prepare) return
    const { producerId, epoch } = transactionOf(cursor)
    this.#outcomes.get(producerId)?.delete(epoch)
  }

  async #passGap(): Promise<void> {
    const gap = { from: this.#position, to: this.#cursor.startOffset }
    if (!this.#skipGaps) {
      throw new TidemillError(logErrors.gap, {
        message: `topic "${this.topic}", partition ${this.partition}: offsets ${gap.from} to ${gap.to - 1} were removed`,
        details: {
          file: this.#place.directory,
          topic: this.topic,
          partition: this.partition,
          from: gap.from,
          to: gap.to - 1,
        },
      })
    }
    this.#gaps.push(gap)
    this.#position = gap.to
    await this.#cursor.seek(gap.to)
  }

  /** A stored position may be ahead of what the sidecar says, but never of what the log holds. */
  async #requireWithin(position: number): Promise<void> {
    const probe = new BatchCursor(this.#env, this.#place, this.#end.visible, {
      chunkBytes: defaultChunkBytes,
      reuse: true,
      markersOnly: false,
    })
    try {
      const unbounded = { ...this.#end, visible: Number.POSITIVE_INFINITY }
      while (probe.nextOffset < position) if ((await probe.step(unbounded)) !== 'batch') break
      if (probe.nextOffset >= position) return
    } finally {
      await probe.close()
    }
    throw new TidemillError(logErrors.beyondEnd, {
      message: `topic "${this.topic}", partition ${this.partition}: ${position}, the log ends at ${probe.nextOffset}`,
      details: { file: this.#place.directory, offset: position, end: probe.nextOffset },
    })
  }

  /** Waits for the writer of this process, or a moment when it lives elsewhere. */
  async #wait(seen: number | undefined, signal: AbortSignalLike | undefined): Promise<void> {
    const state = this.#lookup()
    if (state === undefined || state.closed) {
      await this.#env.clock.sleep(this.#pollMs, signal)
      return
    }
    if (state.visible !== seen || signal?.aborted) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        forget()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const forget = state.onChange(wake)
      signal?.addEventListener('abort', wake)
    })
  }
}

function isTransactional(cursor: BatchCursor): boolean {
  return (cursor.view.getUint8(cursor.at + field.flags) & 1) === 1
}

function transactionOf(cursor: BatchCursor): TransactionId {
  const { view, at } = cursor
  return { producerId: getU53(view, at + field.producerId), epoch: getU53(view, at + field.epoch) }
}

function checkedOffset(from: number): number {
  if (Number.isSafeInteger(from) && from >= 0) return from
  throw new TidemillError(logErrors.topicInvalid, { message: `a reader cannot start from ${from}` })
}
