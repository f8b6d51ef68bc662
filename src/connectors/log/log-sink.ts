/**
 * Writes rows to a topic, a transaction per epoch and partition.
 *
 * 1. Rows collect in a frame (values with a schema, no key) or a list of records, and go to the log when there are enough of
 *    them. The partition's transaction begins with its first row.
 * 2. `prepare` closes the batches and asks the log for its prepare marker at once; what is written later belongs to the
 *    next transaction, also while the marker is on its way.
 * 3. `commit` writes the commit markers; the log takes a repetition as done.
 * 4. `recover` commits the transactions that the checkpoint holds and aborts every other open one of this sink.
 *
 * Transactions are numbered by (generation, serial), so numbers grow over all lives, as the log wants it. After a failure the
 * writer accepts nothing but `close`.
 */
import { assert } from '../../base/assert.ts'
import type { Env } from '../../base/env.ts'
import { isTidemillError, TidemillError } from '../../base/errors.ts'
import { createFrameBuilder } from '../../frame/create-builder.ts'
import type { FrameBuilder } from '../../frame/builder.ts'
import { layoutOf } from '../../frame/layout.ts'
import { logErrors } from '../../log/errors.ts'
import { type EventLog, openLog } from '../../log/log.ts'
import { type LogRecord, recordsBatch } from '../../log/records.ts'
import { producerIdOf } from '../../log/transactions.ts'
import type { AppendBatch, TransactionId } from '../../log/types.ts'
import type { LogWriter } from '../../log/writer.ts'
import { Reader, Writer } from '../../schema/bytes.ts'
import { keyBytes, keyHash } from '../../schema/key.ts'
import { toPlain } from '../../schema/row.ts'
import type { Key, Schema } from '../../schema/types.ts'
import type { PreparedEpoch, SinkContext, SinkCounts, SinkWriter } from '../contract.ts'
import { badOption, connectorErrors } from '../errors.ts'
import { type LogSinkOptions, schemaIn } from './options.ts'

/** Serials per generation; more epochs than one life can have. */
const serialsMax = 2 ** 28
/** Producers whose transactions may be left over from lives with other parallelism. */
const subtasksMax = 1024
const waitingBytesMax = 8 << 20
const recordsPerBatch = 256

export async function openLogSink<Value>(
  context: SinkContext,
  options: LogSinkOptions<Value>,
): Promise<SinkWriter<Value>> {
  const { env, job, name, subtask, subtasks } = context
  const log = openLog({ env, directory: options.directory })
  const topic = await topicOf(log, options)
  if (topic.partitions < subtasks) {
    await log.close()
    throw badOption(
      `logSink: topic ${topic.name} has ${topic.partitions} partitions for ${subtasks} subtasks; bound them with to(…, { parallelism: ${topic.partitions} })`,
    )
  }
  const schema = framesOf(options)
  if (schema !== undefined) await log.keepSchema(topic.name, fingerprintOf(schema), schema.type)
  const owner = `${job}/${name}/${subtask}`
  const outputs: PartitionOutput<Value>[] = []
  try {
    for (let partition = subtask; partition < topic.partitions; partition += subtasks) {
      const writer = await log.openWriter(topic.name, partition, { owner })
      outputs.push(new PartitionOutput(context, partition, writer, options))
    }
    if (context.fresh) for (const output of outputs) output.requireNew(topic.name)
  } catch (error) {
    await log.close()
    throw error
  }
  return new TopicWriter(context, log, outputs, topic.partitions, options)
}

/** How many partitions the topic has, which is created if the options say so. */
export async function partitionsOf<Value>(
  env: Env,
  options: LogSinkOptions<Value>,
): Promise<number> {
  const log = openLog({ env, directory: options.directory })
  try {
    return (await topicOf(log, options)).partitions
  } finally {
    await log.close()
  }
}

/** The partition of a key: the rule of `tidemill log append`, for any number of writers. */
export function partitionOfKey(key: Key, partitions: number): number {
  return (keyHash(key) >>> 0) % partitions
}

function topicOf<Value>(
  log: EventLog,
  { topic, partitions, durability }: LogSinkOptions<Value>,
): ReturnType<EventLog['topic']> {
  if (partitions === undefined) return log.topic(topic)
  return log.ensureTopic(topic, { partitions, ...(durability ? { durability } : {}) })
}

/** The schema when rows go to the log as frames: values with a schema and without key. */
function framesOf<Value>(options: LogSinkOptions<Value>): Schema<unknown> | undefined {
  const schema = options.key === undefined ? schemaIn(options.value) : undefined
  return schema as Schema<unknown> | undefined
}

function fingerprintOf(schema: Schema<unknown>): bigint {
  return BigInt(`0x${schema.hash}`)
}

class TopicWriter<Value> implements SinkWriter<Value> {
  readonly #context: SinkContext
  readonly #log: EventLog
  readonly #outputs: readonly PartitionOutput<Value>[]
  readonly #partitions: number
  readonly #key: LogSinkOptions<Value>['key']
  #received = 0
  #turn = 0

  constructor(
    context: SinkContext,
    log: EventLog,
    outputs: readonly PartitionOutput<Value>[],
    partitions: number,
    options: LogSinkOptions<Value>,
  ) {
    this.#context = context
    this.#log = log
    this.#outputs = outputs
    this.#partitions = partitions
    this.#key = options.key
  }

  write(row: Value, timestampMs: number): void {
    this.#received++
    const key = this.#key?.(row)
    if (key !== undefined) {
      this.#owned(partitionOfKey(key, this.#partitions)).add(row, timestampMs, keyBytes(key))
      return
    }
    // Without keys a partition gets whole batches, so that frames are full.
    const outputs = this.#outputs
    if (outputs[this.#turn % outputs.length]!.add(row, timestampMs, null)) this.#turn++
  }

  /** Partitions of this subtask follow each other at the distance of all subtasks. */
  #owned(partition: number): PartitionOutput<Value> {
    const { subtask, subtasks } = this.#context
    const output = this.#outputs[Math.floor(partition / subtasks)]
    assert(
      output?.partition === partition,
      'a row came to a subtask that does not write its partition',
      { partition, subtask, subtasks },
    )
    return output
  }

  get full(): boolean {
    return this.#outputs.some((output) => output.writer.pendingBytes >= waitingBytesMax)
  }

  async flush(): Promise<void> {
    for (const output of this.#outputs) output.send()
    for (const output of this.#outputs) await output.settled()
  }

  async prepare(): Promise<Uint8Array> {
    // Every partition cuts before the first await.
    const cuts = this.#outputs.map((output) => output.prepare())
    this.#context.env.host.crashPoint('sink.prepare.write')
    const prepared = (await Promise.all(cuts)).filter((one) => one !== undefined)
    this.#context.env.host.crashPoint('sink.prepare.sync')
    return encodeTransactions(prepared)
  }

  async commit(_epoch: number, prepared: Uint8Array): Promise<void> {
    const transactions = decodeTransactions(prepared, this.#context.name)
    if (transactions.length === 0) return
    this.#context.env.host.crashPoint('sink.commit.sent')
    for (const one of transactions) {
      // Partitions of other subtasks are committed by those.
      const output = this.#outputs.find((other) => other.partition === one.partition)
      await output?.writer.commit(one.producerId, one.epoch)
      this.#context.env.host.crashPoint('sink.marker')
    }
    this.#context.env.host.crashPoint('sink.commit.local')
  }

  async recover(committed: readonly PreparedEpoch[]): Promise<void> {
    for (const { epoch, prepared } of committed) {
      await this.commit(epoch, prepared)
      this.#context.env.host.crashPoint('recover.recommit')
    }
    const { job, name, env } = this.#context
    const own = new Set(
      Array.from({ length: subtasksMax }, (_, i) => producerIdOf(`${job}/${name}/${i}`)),
    )
    for (const { writer } of this.#outputs) {
      for (const { producerId, epoch } of [...writer.openTransactions()]) {
        if (!own.has(producerId)) continue
        env.host.crashPoint('sink.abort')
        await writer.abort(producerId, epoch)
      }
    }
  }

  counts(): SinkCounts {
    return { received: this.#received, skipped: 0, deadLettered: 0 }
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}

interface PreparedTransaction extends TransactionId {
  readonly partition: number
}

class PartitionOutput<Value> {
  readonly partition: number
  readonly writer: LogWriter
  readonly #context: SinkContext
  readonly #options: LogSinkOptions<Value>
  readonly #producerId: number
  readonly #builder: FrameBuilder | undefined
  readonly #fingerprint: bigint
  #records: LogRecord[] = []
  #serial = 0
  #transaction: TransactionId | undefined
  /** Resolves when the log has taken everything so far, or refused it. */
  #taken: Promise<unknown> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined

  constructor(
    context: SinkContext,
    partition: number,
    writer: LogWriter,
    options: LogSinkOptions<Value>,
  ) {
    this.#context = context
    this.partition = partition
    this.writer = writer
    this.#options = options
    this.#producerId = producerIdOf(`${context.job}/${context.name}/${context.subtask}`)
    const schema = framesOf(options)
    this.#builder = schema === undefined ? undefined : createFrameBuilder(layoutOf(schema))
    this.#fingerprint = schema === undefined ? 0n : fingerprintOf(schema)
  }

  /** TM1730 when an earlier life of a job of this name has written here. */
  requireNew(topic: string): void {
    // Lives before the first checkpoint leave aborted transactions only.
    for (let generation = 1; generation <= this.#context.generation; generation++) {
      const first = generation * serialsMax
      if (this.writer.outcome(this.#producerId, first) === 'committed') throw this.#notEmpty(topic)
    }
  }

  #notEmpty(topic: string): TidemillError {
    return new TidemillError(connectorErrors.outputNotEmpty, {
      message: `topic ${topic}, partition ${this.partition} has results of sink ${this.#context.name} and the state is new`,
      details: { topic, partition: this.partition },
    })
  }

  /** True when a batch was sent with it. */
  add(row: Value, timestampMs: number, key: Uint8Array | null): boolean {
    if (this.#builder !== undefined) {
      if (!this.#builder.append(row, Number.isNaN(timestampMs) ? undefined : timestampMs))
        return false
    } else {
      const value = this.#options.value.encode(toPlain(row) as Value) // the same row, copied out of its frame
      const timestamp = Number.isNaN(timestampMs) ? this.#context.env.clock.wallMs() : timestampMs
      this.#records.push({ key, value, timestamp: Math.floor(timestamp) })
      if (this.#records.length < recordsPerBatch) return false
    }
    this.send()
    return true
  }

  /** Gives everything collected to the log. */
  send(): void {
    const builder = this.#builder
    while (builder !== undefined && builder.length > 0) {
      const frame = builder.build()
      const timed = Number.isFinite(frame.timestampMin)
      this.#append({
        kind: 'frame',
        payload: frame.bytes,
        recordCount: frame.length,
        schemaFingerprint: this.#fingerprint,
        ...(timed ? { minTimestamp: frame.timestampMin, maxTimestamp: frame.timestampMax } : {}),
      })
    }
    if (this.#records.length === 0) return
    const records = this.#records
    this.#records = []
    this.#append(recordsBatch(records))
  }

  async settled(): Promise<void> {
    await this.#taken
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Cuts at once; undefined when there was no row. */
  async prepare(): Promise<PreparedTransaction | undefined> {
    this.send()
    const transaction = this.#transaction
    this.#transaction = undefined
    const marker =
      transaction === undefined
        ? undefined
        : this.writer.prepare(transaction.producerId, transaction.epoch)
    // Both may fail for one reason; only one of them is awaited then.
    marker?.catch(ignore)
    await this.settled()
    await marker
    return transaction === undefined ? undefined : { ...transaction, partition: this.partition }
  }

  #append(batch: AppendBatch): void {
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#transaction === undefined) {
      this.#context.env.host.crashPoint('sink.begin')
      this.#transaction = this.#begin()
    }
    this.#context.env.host.crashPoint('sink.write')
    const done = this.writer.append({ ...batch, transaction: this.#transaction })
    const before = this.#taken
    const taken = done.catch((error: unknown) => {
      this.#failure ??= { error }
    })
    this.#taken = before.then(() => taken)
  }

  #begin(): TransactionId {
    try {
      return this.writer.begin(
        this.#producerId,
        this.#context.generation * serialsMax + this.#serial++,
      )
    } catch (error) {
      // A later generation has written here, and the state does not know it.
      const used = isTidemillError(error) && error.code === logErrors.transactionState.code
      throw used && this.#context.fresh ? this.#notEmpty(this.#options.topic) : error
    }
  }
}

/** Whoever awaits the promise sees the error. */
function ignore(): void {}

function encodeTransactions(transactions: readonly PreparedTransaction[]): Uint8Array {
  if (transactions.length === 0) return new Uint8Array(0)
  const w = new Writer()
  w.u8(1)
  w.varint(transactions.length)
  for (const { partition, producerId, epoch } of transactions) {
    w.varint(partition)
    w.varint(producerId)
    w.varint(epoch)
  }
  return w.finish()
}

/** TM1732 for bytes that this sink cannot have written. */
function decodeTransactions(bytes: Uint8Array, sink: string): PreparedTransaction[] {
  if (bytes.length === 0) return []
  try {
    const r = new Reader(bytes)
    if (r.u8() !== 1) throw new RangeError('another version')
    const transactions: PreparedTransaction[] = []
    for (let i = r.count(3); i > 0; i--) {
      transactions.push({ partition: r.varint(), producerId: r.varint(), epoch: r.varint() })
    }
    r.finish()
    return transactions
  } catch (cause) {
    throw new TidemillError(connectorErrors.outputLost, {
      message: `${sink}: the list of transactions is not readable`,
      cause,
    })
  }
}
