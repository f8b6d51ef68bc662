/** Rows made from their number. */
import type { Env } from '../base/env.ts'
import type { Schema } from '../schema/types.ts'
import type { PartitionReader, Position, Source, SourceBatch } from './contract.ts'
import { badOption, unbounded } from './errors.ts'
import { requireWhole } from './file/file-source.ts'
import { decodeIndex, encodeIndex } from './memory/memory-source.ts'

export interface DatagenOptions<Row> {
  /** Row number `n`, from 0; the same row for the same number in every run. */
  readonly row: (n: number) => Row
  /** Rows per second over all partitions. Default: as fast as the job takes them. */
  readonly ratePerSec?: number
  /** Ends after so many rows. Default: never. */
  readonly count?: number
  /** Row n is in partition n modulo this number. Default 1. */
  readonly partitions?: number
  readonly schema?: Schema<Row>
}

const batchRowsMax = 1024

/**
 * Makes rows from their number, so a restart goes on with exactly the rows that come next. With a rate, time is counted from
 * the moment the reader opens: what was missed while the job was down is not made up for.
 *
 * @example
 * app.from('ticks', datagen({ row: (n) => ({ id: n, price: 100 + (n % 7) }), ratePerSec: 1000 }))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function datagen<Row>(options: DatagenOptions<Row>): Source<Row> {
  const { ratePerSec, count, partitions = 1, schema } = options
  if (typeof options.row !== 'function')
    throw badOption('datagen: `row` is the function that makes row n')
  requireWhole('datagen', 'partitions', partitions, 1, 65_536)
  if (count !== undefined) requireWhole('datagen', 'count', count, 0, Number.MAX_SAFE_INTEGER)
  if (ratePerSec !== undefined && !(ratePerSec > 0 && Number.isFinite(ratePerSec))) {
    throw badOption(`datagen: ratePerSec is ${ratePerSec}, expected a positive number`)
  }
  return Object.freeze<Source<Row>>({
    role: 'source',
    connector: 'datagen',
    describe: Object.freeze({
      partitions,
      ...(count === undefined ? {} : { count }),
      ...(ratePerSec === undefined ? {} : { ratePerSec }),
    }),
    schema,
    bounded: count !== undefined,
    async open({ env, mode }) {
      if (mode === 'batch' && count === undefined) throw unbounded('datagen')
      return {
        partitions: async () => Array.from({ length: partitions }, (_, i) => String(i)),
        reader: async (partition, position) =>
          new DatagenReader(env, options, Number(partition), position),
        close: async () => undefined,
      }
    },
  })
}

class DatagenReader<Row> implements PartitionReader<Row> {
  readonly #env: Env
  readonly #row: (n: number) => Row
  readonly #partition: number
  readonly #partitions: number
  /** Rows of this partition. */
  readonly #count: number
  readonly #perMs: number
  readonly #startMs: number
  readonly #startAt: number
  #at: number

  constructor(
    env: Env,
    options: DatagenOptions<Row>,
    partition: number,
    position: Position | undefined,
  ) {
    const { row, ratePerSec, count, partitions = 1 } = options
    this.#env = env
    this.#row = row
    this.#partition = partition
    this.#partitions = partitions
    this.#count =
      count === undefined ? Number.POSITIVE_INFINITY : Math.ceil((count - partition) / partitions)
    this.#perMs =
      ratePerSec === undefined ? Number.POSITIVE_INFINITY : ratePerSec / 1000 / partitions
    this.#at = position === undefined ? 0 : decodeIndex(position, 'datagen')
    this.#startMs = env.clock.monoMs()
    this.#startAt = this.#at
  }

  poll(): SourceBatch<Row> | 'idle' | 'end' {
    const from = this.#at
    if (from >= this.#count) return 'end'
    const to = Math.min(this.#count, from + batchRowsMax, this.#due())
    if (to <= from) return 'idle'
    const rows: Row[] = []
    const row = this.#row
    const step = this.#partitions
    for (let n = from * step + this.#partition, i = from; i < to; i++, n += step) rows.push(row(n))
    this.#at = to
    return {
      kind: 'rows',
      rows,
      rejected: [],
      locate: (i) => `row ${(from + i) * step + this.#partition}`,
    }
  }

  read(): Promise<SourceBatch<Row> | 'idle' | 'end'> {
    return Promise.resolve(this.poll())
  }

  wait(maxMs: number): Promise<void> {
    const dueMs =
      (this.#at + 1 - this.#startAt) / this.#perMs - (this.#env.clock.monoMs() - this.#startMs)
    return this.#env.clock.sleep(Math.max(1, Math.min(maxMs, Math.ceil(dueMs))))
  }

  position(): Position {
    return encodeIndex(this.#at)
  }

  lag(): Promise<number | undefined> {
    return Promise.resolve(Number.isFinite(this.#count) ? this.#count - this.#at : undefined)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Rows that the rate has allowed so far. */
  #due(): number {
    if (this.#perMs === Number.POSITIVE_INFINITY) return this.#perMs
    return this.#startAt + Math.floor((this.#env.clock.monoMs() - this.#startMs) * this.#perMs)
  }
}
