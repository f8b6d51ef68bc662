/** The sending side of an exchange in one subtask: rows with the watermark before them, and what barriers are made of. */
import { assert } from '../base/assert.ts'
import { timestampMin } from '../base/time.ts'
import type { SinkPartitioning } from '../connectors/contract.ts'
import { ExchangeWriter } from '../exchange/exchange-writer.ts'
import type { MessageWriter } from '../exchange/contract.ts'
import { keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import type { LocalPhase } from '../window/local-phase.ts'
import type { ChainOutput } from './chain.ts'
import type { MergedClock } from './event-time.ts'
import { partialForm } from './partials.ts'
import type { ExchangeEdge } from './stages.ts'

export interface ExchangeOutputOptions {
  readonly edge: ExchangeEdge
  /** Event time in front of the exchange. */
  readonly clock: MergedClock
  readonly subtask: number
  /** In batch mode rows carry a rank, by which the receiver orders rows of equal time. */
  readonly batch: boolean
  /** The only fields that anybody reads behind the exchange; `undefined` when whole rows are needed. */
  readonly fields: readonly string[] | undefined
  readonly maxParallelism: number
  /** By subtask; one for an exchange that stays inside the subtask. */
  readonly targets: readonly MessageWriter[]
  /** In front of a sink that has partitions. */
  readonly partitioning: SinkPartitioning<unknown> | undefined
  /** The step that is fed, for messages. */
  readonly where: string
  /** Adds rows up per key before they are sent. */
  readonly local?: LocalPhase | undefined
  /** No receiver's event time is later when everything begins. */
  readonly floorMs?: () => number
}

/** Ranks of the rows of one partition are so far from those of the next. */
const rowsPerPartition = 2 ** 32
/** Partials wait at most this long, and less when the input has run dry. */
const partialsWaitMs = 100
const partialsWaitDryMs = 5

export class ExchangeOutput implements ChainOutput {
  readonly edge: ExchangeEdge
  /** Only known fields are read of a row, so that it may be a lazy view. */
  readonly views: boolean
  readonly local: LocalPhase | undefined
  /**
   * Batch mode. In front of the first exchange the rank of the partition whose rows follow, to which the row's own number
   * is added; in later stages that with which the row came, so that rows of one partition find their order again.
   */
  rank = 0
  readonly targets: number
  readonly partitioning: SinkPartitioning<unknown> | undefined
  #partitions = 0
  #serial = 0
  /** `rebalance`: who is next. Senders begin with different subtasks. `narrow`: who it is. */
  #next: number
  readonly #clock: MergedClock
  readonly #batch: boolean
  readonly #timed: boolean
  readonly #writer: ExchangeWriter
  #told: number = timestampMin
  #idle = false
  #ended = false
  readonly #floorMs: () => number
  #partialsSinceMs: number | undefined

  constructor(options: ExchangeOutputOptions) {
    const { edge, clock, batch, fields, maxParallelism, targets, where, subtask, local } = options
    this.edge = edge
    this.targets = targets.length
    this.partitioning = options.partitioning
    this.#next = subtask % edge.owners
    this.views = fields !== undefined
    this.#clock = clock
    this.#batch = batch
    this.#timed = !clock.untimed
    this.#writer = new ExchangeWriter({
      fields,
      maxParallelism,
      targets,
      owners: Math.min(edge.owners, targets.length),
      keyed: edge.kind === 'hash',
      where,
      // The last number is that of the rows, which every partial has.
      partial: local && partialForm(local.kernel, local.kernel.numbers - 1),
    })
    this.local = local
    this.#floorMs = options.floorMs ?? (() => timestampMin)
    local?.connect((table, slot, time, rows, watermark) => {
      this.#idle = false
      const mark = watermark ?? timestampMin
      this.#writer.sendPartial(table.keyAt(slot), rows, table, slot, time, mark)
    })
  }

  /** In front of a sink that has partitions: how many, before the first row. */
  usePartitions(count: number): void {
    assert(Number.isInteger(count) && count > 0, 'a sink has no partitions', { count })
    this.#partitions = count
  }

  send(key: Key, row: unknown, timestampMs: number): void {
    const mark = this.#mark()
    const { kind, owners } = this.edge
    if (kind === 'hash') this.#writer.send(key, row, timestampMs, mark)
    else if (kind === 'by-key')
      this.#writer.sendTo(this.#writer.ownerOf(keyHash(key)), row, timestampMs, mark)
    // The chain has checked that the number is that of a partition.
    else this.#writer.sendTo((key as number) % owners, row, timestampMs, mark)
  }

  forward(row: unknown, timestampMs: number): void {
    const to = this.edge.kind === 'forward' ? 0 : this.#target(row)
    const mark = this.#mark()
    if (this.edge.kind !== 'broadcast') this.#writer.sendTo(to, row, timestampMs, mark)
    else
      for (let target = 0; target < this.targets; target++)
        this.#writer.sendTo(target, row, timestampMs, mark)
  }

  #target(row: unknown): number {
    const { kind, owners } = this.edge
    if (kind === 'rebalance') {
      const to = this.#next
      this.#next = to + 1 === owners ? 0 : to + 1
      return to
    }
    // One target per sender keeps the order in which the sender gave the rows.
    if (kind === 'narrow') return this.#next
    if (kind !== 'owner') return 0
    const partition = this.partitioning!.of(row, this.#partitions)
    assert(
      Number.isInteger(partition) && partition >= 0 && partition < this.#partitions,
      'a sink told a partition that it does not have',
      { partition, partitions: this.#partitions },
    )
    return partition % owners
  }

  /** The receivers are slower than this subtask: it should not make more rows. */
  get blocked(): boolean {
    return this.#writer.blocked
  }

  get rowsSent(): number {
    return this.#writer.rowsSent
  }

  get bytesSent(): number {
    return this.#writer.bytesSent
  }

  /** The first message: receivers wait for it, because event time of a sender that they have not heard is unknown. */
  greet(): void {
    if (!this.#timed || this.#batch) return
    this.local?.start(this.#floorMs())
    this.#told = this.#watermark()
    this.#writer.watermark(this.#told)
    this.#writer.flush()
  }

  /** Nothing is sent but barriers. */
  hush(): void {
    this.#ended = true
  }

  /** Sends what has collected, and how far event time has come; partials when the input is dry or they have waited. */
  flush(nowMs: number, dry: boolean): void {
    this.#flushPartials(nowMs, dry)
    this.#tellTime()
    this.#writer.flush()
    this.#writer.drain()
  }

  /** Tries again what found no room. */
  drain(): boolean {
    return this.#writer.drain()
  }

  barrier(epoch: number): void {
    this.flushPartials()
    this.#tellTime()
    this.#writer.barrier(epoch)
    this.#writer.flush()
  }

  /** The stage in front has used up its input. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.flushPartials()
    this.#writer.end()
    this.#writer.flush()
  }

  /** Behind a barrier and behind the end nothing may come of what was before. */
  flushPartials(): void {
    this.local?.flush()
  }

  #flushPartials(nowMs: number, dry: boolean): void {
    const { local } = this
    if (local === undefined || local.empty) {
      this.#partialsSinceMs = undefined
      return
    }
    this.#partialsSinceMs ??= nowMs
    // While the receivers are full, rows are better added up than sent.
    if (this.blocked) return
    const waitMs = dry ? partialsWaitDryMs : partialsWaitMs
    if (nowMs - this.#partialsSinceMs < waitMs) return
    this.#partialsSinceMs = undefined
    local.flush()
  }

  /** Our event time for somebody to hear: partials that it makes due leave first. */
  #watermark(): number {
    const watermark = this.#clock.watermark()
    const { local } = this
    if (local !== undefined && local.nextDue() <= watermark) local.advance(watermark)
    return watermark
  }

  #mark(): number {
    this.#idle = false
    if (this.#batch)
      return this.edge.from > 0 ? this.rank : this.rank * rowsPerPartition + this.#serial++
    return this.#timed ? this.#watermark() : timestampMin
  }

  #tellTime(): void {
    if (!this.#timed || this.#batch || this.#ended) return
    const watermark = this.#watermark()
    if (watermark > this.#told) {
      this.#told = watermark
      this.#idle = false
      this.#writer.watermark(watermark)
    }
    if (!this.#idle && this.#clock.idle) {
      this.local?.idle()
      this.#idle = true
      this.#writer.idle()
    }
  }
}
