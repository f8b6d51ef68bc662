export interface Aggregate<Row, Result> {
    readonly definition: AggregateDefinition;
    readonly [rowType]?: (row: Row) => void;
    readonly [resultType]?: Result;
}

export interface AggregateFunctions<Row, Accumulator, Result> {
    create(): Accumulator;
    add(accumulator: Accumulator, row: Row): Accumulator;
    merge(left: Accumulator, right: Accumulator): Accumulator;
    result(accumulator: Accumulator): Result;
    readonly accumulator?: Schema<Accumulator>;
    readonly label?: string;
    readonly decomposable?: boolean;
}

export type AggregateResults<Spec> = {
    readonly [Name in keyof Spec]: Spec[Name] extends Aggregate<never, infer Result> ? Result : never;
};

export interface AggregatingFunctions<Value, Accumulator, Result> {
    create(): Accumulator;
    add(accumulator: Accumulator, value: Value): Accumulator;
    result(accumulator: Accumulator): Result;
}

export interface AggregatingState<Value, Result> {
    get(): Result | undefined;
    add(value: Value): void;
    clear(): void;
}

export interface AlignmentOptions {
    readonly offset?: Duration;
}

export interface AnyOperations<Value> extends ValueExpression<Value> {
    eq(other: Operand<Value>): ExpressionFor<boolean>;
    ne(other: Operand<Value>): ExpressionFor<boolean>;
    isNull(): ExpressionFor<boolean>;
    coalesce<Other extends Literal>(other: Operand<Other>): ExpressionFor<NonNullable<Value> | Other>;
}

export interface BooleanOperations {
    and(other: Operand<boolean>): ExpressionFor<boolean>;
    or(other: Operand<boolean>): ExpressionFor<boolean>;
    not(): ExpressionFor<boolean>;
    choose<Then extends Literal, Else extends Literal>(then: Operand<Then>, otherwise: Operand<Else>): ExpressionFor<Widened<Then> | Widened<Else>>;
}

export type Cases = Readonly<Record<string, StructSchema<object>>>;

export interface Change<Row, Key> {
    readonly op: 'insert' | 'update' | 'delete';
    readonly key: Key;
    readonly row: Row;
}

export interface ChangeStream<Row, Key> {
    changes(): Stream<Change<Row, Key>, 'event-time'>;
}

export interface Codec<Value> {
    readonly contentType: string;
    encode(value: Value): Uint8Array;
    decode(bytes: Uint8Array): Value;
}

export type Columns<Row> = {
    readonly [Name in keyof Row]-?: ExpressionFor<Row[Name]>;
};

export interface CountOptions<Row> {
    readonly where?: (row: Row) => boolean;
}

export interface CsvOptions extends RecordOptions {
    readonly path: FilePaths;
    readonly columns?: readonly string[];
    readonly header?: boolean;
    readonly delimiter?: string;
    readonly missing?: readonly string[];
}

export type CsvRow = Readonly<Record<string, string>>;

export interface DatagenOptions<Row> {
    readonly row: (n: number) => Row;
    readonly ratePerSec?: number;
    readonly count?: number;
    readonly partitions?: number;
    readonly schema?: Schema<Row>;
}

export interface DeadLettersOptions {
    readonly directory?: string;
}

export type Duration = number & {
    readonly [timeBrand]: 'Duration';
};

export type ErrorCode = `TM${number}`;

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

export type ErrorKind = 'user' | 'transient' | 'fatal' | 'bug';

export interface EventTime<Row> {
    readonly timestamp: (row: Row) => Timestamp;
    readonly maxOutOfOrderness: Duration;
    readonly maxFuture?: Duration | 'unlimited';
    readonly notAfter?: Timestamp;
    readonly idleAfter?: Duration;
    readonly alignment?: {
        readonly group?: string;
        readonly maxDrift: Duration;
    };
}

export interface EventTimeWindow {
    readonly time: 'event-time';
    readonly definition: WindowDefinition;
    readonly closeAfterQuietMs: number;
}

export type ExpressionFor<Value> = AnyOperations<Value> & ([
    Value
] extends [
    number
] ? NumberOperations : [
    Value
] extends [
    string
] ? TextOperations : [
    Value
] extends [
    boolean
] ? BooleanOperations : unknown);

export interface Field<Value> {
    readonly id: number;
    readonly schema: Schema<Value>;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type FilePaths = string | readonly string[];

export interface FileSinkOptions extends JsonPrintOptions {
    readonly directory: string;
    readonly format?: 'jsonl' | 'csv';
    readonly columns?: readonly string[];
    readonly header?: boolean;
    readonly delimiter?: string;
    readonly rollBytes?: number;
}

export interface FrameBatch {
    readonly kind: 'frame';
    readonly frame: Frame;
    readonly appendedMs?: number;
    locate(index: number): string;
}

export interface Job extends AsyncDisposable {
    readonly name: string;
    readonly finished: Promise<JobResult>;
    savepoint(folder: string): Promise<void>;
    stop(): Promise<JobResult>;
}

export interface JobExecutor {
    run(plan: Plan, options: RunOptions): Promise<JobResult>;
    start(plan: Plan, options: StartOptions): Promise<Job>;
}

export interface JobResult {
    readonly job: string;
    readonly status: 'finished' | 'stopped';
    readonly epoch: number;
    readonly records: RecordCounts;
    readonly durationMs: number;
}

export interface JsonCodec<Value> extends Codec<Value> {
    readonly schema: Schema<Value> | undefined;
}

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | {
    readonly [name: string]: JsonValue;
};

export type Key = KeyAtom | readonly KeyAtom[];

export type KeyAtom = string | number | bigint | boolean;

export interface KeyedStream<Key, Row, Mode extends TimeMode = 'untimed'> {
    readonly time: Mode;
    process<const Output extends OutputSpec, const State extends StateSpec = Record<never, never>, const Timers extends TimerSpec<Mode> = Record<never, never>>(name: string, spec: ProcessSpec<Row, Key, State, Timers, Output>): Outputs<Output, Mode>;
    reduce(name: string, fn: (previous: Row, row: Row) => Row, options?: StepOptions & {
        readonly value?: Schema<Row>;
    }): Stream<Row, Mode>;
    aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(name: string, spec: Spec, options?: StepOptions & {
        readonly emit?: 'every-change' | 'latest';
    }): Stream<Flatten<{
        readonly key: Key;
    } & AggregateResults<Spec>>, Mode>;
    count(name: string, options?: StepOptions): Stream<{
        readonly key: Key;
        readonly count: number;
    }, Mode>;
    window(assigner: ProcessingTimeWindow): ProcessingTimeWindowedStream<Key, Row>;
    window(this: KeyedStream<Key, Row, 'event-time'>, assigner: EventTimeWindow): WindowedStream<Key, Row>;
}

export interface Late<Row> extends Letter {
    readonly record: Row;
    readonly timestamp: Timestamp;
    readonly lateBy: Duration;
}

export interface Letter {
    readonly operator: string;
}

export interface LinesOptions extends RecordOptions {
    readonly locate?: boolean;
}

export interface ListState<Item> {
    add(item: Item): void;
    all(): readonly Item[];
    readonly length: number;
    clear(): void;
}

export interface LocatedLine {
    readonly file: string;
    readonly line: number;
    readonly text: string;
}

export interface LogSinkOptions<Value> extends LogTopicOptions<Value> {
    readonly key?: (row: Value) => Key;
    readonly partitions?: number;
    readonly durability?: Durability;
}

export interface LogSourceOptions<Value> extends LogTopicOptions<Value> {
    readonly until?: 'end';
    readonly onGap?: 'fail' | 'skip';
}

export interface LogTopicOptions<Value> {
    readonly directory: string;
    readonly topic: string;
    readonly value: Schema<Value> | Codec<Value>;
}

export interface MapState<MapKey, Value> {
    get(key: MapKey): Value | undefined;
    set(key: MapKey, value: Value): void;
    has(key: MapKey): boolean;
    delete(key: MapKey): void;
    readonly size: number;
    keys(): Iterable<MapKey>;
    values(): Iterable<Value>;
    entries(): Iterable<readonly [
        MapKey,
        Value
    ]>;
    clear(): void;
}

export interface MemoryFramesOptions<Row> {
    readonly schema?: Schema<Row>;
}

export interface MemorySink<In> extends Sink<In> {
    readonly records: readonly In[];
    readonly pending: readonly In[];
    clear(): void;
}

export interface MemorySourceOptions<Row> {
    readonly partitions?: number;
    readonly schema?: Schema<Row>;
}

export interface NumberOperations {
    add(other: Operand<number>): ExpressionFor<number>;
    sub(other: Operand<number>): ExpressionFor<number>;
    mul(other: Operand<number>): ExpressionFor<number>;
    div(other: Operand<number>): ExpressionFor<number>;
    mod(other: Operand<number>): ExpressionFor<number>;
    neg(): ExpressionFor<number>;
    lt(other: Operand<number>): ExpressionFor<boolean>;
    le(other: Operand<number>): ExpressionFor<boolean>;
    gt(other: Operand<number>): ExpressionFor<boolean>;
    ge(other: Operand<number>): ExpressionFor<boolean>;
    hour(): ExpressionFor<number>;
    minute(): ExpressionFor<number>;
    day(): ExpressionFor<number>;
}

export type Operand<Value> = Value | ValueExpression<Value>;

export type OutputSpec = Codec<unknown> | Readonly<Record<string, Codec<unknown>>>;

export interface ParallelismOptions {
    readonly parallelism?: number;
}

export type PartitionId = string;

export interface PartitionReader<Out> {
    read(): Promise<SourceBatch<Out> | 'idle' | 'end'>;
    poll?(): SourceBatch<Out> | 'idle' | 'end' | undefined;
    wait(maxMs: number): Promise<void>;
    position(): Position;
    lag?(): Promise<number | undefined>;
    close(): Promise<void>;
}

export interface Pipeline {
    readonly name: string;
    from<Row>(name: string, source: Source<Row>): Stream<Row>;
    tryFrom<Row>(name: string, source: Source<Row>): WithRejected<Row, string | Uint8Array, 'untimed'>;
    plan(): Plan;
    run(options?: RunOptions): Promise<JobResult>;
    start(options?: StartOptions): Promise<Job>;
}

export interface PipelineOptions extends PlanSettings {
    readonly maxParallelism?: number;
}

export interface Plan {
    readonly job: string;
    readonly nodes: readonly PlanNode[];
    readonly options: PlanOptions;
    readonly fingerprint: string;
}

export interface PlanDifference {
    readonly kind: 'kept' | 'added' | 'removed' | 'changed' | 'renamed';
    readonly role: NameRole;
    readonly name: string;
    readonly was: string | undefined;
    readonly changes: readonly string[];
}

export interface PlanJson {
    readonly version: 1;
    readonly job: string;
    readonly fingerprint: string;
    readonly maxParallelism: number;
    readonly onError: ErrorPolicies;
    readonly nodes: readonly NodeJson[];
}

export type Position = Uint8Array;

export interface PreparedEpoch {
    readonly epoch: number;
    readonly prepared: Uint8Array;
}

export interface ProcessContext<Key, State, Timers, Output> {
    readonly key: Key;
    readonly timestamp: Timestamp;
    readonly watermark: Timestamp;
    now(): Timestamp;
    random(): number;
    readonly state: StateHandles<State>;
    readonly timers: {
        readonly [Name in keyof Timers]: TimerControl;
    };
    readonly emit: Emit<Output>;
}

export type ProcessSpec<In, Key, State, Timers, Output> = ProcessDeclaration<State, Timers, Output> & {
    onRecord(record: In, ctx: ProcessContext<Key, State, Timers, Output>): void;
} & TimerPart<Key, State, Timers, Output>;

export interface ProcessingTimeWindow {
    readonly time: 'processing-time';
    readonly definition: WindowDefinition;
}

export interface ProcessingTimeWindowedStream<Key, Row> {
    aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(name: string, spec: Spec, options?: StepOptions): Stream<Flatten<{
        readonly key: Key;
        readonly window: TimeWindow;
    } & AggregateResults<Spec>>>;
    reduce(name: string, fn: (left: Row, right: Row) => Row, options?: StepOptions & {
        readonly value?: Schema<Row>;
    }): Stream<{
        readonly key: Key;
        readonly window: TimeWindow;
        readonly value: Row;
    }>;
    count(name: string, options?: StepOptions & CountOptions<Row>): Stream<{
        readonly key: Key;
        readonly window: TimeWindow;
        readonly count: number;
    }>;
}

export interface QuantileOptions<Row> extends CountOptions<Row> {
    readonly accuracy?: number;
}

export interface QuietOptions {
    readonly closeAfterQuiet?: Duration;
}

export interface RecordCounts {
    readonly read: number;
    readonly written: number;
    readonly late: number;
    readonly rejected: number;
}

export interface RecordOptions {
    readonly recordBytesMax?: number;
    readonly chunkBytes?: number;
    readonly batchRowsMax?: number;
    readonly gzip?: GzipLimits;
}

export interface ReducingState<Value> {
    get(): Value | undefined;
    add(value: Value): void;
    clear(): void;
}

export interface Rejected<Row> extends Letter {
    readonly input: Row;
    readonly position: string;
    readonly attempt: number;
    readonly error: RejectionCause;
}

export interface RejectedInput {
    readonly raw: string | Uint8Array;
    readonly source: string;
    readonly position: number;
    readonly error: {
        readonly code: string;
        readonly message: string;
    };
    readonly beforeRow: number;
}

export interface RejectionCause {
    readonly code: string;
    readonly message: string;
}

export interface RowBatch<Out> {
    readonly kind: 'rows';
    readonly rows: readonly Out[];
    readonly rejected: readonly RejectedInput[];
    readonly timestamps?: ArrayLike<number>;
    readonly appendedMs?: number;
    locate(index: number): string;
}

export type RowOf<Of> = Of extends Stream<infer Row, TimeMode> ? Row : never;

export interface RowOptions<Row> {
    readonly row: Schema<Row>;
}

export interface RunOptions {
    readonly mode?: 'stream' | 'batch';
    readonly state?: string;
    readonly checkpointInterval?: Duration;
    readonly alignedCheckpointTimeout?: Duration | 'never';
    readonly workers?: number;
    readonly signal?: AbortSignalLike;
}

export interface Schema<Value> extends Codec<Value> {
    readonly type: SchemaType;
    readonly hash: string;
    check(value: unknown): string | undefined;
    own(value: Value): Value;
    readonly '~standard': StandardProps<Value>;
}

export type Selected<Fields> = {
    readonly [Name in keyof Fields]: Fields[Name] extends ValueExpression<infer Value> ? Value : Widened<Fields[Name]>;
};

export interface Sink<In> {
    readonly role: 'sink';
    readonly connector: string;
    readonly describe: Readonly<Record<string, string | number | boolean>>;
    readonly guarantee: SinkGuarantee;
    readonly acceptsViews?: boolean;
    readonly partitioning?: SinkPartitioning<In>;
    open(context: SinkContext): Promise<SinkWriter<In>>;
    readonly value?: Codec<In>;
}

export interface SinkContext {
    readonly env: Env;
    readonly name: string;
    readonly job: string;
    readonly subtask: number;
    readonly subtasks: number;
    readonly generation: number;
    readonly stateDirectory?: string | undefined;
    readonly fresh: boolean;
}

export interface SinkCounts {
    readonly received: number;
    readonly skipped: number;
    readonly deadLettered: number;
}

export interface SinkFor<Row> extends Omit<Sink<Row>, 'value'> {
    readonly value?: Pick<Codec<Row>, 'contentType' | 'encode'>;
}

export type SinkGuarantee = 'transactional' | 'upsert' | 'at-least-once';

export interface SinkWriter<In> {
    write(row: In, timestampMs: number): void;
    writeFrame?(frame: Frame, from: number, to: number): void;
    readonly full: boolean;
    flush(): Promise<void>;
    prepare(epoch: number): Promise<Uint8Array>;
    commit(epoch: number, prepared: Uint8Array): Promise<void>;
    recover(committed: readonly PreparedEpoch[]): Promise<void>;
    counts(): SinkCounts;
    close(): Promise<void>;
}

export interface SortedMapState<MapKey, Value> extends MapState<MapKey, Value> {
    first(): readonly [
        MapKey,
        Value
    ] | undefined;
    last(): readonly [
        MapKey,
        Value
    ] | undefined;
    range(from?: MapKey, to?: MapKey): Iterable<readonly [
        MapKey,
        Value
    ]>;
    deleteBefore(to: MapKey): void;
}

export interface Source<Out> {
    readonly role: 'source';
    readonly connector: string;
    readonly describe: Readonly<Record<string, string | number | boolean>>;
    readonly schema: Schema<Out> | undefined;
    readonly bounded: boolean;
    readonly endsInBatch?: boolean;
    open(context: SourceContext): Promise<SourceHandle<Out>>;
}

export type SourceBatch<Out> = RowBatch<Out> | FrameBatch;

export interface SourceContext {
    readonly env: Env;
    readonly name: string;
    readonly fields: readonly string[] | undefined;
    readonly mode: 'stream' | 'batch';
}

export interface SourceHandle<Out> {
    partitions(): Promise<readonly PartitionId[]>;
    reader(partition: PartitionId, position: Position | undefined): Promise<PartitionReader<Out>>;
    committed?(positions: ReadonlyMap<PartitionId, Position>): Promise<void>;
    close(): Promise<void>;
}

export interface StandardIssue {
    readonly message: string;
    readonly path?: readonly (PropertyKey | {
        readonly key: PropertyKey;
    })[] | undefined;
}

export type StandardOutcome<Value> = {
    readonly value: Value;
    readonly issues?: undefined;
} | {
    readonly issues: readonly StandardIssue[];
};

export interface StandardValidator<Value> {
    readonly '~standard': {
        readonly version: 1;
        readonly vendor: string;
        readonly validate: (value: unknown) => StandardOutcome<Value> | PromiseLike<StandardOutcome<Value>>;
        readonly types?: {
            readonly input: unknown;
            readonly output: Value;
        } | undefined;
    };
}

export interface StartOptions extends RunOptions {
    readonly from?: string;
}

export interface StateDescriptor<Handle> {
    readonly definition: StateDefinition;
    readonly [handleType]?: Handle;
}

export interface StateOptions {
    readonly ttl?: Duration;
    readonly was?: string;
}

export type StateSpec = Readonly<Record<string, StateDescriptor<unknown>>>;

export interface StdoutOptions<In> extends JsonPrintOptions {
    readonly format?: (row: In) => string;
}

export interface StepOptions {
    readonly was?: string;
}

export interface Stream<Row, Mode extends TimeMode = 'untimed'> {
    readonly time: Mode;
    map<Out>(fn: (row: Row) => NoInfer<Out>, options: RowOptions<Out>): Stream<Out, Mode>;
    map<Out>(fn: (row: Row) => Out): Stream<Out, Mode>;
    filter<Narrow extends Row>(fn: (row: Row) => row is Narrow): Stream<Narrow, Mode>;
    filter(fn: (row: Row) => boolean): Stream<Row, Mode>;
    where(build: (columns: Columns<Row>) => ValueExpression<boolean>): Stream<Row, Mode>;
    select<const Fields extends Readonly<Record<string, ValueExpression<unknown> | Literal>>>(build: (columns: Columns<Row>) => Fields, options?: RowOptions<NoInfer<Selected<Fields>>>): Stream<Flatten<Selected<Fields>>, Mode>;
    flatMap<Out>(fn: (row: Row) => Iterable<NoInfer<Out>>, options: RowOptions<Out>): Stream<Out, Mode>;
    flatMap<Out>(fn: (row: Row) => Iterable<Out>): Stream<Out, Mode>;
    try<Out>(name: string, fn: (row: Row) => NoInfer<Out>, options: RowOptions<Out>): WithRejected<Out, Row, Mode>;
    try<Out>(name: string, fn: (row: Row) => Out): WithRejected<Out, Row, Mode>;
    withEventTime(time: EventTime<Row>): Stream<Row, 'event-time'>;
    tryWithEventTime(name: string, time: EventTime<Row>): WithRejected<Row, Row, 'event-time'>;
    union<const Others extends readonly Stream<unknown, Mode>[]>(...others: Others): Stream<Row | RowOf<Others[number]>, Mode>;
    keyBy<const Key extends AnyKey>(fn: (row: Row) => Key, options?: ParallelismOptions): KeyedStream<Key, Row, Mode>;
    rebalance(options?: ParallelismOptions): Stream<Row, Mode>;
    global(): Stream<Row, Mode>;
    broadcast(): Stream<Row, Mode>;
    partitionBy(fn: (row: Row) => number, options: ParallelismOptions & {
        readonly partitions: number;
    }): Stream<Row, Mode>;
    partitionBy(fn: (row: Row) => AnyKey, options?: ParallelismOptions): Stream<Row, Mode>;
    apply<Result>(fn: (self: Stream<Row, Mode>) => Result): Result;
    to(name: string, sink: SinkFor<Row>, options?: ParallelismOptions): void;
}

export type StructOf<Of> = Flatten<{
    readonly [Name in Exclude<keyof Of, OptionalNames<Of>>]: ValueOfField<Of[Name]>;
} & {
    readonly [Name in OptionalNames<Of>]?: ValueOfField<Of[Name]>;
}>;

export interface StructSchema<Row> extends Schema<Row> {
    readonly type: StructType;
}

export interface TextOperations {
    lower(): ExpressionFor<string>;
    length(): ExpressionFor<number>;
    concat(other: Operand<string>): ExpressionFor<string>;
    indexOf(part: Operand<string>): ExpressionFor<number>;
    contains(part: Operand<string>): ExpressionFor<boolean>;
    startsWith(part: Operand<string>): ExpressionFor<boolean>;
    part(separator: Operand<string>, index: Operand<number>): ExpressionFor<string | null>;
}

export declare class TidemillError extends Error {
    readonly code: ErrorCode;
    readonly kind: ErrorKind;
    readonly remedy: string;
    readonly details: ErrorDetails;
    constructor(definition: ErrorDefinition, occurrence?: ErrorOccurrence);
    with(details: ErrorDetails): TidemillError;
}

export type TimeMode = 'untimed' | 'event-time';

export interface TimeWindow {
    readonly start: Timestamp;
    readonly end: Timestamp;
}

export interface TimerControl {
    setAt(at: Timestamp): void;
    setAfter(delay: Duration): void;
    clear(): void;
}

export type TimerSpec<Mode extends TimeMode = TimeMode> = Readonly<Record<string, TimerKinds<Mode>>>;

export type Timestamp = number & {
    readonly [timeBrand]: 'Timestamp';
};

export type TypeOf<Of> = Of extends {
    readonly '~standard': {
        readonly types?: {
            readonly output: infer Value;
        } | undefined;
    };
} ? Value : never;

export interface UpdatingWindowedStream<Key, Row> {
    emitOnce(): WindowedStream<Key, Row>;
    aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(name: string, spec: Spec, options?: StepOptions): WithLateChanges<Flatten<{
        readonly key: Key;
        readonly window: TimeWindow;
    } & AggregateResults<Spec>>, Key, Row>;
    reduce(name: string, fn: (left: Row, right: Row) => Row, options?: StepOptions & {
        readonly value?: Schema<Row>;
    }): WithLateChanges<{
        readonly key: Key;
        readonly window: TimeWindow;
        readonly value: Row;
    }, Key, Row>;
    count(name: string, options?: StepOptions & CountOptions<Row>): WithLateChanges<{
        readonly key: Key;
        readonly window: TimeWindow;
        readonly count: number;
    }, Key, Row>;
}

export interface ValueExpression<Value> {
    readonly [valueType]: Value;
}

export interface ValueState<Value> {
    get(): Value;
    set(value: NonNullable<Value>): void;
    clear(): void;
}

export type VariantOf<Tag extends string, Of> = {
    [Name in keyof Of]: Flatten<{
        readonly [Field in Tag]: Name;
    } & RowOf<Of[Name]>>;
}[keyof Of];

export interface VariantSchema<Row> extends Schema<Row> {
    readonly type: Extract<SchemaType, {
        readonly kind: 'variant';
    }>;
}

export interface WhereOptions<Row> {
    readonly where: (row: Row) => boolean;
}

export interface WindowKey<Key> {
    readonly key: Key;
    readonly window: TimeWindow;
}

export interface WindowedStream<Key, Row> {
    allowedLateness(lateness: Duration): UpdatingWindowedStream<Key, Row>;
    aggregate<const Spec extends Readonly<Record<string, Aggregate<Row, unknown>>>>(name: string, spec: Spec, options?: StepOptions): WithLate<Flatten<{
        readonly key: Key;
        readonly window: TimeWindow;
    } & AggregateResults<Spec>>, Row>;
    reduce(name: string, fn: (left: Row, right: Row) => Row, options?: StepOptions & {
        readonly value?: Schema<Row>;
    }): WithLate<{
        readonly key: Key;
        readonly window: TimeWindow;
        readonly value: Row;
    }, Row>;
    count(name: string, options?: StepOptions & CountOptions<Row>): WithLate<{
        readonly key: Key;
        readonly window: TimeWindow;
        readonly count: number;
    }, Row>;
}

export interface WithLate<Out, In> {
    readonly results: Stream<Out, 'event-time'>;
    readonly late: Stream<Late<In>>;
    dropLate(reason: string): Stream<Out, 'event-time'>;
}

export interface WithLateChanges<Out, Key, In> {
    readonly results: ChangeStream<Out, WindowKey<Key>>;
    readonly late: Stream<Late<In>>;
    dropLate(reason: string): ChangeStream<Out, WindowKey<Key>>;
}

export interface WithRejected<Out, In, Mode extends TimeMode> {
    readonly results: Stream<Out, Mode>;
    readonly rejected: Stream<Rejected<In>>;
    orFail(): Stream<Out, Mode>;
}

export declare function aggregate<Row, Accumulator, Result>(functions: AggregateFunctions<Row, Accumulator, Result>): Aggregate<Row, Result>;

export declare function aggregatingState<Value, Accumulator, Result>(accumulator: Schema<Accumulator>, functions: AggregatingFunctions<Value, NoInfer<Accumulator>, Result>, options?: StateOptions): StateDescriptor<AggregatingState<Value, Result>>;

export declare const bool: Schema<boolean>;

export declare const bytes: Schema<Uint8Array>;

export declare function count<Row>(options?: CountOptions<Row>): Aggregate<Row, number>;

export declare function countDistinct<Row>(of: (row: Row) => string | number | bigint | boolean, options?: CountOptions<Row>): Aggregate<Row, number>;

export declare function csv<Row>(options: CsvOptions & {
    readonly schema: StructSchema<Row>;
}): Source<Row>;
export declare function csv(options: CsvOptions & {
    readonly schema?: undefined;
}): Source<CsvRow>;

export declare function datagen<Row>(options: DatagenOptions<Row>): Source<Row>;

export declare const date: Schema<string>;

export declare function days(n: number): Duration;

export declare function deadLetters(options?: DeadLettersOptions): Sink<Letter>;

export declare function decimal(precision: number, scale: number): Schema<string>;

export declare function diffPlans(before: PlanJson, after: PlanJson): readonly PlanDifference[];

export declare function discard(): Sink<unknown>;

export declare function explainText(plan: Plan): string;

export declare function expr<Row, Value>(build: (columns: Columns<Row>) => ValueExpression<Value>): (row: Row) => Value;

export declare function field<Value>(id: number, schema: Schema<Value>): Field<Value>;

export declare function fileSink<In = unknown>(options: FileSinkOptions): Sink<In>;

export declare function files(list: string): readonly string[];

export declare const float: Schema<number>;

export declare function forEach<In>(fn: (row: In, timestampMs: number) => void): Sink<In>;

export declare function hours(n: number): Duration;

export declare const instant: Schema<Timestamp>;

export declare const int: Schema<number>;

export declare const int64: Schema<bigint>;

export declare function isTidemillError(value: unknown): value is TidemillError;

export declare function json<Value>(validator?: StandardValidator<Value>): JsonCodec<Value>;

export declare function jsonLines<Out>(paths: FilePaths, guard?: StandardValidator<Out>, options?: RecordOptions): Source<Out>;

export declare const jsonValue: Schema<JsonValue>;

export declare function lines(paths: FilePaths, options?: LinesOptions & {
    readonly locate?: false;
}): Source<string>;
export declare function lines(paths: FilePaths, options: LinesOptions & {
    readonly locate: true;
}): Source<LocatedLine>;

export declare function list<Item>(item: Schema<Item>): Schema<readonly Item[]>;

export declare function listState<Item>(item: Schema<Item>, options?: StateOptions): StateDescriptor<ListState<Item>>;

export declare function lit<Value extends Literal>(value: Value): ExpressionFor<Value>;

export declare function literals<const Values extends readonly [
    string,
    ...string[]
]>(...values: Values): Schema<Values[number]>;

export declare function logSink<Value>(options: LogSinkOptions<Value>): Sink<Value>;

export declare function logSource<Value>(options: LogSourceOptions<Value>): Source<Value>;

export declare function map<Key, Value>(key: Schema<Key>, value: Schema<Value>): Schema<ReadonlyMap<Key, Value>>;

export declare function mapState<MapKey, Value>(key: Schema<MapKey>, value: Schema<Value>, options?: StateOptions): StateDescriptor<MapState<MapKey, Value>>;

export declare function max<Row>(of: (row: Row) => number, options: WhereOptions<Row>): Aggregate<Row, number | undefined>;
export declare function max<Row>(of: (row: Row) => number): Aggregate<Row, number>;

export declare function mean<Row>(of: (row: Row) => number, options: WhereOptions<Row>): Aggregate<Row, number | undefined>;
export declare function mean<Row>(of: (row: Row) => number): Aggregate<Row, number>;

export declare function memoryFrames<Row>(frames: readonly Frame[] | readonly (readonly Frame[])[], options?: MemoryFramesOptions<Row>): Source<Row>;

export declare function memorySink<In = unknown>(): MemorySink<In>;

export declare function memorySource<Row>(rows: readonly Row[], options?: MemorySourceOptions<Row>): Source<Row>;

export declare function milliseconds(n: number): Duration;

export declare function min<Row>(of: (row: Row) => number, options: WhereOptions<Row>): Aggregate<Row, number | undefined>;
export declare function min<Row>(of: (row: Row) => number): Aggregate<Row, number>;

export declare function minutes(n: number): Duration;

export declare function optional<Value>(of: Schema<Value>): Schema<Value | undefined>;

export declare function param(name: string, fallback?: string): string;

export declare const pipeline: (name: string, options?: PipelineOptions) => Pipeline;

export declare function planJson(plan: Plan): PlanJson;

export declare function quantile<Row>(of: (row: Row) => number, q: number, options: QuantileOptions<Row> & WhereOptions<Row>): Aggregate<Row, number | undefined>;
export declare function quantile<Row>(of: (row: Row) => number, q: number, options?: {
    readonly accuracy?: number;
}): Aggregate<Row, number>;

export declare function reducingState<Value>(value: Schema<Value>, reduce: (left: Value, right: Value) => Value, options?: StateOptions): StateDescriptor<ReducingState<Value>>;

export declare function seconds(n: number): Duration;

export declare function session(gap: Duration): EventTimeWindow;

export declare function sliding(size: Duration, slide: Duration, options?: AlignmentOptions & QuietOptions): EventTimeWindow;

export declare function sortedMapState<MapKey, Value>(key: Schema<MapKey>, value: Schema<Value>, options?: StateOptions): StateDescriptor<SortedMapState<MapKey, Value>>;

export declare function stdout<In = unknown>(options?: StdoutOptions<In>): Sink<In>;

export declare function struct<const Of extends Fields>(name: string, fields: Of): StructSchema<StructOf<Of>>;

export declare function sum<Row>(of: (row: Row) => number, options?: CountOptions<Row>): Aggregate<Row, number>;

export declare const text: Schema<string>;

export declare function timestamp(at: number | string): Timestamp;

export declare function tumbling(size: Duration, options?: AlignmentOptions & QuietOptions): EventTimeWindow;

export declare function tumblingProcessingTime(size: Duration, options?: AlignmentOptions): ProcessingTimeWindow;

export declare function valueState<Value>(schema: Schema<Value>, options: StateOptions & {
    readonly initial: NoInfer<Value>;
}): StateDescriptor<ValueState<Value>>;
export declare function valueState<Value>(schema: Schema<Value>, options?: StateOptions): StateDescriptor<ValueState<Value | undefined>>;

export declare function variant<const Tag extends string, const Of extends Cases>(tag: Tag, cases: Of): VariantSchema<VariantOf<Tag, Of>>;
export declare function variant<const Tag extends string, const Of extends Cases>(name: string, tag: Tag, cases: Of): VariantSchema<VariantOf<Tag, Of>>;

// Mentioned by the above, not exported:

export interface AbortSignalLike {
    readonly aborted: boolean;
    readonly reason: unknown;
    addEventListener(type: 'abort', listener: () => void): void;
    removeEventListener(type: 'abort', listener: () => void): void;
}

export type AggregateDefinition = {
    readonly kind: 'count';
    readonly where: RowTest | undefined;
} | {
    readonly kind: 'sum';
    readonly of: RowNumber;
    readonly where: RowTest | undefined;
} | {
    readonly kind: 'min';
    readonly of: RowNumber;
    readonly where: RowTest | undefined;
} | {
    readonly kind: 'max';
    readonly of: RowNumber;
    readonly where: RowTest | undefined;
} | {
    readonly kind: 'mean';
    readonly of: RowNumber;
    readonly where: RowTest | undefined;
} | {
    readonly kind: 'count-distinct';
    readonly of: (row: never) => string | number | bigint | boolean;
    readonly where: RowTest | undefined;
} | CustomAggregate;

export type AggregateSpec = Readonly<Record<string, AggregateDefinition>>;

export interface Alignment {
    readonly group: string;
    readonly maxDrift: Duration;
}

export interface Clock {
    wallMs(): number;
    monoMs(): number;
    sleep(ms: number, signal?: AbortSignalLike): Promise<void>;
    timer(ms: number, fn: () => void): TimerHandle;
}

export declare class Code {
    readonly text: string;
    constructor(token: typeof secret, text: string);
}

export interface Column {
    readonly index: number;
    readonly part: number;
    readonly field: string;
    readonly type: SchemaType;
    readonly optional: boolean;
    readonly storage: Storage;
    readonly values: readonly string[];
}

export interface Columns {
    readonly rows: 'struct' | 'variant' | 'value';
    readonly tag: string;
    readonly all: readonly Column[];
    readonly parts: readonly Part[];
}

export type CrashPoint = (typeof crashPoints)[number];

export interface CustomAggregate {
    readonly kind: 'custom';
    readonly label: string;
    readonly create: () => unknown;
    readonly add: (accumulator: never, row: never) => unknown;
    readonly merge: (left: never, right: never) => unknown;
    readonly result: (accumulator: never) => unknown;
    readonly accumulator: Schema<unknown> | undefined;
    readonly decomposable: boolean;
}

export type DecodePolicy = 'fail' | 'skip' | 'dead-letter';

export interface Disk {
    open(path: string, mode: OpenMode): Promise<DiskFile>;
    rename(from: string, to: string): Promise<void>;
    link(from: string, to: string): Promise<void>;
    unlink(path: string): Promise<void>;
    mkdir(path: string): Promise<void>;
    list(path: string): Promise<readonly string[]>;
    syncDir(path: string): Promise<void>;
    stat(path: string): Promise<FileStat | undefined>;
    space(path: string): Promise<number>;
    lock(directory: string, owner: string): Promise<DiskLock>;
}

export interface DiskFile {
    pread(target: Uint8Array, position: number): Promise<number>;
    pwrite(source: Uint8Array, position: number): Promise<number>;
    fdatasync(): Promise<void>;
    truncate(sizeBytes: number): Promise<void>;
    size(): Promise<number>;
    close(): Promise<void>;
}

export interface DiskLock {
    release(): Promise<void>;
}

export type Durability = 'sync' | 'process' | 'none';

export type Emit<Output> = Output extends Codec<infer Row> ? (row: Row) => void : <const Name extends keyof Output>(output: Name, row: ValueOf<Output[Name]>) => void;

export interface Env {
    readonly clock: Clock;
    readonly random: Random;
    readonly disk: Disk;
    readonly tasks: Tasks;
    readonly host: Host;
}

export interface ErrorDefinition {
    readonly code: ErrorCode;
    readonly kind: ErrorKind;
    readonly title: string;
    readonly remedy: string;
}

export interface ErrorOccurrence {
    readonly message?: string;
    readonly details?: ErrorDetails;
    readonly cause?: unknown;
}

export interface ErrorPolicies {
    readonly decode: DecodePolicy;
    readonly user: UserPolicy;
    readonly time: DecodePolicy;
    readonly sink: SinkPolicy;
}

export interface EventTimeNode extends NodeBase {
    readonly kind: 'event-time';
    readonly timestamp: (row: unknown) => Timestamp;
    readonly maxOutOfOrderness: Duration;
    readonly maxFuture: Duration | undefined;
    readonly notAfter: Timestamp | undefined;
    readonly idleAfter: Duration;
    readonly alignment: Alignment | undefined;
    readonly rejects: boolean;
    readonly onError: DecodePolicy | undefined;
}

export interface FileStat {
    readonly kind: 'file' | 'directory' | 'other';
    readonly sizeBytes: number;
    readonly modifiedMs: number;
    readonly identity: string;
}

export interface FilterNode extends NodeBase {
    readonly kind: 'filter';
    readonly fn: (row: unknown) => boolean;
}

export interface FlatMapNode extends NodeBase {
    readonly kind: 'flat-map';
    readonly fn: (row: unknown) => Iterable<unknown>;
}

export type Flatten<Row> = {
    [Name in keyof Row]: Row[Name];
} & {};

export declare abstract class Frame {
    readonly layout: FrameLayout;
    readonly length: number;
    readonly u8: Uint8Array<ArrayBuffer>;
    readonly i32: Int32Array<ArrayBuffer>;
    readonly f64: Float64Array<ArrayBuffer>;
    readonly start: number;
    readonly byteLength: number;
    readonly timestampMin: number;
    readonly timestampMax: number;
    readonly timestampsAt: number;
    readonly hashesAt: number;
    readonly missing: undefined;
    constructor(layout: FrameLayout, region: Region, head: FrameHead);
    get bytes(): Uint8Array<ArrayBuffer>;
    timestampAt(i: number): number;
    hashAt(i: number): number;
    get timestamps(): Float64Array<ArrayBuffer> | undefined;
    get hashes(): Int32Array<ArrayBuffer> | undefined;
    row(i: number): unknown;
}

export declare abstract class FrameBuilder {
    readonly layout: FrameLayout;
    length: number;
    protected readonly scratch: readonly Scratch[];
    protected readonly counts: Int32Array;
    protected readonly times: Float64Array;
    protected readonly hashes: Int32Array;
    protected size: number;
    constructor(layout: FrameLayout);
    abstract append(row: unknown, timestampMs?: number, hash?: number): boolean;
    appendFrom(frame: Frame, i: number, timestampMs?: number, hash?: number): boolean;
    protected abstract copyRow(frame: Frame, i: number, timestampMs: number, hash: number | undefined): boolean;
    mark(): number;
    rollback(mark: number): void;
    build(): Frame;
    buildInto(room: Room): number;
    clear(): void;
    protected added(timestampMs: number | undefined, hash: number | undefined, size: number): boolean;
    protected full(): TidemillError;
}

export interface FrameHead {
    length: number;
    start: number;
    byteLength: number;
    timestampMin: number;
    timestampMax: number;
    timestampsAt: number;
    hashesAt: number;
}

export declare class FrameLayout {
    readonly schema: Schema<unknown>;
    readonly columns: Columns;
    readonly fingerprintLow: number;
    readonly fingerprintHigh: number;
    readonly directoryEntries: number;
    readonly View: ViewClass;
    readonly plain: (frame: Frame, i: number) => unknown;
    builderClass: (new (layout: FrameLayout) => FrameBuilder) | undefined;
    constructor(schema: Schema<unknown>, readersOf?: (own: Readers, columns: Columns) => Readers);
    get fields(): readonly string[];
    view(frame: Frame, i: number): unknown;
    read(field: string, frame: Code, i: Code, constants: (value: unknown) => Code): Code | undefined;
    column(field: string): Column | undefined;
    pruned(fields: Iterable<string>): FrameLayout;
    open(region: Region, head: FrameHead, slots: Int32Array): Frame;
    hash(key: Key): number;
}

export interface GzipLimits {
    readonly outputBytesMax?: number;
    readonly ratioMax?: number;
}

export interface Host {
    readonly pid: number;
    readonly hostName: string;
    readonly cpus: number;
    readonly operatingSystem: 'linux' | 'macos' | 'windows' | 'other';
    readonly bootId: string;
    env(name: string): string | undefined;
    memoryBytes(): number;
    exit(code: number): void;
    onSignal(name: 'SIGTERM' | 'SIGINT', fn: () => void): () => void;
    log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
    writeOut(text: string): Promise<void>;
    crashPoint(name: CrashPoint): void;
}

export interface Input {
    readonly node: number;
    readonly output: OutputName;
}

export interface JsonPrintOptions {
    readonly nonFinite?: 'error' | 'null';
    readonly bigint?: 'error' | 'text' | 'number';
}

export interface KeyByNode extends NodeBase {
    readonly kind: 'key-by';
    readonly fn: (row: unknown) => Key;
    readonly parallelism?: Parallelism;
}

export interface KeyedAggregateNode extends NodeBase {
    readonly kind: 'keyed-aggregate';
    readonly name: string;
    readonly aggregates: AggregateSpec;
    readonly emit: 'every-change' | 'latest';
}

export interface KeyedReduceNode extends NodeBase {
    readonly kind: 'keyed-reduce';
    readonly name: string;
    readonly reduce: (previous: unknown, row: unknown) => unknown;
    readonly value: Schema<unknown> | undefined;
}

export type Literal = string | number | boolean | bigint | null;

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface MapNode extends NodeBase {
    readonly kind: 'map';
    readonly fn: (row: unknown) => unknown;
}

export type NameRole = 'source' | 'step' | 'sink';

interface NodeBase {
    readonly id: number;
    readonly inputs: readonly Input[];
    readonly name: string | undefined;
    readonly was?: string | undefined;
    readonly at?: string | undefined;
    readonly schema: Schema<unknown> | undefined;
}

export interface NodeDetailJson {
    readonly connector?: string;
    readonly describe?: Readonly<Record<string, string | number | boolean>>;
    readonly bounded?: boolean;
    readonly guarantee?: string;
    readonly rejects?: boolean;
    readonly onError?: string;
    readonly maxOutOfOrdernessMs?: number;
    readonly maxFutureMs?: number;
    readonly notAfterMs?: number;
    readonly idleAfterMs?: number;
    readonly alignmentGroup?: string;
    readonly maxDriftMs?: number;
    readonly state?: Readonly<Record<string, StateJson>>;
    readonly timers?: Readonly<Record<string, TimerKind>>;
    readonly outputs?: readonly string[];
    readonly aggregates?: Readonly<Record<string, string>>;
    readonly window?: WindowDefinition;
    readonly allowedLatenessMs?: number;
    readonly closeAfterQuietMs?: number;
    readonly emit?: string;
    readonly dropLate?: string;
    readonly expression?: string;
    readonly partitioning?: Partitioning;
    readonly partitions?: number;
    readonly parallelism?: number;
    readonly onePhase?: string;
}

export interface NodeJson {
    readonly id: number;
    readonly kind: PlanNode['kind'];
    readonly name: string | null;
    readonly was: string | null;
    readonly inputs: readonly {
        readonly node: number;
        readonly output: string;
    }[];
    readonly schema: SchemaJson | null;
    readonly selfDescribing: readonly string[];
    readonly detail: NodeDetailJson;
}

export type OpenMode = 'read' | 'write' | 'create';

type OptionalNames<Of> = {
    [Name in keyof Of]: undefined extends ValueOfField<Of[Name]> ? Name : never;
}[keyof Of];

export type OutputName = string;

export type Outputs<Output, Mode extends TimeMode> = Output extends Codec<infer Row> ? Stream<Row, Mode> : {
    readonly [Name in keyof Output]: Stream<ValueOf<Output[Name]>, Mode>;
};

export type Parallelism = number | undefined;

export interface Part {
    readonly tag: string | undefined;
    readonly columns: readonly Column[];
    readonly shown: readonly Column[];
}

export interface PartitionNode extends NodeBase {
    readonly kind: 'partition';
    readonly how: Partitioning;
    readonly fn: ((row: unknown) => unknown) | undefined;
    readonly partitions: number | undefined;
    readonly parallelism?: Parallelism;
}

export type Partitioning = 'rebalance' | 'global' | 'broadcast' | 'by-key' | 'by-number';

export type PlanNode = SourceNode | MapNode | FilterNode | FlatMapNode | TryNode | EventTimeNode | UnionNode | KeyByNode | PartitionNode | ProcessNode | KeyedAggregateNode | KeyedReduceNode | WindowNode | SinkNode;

export interface PlanOptions {
    readonly onError: ErrorPolicies;
    readonly maxParallelism: number;
}

export interface PlanSettings {
    readonly onError?: Partial<ErrorPolicies>;
    readonly maxParallelism?: number;
}

export interface ProcessContext {
    readonly key: Key;
    readonly timestamp: Timestamp;
    readonly watermark: Timestamp;
    now(): Timestamp;
    random(): number;
    readonly state: Readonly<Record<string, unknown>>;
    readonly timers: Readonly<Record<string, TimerControl>>;
    readonly emit: (...args: readonly unknown[]) => void;
}

export interface ProcessDeclaration<State, Timers, Output> {
    readonly state?: State;
    readonly timers?: Timers;
    readonly output: Output;
    readonly was?: string;
    readonly onError?: 'fail' | 'skip' | 'dead-letter';
}

export interface ProcessDefinition {
    readonly state: Readonly<Record<string, StateDefinition>>;
    readonly timers: Readonly<Record<string, TimerKind>>;
    readonly outputs: readonly string[] | undefined;
    readonly outputCodecs: Readonly<Record<string, Codec<unknown>>>;
    readonly onRecord: (row: unknown, context: ProcessContext) => void;
    readonly onTimer: Readonly<Record<string, (context: ProcessContext) => void>>;
    readonly onError: 'fail' | 'skip' | 'dead-letter' | undefined;
}

export interface ProcessNode extends NodeBase {
    readonly kind: 'process';
    readonly name: string;
    readonly definition: ProcessDefinition;
}

export interface Random {
    u32(): number;
    float(): number;
    bytes(count: number): Uint8Array;
    stream(name: string): Random;
}

export interface Readers {
    readonly FrameClass: new (layout: FrameLayout, region: Region, head: FrameHead, slots: Int32Array) => Frame;
    readonly View: ViewClass;
    readonly plain: (frame: Frame, i: number) => unknown;
}

export interface Region {
    readonly u8: Uint8Array<ArrayBuffer>;
    readonly i32: Int32Array<ArrayBuffer>;
    readonly f64: Float64Array<ArrayBuffer>;
}

export declare class Room {
    u8: Uint8Array<ArrayBuffer>;
    i32: Int32Array<ArrayBuffer>;
    f64: Float64Array<ArrayBuffer>;
    at: number;
    constructor(bytes?: number);
    reserve(bytes: number): void;
    clear(): void;
}

export type RowNumber = (row: never) => number;

type RowOf<One> = One extends StructSchema<infer Row> ? Row : never;

export type RowTest = (row: never) => boolean;

export interface SchemaJson {
    readonly name: string;
    readonly hash: string;
}

export type SchemaType = {
    readonly kind: 'bool';
} | {
    readonly kind: 'text';
} | {
    readonly kind: 'literals';
    readonly values: readonly string[];
} | {
    readonly kind: 'bytes';
} | {
    readonly kind: 'int';
} | {
    readonly kind: 'int64';
} | {
    readonly kind: 'float';
} | {
    readonly kind: 'decimal';
    readonly precision: number;
    readonly scale: number;
} | {
    readonly kind: 'instant';
} | {
    readonly kind: 'date';
} | {
    readonly kind: 'json';
} | {
    readonly kind: 'dynamic';
} | {
    readonly kind: 'list';
    readonly item: SchemaType;
} | {
    readonly kind: 'map';
    readonly key: SchemaType;
    readonly value: SchemaType;
} | {
    readonly kind: 'optional';
    readonly of: SchemaType;
} | StructType | {
    readonly kind: 'variant';
    readonly name: string;
    readonly tag: string;
    readonly cases: readonly VariantCase[];
};

export declare class Scratch {
    readonly f64: Float64Array;
    readonly u8: Uint8Array;
    readonly ends: Int32Array;
    readonly absent: Uint8Array;
    text: string;
    readonly writer: Writer;
    constructor(column: Column);
}

export interface SinkNode extends NodeBase {
    readonly kind: 'sink';
    readonly name: string;
    readonly sink: Sink<unknown>;
    readonly parallelism?: Parallelism;
}

export interface SinkPartitioning<In> {
    count(context: Pick<SinkContext, 'env'>): Promise<number>;
    of(row: In, count: number): number;
}

export type SinkPolicy = 'fail' | 'pause';

export interface SourceNode extends NodeBase {
    readonly kind: 'source';
    readonly name: string;
    readonly source: Source<unknown>;
    readonly rejects: boolean;
    readonly onError: DecodePolicy | undefined;
}

export interface StandardProps<Value> {
    readonly version: 1;
    readonly vendor: 'tidemill';
    readonly validate: (value: unknown) => {
        readonly value: Value;
    } | {
        readonly issues: readonly {
            readonly message: string;
            readonly path?: readonly PropertyKey[];
        }[];
    };
    readonly types?: {
        readonly input: Value;
        readonly output: Value;
    } | undefined;
}

export type StateDefinition = {
    readonly kind: 'value';
    readonly value: Schema<unknown>;
    readonly initial: unknown;
    readonly options: StateOptions;
} | {
    readonly kind: 'list';
    readonly item: Schema<unknown>;
    readonly options: StateOptions;
} | {
    readonly kind: 'map';
    readonly key: Schema<unknown>;
    readonly value: Schema<unknown>;
    readonly options: StateOptions;
} | {
    readonly kind: 'sorted-map';
    readonly key: Schema<unknown>;
    readonly value: Schema<unknown>;
    readonly options: StateOptions;
} | {
    readonly kind: 'reducing';
    readonly value: Schema<unknown>;
    readonly reduce: (left: unknown, right: unknown) => unknown;
    readonly options: StateOptions;
} | {
    readonly kind: 'aggregating';
    readonly accumulator: Schema<unknown>;
    readonly create: () => unknown;
    readonly add: (accumulator: unknown, value: unknown) => unknown;
    readonly result: (accumulator: unknown) => unknown;
    readonly options: StateOptions;
};

export type StateHandles<State> = {
    readonly [Name in keyof State]: State[Name] extends StateDescriptor<infer Handle> ? Handle : never;
};

export interface StateJson {
    readonly kind: StateDefinition['kind'];
    readonly schemas: readonly SchemaJson[];
    readonly ttlMs?: number;
    readonly was?: string;
}

export interface StateOptions {
    readonly ttl?: Duration;
    readonly was?: string;
}

export type Storage = 'number' | 'bool' | 'code' | 'place' | 'text' | 'bytes' | 'cell';

export interface StructField {
    readonly name: string;
    readonly id: number;
    readonly type: SchemaType;
}

export interface StructType {
    readonly kind: 'struct';
    readonly name: string;
    readonly fields: readonly StructField[];
}

export interface Tasks {
    yield(): Promise<void>;
}

export interface TimerHandle {
    cancel(): void;
}

export type TimerKind = 'event-time' | 'processing-time';

export type TimerKinds<Mode extends TimeMode> = Mode extends 'event-time' ? TimerKind : 'processing-time';

export type TimerPart<Key, State, Timers, Output> = keyof Timers extends never ? {
    readonly timers?: Timers;
    readonly onTimer?: undefined;
} : {
    readonly timers: Timers;
    readonly onTimer: {
        readonly [Name in keyof Timers]: (ctx: ProcessContext<Key, State, Timers, Output>) => void;
    };
};

export interface TryNode extends NodeBase {
    readonly kind: 'try';
    readonly name: string;
    readonly fn: (row: unknown) => unknown;
    readonly rejects: boolean;
}

export interface UnionNode extends NodeBase {
    readonly kind: 'union';
}

export type UserPolicy = 'fail' | 'skip' | 'dead-letter';

export type ValueOf<Described> = Described extends Codec<infer Value> ? Value : never;

type ValueOfField<One> = One extends Field<infer Value> ? Value : never;

export interface VariantCase {
    readonly tag: string;
    readonly struct: StructType;
}

export type ViewClass = new (frame: Frame, i: number) => object;

type Widened<Value> = Value extends number ? number : Value extends string ? string : Value extends boolean ? boolean : Value;

export type WindowDefinition = {
    readonly kind: 'tumbling';
    readonly time: 'event-time' | 'processing-time';
    readonly sizeMs: number;
    readonly offsetMs: number;
} | {
    readonly kind: 'sliding';
    readonly time: 'event-time';
    readonly sizeMs: number;
    readonly slideMs: number;
    readonly offsetMs: number;
} | {
    readonly kind: 'session';
    readonly time: 'event-time';
    readonly gapMs: number;
};

export interface WindowNode extends NodeBase {
    readonly kind: 'window';
    readonly name: string;
    readonly window: WindowDefinition;
    readonly allowedLatenessMs: number;
    readonly emit: 'once' | 'updates';
    readonly closeAfterQuietMs: number;
    readonly aggregates: AggregateSpec;
    readonly dropLate: string | undefined;
}

export declare class Writer {
    bytes: Uint8Array<ArrayBuffer>;
    position: number;
    constructor(capacity?: number);
    reserve(more: number): void;
    u8(value: number): void;
    u16(value: number): void;
    u32(value: number): void;
    f64(value: number): void;
    f64s(values: Float64Array, start: number, count: number): void;
    varint(value: number): void;
    int(value: number): void;
    bigint(value: bigint): void;
    text(value: string): void;
    blob(value: Uint8Array): void;
    raw(value: Uint8Array): void;
    copy(source: Uint8Array, start: number, end: number): void;
    beginBlock(): number;
    endBlock(start: number): void;
    clear(): void;
    finish(): Uint8Array<ArrayBuffer>;
}

export declare const crashPoints: readonly [
    "log.append.before",
    "log.append.half",
    "log.append.written",
    "log.sync.done",
    "log.roll.create",
    "log.roll.header",
    "log.roll.publish",
    "log.roll.dirsync",
    "log.index.write",
    "log.retain.recorded",
    "log.retain.unlinked",
    "log.compact.written",
    "log.compact.swapped",
    "log.compact.cleaned",
    "source.read",
    "source.position",
    "source.barrier",
    "op.barrier.first",
    "op.freeze",
    "op.capture",
    "op.slice.write",
    "op.data.sync",
    "op.data.publish",
    "op.data.dirsync",
    "op.ack",
    "timer.fired",
    "coord.trigger",
    "coord.ack.first",
    "coord.ack.last",
    "coord.manifest.temp",
    "coord.manifest.sync",
    "coord.manifest.publish",
    "coord.manifest.dirsync",
    "coord.notify.before",
    "coord.notify.after",
    "coord.readback",
    "coord.retire",
    "sink.begin",
    "sink.write",
    "sink.prepare.write",
    "sink.prepare.sync",
    "sink.commit.sent",
    "sink.commit.local",
    "sink.marker",
    "sink.abort",
    "recover.manifest",
    "recover.verify",
    "recover.log.cut",
    "recover.log.copied",
    "recover.load",
    "recover.abort",
    "recover.recommit",
    "recover.positions",
    "recover.first.output",
    "own.lock",
    "own.claim",
    "own.seal",
    "own.release"
];

declare const handleType: unique symbol;

declare const resultType: unique symbol;

declare const rowType: unique symbol;

declare const secret: unique symbol;

declare const timeBrand: unique symbol;

declare const valueType: unique symbol;
