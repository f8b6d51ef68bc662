/** The sending side of an exchange in one subtask: rows with the watermark before them, and what barriers are made of. */
import { timestampMin } from '../base/time.ts'
import { ExchangeWriter } from '../exchange/exchange-writer.ts'
import type { MessageWriter } from '../exchange/contract.ts'
import type { Key } from '../schema/types.ts'
import type { ChainOutput } from './chain.ts'
import type { MergedClock } from './event-time.ts'
import type { ExchangeEdge } from './stages.ts'

export interface ExchangeOutputOptions {
  readonly edge: ExchangeEdge
  /** Event time in front of the exchange. */
  readonly clock: MergedClock
  /** In batch mode rows carry the rank of their partition, by which the receiver orders rows of equal time. */
  readonly batch: boolean
  /** The only fields that anybody reads behind the exchange; `undefined` when whole rows are needed. */
  readonly fields: readonly string[] | undefined
  readonly maxParallelism: number
  /** By subtask; one for an exchange that stays inside the subtask. */
  readonly targets: readonly MessageWriter[]
  /** The step that is fed, for messages. */
  readonly where: string
}

export class ExchangeOutput implements ChainOutput {
  readonly edge: ExchangeEdge
  /** Only known fields are read of a row, so that it may be a lazy view. */
  readonly views: boolean
  /** Batch mode: of the partition whose rows follow. */
  rank = 0
  readonly #clock: MergedClock
  readonly #batch: boolean
  readonly #timed: boolean
  readonly #writer: ExchangeWriter
  #told: number = timestampMin
  #idle = false
  #ended = false

  constructor(options: ExchangeOutputOptions) {
    const { edge, clock, batch, fields, maxParallelism, targets, where } = options
    this.edge = edge
    this.views = fields !== undefined
    this.#clock = clock
    this.#batch = batch
    this.#timed = !clock.untimed
    this.#writer = new ExchangeWriter({
      fields,
      maxParallelism,
      targets,
      keyed: edge.kind === 'hash',
      where,
    })
  }

  send(key: Key, row: unknown, timestampMs: number): void {
    this.#writer.send(key, row, timestampMs, this.#mark())
  }

  forward(row: unknown, timestampMs: number): void {
    this.#writer.sendTo(0, row, timestampMs, this.#mark())
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
    this.#told = this.#clock.watermark()
    this.#writer.watermark(this.#told)
    this.#writer.flush()
  }

  /** Sends what has collected, and how far event time has come. */
  flush(): void {
    this.#tellTime()
    this.#writer.flush()
    this.#writer.drain()
  }

  /** Tries again what found no room. */
  drain(): boolean {
    return this.#writer.drain()
  }

  barrier(epoch: number): void {
    this.#tellTime()
    this.#writer.barrier(epoch)
    this.#writer.flush()
  }

  /** The stage in front has used up its input. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#writer.end()
    this.#writer.flush()
  }

  #mark(): number {
    this.#idle = false
    if (this.#batch) return this.rank
    return this.#timed ? this.#clock.watermark() : timestampMin
  }

  #tellTime(): void {
    if (!this.#timed || this.#batch || this.#ended) return
    const watermark = this.#clock.watermark()
    if (watermark > this.#told) {
      this.#told = watermark
      this.#idle = false
      this.#writer.watermark(watermark)
    }
    if (!this.#idle && this.#clock.idle) {
      this.#idle = true
      this.#writer.idle()
    }
  }
}
