/**
 * The logical plan: what a program says, as frozen data. The fluent API builds it, the runtime runs it, `explain`
 * prints it, checkpoints keep it. User functions are held by reference and left out of every printed form.
 *
 * Laws: nodes are in topological order and refer to earlier ones only; every node that stores something has a unique
 * name; a plan never changes after `finishPlan`.
 */
import type { Duration, Timestamp } from '../base/time.ts'
import type { Sink, Source } from '../connectors/contract.ts'
import type { Key, Schema } from '../schema/types.ts'
import type { AggregateSpec } from './aggregate.ts'
import type { ProcessDefinition } from './process.ts'

export interface Plan {
  readonly job: string
  readonly nodes: readonly PlanNode[]
  readonly options: PlanOptions
  /** 16 hex digits over everything that matters for state: structure, names, schemas; no functions, no parameters. */
  readonly fingerprint: string
}

/** A plan before it was checked. */
export type PlanDraft = Omit<Plan, 'fingerprint'>

export interface PlanOptions {
  readonly onError: ErrorPolicies
  /** A power of two. Fixed when the job's state is born. */
  readonly maxParallelism: number
}

/** What happens to records that a step cannot handle and that the program sends nowhere. */
export interface ErrorPolicies {
  /** A source cannot decode a record. */
  readonly decode: DecodePolicy
  /** A user function throws. */
  readonly user: UserPolicy
  /** A record has no usable event time. */
  readonly time: DecodePolicy
  /** A sink cannot write: stop the job, or hold it back and try again with back-off until it can. */
  readonly sink: SinkPolicy
}

export type SinkPolicy = 'fail' | 'pause'

/** `fail` stops the job at the record, `skip` counts it, `dead-letter` stores it in the job's dead letters. */
export type DecodePolicy = 'fail' | 'skip' | 'dead-letter'
export type UserPolicy = 'fail' | 'skip' | 'dead-letter'

/** Where a node's input comes from: an earlier node and one of its outputs. */
export interface Input {
  readonly node: number
  readonly output: OutputName
}

/** `out` is the main output; others are `late`, `rejected` or the names that a `process` step declares. */
export type OutputName = string

interface NodeBase {
  /** Position in `plan.nodes`. */
  readonly id: number
  readonly inputs: readonly Input[]
  /** Given by the program where something is stored, `undefined` for stateless steps. */
  readonly name: string | undefined
  /** The former name, when the step was renamed. */
  readonly was?: string | undefined
  /** Where the step was written, `src/job.ts:12:4`, when the host can tell; for messages only. */
  readonly at?: string | undefined
  /** How results of the main output are described, when known. */
  readonly schema: Schema<unknown> | undefined
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source'
  readonly name: string
  readonly source: Source<unknown>
  /** True when undecodable records leave by output `rejected` instead of following the decode policy. */
  readonly rejects: boolean
  /** Overrides the job-wide policy `decode`; `fail` after `orFail()`. */
  readonly onError: DecodePolicy | undefined
}

export interface MapNode extends NodeBase {
  readonly kind: 'map'
  readonly fn: (row: unknown) => unknown
}

export interface FilterNode extends NodeBase {
  readonly kind: 'filter'
  readonly fn: (row: unknown) => boolean
}

export interface FlatMapNode extends NodeBase {
  readonly kind: 'flat-map'
  readonly fn: (row: unknown) => Iterable<unknown>
}

/** A map that may throw: the throw becomes a record of output `rejected`. */
export interface TryNode extends NodeBase {
  readonly kind: 'try'
  readonly name: string
  readonly fn: (row: unknown) => unknown
  /** False after `orFail()`: the throw stops the job. */
  readonly rejects: boolean
}

export interface EventTimeNode extends NodeBase {
  readonly kind: 'event-time'
  readonly timestamp: (row: unknown) => Timestamp
  readonly maxOutOfOrderness: Duration
  /** Times later than this after the record was appended to its log are unusable. */
  readonly maxFuture: Duration | undefined
  /** Times after this one are unusable, whatever the source. */
  readonly notAfter: Timestamp | undefined
  /** A partition without unread data for this long no longer holds the watermark back. */
  readonly idleAfter: Duration
  /** Partitions that are ahead of the others of their group wait for them. */
  readonly alignment: Alignment | undefined
  /** Rows without a usable time: the job-wide policy `time`, or output `rejected` when true. */
  readonly rejects: boolean
  /** Overrides the job-wide policy `time`; `fail` after `orFail()`. */
  readonly onError: DecodePolicy | undefined
}

export interface Alignment {
  readonly group: string
  /** A partition this far ahead of the slowest of the group is not read. */
  readonly maxDrift: Duration
}

export interface UnionNode extends NodeBase {
  readonly kind: 'union'
}

export interface KeyByNode extends NodeBase {
  readonly kind: 'key-by'
  readonly fn: (row: unknown) => Key
  readonly parallelism?: Parallelism
}

/** Gives rows to other subtasks and leaves them as they are; nothing changes hands when there is only one. */
export interface PartitionNode extends NodeBase {
  readonly kind: 'partition'
  readonly how: Partitioning
  /** `by-key` and `by-number`: the key or the number of a row's partition. */
  readonly fn: ((row: unknown) => unknown) | undefined
  /** `by-number`: how many there are; partition p belongs to subtask p modulo their number. */
  readonly partitions: number | undefined
  readonly parallelism?: Parallelism
}

/**
 * `rebalance`: one subtask after the other. `global`: subtask 0. `broadcast`: a copy for every subtask. `by-key`: as
 * `key-by` would. `by-number`: to the owner of a numbered partition.
 */
export type Partitioning = 'rebalance' | 'global' | 'broadcast' | 'by-key' | 'by-number'

/** At most so many subtasks get rows: the first ones. `undefined`: all. */
export type Parallelism = number | undefined

/** The general keyed step. Input is a `key-by` node. Outputs: `out`, or the declared names. */
export interface ProcessNode extends NodeBase {
  readonly kind: 'process'
  readonly name: string
  readonly definition: ProcessDefinition
}

/** A running aggregate per key without window. */
export interface KeyedAggregateNode extends NodeBase {
  readonly kind: 'keyed-aggregate'
  readonly name: string
  readonly aggregates: AggregateSpec
  /** `every-change`: a result per record. `latest`: at least the last value per key and epoch (update class). */
  readonly emit: 'every-change' | 'latest'
}

export interface KeyedReduceNode extends NodeBase {
  readonly kind: 'keyed-reduce'
  readonly name: string
  /** The first row of a key is its first value; every later row yields a new one. Each new value is emitted as it is. */
  readonly reduce: (previous: unknown, row: unknown) => unknown
  readonly value: Schema<unknown> | undefined
}

export type WindowDefinition =
  | {
      readonly kind: 'tumbling'
      readonly time: 'event-time' | 'processing-time'
      readonly sizeMs: number
      readonly offsetMs: number
    }
  | {
      readonly kind: 'sliding'
      readonly time: 'event-time'
      readonly sizeMs: number
      readonly slideMs: number
      readonly offsetMs: number
    }
  | { readonly kind: 'session'; readonly time: 'event-time'; readonly gapMs: number }

/** Keyed windows. Outputs: `out` and, for event time, `late`. */
export interface WindowNode extends NodeBase {
  readonly kind: 'window'
  readonly name: string
  readonly window: WindowDefinition
  readonly allowedLatenessMs: number
  /**
   * `once`: one row `{ key, window, ...aggregates }` per window. `updates`: at the end and again for each late row, as
   * rows `{ op, key: { key, window }, row }` where `op` is `insert` the first time and `update` after that.
   */
  readonly emit: 'once' | 'updates'
  /** Closes windows of an input that went silent, after this long in processing time; 0 means never. */
  readonly closeAfterQuietMs: number
  readonly aggregates: AggregateSpec
  /** Why late rows are dropped, when the program says so; then output `late` has no consumer. */
  readonly dropLate: string | undefined
}

export interface SinkNode extends NodeBase {
  readonly kind: 'sink'
  readonly name: string
  readonly sink: Sink<unknown>
  readonly parallelism?: Parallelism
}

export type PlanNode =
  | SourceNode
  | MapNode
  | FilterNode
  | FlatMapNode
  | TryNode
  | EventTimeNode
  | UnionNode
  | KeyByNode
  | PartitionNode
  | ProcessNode
  | KeyedAggregateNode
  | KeyedReduceNode
  | WindowNode
  | SinkNode
