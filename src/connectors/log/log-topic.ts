/** Topics of the embedded event log as source and sink. */
import type { Key, Codec, Schema } from '../../schema/types.ts'
import type { Durability } from '../../log/types.ts'
import type { Sink, Source } from '../contract.ts'
import { badOption } from '../errors.ts'
import { openLogSink } from './log-sink.ts'
import { openLogSource } from './log-source.ts'

export interface LogTopicOptions<Value> {
  /** The directory of the log. */
  readonly directory: string
  readonly topic: string
  /** A schema (records are stored in columns) or any codec, such as `json(order)` (records are stored one by one). */
  readonly value: Schema<Value> | Codec<Value>
}

export interface LogSourceOptions<Value> extends LogTopicOptions<Value> {
  /** `end`: read what is committed when the job starts, then end. Default: go on for ever; batch mode always ends. */
  readonly until?: 'end'
  /** What to do when retention removed records that were to be read. Default `fail` (TM1208). */
  readonly onGap?: 'fail' | 'skip'
}

export interface LogSinkOptions<Value> extends LogTopicOptions<Value> {
  /** Records with this key go to one partition in order, and compaction keeps the newest of each. Stored with the record. */
  readonly key?: (row: Value) => Key
  /** A topic that does not exist is created with so many partitions. Default: it must exist (TM1200). */
  readonly partitions?: number
  /** Of a topic that is created. Default `sync`. */
  readonly durability?: Durability
}

/**
 * The committed records of a topic. Each partition of the topic is one of the source; positions are offsets. Records
 * that do not decode are rejected with their bytes; so is the deletion of a key, since it has no value.
 *
 * Errors: TM1200 for an unknown topic, TM1208 for records that retention has removed, TM1703 when the topic was created
 * anew since the checkpoint.
 *
 * @example
 * app.from('orders', logSource({ directory: 'log', topic: 'orders', value: order }))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function logSource<Value>(options: LogSourceOptions<Value>): Source<Value> {
  checkTopic('logSource', options)
  return Object.freeze<Source<Value>>({
    role: 'source',
    connector: 'log',
    describe: Object.freeze({ topic: options.topic, directory: options.directory, ...(options.until ? { until: options.until } : {}) }),
    schema: schemaIn(options.value),
    bounded: options.until === 'end',
    open: (context) => openLogSource(context, options),
  })
}

/**
 * Appends rows to a topic, each exactly once: an epoch is one transaction per partition, which readers of committed
 * records see after the checkpoint. A row goes to the partition of its key, without a key to one after the other.
 * Subtask i of n writes the partitions that are i modulo n, so there must be as many partitions as subtasks (TM1704).
 *
 * @example
 * events.to('events', logSink({ directory: 'log', topic: 'events', value: orderEvent, key: (e) => e.orderId }))
 *
 * @since 0.1.0
 * @stability experimental
 */
export function logSink<Value>(options: LogSinkOptions<Value>): Sink<Value> {
  checkTopic('logSink', options)
  return Object.freeze<Sink<Value>>({
    role: 'sink',
    connector: 'log',
    describe: Object.freeze({ topic: options.topic, directory: options.directory }),
    guarantee: 'transactional',
    acceptsViews: schemaIn(options.value) !== undefined && options.key === undefined,
    value: options.value,
    open: (context) => openLogSink(context, options),
  })
}

/** The schema among codecs. */
export function schemaIn<Value>(value: Schema<Value> | Codec<Value>): Schema<Value> | undefined {
  return '~standard' in value && 'type' in value && 'hash' in value ? value : undefined
}

function checkTopic(connector: string, { directory, topic }: { readonly directory: string; readonly topic: string }): void {
  if (typeof directory !== 'string' || directory === '') throw badOption(`${connector}: directory is empty`)
  if (typeof topic !== 'string' || topic === '') throw badOption(`${connector}: topic is empty`)
}
