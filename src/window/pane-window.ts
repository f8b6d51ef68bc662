/**
 * Tumbling and sliding windows on shared slices.
 *
 * 1. Time is cut into panes as long as the greatest common divisor of size and slide. A row updates one pane, however
 *    many windows overlap there ("panes": Li et al., No Pane, No Gain, SIGMOD Record 2005).
 * 2. A window fires when the watermark reaches its last millisecond (plus the allowed lateness with `emitOnce`): the
 *    accumulators of its panes are merged key by key, from those of the window before where that gives the same bits
 *    ({@link RunningTotal}). A tumbling window is one pane and is read in place.
 * 3. A pane is dropped when the last window that covers it is closed for good.
 * 4. A row is late when every window it belongs to is closed by the watermark of the rows before it.
 *
 * With emit mode `updates` a window fires at its end and again, for one key, with each row that comes within the
 * allowed lateness.
 *
 * The generated chain reads `from`, `to` and `table`: while the time of a row lies in the current pane, nothing here
 * is called (hot: see benchmarks/nexmark q5).
 */
import type { WindowDefinition } from '../graph/plan.ts'
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Emit, EventClock, OperatorCounts, ProcessingClock } from '../operators/contract.ts'
import type { Key } from '../schema/types.ts'
import type { BlockOrigin, FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { AccumulatorTable, addRow, slotOf } from './accumulator-table.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { RunningTotal } from './running-total.ts'
import { TableRestore } from './table-restore.ts'
import { freezeTables } from './table-snapshot.ts'

export interface PaneWindowOptions {
  readonly name: string
  readonly window: WindowDefinition & { readonly kind: 'tumbling' | 'sliding' }
  readonly allowedLatenessMs: number
  readonly emit: 'once' | 'updates'
  readonly closeAfterQuietMs: number
  readonly aggregates: AggregateSpec
  readonly clock: EventClock
  readonly processing: ProcessingClock
  readonly range: KeyGroupRange
}

const noTime = 1
/** With fewer panes than this to a window, merging them is as fast. */
const totalPanesMin = 3
/** More room than this, half a megabyte per aggregate, is not made on suspicion. */
const expectedMax = 65_536
const patienceMax = 64
const noObjects: readonly unknown[] = []
const nowhere: Emit = () => {}

export class PaneWindowOperator {
  readonly name: string
  readonly kernel: AggregateKernel
  /** Bounds of the current pane; empty when there is none. */
  from: number = noTime
  to = 0
  table: AccumulatorTable
  /** The chain calls `added` after each row. */
  readonly afterAdd: boolean
  readonly #options: PaneWindowOptions
  readonly #size: number
  readonly #slide: number
  readonly #offset: number
  readonly #pane: number
  /** How long after its end a window fires, and how long after that it still takes rows. */
  readonly #fireDelay: number
  readonly #panes: Map<number, AccumulatorTable> = new Map()
  /** No pane is older than this. */
  #oldest: number = Number.POSITIVE_INFINITY
  /** Ends of windows that have not fired, ascending. */
  #ends: number[] = []
  /** Ends of windows that fired and still take late rows, ascending (mode `updates`). */
  #open: number[] = []
  readonly #scratch: AccumulatorTable
  readonly #total: RunningTotal | undefined
  /** Windows that end before this are merged from scratch: a pane of theirs changed late, or its sums are not exact. */
  #mergeUntil: number = Number.NEGATIVE_INFINITY
  /** For how many windows the total is left alone after it was disturbed. */
  #patience = 1
  #out: Emit = nowhere
  #late: Emit | undefined
  #lateCount = 0
  #received = 0
  #lastArrivalMs = Number.POSITIVE_INFINITY
  /** Windows up to here were closed by silence; -Infinity when none was. */
  #quietFloor: number = Number.NEGATIVE_INFINITY
  readonly #restore: TableRestore

  constructor(options: PaneWindowOptions) {
    this.#options = options
    this.name = options.name
    this.kernel = aggregateKernel(options.aggregates, true)
    const { window } = options
    this.#size = window.sizeMs
    this.#slide = window.kind === 'sliding' ? window.slideMs : window.sizeMs
    this.#offset = window.offsetMs
    this.#pane = paneOf(this.#size, this.#slide)
    this.#fireDelay = options.emit === 'once' ? options.allowedLatenessMs : 0
    this.afterAdd = options.emit === 'updates' || options.closeAfterQuietMs > 0
    this.table = new AccumulatorTable(this.kernel)
    this.#scratch = new AccumulatorTable(this.kernel)
    const panes = this.#size / this.#pane
    this.#total = panes < totalPanesMin ? undefined : RunningTotal.of(this.kernel, panes)
    this.#restore = new TableRestore(this.kernel)
  }

  connect(output: string, emit: Emit): void {
    if (output === 'out') this.#out = emit
    else this.#late = emit
  }

  record(key: Key, row: unknown, t: number): void {
    if (!this.takes(t)) {
      this.tooLate(row, t)
      return
    }
    const slot = slotOf(this.table, key)
    addRow(this.table, slot, row)
    if (this.afterAdd) this.added(key, slot, t)
  }

  /**
   * Adds what another subtask has already added up for a key in the slice that begins at `start`. The accumulators are at
   * the start of `from` and of `objects`. False, and nothing added, when every window of the slice is closed.
   */
  addPartial(key: Key, start: number, from: Float64Array, objects: readonly unknown[]): boolean {
    if (!(start >= this.from && start < this.to) && !this.roll(start)) return false
    const { table, kernel } = this
    const slot = typeof key === 'number' ? table.numberSlot(key + 0) : table.slot(key)
    const { stride, objects: width } = kernel
    kernel.merge(table.words, slot * stride, table.objects, slot * width, from, 0, objects, 0)
    return true
  }

  /** Whether a row of this time comes in time; its pane is current then. */
  takes(t: number): boolean {
    return (t >= this.from && t < this.to) || this.roll(t)
  }

  /** Makes the pane of `t` current; false when every window of `t` is closed. */
  roll(t: number): boolean {
    const watermark = this.#watermark()
    if (this.#lastEnd(t) - 1 + this.#options.allowedLatenessMs <= watermark) return false
    const start = this.#align(t, this.#pane)
    if (this.#total !== undefined && start < this.#total.end) this.#disturb(this.#total.end)
    this.table = this.#panes.get(start) ?? this.#newPane(start, watermark)
    this.from = start
    this.to = start + this.#pane
    return true
  }

  /** A row that `roll` refused. */
  tooLate(row: unknown, t: number): void {
    this.#lateCount++
    const lateBy = this.#watermark() - (this.#lastEnd(t) - 1)
    this.#late?.({ operator: this.name, record: row, timestamp: t, lateBy }, t)
  }

  /** After a row was added: results again for windows that have already fired, and the sign of life. */
  added(key: Key, _slot: number, t: number): void {
    this.#lastArrivalMs = this.#options.processing.nowMs()
    if (this.#options.closeAfterQuietMs > 0) {
      this.#options.processing.schedule(this.#lastArrivalMs + this.#options.closeAfterQuietMs)
    }
    for (const end of this.#open) {
      if (t < end - this.#size || t >= end) continue
      const known = this.#merge(end, key) > 1 || !this.table.inserted
      this.#emitChange(end, known ? 'update' : 'insert')
    }
  }

  nextDue(): number {
    const fire =
      this.#ends.length === 0 ? Number.POSITIVE_INFINITY : this.#ends[0]! - 1 + this.#fireDelay
    const close =
      this.#open.length === 0 ? fire : this.#open[0]! - 1 + this.#options.allowedLatenessMs
    return fire < close ? fire : close
  }

  advance(watermark: number): void {
    while (this.#ends.length > 0 && this.#ends[0]! - 1 + this.#fireDelay <= watermark) {
      const end = this.#ends.shift()!
      this.#fire(end)
      if (this.#options.emit === 'updates' && this.#options.allowedLatenessMs > 0)
        this.#open.push(end)
      else this.#dropBefore(end)
    }
    while (
      this.#open.length > 0 &&
      this.#open[0]! - 1 + this.#options.allowedLatenessMs <= watermark
    ) {
      this.#dropBefore(this.#open.shift()!)
    }
    this.from = noTime
    this.to = 0
    const due = this.nextDue()
    if (due !== Number.POSITIVE_INFINITY) this.#options.clock.schedule(due)
  }

  nextProcessingDue(): number {
    const quiet = this.#options.closeAfterQuietMs
    return quiet > 0 && this.#ends.length > 0
      ? this.#lastArrivalMs + quiet
      : Number.POSITIVE_INFINITY
  }

  /** The input went silent: every open window closes as if the watermark had reached its end. */
  advanceProcessing(nowMs: number): void {
    if (nowMs < this.nextProcessingDue()) return
    this.#quietFloor = this.#ends[this.#ends.length - 1]! - 1 + this.#fireDelay
    this.#lastArrivalMs = Number.POSITIVE_INFINITY
    this.advance(this.#quietFloor)
  }

  flushEpoch(): void {}

  finish(): void {}

  counts(): OperatorCounts {
    let buffered = 0
    for (const pane of this.#panes.values()) buffered += pane.size
    return {
      received: this.#received,
      accepted: 0,
      late: this.#lateCount,
      skipped: 0,
      deadLettered: 0,
      buffered,
      keys: buffered,
    }
  }

  freeze(changesOnly: boolean = false): FrozenState {
    const header = [
      this.#quietFloor,
      this.#ends.length,
      ...this.#ends,
      this.#open.length,
      ...this.#open,
    ]
    return freezeTables(
      [...this.#panes].map(([start, table]) => ({ namespace: start, table })),
      header,
      this.#options.range,
      changesOnly,
    )
  }

  restore(block: SnapshotBlock, from?: BlockOrigin): void {
    this.#restore.add(block, this.#options.range, from?.writer)
  }

  finishRestore(): void {
    for (const header of this.#restore.headers) {
      const [floor = Number.NEGATIVE_INFINITY, count = 0, ...rest] = header
      this.#quietFloor = Math.max(this.#quietFloor, floor)
      this.#ends.push(...rest.slice(0, count))
      this.#open.push(...rest.slice(count + 1))
    }
    this.#ends = ascending(this.#ends)
    this.#open = ascending(this.#open)
    for (const [start, table] of this.#restore.tables()) this.#setPane(start, table)
    const due = this.nextDue()
    if (due !== Number.POSITIVE_INFINITY) this.#options.clock.schedule(due)
  }

  #watermark(): number {
    const watermark = this.#options.clock.watermark()
    return watermark > this.#quietFloor ? watermark : this.#quietFloor
  }

  /** End of the last window that contains `t`. */
  #lastEnd(t: number): number {
    return this.#align(t, this.#slide) + this.#size
  }

  #align(t: number, unit: number): number {
    return Math.floor((t - this.#offset) / unit) * unit + this.#offset
  }

  /** A pane brings the windows that cover it and have not fired into the list of ends. */
  #newPane(start: number, watermark: number): AccumulatorTable {
    // As many keys as in the pane before: growing there step by step costs more than a row.
    const table = new AccumulatorTable(this.kernel, Math.min(this.table.size, expectedMax))
    this.#setPane(start, table)
    const last = this.#lastEnd(start)
    const until = Math.max(start, watermark + 1 - this.#fireDelay)
    this.#expect(last, until)
    // A window that fired empty and still takes late rows of this new pane is open again.
    if (this.#options.emit === 'updates') {
      for (let end = last; end > start; end -= this.#slide) {
        const alive = end - 1 <= watermark && end - 1 + this.#options.allowedLatenessMs > watermark
        if (alive && !this.#open.includes(end)) this.#open = ascending([...this.#open, end])
      }
    }
    this.#options.clock.schedule(this.nextDue())
    return table
  }

  #setPane(start: number, table: AccumulatorTable): void {
    this.#panes.set(start, table)
    if (start < this.#oldest) this.#oldest = start
  }

  /** A row goes into a pane of the total. Where that happens often, beginning again would cost more than it saves. */
  #disturb(end: number): void {
    this.#total?.clear()
    this.#mergeUntil = end + (1 + this.#patience) * this.#slide
    this.#patience = Math.min(2 * this.#patience, patienceMax)
  }

  /** Whether the running total is now that of the window. */
  #totals(start: number, end: number): boolean {
    if (this.#total === undefined || end < this.#mergeUntil) return false
    if (this.#total.advance(start, end, this.#pane, this.#panes)) {
      if (this.#patience > 1) this.#patience--
      return true
    }
    this.#mergeUntil = end + this.#size
    return false
  }

  #fire(end: number): void {
    const start = end - this.#size
    const window = Object.freeze({ start, end })
    if (this.#totals(start, end)) {
      this.#fireTotal(this.#total!, window)
      return
    }
    const single = this.#pane === this.#size ? this.#panes.get(start) : undefined
    if (single === undefined) this.#merge(end, undefined)
    const table = single ?? this.#scratch
    const { kernel } = this
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
      this.#out(
        this.#options.emit === 'updates' ? { op: 'insert', key: { key, window }, row } : row,
        end - 1,
      )
    }
  }

  /** Brings the ends of windows from `last` down to those after `until` into the list, in one walk through it. */
  #expect(last: number, until: number): void {
    const ends = this.#ends
    const missing: number[] = []
    let at = ends.length - 1
    for (let end = last; end > until; end -= this.#slide) {
      while (at >= 0 && ends[at]! > end) at--
      if (ends[at] !== end) missing.push(end)
      // Ends are slides apart: where the last one needed lies as many places below, none is missing in between.
      else {
        const below = Math.ceil((end - until) / this.#slide) - 1
        if (ends[at - below] === end - below * this.#slide) break
      }
    }
    if (missing.length === 0) return
    const isNewest = ends.length === 0 || missing[missing.length - 1]! > ends[ends.length - 1]!
    for (let i = missing.length - 1; i >= 0; i--) ends.push(missing[i]!)
    if (!isNewest) ends.sort((a, b) => a - b)
  }

  #fireTotal(total: RunningTotal, window: { readonly start: number; readonly end: number }): void {
    const { kernel } = this
    const t = window.end - 1
    const updates = this.#options.emit === 'updates'
    total.forEach((key, at) => {
      const row = kernel.result(total.words, at, noObjects, 0, key, window)
      this.#out(updates ? { op: 'insert', key: { key, window }, row } : row, t)
    })
  }

  #emitChange(end: number, op: 'insert' | 'update'): void {
    const window = Object.freeze({ start: end - this.#size, end })
    const table = this.#scratch
    const key = table.keyAt(0)
    const row = this.kernel.result(table.words, 0, table.objects, 0, key, window)
    this.#out({ op, key: { key, window }, row }, end - 1)
  }

  /** Merges the panes of the window that ends at `end` into the scratch table; how many panes had the key (or any). */
  #merge(end: number, key: Key | undefined): number {
    this.#scratch.clear()
    let found = 0
    for (let start = end - this.#size; start < end; start += this.#pane) {
      const pane = this.#panes.get(start)
      if (pane === undefined) continue
      if (key === undefined) {
        this.#scratch.mergeAll(pane)
        found++
      } else if (this.#scratch.mergeKey(pane, key)) found++
    }
    return found
  }

  /**
   * Drops panes that no window ending after `closed` covers. They lie between the oldest one and the start of the next
   * window; to look at all panes instead would make a window of thousands of panes cost as much at every slide.
   */
  #dropBefore(closed: number): void {
    const firstStart = closed - this.#size + this.#slide
    if (firstStart <= this.#oldest) return
    if ((firstStart - this.#oldest) / this.#pane > this.#panes.size) {
      for (const start of this.#panes.keys()) if (start < firstStart) this.#panes.delete(start)
    } else {
      for (let at = this.#oldest; at < firstStart; at += this.#pane) this.#panes.delete(at)
    }
    this.#oldest = firstStart
    // The total would keep the panes of the last window from the collector.
    if (this.#panes.size === 0) this.#total?.clear()
  }
}

/** The length of the slices of time that windows of this size and slide share. */
export function paneOf(size: number, slide: number): number {
  return slide === 0 ? size : paneOf(slide, size % slide)
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b)
}
