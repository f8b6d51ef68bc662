/** The types of `process`: what a step declares and what its functions are given. */
import type { Duration, Timestamp } from '../base/time.ts'
import type { StateDefinition, TimerControl, TimerKind } from '../graph/process.ts'
import type { Codec } from '../schema/types.ts'

/** Whether records of a stream carry event time. */
export type TimeMode = 'untimed' | 'event-time'

declare const handleType: unique symbol

/**
 * Declares one state of a keyed step; made by `valueState`, `listState` and their kin. Plain data: one descriptor may be
 * shared by several steps and jobs, each of which keeps state of its own.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface StateDescriptor<Handle> {
  readonly definition: StateDefinition
  /** Carries the handle's type to the compiler; never present. */
  readonly [handleType]?: Handle
}

/** States of a step by name. */
export type StateSpec = Readonly<Record<string, StateDescriptor<unknown>>>

/** What `ctx.state` holds: a handle for each declared state. */
export type StateHandles<State> = {
  readonly [Name in keyof State]: State[Name] extends StateDescriptor<infer Handle> ? Handle : never
}

/** Timer kinds that a stream allows: event time exists only after `withEventTime`. */
export type TimerKinds<Mode extends TimeMode> = Mode extends 'event-time'
  ? TimerKind
  : 'processing-time'

/** Timers of a step by name. */
export type TimerSpec<Mode extends TimeMode = TimeMode> = Readonly<Record<string, TimerKinds<Mode>>>

/** One output, or several by name. */
export type OutputSpec = Codec<unknown> | Readonly<Record<string, Codec<unknown>>>

/** The values that a codec or schema stands for. */
export type ValueOf<Described> = Described extends Codec<infer Value> ? Value : never

/** How a step emits: `emit(row)` with one output, `emit('name', row)` with several. */
export type Emit<Output> =
  Output extends Codec<infer Row>
    ? (row: Row) => void
    : <const Name extends keyof Output>(output: Name, row: ValueOf<Output[Name]>) => void

/**
 * What the functions of a `process` step get besides the record. One object serves all calls: read it during the call
 * and do not keep it.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface ProcessContext<Key, State, Timers, Output> {
  /** The key of the record or timer; state and timers belong to it. */
  readonly key: Key
  /** Event time of the record or timer. On untimed streams the processing time at which it is handled. */
  readonly timestamp: Timestamp
  /** Nothing earlier is expected any more; on untimed streams earlier than every record. */
  readonly watermark: Timestamp
  /** Processing time. The same for a replayed run, unlike `Date.now()`. */
  now(): Timestamp
  /** Uniform in [0, 1), reproducible from the run's seed, unlike `Math.random()`. */
  random(): number
  readonly state: StateHandles<State>
  /** One control per declared timer; each key has at most one pending timer of each name. */
  readonly timers: { readonly [Name in keyof Timers]: TimerControl }
  readonly emit: Emit<Output>
}

/** `onTimer` must exist exactly when timers are declared, with one function per timer. */
export type TimerPart<Key, State, Timers, Output> = keyof Timers extends never
  ? { readonly timers?: Timers; readonly onTimer?: undefined }
  : {
      readonly timers: Timers
      readonly onTimer: {
        readonly [Name in keyof Timers]: (ctx: ProcessContext<Key, State, Timers, Output>) => void
      }
    }

/** What a `process` step declares, without its functions. */
export interface ProcessDeclaration<State, Timers, Output> {
  /** Declared state by name; read with `ctx.state.<name>`. Each name is a table of its own in checkpoints. */
  readonly state?: State
  /** Timers by name with the time they follow. */
  readonly timers?: Timers
  /** A codec or schema for one output; several by name make `process` return one stream each. */
  readonly output: Output
  /** The former name of this step, when it was renamed: its state goes on. */
  readonly was?: string
  /**
   * What happens when a function throws; overrides the job-wide `onError.user`. The effects of the failing call on
   * state, timers and outputs are undone first.
   */
  readonly onError?: 'fail' | 'skip' | 'dead-letter'
}

/** The whole argument of `process`. */
export type ProcessSpec<In, Key, State, Timers, Output> = ProcessDeclaration<
  State,
  Timers,
  Output
> & {
  /** Called for every record of a key, one at a time, in order of arrival. Synchronous. */
  onRecord(record: In, ctx: ProcessContext<Key, State, Timers, Output>): void
} & TimerPart<Key, State, Timers, Output>

/** How event time is found in records. */
export interface EventTime<Row> {
  /** The record's time. Whatever is not a finite number of milliseconds follows the policy `onError.time`. */
  readonly timestamp: (row: Row) => Timestamp
  /**
   * How far a record may be behind the latest one of its partition without being late. The watermark is the largest
   * timestamp so far minus this and 1 ms, so a record that is exactly this far behind is on time.
   */
  readonly maxOutOfOrderness: Duration
  /**
   * How far a time may lie after the moment when the log took the record; default 1 day, `'unlimited'` for none. One
   * device with a wrong clock would else drive the watermark away and make the records of all others late. What is beyond
   * follows the policy `onError.time`. Only topics know that moment, and only up to the first step that gives rows to
   * other workers; for other sources see `notAfter`.
   */
  readonly maxFuture?: Duration | 'unlimited'
  /** Times after this one follow the policy `onError.time`, whatever the source. Default: none are too late. */
  readonly notAfter?: Timestamp
  /** A partition with nothing to read for this long stops holding the watermark back. Default 5 minutes. */
  readonly idleAfter?: Duration
  /**
   * Keeps partitions together in event time: one whose watermark is more than `maxDrift` ahead of the slowest of its group
   * is not read until the others have come closer. Without it a fast partition fills windows and other state downstream
   * that wait for the slow ones. Default: none waits.
   *
   * Members of a group are all partitions behind every step that names it, of one source or several, in all workers.
   * Silent partitions (see `idleAfter`) and finished ones hold nobody back. A partition that waits is not silent. It is
   * looked at between batches, so a partition can be ahead by `maxDrift` and one batch. Results do not change,
   * only when they come. In batch mode partitions are read one after the other, and nothing waits. The step has to stand in
   * front of every `keyBy` and of every step that gives rows to other workers (TM1313), where partitions are known. A source
   * whose records reach several such steps is in one group (TM1313), by the largest of its watermarks.
   * Flink has the same as FLIP-182 and FLIP-217.
   */
  readonly alignment?: {
    /** Default: a group of all steps that name none. */
    readonly group?: string
    /** At least 1 ms. A good value is what a window of the job lasts, or a few minutes. */
    readonly maxDrift: Duration
  }
}
