/**
 * The first phase of a running aggregate in front of an exchange: rows of this subtask are added up per key, and the owner
 * of the key gets the sums (*partials*) instead of the rows.
 *
 * Only for `emit: 'latest'`, which shows the last value of a key at the end of each epoch. Nothing may differ from sending
 * the rows:
 *
 *  1. Every partial leaves before a barrier and before the end, so that an epoch holds the same rows of each key.
 *  2. Partials leave in the order in which their keys first came, so that an epoch lists its keys as their rows would.
 *  3. A partial has the time of its last row, which is the time of the result.
 *  4. Sums take whole numbers only, as in `local-aggregate.ts`.
 *
 * No row is ever late here, so no watermark matters.
 */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import { AccumulatorTable, addRow, slotOf } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import {
  GroupingGauge,
  type LocalLimits,
  type LocalPhase,
  localLimits,
  sumsOf,
  type TakePartial,
  withRows,
} from './local-phase.ts'

export interface LocalTotalsOptions {
  readonly aggregates: AggregateSpec
  readonly limits?: Partial<LocalLimits>
}

export class LocalTotals implements LocalPhase {
  /** Like the step's, with one more accumulator: the rows. */
  readonly kernel: AggregateKernel
  /** No time is current: the chain asks before each row. */
  readonly from: number = Number.POSITIVE_INFINITY
  readonly to: number = Number.NEGATIVE_INFINITY
  readonly table: AccumulatorTable
  readonly afterAdd = true
  readonly #limits: LocalLimits
  readonly #gauge: GroupingGauge
  readonly #sums: readonly ((row: unknown) => boolean)[]
  /** Of the last row of each slot. */
  #times: Float64Array = new Float64Array(64)
  #send: TakePartial = () => {}
  /** Rows that still travel as themselves. */
  #pause = 0

  constructor({ aggregates, limits }: LocalTotalsOptions) {
    this.#limits = localLimits(limits)
    this.#gauge = new GroupingGauge(this.#limits)
    this.kernel = aggregateKernel(withRows(aggregates), false)
    this.#sums = sumsOf(aggregates)
    this.table = new AccumulatorTable(this.kernel)
  }

  connect(send: TakePartial): void {
    this.#send = send
  }

  start(): void {}

  record(key: Key, row: unknown, t: number): boolean {
    if (!this.roll()) return false
    if (!this.#sums.every((isWhole) => isWhole(row))) {
      this.inexact()
      return false
    }
    const { table } = this
    const slot = slotOf(table, key)
    const { inserted } = table
    addRow(table, slot, row)
    this.added(slot, t)
    if (inserted) this.grew()
    return true
  }

  takes(): boolean {
    return this.roll()
  }

  /** Whether a row is added up; false when it must travel as itself. */
  roll(): boolean {
    if (this.#pause === 0) return true
    this.#pause--
    return false
  }

  // hot: once per record
  added(slot: number, t: number): void {
    if (slot >= this.#times.length) this.#growTimes()
    this.#times[slot] = t
  }

  grew(): void {
    if (this.table.size >= this.#limits.entriesMax) this.flush()
  }

  inexact(): void {
    this.flush()
    this.#pause = Number.POSITIVE_INFINITY
  }

  /** Nothing depends on whether somebody waits for this subtask's time. */
  idle(): void {}

  nextDue(): number {
    return Number.POSITIVE_INFINITY
  }

  advance(): void {}

  flush(): void {
    const { table } = this
    const { stride } = this.kernel
    for (let slot = 0; slot < table.size; slot++) {
      const rows = table.words[slot * stride + stride - 1]!
      // A key whose first row was refused has none.
      if (rows === 0) continue
      this.#gauge.count(rows)
      this.#send(table, slot, this.#times[slot]!, rows, undefined)
    }
    table.clear()
    if (this.#gauge.tooMany() && this.#pause === 0) this.#pause = this.#limits.pauseRows
  }

  get empty(): boolean {
    return this.table.size === 0
  }

  #growTimes(): void {
    const times = new Float64Array(this.#times.length * 2)
    times.set(this.#times)
    this.#times = times
  }
}
