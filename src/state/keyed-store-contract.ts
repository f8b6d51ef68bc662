/**
 * What a step with keyed state sees of a backend. The memory backend is `keyed-store.ts`; another backend implements
 * this file and the conformance tests.
 *
 * Laws:
 * 1. There is a current key. Handles and timers act on its state and are valid for ever; what they return is frozen or
 *    a copy.
 * 2. Everything written between `mark` and `rollback` is undone, timers and order included; `release` keeps it.
 * 3. A picture (`freeze`) never changes; `freeze` is not called between `mark` and its end.
 * 4. Timers fire in order of (time, canonical key bytes, timer name), also those set while others fire.
 * 5. What a restored store answers is what the frozen one would have answered, for the key groups it was given.
 */
import type {
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  SortedMapState,
  StateDefinition,
  TimerKind,
  ValueState,
} from '../graph/process.ts'
import type { Key } from '../schema/types.ts'
import type { KeyGroupRange, StateHolder } from './contract.ts'

export interface KeyedStoreOptions {
  /** The step's name, for messages. */
  readonly operator: string
  readonly states: Readonly<Record<string, StateDefinition>>
  readonly timers: Readonly<Record<string, TimerKind>>
  readonly range: KeyGroupRange
  /** Epoch milliseconds, for time to live. */
  readonly processingTimeNow: () => number
  readonly limits?: StoreLimits
  /** Called once when `used` reaches 80 % of a limit, and again after it fell below 60 %. */
  readonly onWarning?: (warning: LimitWarning) => void
  /** Names of states and timers whose stored data is dropped on restore although nothing declares them. */
  readonly drop?: readonly string[]
}

/** Reaching a limit is TM1405. */
export interface StoreLimits {
  readonly keysMax?: number
  readonly timersMax?: number
}

export interface LimitWarning {
  readonly operator: string
  readonly what: 'keys' | 'timers'
  readonly used: number
  readonly limit: number
}

export type StateHandle =
  | ValueState<unknown>
  | ListState<unknown>
  | MapState<unknown, unknown>
  | SortedMapState<unknown, unknown>
  | ReducingState<unknown>
  | AggregatingState<unknown, unknown>

export interface StoreTimer {
  /** Replaces the pending timer of this name and the current key. TM1406 unless `ms` is finite. */
  setAt(ms: number): void
  clear(): void
  /** When it is due, if it is set. */
  at(): number | undefined
}

export interface DueTimer {
  readonly name: string
  readonly at: number
}

export interface KeyedStore extends StateHolder {
  /** The current key; undefined before the first `setKey`. */
  readonly key: Key | undefined
  /** Makes a valid key current. `keyGroup` saves computing it. */
  setKey(key: Key, keyGroup?: number): void
  readonly handles: Readonly<Record<string, StateHandle>>
  readonly timers: Readonly<Record<string, StoreTimer>>
  /** Never later than the earliest pending timer of this kind; +Infinity when none is pending. */
  nextDue(kind: TimerKind): number
  /** Takes the first timer that is due at `uptoMs`, clears it and makes its key current. */
  takeDue(kind: TimerKind, uptoMs: number): DueTimer | undefined
  mark(): void
  rollback(): void
  release(): void
  /** Removes expired values from up to about `slotsMax` keys and goes on there next time; how many it removed. */
  sweepExpired(slotsMax: number): number
  counts(): StoreCounts
}

export interface StoreCounts {
  readonly keys: number
  /** Values, list items and map entries. */
  readonly entries: number
  readonly timers: number
  /** Values and entries that their time to live has removed since the start of this process. */
  readonly expired: number
  /** An estimate of the memory in use. */
  readonly approximateBytes: number
}
