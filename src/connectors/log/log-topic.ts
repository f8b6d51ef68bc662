/** Topics of the embedded event log as source and sink. */
import type { Sink, SinkPartitioning, Source } from '../contract.ts'
import { badOption } from '../errors.ts'
import { openLogSink, partitionOfKey, partitionsOf } from './log-sink.ts'
import { openLogSource } from './log-source.ts'
import { type LogSinkOptions, type LogSourceOptions, schemaIn } from './options.ts'

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
    describe: Object.freeze({
      topic: options.topic,
      directory: options.directory,
      ...(options.until ? { until: options.until } : {}),
    }),
    schema: schemaIn(options.value),
    bounded: options.until === 'end',
    endsInBatch: true,
    open: (context) => openLogSource(context, options),
  })
}

/**
 * Appends rows to a topic, each exactly once: an epoch is one transaction per partition, which readers of committed
 * records see after the checkpoint. A row with a key goes to the partition of its key, the same for any number of
 * workers and for `tidemill log append`; rows without keys go to one partition after the other. Subtask i of n writes the
 * partitions that are i modulo n: with fewer partitions than workers (TM1704) bound them by `to(…, { parallelism })`.
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
    ...partitioningOf(options),
    open: (context) => openLogSink(context, options),
  })
}

/** Only rows with keys belong to a partition. */
function partitioningOf<Value>(
  options: LogSinkOptions<Value>,
): Pick<Sink<Value>, 'partitioning'> | undefined {
  const { key } = options
  if (key === undefined) return undefined
  return {
    partitioning: Object.freeze<SinkPartitioning<Value>>({
      count: ({ env }) => partitionsOf(env, options),
      of: (row, count) => partitionOfKey(key(row), count),
    }),
  }
}

function checkTopic(
  connector: string,
  { directory, topic }: { readonly directory: string; readonly topic: string },
): void {
  if (typeof directory !== 'string' || directory === '')
    throw badOption(`${connector}: directory is empty`)
  if (typeof topic !== 'string' || topic === '') throw badOption(`${connector}: topic is empty`)
}
