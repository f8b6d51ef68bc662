/**
 * Tumbling windows in processing time: a row belongs to the window of the clock reading at its arrival. A window fires
 * when the clock reaches its end, and at the end of a bounded input. Results depend on speed; event-time windows do not.
 */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Emit, OperatorCounts, ProcessingClock } from '../operators/contract.ts'
import type { Key } from '../schema/types.ts'
import type { BlockOrigin, FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { AccumulatorTable, addRow, slotOf } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { TableRestore } from './table-restore.ts'
import { freezeTables } from './table-snapshot.ts'

export interface ProcessingWindowOptions {
  readonly name: string
  readonly sizeMs: number
  readonly offsetMs: number
  readonly aggregates: AggregateSpec
  readonly processing: ProcessingClock
  readonly range: KeyGroupRange
}

export class ProcessingWindowOperator {
  readonly name: string
  readonly kernel: AggregateKernel
  table: AccumulatorTable
  readonly afterAdd = false
  // The chain compares event times with these for event-time windows; here every row takes the slow check.
  readonly from = 1
  readonly to = 0
  readonly #options: ProcessingWindowOptions
  readonly #restore: TableRestore
  /** Start of the open window, NaN when there is none. */
  #start: number = Number.NaN
  /** Windows of subtasks that this one took over, earlier than its own. */
  #earlier: readonly { readonly start: number; readonly table: AccumulatorTable }[] = []
  #out: Emit = () => {}

  constructor(options: ProcessingWindowOptions) {
    this.#options = options
    this.name = options.name
    this.kernel = aggregateKernel(options.aggregates, true)
    this.table = new AccumulatorTable(this.kernel)
    this.#restore = new TableRestore(this.kernel)
  }

  connect(output: string, emit: Emit): void {
    if (output === 'out') this.#out = emit
  }

  record(key: Key, row: unknown, _t: number): void {
    this.roll()
    addRow(this.table, slotOf(this.table, key), row)
  }

  takes(): true {
    return this.roll()
  }

  /** Makes the window of now current; always takes the row. */
  roll(): true {
    const now = this.#options.processing.nowMs()
    if (!(now < this.#start + this.#options.sizeMs)) {
      this.#fire()
      const { sizeMs, offsetMs } = this.#options
      this.#start = Math.floor((now - offsetMs) / sizeMs) * sizeMs + offsetMs
      this.#options.processing.schedule(this.#start + sizeMs)
    }
    return true
  }

  /** Never called: `roll` takes every row. */
  tooLate(): void {}

  nextDue(): number {
    return Number.POSITIVE_INFINITY
  }

  advance(): void {}

  nextProcessingDue(): number {
    const start = this.#earlier[0]?.start ?? this.#start
    return Number.isNaN(start) ? Number.POSITIVE_INFINITY : start + this.#options.sizeMs
  }

  advanceProcessing(nowMs: number): void {
    if (nowMs >= this.nextProcessingDue()) this.#fire()
  }

  flushEpoch(): void {}

  finish(): void {
    this.#fire()
  }

  counts(): OperatorCounts {
    const keys = this.table.size
    return { received: 0, accepted: 0, late: 0, skipped: 0, deadLettered: 0, buffered: keys, keys }
  }

  freeze(changesOnly: boolean = false): FrozenState {
    const tables = [...this.#earlier, { start: this.#start, table: this.table }]
    return freezeTables(
      tables.map(({ start, table }) => ({ namespace: start, table })),
      [this.#start],
      this.#options.range,
      changesOnly,
    )
  }

  restore(block: SnapshotBlock, from?: BlockOrigin): void {
    this.#restore.add(block, this.#options.range, from?.writer)
  }

  finishRestore(): void {
    // Subtasks of the snapshot may have been in different windows: the latest goes on, the others wait for their end.
    const tables = [...this.#restore.tables()].filter(([start]) => !Number.isNaN(start))
    tables.sort(([a], [b]) => a - b)
    const last = tables.pop()
    if (last !== undefined) [this.#start, this.table] = last
    this.#earlier = tables.map(([start, table]) => ({ start, table }))
    const due = this.nextProcessingDue()
    if (due !== Number.POSITIVE_INFINITY) this.#options.processing.schedule(due)
  }

  #fire(): void {
    for (const { start, table } of this.#earlier) this.#give(start, table)
    this.#earlier = []
    if (Number.isNaN(this.#start)) return
    const { table } = this
    const start = this.#start
    this.#start = Number.NaN
    this.table = new AccumulatorTable(this.kernel)
    this.#give(start, table)
  }

  #give(start: number, table: AccumulatorTable): void {
    const { kernel } = this
    const window = Object.freeze({ start, end: start + this.#options.sizeMs })
    for (let slot = 0; slot < table.size; slot++) {
      const key = table.keyAt(slot)
      const row = kernel.result(
        table.words,
        slot * kernel.stride,
        table.objects,
        slot * kernel.objects,
        key,
        window,
      )
      this.#out(row, window.end - 1)
    }
  }
}
