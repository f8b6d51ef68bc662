/**
 * A running aggregate per key, without windows.
 *
 * `every-change` emits the new result after each row. `latest` emits the last result of every key that changed, at the
 * end of each epoch: the same final state with far fewer rows, for upsert consumers (mini-batching).
 */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Emit, OperatorCounts } from '../operators/contract.ts'
import type { Key } from '../schema/types.ts'
import type { BlockOrigin, FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { AccumulatorTable, addRow, slotOf } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { TableRestore } from './table-restore.ts'
import { freezeTables } from './table-snapshot.ts'

export interface KeyedAggregateOptions {
  readonly name: string
  readonly aggregates: AggregateSpec
  readonly emit: 'every-change' | 'latest'
  readonly range: KeyGroupRange
  /** Turns the aggregate's result row into what is emitted; the identity when absent. */
  readonly select?: (row: object) => unknown
}

export class KeyedAggregateOperator {
  readonly name: string
  readonly kernel: AggregateKernel
  table: AccumulatorTable
  readonly afterAdd = true
  readonly #options: KeyedAggregateOptions
  readonly #restore: TableRestore
  readonly #every: boolean
  /** A bit for each slot that changed in this epoch, and the time of its last row. */
  #changed: Int32Array = new Int32Array(2)
  #times: Float64Array = new Float64Array(64)
  #out: Emit = () => {}

  constructor(options: KeyedAggregateOptions) {
    this.#options = options
    this.name = options.name
    this.kernel = aggregateKernel(options.aggregates, false)
    this.table = new AccumulatorTable(this.kernel)
    this.#restore = new TableRestore(this.kernel)
    this.#every = options.emit === 'every-change'
  }

  connect(_output: string, emit: Emit): void {
    this.#out = emit
  }

  record(key: Key, row: unknown, t: number): void {
    const slot = slotOf(this.table, key)
    addRow(this.table, slot, row)
    this.added(key, slot, t)
  }

  /**
   * Adds what another subtask has already added up for a key; its last row has time `t`. The accumulators are at the start
   * of `from` and of `objects`. Nothing is ever too late here.
   */
  addPartial(key: Key, t: number, from: Float64Array, objects: readonly unknown[]): boolean {
    const { table, kernel } = this
    const slot = typeof key === 'number' ? table.numberSlot(key + 0) : table.slot(key)
    const { stride, objects: width } = kernel
    kernel.merge(table.words, slot * stride, table.objects, slot * width, from, 0, objects, 0)
    this.added(key, slot, t)
    return true
  }

  // hot: once per record
  added(key: Key, slot: number, t: number): void {
    if (this.#every) {
      this.#emit(key, slot, t)
      return
    }
    if (slot >= this.#times.length) this.#grow(slot)
    this.#changed[slot >> 5]! |= 1 << (slot & 31)
    this.#times[slot] = t
  }

  nextDue(): number {
    return Number.POSITIVE_INFINITY
  }

  advance(): void {}

  nextProcessingDue(): number {
    return Number.POSITIVE_INFINITY
  }

  advanceProcessing(): void {}

  flushEpoch(): void {
    const changed = this.#changed
    // In the order in which accumulators lie in memory: in another one each would be a cache line to wait for.
    for (let word = 0; word < changed.length; word++) {
      let bits = changed[word]!
      if (bits === 0) continue
      changed[word] = 0
      for (; bits !== 0; bits &= bits - 1) {
        const slot = word * 32 + 31 - Math.clz32(bits & -bits)
        this.#emit(this.table.keyAt(slot), slot, this.#times[slot]!)
      }
    }
  }

  finish(): void {
    this.flushEpoch()
  }

  counts(): OperatorCounts {
    const keys = this.table.size
    return { received: 0, accepted: 0, late: 0, skipped: 0, deadLettered: 0, buffered: keys, keys }
  }

  freeze(changesOnly: boolean = false): FrozenState {
    const tables = [{ namespace: 0, table: this.table }]
    return freezeTables(tables, [], this.#options.range, changesOnly)
  }

  restore(block: SnapshotBlock, from?: BlockOrigin): void {
    this.#restore.add(block, this.#options.range, from?.writer)
  }

  finishRestore(): void {
    for (const [, table] of this.#restore.tables()) this.table = table
  }

  #emit(key: Key, slot: number, t: number): void {
    const { table, kernel } = this
    const row = kernel.result(
      table.words,
      slot * kernel.stride,
      table.objects,
      slot * kernel.objects,
      key,
      undefined,
    )
    this.#out(this.#options.select ? this.#options.select(row) : row, t)
  }

  #grow(slot: number): void {
    const size = Math.max((slot + 32) & ~31, this.#times.length * 2)
    const times = new Float64Array(size)
    times.set(this.#times)
    this.#times = times
    const changed = new Int32Array(size >> 5)
    changed.set(this.#changed)
    this.#changed = changed
  }
}
