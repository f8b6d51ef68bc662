/**
 * The streams of the fluent API, as interfaces: what a program can say, and which combinations do not exist.
 *
 * Every method adds a step to the pipeline's plan and returns at once; nothing runs before `run` or `start`. The kind of
 * a stream is its type: untimed or event-time, keyed or not, append-only or of changes. They refer to each other, so
 * they share one file.
 */
import type { Duration } from '../base/time.ts'
import type { Sink } from '../connectors/contract.ts'
import type { Literal } from '../expression/nodes.ts'
import type { Late, Rejected } from '../graph/letters.ts'
import type { Flatten } from '../schema/schema.ts'
import type { Codec, Key as AnyKey, Schema } from '../schema/types.ts'
import type { Aggregate, AggregateResults, CountOptions } from './aggregate-types.ts'
import type { Columns, Selected, ValueExpression } from './expression-types.ts'
import type {
  EventTime,
  OutputSpec,
  ProcessSpec,
  StateSpec,
  TimeMode,
  TimerSpec,
  ValueOf,
} from './process-types.ts'
import type { EventTimeWindow, ProcessingTimeWindow, TimeWindow } from './window-assigners.ts'

/** The rows of a stream. */
export type RowOf<Of> = Of extends Stream<infer Row, TimeMode> ? Row : never

/**
 * A sink that takes these rows, perhaps among others: `deadLetters()` takes every kind of letter. Of a sink's codec only
 * the encoder matters here, since nothing is read back.
 */
export interface SinkFor<Row> extends Omit<Sink<Row>, 'value'> {
  readonly value?: Pick<Codec<Row>, 'contentType' | 'encode'>
}

/** Describes result rows, so that they are stored and sent as declared fields instead of describing themselves. */
export interface RowOptions<Row> {
  readonly row: Schema<Row>
}

/**
 * Records that follow each other for ever, or to the end of a bounded input.
 *
 * @example
 * ```ts
 * import { pipeline, type Sink, type Source } from 'tidemill'
 * declare const book: Source<string>
 * declare const print: Sink<string>
 * pipeline('shout').from('book', book).map((line) => line.toUpperCase()).to('print', print)
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export interface Stream<Row, Mode extends TimeMode = 'untimed'> {
  /** Whether records carry event time. */
  readonly time: Mode
  /**
   * One result per record.
   *
   * Pass `{ row: schema }` when the results are stored or sent to another thread often: without it they travel in the
   * self-describing codec, and `explain` marks the place. A throw follows the job's `onError.user`; use {@link try} to
   * take such records instead.
   */
  map<Out>(fn: (row: Row) => NoInfer<Out>, options: RowOptions<Out>): Stream<Out, Mode>
  map<Out>(fn: (row: Row) => Out): Stream<Out, Mode>
  /** Keeps the records for which `fn` is true. A type guard narrows the stream's type. Dropped records are counted. */
  filter<Narrow extends Row>(fn: (row: Row) => row is Narrow): Stream<Narrow, Mode>
  filter(fn: (row: Row) => boolean): Stream<Row, Mode>
  /** Keeps the records for which an expression is true. As {@link filter}; the chain computes it without a call. */
  where(build: (columns: Columns<Row>) => ValueExpression<boolean>): Stream<Row, Mode>
  /**
   * A new row per record, of expressions over its fields and of constants. As {@link map}; the chain computes it without a
   * call, which counts in long chains.
   *
   * Errors: TM1351 for a field that is neither an expression nor a constant.
   */
  select<const Fields extends Readonly<Record<string, ValueExpression<unknown> | Literal>>>(
    build: (columns: Columns<Row>) => Fields,
    options?: RowOptions<NoInfer<Selected<Fields>>>,
  ): Stream<Flatten<Selected<Fields>>, Mode>
  /** Any number of results per record, in the order of the iterable. It is consumed before the next record. */
  flatMap<Out>(
    fn: (row: Row) => Iterable<NoInfer<Out>>,
    options: RowOptions<Out>,
  ): Stream<Out, Mode>
  flatMap<Out>(fn: (row: Row) => Iterable<Out>): Stream<Out, Mode>
  /**
   * A `map` whose function may throw: the throw becomes a record of `rejected`. Both streams must be consumed, or
   * `orFail()` called. `name` appears in rejections and metrics.
   *
   * Errors: TM1300 to TM1303 for the name; TM1306 when the plan is built and `rejected` has no consumer.
   */
  try<Out>(
    name: string,
    fn: (row: Row) => NoInfer<Out>,
    options: RowOptions<Out>,
  ): WithRejected<Out, Row, Mode>
  try<Out>(name: string, fn: (row: Row) => Out): WithRejected<Out, Row, Mode>
  /**
   * Gives records their event time. Needed before windows and event-time timers.
   *
   * The watermark is kept per partition of the sources above; silent partitions are left out after `idleAfter`. A record
   * whose time is not a finite number follows the job's `onError.time`; see {@link tryWithEventTime}.
   *
   * Errors: TM1352 for a negative duration.
   */
  withEventTime(time: EventTime<Row>): Stream<Row, 'event-time'>
  /** `withEventTime` with an output for records that have no usable time, or whose `timestamp` function throws. */
  tryWithEventTime(name: string, time: EventTime<Row>): WithRejected<Row, Row, 'event-time'>
  /** All records of this stream and of `others`, in no particular order between them. Watermarks merge by minimum. */
  union<const Others extends readonly Stream<unknown, Mode>[]>(
    ...others: Others
  ): Stream<Row | RowOf<Others[number]>, Mode>
  /**
   * Groups records by a key: text, a finite number, a bigint, a boolean, or a tuple of these. Records of one key are
   * handled in order and by one worker.
   */
  keyBy<const Key extends AnyKey>(
    fn: (row: Row) => Key,
    options?: ParallelismOptions,
  ): KeyedStream<Key, Row, Mode>
  /**
   * Gives the records to all subtasks in turn, so that what follows runs on all of them: use it before expensive steps
   * when a source has fewer partitions than there are workers, or unequal ones. Records of one partition no longer keep
   * their order. With one subtask it does nothing. It costs about as much per record as `keyBy`.
   *
   * Event time passes. `withEventTime` behind it sees one channel per sending subtask instead of one per partition: where a
   * worker reads several partitions that are not equally far, call it before.
   *
   * Errors: TM1313 for a bound that is no whole number from 1 to the number of key groups.
   */
  rebalance(options?: ParallelismOptions): Stream<Row, Mode>
  /**
   * Gives all records to one subtask, the first. For steps and sinks that must see everything in one place; everything
   * behind it runs on one core.
   */
  global(): Stream<Row, Mode>
  /**
   * Gives every subtask a copy of every record, for small streams that stateless steps of all subtasks must see, such as
   * rules that are merged into a larger stream by `union`. What follows handles each record once per subtask: a sink or a
   * count behind it has as many copies as there are workers.
   */
  broadcast(): Stream<Row, Mode>
  /**
   * Gives all records of one key to one subtask, as `keyBy` does, and the stream stays without keys. Records of one key that
   * one subtask sends keep their order. With `partitions` the function returns the number of a partition, a whole number from
   * 0 to below `partitions`; partition p belongs to subtask p modulo the number of subtasks.
   *
   * Errors: TM1903 at the record whose key or number cannot be used.
   */
  partitionBy(
    fn: (row: Row) => number,
    options: ParallelismOptions & { readonly partitions: number },
  ): Stream<Row, Mode>
  partitionBy(fn: (row: Row) => AnyKey, options?: ParallelismOptions): Stream<Row, Mode>
  /** Continues the chain with a step of your own: `stream.apply(fn)` is `fn(stream)`. */
  apply<Result>(fn: (self: Stream<Row, Mode>) => Result): Result
  /**
   * Ends the chain in a sink. `name` is where its results and open transactions are kept.
   *
   * Errors: TM1300 to TM1303 for the name, TM1351 when `sink` is not one.
   */
  to(name: string, sink: SinkFor<Row>, options?: ParallelismOptions): void
}

/** How many subtasks take part in what follows a step that gives records to subtasks, and in a sink. */
export interface ParallelismOptions {
  /**
   * At most so many subtasks, the first ones, get records; key groups and partitions are spread over them. Default: all.
   * It may change from start to start of a job: state moves, as it does when the number of workers changes.
   */
  readonly parallelism?: number
}

/**
 * Records grouped by key: the start of everything that keeps state.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface KeyedStream<Key, Row, Mode extends TimeMode = 'untimed'> {
  readonly time: Mode
  /**
   * The general step: your functions with declared state and named timers per key.
   *
   * Reach for `count`, `reduce`, `aggregate` or `window` first: their state is smaller and faster. State costs memory
   * per key until it is cleared or its `ttl` passes.
   *
   * Errors: TM1300 to TM1304 for names, TM1354 when timers and handlers differ.
   */
  process<
    const Output extends OutputSpec,
    const State extends StateSpec = Record<never, never>,
    const Timers extends TimerSpec<Mode> = Record<never, never>,
  >(name: string, spec: ProcessSpec<Row, Key, State, Timers, Output>): Outputs<Output, Mode>
  /**
   * A value per key that grows with each record; every new value is emitted. The first record is the first value.
   * `value` declares how it is stored.
   */
  reduce(
    name: string,
    fn: (previous: Row, row: Row) => Row,
    options?: StepOptions & { readonly value?: Schema<Row> },
  ): Stream<Row, Mode>
  /**
   * Running aggregates per key. `emit: 'every-change'` (default) emits after every record; `'latest'` emits the last
   * value of each changed key once per epoch: far fewer rows, the same final values.
   */
  aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(
    name: string,
    spec: Spec,
    options?: StepOptions & { readonly emit?: 'every-change' | 'latest' },
  ): Stream<Flatten<{ readonly key: Key } & AggregateResults<Spec>>, Mode>
  /** How many records each key has had, emitted after every record. State: one number per key. */
  count(
    name: string,
    options?: StepOptions,
  ): Stream<{ readonly key: Key; readonly count: number }, Mode>
  /** Windows in processing time. They need no event time, and have no late records: what counts is the arrival. */
  window(assigner: ProcessingTimeWindow): ProcessingTimeWindowedStream<Key, Row>
  /** Windows in event time. Only streams after `withEventTime` have them. */
  window(
    this: KeyedStream<Key, Row, 'event-time'>,
    assigner: EventTimeWindow,
  ): WindowedStream<Key, Row>
}

/** What every named step may say about itself. */
export interface StepOptions {
  /** The former name of this step, when it was renamed: its state goes on. */
  readonly was?: string
}

/** One stream per declared output. */
export type Outputs<Output, Mode extends TimeMode> =
  Output extends Codec<infer Row>
    ? Stream<Row, Mode>
    : { readonly [Name in keyof Output]: Stream<ValueOf<Output[Name]>, Mode> }

/**
 * Event-time windows per key, before it is said what to compute. Each window gives one row when the watermark reaches
 * its end; records that come after that are `late`.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface WindowedStream<Key, Row> {
  /**
   * Keeps windows open for late records: each window gives its row at its end and a corrected one for every record
   * that is at most `lateness` late. State of a window is kept that much longer.
   */
  allowedLateness(lateness: Duration): UpdatingWindowedStream<Key, Row>
  /** Aggregates of each window by name: a row has `key`, `window` and one field per aggregate. */
  aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(
    name: string,
    spec: Spec,
    options?: StepOptions,
  ): WithLate<
    Flatten<{ readonly key: Key; readonly window: TimeWindow } & AggregateResults<Spec>>,
    Row
  >
  /** The records of each window combined two by two, in no particular order: `fn` must not depend on it. */
  reduce(
    name: string,
    fn: (left: Row, right: Row) => Row,
    options?: StepOptions & { readonly value?: Schema<Row> },
  ): WithLate<{ readonly key: Key; readonly window: TimeWindow; readonly value: Row }, Row>
  /** The number of records of each window; `where` selects which of them count. */
  count(
    name: string,
    options?: StepOptions & CountOptions<Row>,
  ): WithLate<{ readonly key: Key; readonly window: TimeWindow; readonly count: number }, Row>
}

/**
 * Event-time windows that correct their results for late records.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface UpdatingWindowedStream<Key, Row> {
  /** Waits for the end of the allowed lateness and then emits once: results stay append-only, and come later. */
  emitOnce(): WindowedStream<Key, Row>
  /** As in {@link WindowedStream.aggregate}; results are changes of rows keyed by key and window. */
  aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(
    name: string,
    spec: Spec,
    options?: StepOptions,
  ): WithLateChanges<
    Flatten<{ readonly key: Key; readonly window: TimeWindow } & AggregateResults<Spec>>,
    Key,
    Row
  >
  reduce(
    name: string,
    fn: (left: Row, right: Row) => Row,
    options?: StepOptions & { readonly value?: Schema<Row> },
  ): WithLateChanges<
    { readonly key: Key; readonly window: TimeWindow; readonly value: Row },
    Key,
    Row
  >
  count(
    name: string,
    options?: StepOptions & CountOptions<Row>,
  ): WithLateChanges<
    { readonly key: Key; readonly window: TimeWindow; readonly count: number },
    Key,
    Row
  >
}

/**
 * Processing-time windows per key. Results have no event time, and depend on when records arrive: a replayed run gives
 * other windows.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface ProcessingTimeWindowedStream<Key, Row> {
  aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(
    name: string,
    spec: Spec,
    options?: StepOptions,
  ): Stream<Flatten<{ readonly key: Key; readonly window: TimeWindow } & AggregateResults<Spec>>>
  reduce(
    name: string,
    fn: (left: Row, right: Row) => Row,
    options?: StepOptions & { readonly value?: Schema<Row> },
  ): Stream<{ readonly key: Key; readonly window: TimeWindow; readonly value: Row }>
  count(
    name: string,
    options?: StepOptions & CountOptions<Row>,
  ): Stream<{ readonly key: Key; readonly window: TimeWindow; readonly count: number }>
}

/**
 * What a window makes of records: results, and those that came too late. Consume both, or say why late ones do not
 * matter.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface WithLate<Out, In> {
  /** Event time of a result is the last millisecond of its window. */
  readonly results: Stream<Out, 'event-time'>
  /** Untimed: the watermark has passed these records, so every window on them would find them late again. */
  readonly late: Stream<Late<In>>
  /** The results alone. Late records are counted under `reason`, which `explain` and the ledger show. */
  dropLate(reason: string): Stream<Out, 'event-time'>
}

/**
 * The outcome of windows that correct their results.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface WithLateChanges<Out, Key, In> {
  readonly results: ChangeStream<Out, WindowKey<Key>>
  readonly late: Stream<Late<In>>
  dropLate(reason: string): ChangeStream<Out, WindowKey<Key>>
}

/**
 * What a step that may refuse records makes of them. Consume both streams, or choose to stop at the first refusal.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface WithRejected<Out, In, Mode extends TimeMode> {
  readonly results: Stream<Out, Mode>
  readonly rejected: Stream<Rejected<In>>
  /** The results alone; a refused record stops the job with an error that names it. */
  orFail(): Stream<Out, Mode>
}

/** Identifies a row of a stream of window changes. */
export interface WindowKey<Key> {
  readonly key: Key
  readonly window: TimeWindow
}

/** One change of a keyed row. */
export interface Change<Row, Key> {
  readonly op: 'insert' | 'update' | 'delete'
  readonly key: Key
  /** The new row, or the removed one for `delete`. */
  readonly row: Row
}

/**
 * A table as it changes: at most one row per key. It has no `to`, because a sink that takes changes for records would
 * keep outdated rows.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface ChangeStream<Row, Key> {
  /** The changes themselves as ordinary records. */
  changes(): Stream<Change<Row, Key>, 'event-time'>
}
