export interface ParquetOptions {
    readonly path: FilePaths;
    readonly columns?: readonly string[];
}

export type ParquetRow = Readonly<Record<string, unknown>>;

export declare function parquet<Row>(options: ParquetOptions & {
    readonly schema: StructSchema<Row>;
}): Source<Row>;
export declare function parquet(options: ParquetOptions & {
    readonly schema?: undefined;
}): Source<ParquetRow>;

// Mentioned by the above, not exported:

export interface AbortSignalLike {
    readonly aborted: boolean;
    readonly reason: unknown;
    addEventListener(type: 'abort', listener: () => void): void;
    removeEventListener(type: 'abort', listener: () => void): void;
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

export interface Codec<Value> {
    readonly contentType: string;
    encode(value: Value): Uint8Array;
    decode(bytes: Uint8Array): Value;
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

export interface Env {
    readonly clock: Clock;
    readonly random: Random;
    readonly disk: Disk;
    readonly tasks: Tasks;
    readonly host: Host;
}

export type ErrorCode = `TM${number}`;

export interface ErrorDefinition {
    readonly code: ErrorCode;
    readonly kind: ErrorKind;
    readonly title: string;
    readonly remedy: string;
}

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

export type ErrorKind = 'user' | 'transient' | 'fatal' | 'bug';

export interface ErrorOccurrence {
    readonly message?: string;
    readonly details?: ErrorDetails;
    readonly cause?: unknown;
}

export type FilePaths = string | readonly string[];

export interface FileStat {
    readonly kind: 'file' | 'directory' | 'other';
    readonly sizeBytes: number;
    readonly modifiedMs: number;
    readonly identity: string;
}

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

export interface FrameBatch {
    readonly kind: 'frame';
    readonly frame: Frame;
    readonly appendedMs?: number;
    locate(index: number): string;
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

export type Key = KeyAtom | readonly KeyAtom[];

export type KeyAtom = string | number | bigint | boolean;

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export type OpenMode = 'read' | 'write' | 'create';

export interface Part {
    readonly tag: string | undefined;
    readonly columns: readonly Column[];
    readonly shown: readonly Column[];
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

export type Position = Uint8Array;

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

export declare class Room {
    u8: Uint8Array<ArrayBuffer>;
    i32: Int32Array<ArrayBuffer>;
    f64: Float64Array<ArrayBuffer>;
    at: number;
    constructor(bytes?: number);
    reserve(bytes: number): void;
    clear(): void;
}

export interface RowBatch<Out> {
    readonly kind: 'rows';
    readonly rows: readonly Out[];
    readonly rejected: readonly RejectedInput[];
    readonly timestamps?: ArrayLike<number>;
    readonly appendedMs?: number;
    locate(index: number): string;
}

export interface Schema<Value> extends Codec<Value> {
    readonly type: SchemaType;
    readonly hash: string;
    check(value: unknown): string | undefined;
    own(value: Value): Value;
    readonly '~standard': StandardProps<Value>;
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

export type Storage = 'number' | 'bool' | 'code' | 'place' | 'text' | 'bytes' | 'cell';

export interface StructField {
    readonly name: string;
    readonly id: number;
    readonly type: SchemaType;
}

export interface StructSchema<Row> extends Schema<Row> {
    readonly type: StructType;
}

export interface StructType {
    readonly kind: 'struct';
    readonly name: string;
    readonly fields: readonly StructField[];
}

export interface Tasks {
    yield(): Promise<void>;
}

export declare class TidemillError extends Error {
    readonly code: ErrorCode;
    readonly kind: ErrorKind;
    readonly remedy: string;
    readonly details: ErrorDetails;
    constructor(definition: ErrorDefinition, occurrence?: ErrorOccurrence);
    with(details: ErrorDetails): TidemillError;
}

export interface TimerHandle {
    cancel(): void;
}

export interface VariantCase {
    readonly tag: string;
    readonly struct: StructType;
}

export type ViewClass = new (frame: Frame, i: number) => object;

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

declare const secret: unique symbol;
