/** Options of log sources and sinks. */
import type { Durability } from '../../log/types.ts'
import type { Codec, Key, Schema } from '../../schema/types.ts'

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
  /**
   * Records with this key go to one partition in order, the same for any number of workers, and compaction keeps the newest of
   * each. Stored with the record. Called once more by whoever sends the record to the writer of that partition.
   */
  readonly key?: (row: Value) => Key
  /** A topic that does not exist is created with so many partitions. Default: it must exist (TM1200). */
  readonly partitions?: number
  /** Of a topic that is created. Default `sync`. */
  readonly durability?: Durability
}

/** The schema among codecs. */
export function schemaIn<Value>(value: Schema<Value> | Codec<Value>): Schema<Value> | undefined {
  return '~standard' in value && 'type' in value && 'hash' in value ? value : undefined
}
