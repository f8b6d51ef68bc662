/** The keyed `process` step as data: declared state, timers and outputs, and the functions that use them. */
import type { Duration, Timestamp } from '../base/time.ts'
import type { Codec, Key, Schema } from '../schema/types.ts'

/** The six kinds of keyed state (declared as data, so that tools can read them before the first record). */
export type StateDefinition =
  | {
      readonly kind: 'value'
      readonly value: Schema<unknown>
      readonly initial: unknown
      readonly options: StateOptions
    }
  | { readonly kind: 'list'; readonly item: Schema<unknown>; readonly options: StateOptions }
  | {
      readonly kind: 'map'
      readonly key: Schema<unknown>
      readonly value: Schema<unknown>
      readonly options: StateOptions
    }
  /** Entries in ascending key order. */
  | {
      readonly kind: 'sorted-map'
      readonly key: Schema<unknown>
      readonly value: Schema<unknown>
      readonly options: StateOptions
    }
  | {
      readonly kind: 'reducing'
      readonly value: Schema<unknown>
      readonly reduce: (left: unknown, right: unknown) => unknown
      readonly options: StateOptions
    }
  | {
      readonly kind: 'aggregating'
      readonly accumulator: Schema<unknown>
      readonly create: () => unknown
      readonly add: (accumulator: unknown, value: unknown) => unknown
      readonly result: (accumulator: unknown) => unknown
      readonly options: StateOptions
    }

export interface StateOptions {
  /** A value expires this long (processing time) after its last write; it is never returned after that. */
  readonly ttl?: Duration
  /** The state's former name. */
  readonly was?: string
}

export type TimerKind = 'event-time' | 'processing-time'

/** What `process` was given, untyped; `stream/` proves the types, the runtime calls the functions. */
export interface ProcessDefinition {
  readonly state: Readonly<Record<string, StateDefinition>>
  readonly timers: Readonly<Record<string, TimerKind>>
  /** `undefined` name list: one output `out`. */
  readonly outputs: readonly string[] | undefined
  readonly outputCodecs: Readonly<Record<string, Codec<unknown>>>
  readonly onRecord: (row: unknown, context: ProcessContext) => void
  readonly onTimer: Readonly<Record<string, (context: ProcessContext) => void>>
  /** Overrides the job-wide policy `user`. */
  readonly onError: 'fail' | 'skip' | 'dead-letter' | undefined
}

/** What user functions get. One object per step, reused for every call: valid during the call only. */
export interface ProcessContext {
  readonly key: Key
  /** Event time of the record or timer; for untimed streams the processing time. */
  readonly timestamp: Timestamp
  readonly watermark: Timestamp
  now(): Timestamp
  random(): number
  readonly state: Readonly<Record<string, unknown>>
  readonly timers: Readonly<Record<string, TimerControl>>
  readonly emit: (...args: readonly unknown[]) => void
}

export interface TimerControl {
  /** Replaces the pending timer of this name and key. */
  setAt(at: Timestamp): void
  /** `delay` after `ctx.timestamp` (event time) or after `ctx.now()` (processing time). */
  setAfter(delay: Duration): void
  clear(): void
}

export interface ValueState<Value> {
  get(): Value
  set(value: NonNullable<Value>): void
  clear(): void
}

export interface ListState<Item> {
  add(item: Item): void
  all(): readonly Item[]
  readonly length: number
  clear(): void
}

export interface MapState<MapKey, Value> {
  get(key: MapKey): Value | undefined
  set(key: MapKey, value: Value): void
  has(key: MapKey): boolean
  delete(key: MapKey): void
  readonly size: number
  keys(): Iterable<MapKey>
  values(): Iterable<Value>
  entries(): Iterable<readonly [MapKey, Value]>
  clear(): void
}

export interface SortedMapState<MapKey, Value> extends MapState<MapKey, Value> {
  first(): readonly [MapKey, Value] | undefined
  last(): readonly [MapKey, Value] | undefined
  /** Entries with `from <= key < to`, ascending; a bound that is left out is open. */
  range(from?: MapKey, to?: MapKey): Iterable<readonly [MapKey, Value]>
  /** Removes entries with `key < to`. */
  deleteBefore(to: MapKey): void
}

export interface ReducingState<Value> {
  get(): Value | undefined
  add(value: Value): void
  clear(): void
}

export interface AggregatingState<Value, Result> {
  get(): Result | undefined
  add(value: Value): void
  clear(): void
}
