/** What the first phases of windows (`local-aggregate.ts`) and of running aggregates (`local-totals.ts`) have in common. */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import type { AccumulatorTable } from './accumulator-table.ts'
import type { AggregateKernel } from './kernel.ts'

/** When partials leave although nothing is due. */
export interface LocalLimits {
  /** Keys and slices together. A partial takes about 100 bytes here and at most as much in the channels. */
  readonly entriesMax: number
  /** Rows after which it is decided whether adding up is worth it. */
  readonly sampleRows: number
  /** Rows sent as themselves after it was not. */
  readonly pauseRows: number
}

/**
 * Takes one partial: the accumulators of a slot, standing for `rows` rows. `time` is the start of its slice, or that of its
 * last row. Without a watermark it says nothing of event time.
 */
export type TakePartial = (
  table: AccumulatorTable,
  slot: number,
  time: number,
  rows: number,
  watermark: number | undefined,
) => void

/**
 * Adds rows up in front of an exchange. The generated chain does what `record` does: it reads `from`, `to` and `table` as
 * it does of a window, and calls `added` after each row when `afterAdd` says so.
 */
export interface LocalPhase {
  readonly kernel: AggregateKernel
  readonly from: number
  readonly to: number
  readonly table: AccumulatorTable
  readonly afterAdd: boolean
  /** Nothing waits to be sent. */
  readonly empty: boolean
  connect(send: TakePartial): void
  /** Everything begins: no owner's watermark is higher than this. */
  start(reached: number): void
  /** Whether a row of this time can be added here; what `roll` makes current is current then. */
  takes(t: number): boolean
  /** Adds a row to the partial of its key; false when it must travel as itself. */
  record(key: Key, row: unknown, t: number): boolean
  /** Called for a row whose time is not in [from, to); false when it must travel as itself. */
  roll(t: number): boolean
  added(slot: number, t: number): void
  /** A new key came into the table. */
  grew(): void
  /** A sum was to take something else than a whole number. */
  inexact(): void
  /** The owners will not wait for this subtask any more. */
  idle(): void
  nextDue(): number
  /** Before anybody hears of `watermark`: partials that it makes due leave. */
  advance(watermark: number): void
  /** Sends every partial. */
  flush(): void
}

const defaults: LocalLimits = { entriesMax: 8_192, sampleRows: 4_096, pauseRows: 100_000 }

export function localLimits(limits: Partial<LocalLimits> | undefined): LocalLimits {
  return { ...defaults, ...limits }
}

/** More partials per row than this and adding up costs more than it saves. */
const worthwhileRatio = 0.5

/** Where nearly every row has a partial of its own, adding up is not worth it for a while. */
export class GroupingGauge {
  readonly #limits: LocalLimits
  #rows = 0
  #partials = 0

  constructor(limits: LocalLimits) {
    this.#limits = limits
  }

  /** A partial was sent that stands for `rows` rows. */
  count(rows: number): void {
    this.#rows += rows
    this.#partials++
  }

  /** Whether there were too many partials for so many rows; begins again once there were enough rows to tell. */
  tooMany(): boolean {
    if (this.#rows < this.#limits.sampleRows) return false
    const too = this.#partials > this.#rows * worthwhileRatio
    this.#rows = 0
    this.#partials = 0
    return too
  }
}

/** The aggregates of a step and, last, the number of all rows. */
export function withRows(aggregates: AggregateSpec): AggregateSpec {
  let name = 'rows'
  while (name in aggregates) name += '_'
  return { ...aggregates, [name]: { kind: 'count', where: undefined } }
}

/** Whether each sum takes a whole number of a row, or nothing. */
export function sumsOf(aggregates: AggregateSpec): readonly ((row: unknown) => boolean)[] {
  return Object.values(aggregates).flatMap((one) => {
    if (one.kind !== 'sum' && one.kind !== 'mean') return []
    // `as`: the typed constructors of the API have checked the functions against the rows.
    const of = one.of as (row: unknown) => number
    const where = one.where as ((row: unknown) => boolean) | undefined
    return [(row: unknown) => where?.(row) === false || Number.isSafeInteger(of(row))]
  })
}
