/**
 * The sending end of one exchange in one subtask: finds the owner of each row, collects up to 256 rows per target and
 * writes them as messages. What a full channel does not take waits here, in order.
 */
import { assert, present } from '../base/assert.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { schemaErrors } from '../schema/errors.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import type { MessageWriter } from './contract.ts'
import { exchangeErrors } from './errors.ts'
import { kinds } from './format.ts'
import { MessageBuffer } from './message-buffer.ts'
import { OutgoingBatch } from './outgoing-batch.ts'
import { type Accumulators, type PartialForm, PartialRow } from './partial-row.ts'
import { RowShapes } from './row-shapes.ts'

export interface ExchangeOptions {
  /** The only fields of a row that anybody reads behind the exchange; undefined for whole rows. */
  readonly fields: readonly string[] | undefined
  /** Key groups, a power of two. */
  readonly maxParallelism: number
  /** One per subtask. */
  readonly targets: readonly MessageWriter[]
  /** So many of the targets, the first ones, own key groups. Default: all. */
  readonly owners?: number
  readonly keyed: boolean
  /** Name of the step, for errors. */
  readonly where: string
  /** What partial accumulators are made of, when there are any. */
  readonly partial?: PartialForm | undefined
}

/** Per key group the subtask that owns it: subtask i of N owns `[floor(groups * i / N), floor(groups * (i + 1) / N))`. */
export function groupOwners(groups: number, subtasks: number): Uint16Array<ArrayBuffer> {
  const owners = new Uint16Array(groups)
  for (let i = 0; i < subtasks; i++)
    owners.fill(i, Math.floor((groups * i) / subtasks), Math.floor((groups * (i + 1)) / subtasks))
  return owners
}

export class ExchangeWriter {
  /** A partial counts as the rows that it stands for. */
  rowsSent: number
  bytesSent: number
  private readonly where: string
  private readonly groups: number
  private readonly owners: Uint16Array
  private readonly shapes: RowShapes
  private readonly partialShapes: RowShapes | undefined
  private readonly partialRow: PartialRow | undefined
  private readonly targets: readonly Target[]
  private readonly buffer: MessageBuffer

  constructor(options: ExchangeOptions) {
    const { fields, maxParallelism, targets, keyed, where, partial } = options
    const { owners = targets.length } = options
    assert(
      maxParallelism >= targets.length && (maxParallelism & (maxParallelism - 1)) === 0,
      'the number of key groups is no power of two, or smaller than the number of subtasks',
      { maxParallelism, subtasks: targets.length },
    )
    this.where = where
    this.groups = maxParallelism
    this.owners = groupOwners(maxParallelism, owners)
    this.shapes = new RowShapes(fields)
    this.partialRow = partial && new PartialRow(partial)
    this.partialShapes = this.partialRow && new RowShapes(this.partialRow.fields, 1)
    this.targets = targets.map((writer) => new Target(writer, keyed, partial !== undefined))
    this.buffer = new MessageBuffer()
    this.rowsSent = 0
    this.bytesSent = 0
  }

  /** Something waits for room in a channel. More rows are taken, but memory grows. */
  get blocked(): boolean {
    for (const target of this.targets) if (target.waiting > 0) return true
    return false
  }

  /**
   * Sends a row to the owner of its key. TM1800 for a row that is not plain data; TM1042 for a key that is none. Nothing
   * was sent then.
   *
   * hot: see benchmarks/micro/exchange.ts
   */
  send(key: Key, row: unknown, time: number, mark: number, hash: number = keyHash(key)): void {
    const target = this.targets[this.ownerOf(hash)]!
    const { batch, partials } = target
    if (partials !== undefined && partials.length > 0) this.flushTarget(target)
    const full = this.append(batch, this.shapes, row)
    batch.addKey(key, hash)
    batch.added(time, mark)
    this.rowsSent++
    if (full) this.flushTarget(target)
  }

  /** The target that owns keys of this hash. */
  ownerOf(hash: number): number {
    return this.owners[keyGroupOf(hash, this.groups)]!
  }

  /**
   * Sends the accumulators of a slot, which stand for `rows` rows of this key. What was sent before stays before it. TM1800
   * for an accumulator that is not plain data, TM1001 for one that its schema does not fit.
   */
  sendPartial(
    key: Key,
    rows: number,
    from: Accumulators,
    slot: number,
    time: number,
    mark: number,
  ): void {
    const { partialRow, partialShapes: shapes } = this
    const hash = keyHash(key)
    const target = this.targets[this.ownerOf(hash)]!
    const batch = present(target.partials, 'a batch for partials')
    if (target.batch.length > 0) this.flushTarget(target)
    const row = this.partialOf(present(partialRow, 'a row for partials'), from, slot, rows)
    const full = this.append(batch, present(shapes, 'shapes of partials'), row)
    batch.addKey(key, hash)
    batch.added(time, mark)
    this.rowsSent += rows
    if (full) this.flushTarget(target)
  }

  private partialOf(row: PartialRow, from: Accumulators, slot: number, rows: number): unknown {
    try {
      return row.of(from, slot, rows)
    } catch (error) {
      throw isTidemillError(error) ? error.with({ operator: this.where }) : error
    }
  }

  /** For exchanges without keys. */
  sendTo(to: number, row: unknown, time: number, mark: number): void {
    const target = this.targets[to]!
    const full = this.append(target.batch, this.shapes, row)
    target.batch.added(time, mark)
    this.rowsSent++
    if (full) this.flushTarget(target)
  }

  /** To all targets, behind the rows that were sent. */
  watermark(watermark: number): void {
    this.toAll(kinds.watermark, watermark)
  }

  idle(): void {
    this.toAll(kinds.idle, 0)
  }

  barrier(epoch: number): void {
    this.toAll(kinds.barrier, epoch)
  }

  end(): void {
    this.toAll(kinds.end, 0)
  }

  /** Writes what was collected. Full batches are written anyway; call this when the input runs dry or after 1 ms. */
  flush(): void {
    for (const target of this.targets) this.flushTarget(target)
  }

  /** Tries again what did not fit. True when nothing waits any more. */
  drain(): boolean {
    let done = true
    for (const target of this.targets) done = target.drain() && done
    return done
  }

  private append(batch: OutgoingBatch, shapes: RowShapes, row: unknown): boolean {
    const { current } = shapes
    const shape = current.matches(row) ? current : shapes.find(row)
    if (shape !== undefined) {
      try {
        return batch.append(shape, row)
      } catch (error) {
        if (!isTidemillError(error) || error.code !== schemaErrors.unfit.code)
          throw this.notSendable(error)
      }
    }
    try {
      return batch.append(shapes.learn(row), shapes.row)
    } catch (error) {
      throw this.notSendable(error)
    } finally {
      shapes.row = undefined
    }
  }

  private notSendable(error: unknown): unknown {
    if (!isTidemillError(error) || error.code !== schemaErrors.notStorable.code) return error
    return new TidemillError(exchangeErrors.notSendable, {
      message: `behind ${JSON.stringify(this.where)}: ${error.message}`,
      details: { operator: this.where },
      cause: error,
    })
  }

  /** Of the two batches one at most has rows, so that they leave in the order in which they came. */
  private flushTarget(target: Target): void {
    const { batch, partials } = target
    if (batch.length > 0) this.writeBatch(target, batch, this.shapes)
    if (partials !== undefined && partials.length > 0)
      this.writeBatch(target, partials, present(this.partialShapes, 'shapes of partials'))
  }

  private writeBatch(target: Target, batch: OutgoingBatch, shapes: RowShapes): void {
    batch.flush(this.buffer, shapes, (message) => {
      this.bytesSent += message.at
      target.write(message.finish())
    })
  }

  private toAll(kind: number, value: number): void {
    const { buffer } = this
    for (const target of this.targets) {
      this.flushTarget(target)
      buffer.clear()
      buffer.words(kind, 0, 0, 0)
      buffer.f64[2] = value
      buffer.at = 24
      this.bytesSent += buffer.at
      target.write(buffer.finish())
    }
  }
}

/** One channel and what it has not taken yet. */
class Target {
  readonly batch: OutgoingBatch
  readonly partials: OutgoingBatch | undefined
  private readonly writer: MessageWriter
  private pending: Uint8Array[]
  private next: number

  constructor(writer: MessageWriter, keyed: boolean, partial: boolean) {
    this.batch = new OutgoingBatch(keyed, false)
    this.partials = partial ? new OutgoingBatch(keyed, true) : undefined
    this.writer = writer
    this.pending = []
    this.next = 0
  }

  get waiting(): number {
    return this.pending.length - this.next
  }

  write(message: Uint8Array): void {
    if (this.waiting > 0 || !this.writer.write(message)) this.pending.push(message.slice())
  }

  drain(): boolean {
    while (this.next < this.pending.length) {
      if (!this.writer.write(this.pending[this.next]!)) return false
      this.next++
    }
    this.pending = []
    this.next = 0
    return true
  }
}
