/**
 * The first phase of a window in front of an exchange: rows of this subtask are added up per key and slice of time, and
 * the owner of the key gets the sums (*partials*) instead of the rows.
 *
 * Nothing may differ from sending the rows:
 *
 *  1. A row that is late by this subtask's watermark is refused, and travels as itself: only the owner, who waits for the
 *     slowest sender, can say whether it is late.
 *  2. Partials of a slice leave before this subtask tells anybody a watermark that fires one of the slice's windows. So
 *     they can not be late where they arrive: the owner's watermark is the least of what all senders have told (or the
 *     floor that all began with), and ours has not passed. A sender that calls itself idle is not waited for; from then
 *     on its rows travel as themselves. A partial carries the watermark that its first row saw: no window of the slice
 *     fired between that and the last row, so every row has found the same ones open, and so does the partial.
 *  3. Sums take whole numbers only, which add up to the same whatever the grouping. The first other number ends this phase
 *     for the rest of the life: what was added up leaves first, so that the owner adds in the order of the rows.
 *  4. Every partial leaves before a barrier and before the end, so that nothing of this is ever stored.
 *
 * The generated chain reads `from`, `to` and `table` as it does of a window.
 */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { EventClock } from '../operators/contract.ts'
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
import { paneOf } from './pane-window.ts'

export interface LocalAggregateOptions {
  readonly window: {
    readonly kind: 'tumbling' | 'sliding'
    readonly sizeMs: number
    readonly slideMs?: number
    readonly offsetMs: number
  }
  /** After the end of a window, until it fires. */
  readonly allowedLatenessMs: number
  readonly aggregates: AggregateSpec
  /** Event time in front of the exchange. */
  readonly clock: EventClock
  readonly limits?: Partial<LocalLimits>
}

interface Pane {
  readonly table: AccumulatorTable
  /** The watermark that its first row saw; the same windows were closed for the later ones. */
  readonly watermark: number
  /** The watermark at which the first of its windows fires that had not fired when it was begun. */
  readonly dueMs: number
}

const noTime = 1

export class LocalAggregate implements LocalPhase {
  /** Like the window's, with one more accumulator: the rows. */
  readonly kernel: AggregateKernel
  /** Bounds of the current slice; empty when there is none. */
  from: number = noTime
  to = 0
  table: AccumulatorTable
  readonly afterAdd = false
  readonly #size: number
  readonly #slide: number
  readonly #offset: number
  readonly #pane: number
  readonly #delay: number
  readonly #clock: EventClock
  readonly #limits: LocalLimits
  readonly #gauge: GroupingGauge
  readonly #sums: readonly ((row: unknown) => boolean)[]
  readonly #panes: Map<number, Pane> = new Map()
  readonly #spare: AccumulatorTable[] = []
  #send: TakePartial = () => {}
  #entries = 0
  #due: number = Number.POSITIVE_INFINITY
  /** What the watermark of the owners has reached at most, whatever ours is. */
  #reached: number = Number.NEGATIVE_INFINITY
  /** Rows that still travel as themselves. */
  #pause = 0

  constructor(options: LocalAggregateOptions) {
    const { window } = options
    this.#size = window.sizeMs
    this.#slide = window.slideMs ?? window.sizeMs
    this.#offset = window.offsetMs
    this.#pane = paneOf(this.#size, this.#slide)
    this.#delay = options.allowedLatenessMs - 1
    this.#clock = options.clock
    this.#limits = localLimits(options.limits)
    this.#gauge = new GroupingGauge(this.#limits)
    this.kernel = aggregateKernel(withRows(options.aggregates), true)
    this.#sums = sumsOf(options.aggregates)
    this.table = new AccumulatorTable(this.kernel)
  }

  connect(send: TakePartial): void {
    this.#send = send
  }

  /** Everything begins: no owner's watermark is higher than this. */
  start(reached: number): void {
    this.#reached = reached
  }

  /** Adds a row to the partial of its key; false when it must travel as itself. */
  record(key: Key, row: unknown, t: number): boolean {
    if (!this.takes(t)) return false
    if (!this.#sums.every((isWhole) => isWhole(row))) {
      this.inexact()
      return false
    }
    const { table } = this
    const slot = slotOf(table, key)
    const { inserted } = table
    addRow(table, slot, row)
    if (inserted) this.grew()
    return true
  }

  /** Whether a row of this time can be added here; its slice is current then. */
  takes(t: number): boolean {
    return (t >= this.from && t < this.to) || this.roll(t)
  }

  /** Makes the slice of `t` current; false when a row of this time must travel as itself. */
  roll(t: number): boolean {
    if (this.#pause > 0) {
      this.#pause--
      return false
    }
    const watermark = this.#clock.watermark()
    const last = this.#align(t, this.#slide) + this.#size
    if (last + this.#delay <= watermark || last + this.#delay <= this.#reached) return false
    const start = this.#align(t, this.#pane)
    this.table = (this.#panes.get(start) ?? this.#newPane(start, last, watermark)).table
    this.from = start
    this.to = start + this.#pane
    return true
  }

  added(): void {}

  /** A new key came into the current slice. */
  grew(): void {
    this.#entries++
    if (this.#entries >= this.#limits.entriesMax) this.flush()
  }

  /** A sum was to take something else than a whole number. */
  inexact(): void {
    this.#stop()
  }

  /** The owners will not wait for this subtask any more, so it cannot know what is late for them. */
  idle(): void {
    this.#stop()
  }

  nextDue(): number {
    return this.#due
  }

  /** Before anybody hears of `watermark`: partials of windows that it fires leave. */
  advance(watermark: number): void {
    let due: number = Number.POSITIVE_INFINITY
    for (const [start, pane] of this.#panes) {
      if (pane.dueMs <= watermark) this.#sendPane(start, pane)
      else if (pane.dueMs < due) due = pane.dueMs
    }
    this.#due = due
    this.#rest()
    if (due !== Number.POSITIVE_INFINITY) this.#clock.schedule(due)
    this.#judge()
  }

  /** Sends every partial. */
  flush(): void {
    for (const [start, pane] of this.#panes) this.#sendPane(start, pane)
    this.#due = Number.POSITIVE_INFINITY
    this.#rest()
    this.#judge()
  }

  /** Nothing waits to be sent. */
  get empty(): boolean {
    return this.#panes.size === 0
  }

  #stop(): void {
    this.flush()
    this.#pause = Number.POSITIVE_INFINITY
  }

  /** No slice is current. */
  #rest(): void {
    this.from = noTime
    this.to = 0
  }

  #newPane(start: number, last: number, watermark: number): Pane {
    let end = last
    while (end - this.#slide > start && end - this.#slide + this.#delay > watermark)
      end -= this.#slide
    const pane = {
      table: this.#spare.pop() ?? new AccumulatorTable(this.kernel),
      watermark,
      dueMs: end + this.#delay,
    }
    this.#panes.set(start, pane)
    if (pane.dueMs < this.#due) {
      this.#due = pane.dueMs
      this.#clock.schedule(pane.dueMs)
    }
    return pane
  }

  #sendPane(start: number, { table, watermark }: Pane): void {
    const { stride } = this.kernel
    for (let slot = 0; slot < table.size; slot++) {
      const rows = table.words[slot * stride + stride - 1] ?? 0
      // A key whose first row was refused has none.
      if (rows === 0) continue
      this.#gauge.count(rows)
      this.#send(table, slot, start, rows, watermark)
    }
    this.#entries -= table.size
    this.#panes.delete(start)
    table.clear()
    this.#spare.push(table)
  }

  /** Where nearly every row has a key and slice of its own, rows travel as themselves for a while. */
  #judge(): void {
    if (!this.#gauge.tooMany() || this.#pause > 0) return
    this.#pause = this.#limits.pauseRows
    this.flush()
  }

  #align(t: number, unit: number): number {
    return Math.floor((t - this.#offset) / unit) * unit + this.#offset
  }
}
