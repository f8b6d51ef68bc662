/** The embedded event log: the handle from which topics, writers and readers come. */
import type { Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { logErrors, wrapDiskError } from './errors.ts'
import { listPartition, partitionPlace, type PartitionPlace } from './layout.ts'
import type { PartitionState } from './partition-state.ts'
import { type LogReader, openPartitionReader } from './reader.ts'
import { createTopic, keepSchema, listTopics, readSchema, readTopic } from './topics.ts'
import { verifyPartitions } from './verify.ts'
import { EndWatcher } from './visible-end.ts'
import { type LogWriter, openPartitionWriter, type Pins, type WriterOptions } from './writer.ts'
import type {
  PartitionInfo,
  ReaderOptions,
  TopicDescription,
  TopicInfo,
  TopicOptions,
  VerifyReport,
} from './types.ts'

export interface LogOptions {
  readonly env: Env
  /** Holds one directory per topic. Created by the first `createTopic`. */
  readonly directory: string
  /**
   * The lowest offset of a partition that somebody still needs, for instance a kept checkpoint. Retention and compaction
   * leave everything from there on alone. Asked each time they run.
   */
  readonly pins?: Pins
}

/** Opens a log directory. Opening reads nothing; topics, writers and readers do. */
export function openLog(options: LogOptions): EventLog {
  return new EventLog(options)
}

export class EventLog {
  readonly directory: string
  readonly #env: Env
  readonly #pins: Pins
  readonly #topics = new Map<string, TopicInfo>()
  readonly #writers = new Map<string, LogWriter>()
  readonly #readers = new Set<LogReader>()
  #closed = false

  constructor(options: LogOptions) {
    this.directory = options.directory.replace(/\/+$/, '') || '/'
    this.#env = options.env
    this.#pins = options.pins ?? (() => undefined)
  }

  /** Creates a topic; TM1201 when it exists, TM1202 when a name or option is wrong. */
  async createTopic(name: string, options: TopicOptions = {}): Promise<TopicInfo> {
    this.#requireOpen()
    const topic = await this.#wrapped('creating a topic', () =>
      createTopic(this.#env, this.directory, name, options),
    )
    this.#topics.set(name, topic)
    return topic
  }

  /** As {@link createTopic}, but takes an existing topic as it is, whatever its options. */
  async ensureTopic(name: string, options: TopicOptions = {}): Promise<TopicInfo> {
    try {
      return await this.createTopic(name, options)
    } catch (error) {
      if (error instanceof TidemillError && error.code === logErrors.topicExists.code)
        return await this.topic(name)
      throw error
    }
  }

  /** Names of all topics, in order. */
  topics(): Promise<string[]> {
    return this.#wrapped('listing topics', () => listTopics(this.#env, this.directory))
  }

  /** The stored options of a topic; TM1200 when it does not exist. */
  async topic(name: string): Promise<TopicInfo> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const topic = await this.#wrapped('reading a topic', () =>
      readTopic(this.#env, this.directory, name),
    )
    this.#topics.set(name, topic)
    return topic
  }

  /** Keeps what columns of this fingerprint look like with the topic, for tools. The log does not look into it. */
  keepSchema(topic: string, fingerprint: bigint, type: unknown): Promise<void> {
    return this.#wrapped('keeping a schema', () =>
      keepSchema(this.#env, this.directory, topic, fingerprint, type),
    )
  }

  /** What {@link keepSchema} was given; `undefined` when nobody kept it, TM1206 when it is damaged. */
  schema(topic: string, fingerprint: bigint): Promise<unknown> {
    return this.#wrapped('reading a schema', () =>
      readSchema(this.#env, this.directory, topic, fingerprint),
    )
  }

  /** Options and the present extent of every partition. */
  async describe(name: string): Promise<TopicDescription> {
    const topic = await this.topic(name)
    const partitionInfo: PartitionInfo[] = []
    for (let partition = 0; partition < topic.partitions; partition++) {
      const place = partitionPlace(this.directory, topic, partition)
      partitionInfo.push(
        await this.#wrapped('describing a topic', () => this.#describePartition(place)),
      )
    }
    return { ...topic, partitionInfo }
  }

  /**
   * Takes the lease of a partition and recovers it. TM1204 while another writer lives; TM1206 or TM1207 when stored data
   * is damaged or missing. What recovery did is in `writer.recovery`.
   */
  async openWriter(
    name: string,
    partition: number,
    options: WriterOptions = {},
  ): Promise<LogWriter> {
    this.#requireOpen()
    const place = await this.#place(name, partition)
    const writer = await openPartitionWriter(this.#env, place, options, this.#pins)
    this.#writers.set(place.directory, writer)
    return writer
  }

  /** Opens a reader; it needs no lease and sees what writers of any process append. */
  async openReader(
    name: string,
    partition: number,
    options: ReaderOptions = {},
  ): Promise<LogReader> {
    this.#requireOpen()
    const place = await this.#place(name, partition)
    const reader = await openPartitionReader(
      this.#env,
      place,
      options,
      () => this.#stateOf(place),
      (closed) => this.#readers.delete(closed),
    )
    this.#readers.add(reader)
    return reader
  }

  /** Checks every file of a topic without changing anything. A damaged description is a problem like any other. */
  async verify(name: string): Promise<VerifyReport> {
    let topic: TopicInfo
    try {
      topic = await this.#wrapped('verifying a topic', () =>
        readTopic(this.#env, this.directory, name),
      )
    } catch (error) {
      if (!(error instanceof TidemillError) || error.code !== logErrors.corrupt.code) throw error
      const { file, offset } = error.details
      const message = `${error.code}: ${error.message}; the partitions cannot be checked without it`
      const problem = {
        severity: 'damage',
        file: String(file),
        offset: Number(offset),
        message,
      } as const
      return {
        topic: name,
        files: 1,
        bytes: 0,
        batches: 0,
        records: 0,
        intact: false,
        problems: [problem],
      }
    }
    const places: PartitionPlace[] = []
    for (let i = 0; i < topic.partitions; i++) places.push(partitionPlace(this.directory, topic, i))
    return await this.#wrapped('verifying a topic', () => verifyPartitions(this.#env, name, places))
  }

  /** Closes all readers and writers that were opened here. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const reader of [...this.#readers]) await reader.close()
    for (const writer of this.#writers.values()) await writer.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #stateOf(place: PartitionPlace): PartitionState | undefined {
    return this.#writers.get(place.directory)?.state
  }

  async #place(name: string, partition: number): Promise<PartitionPlace> {
    const topic = await this.topic(name)
    if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions) {
      throw new TidemillError(logErrors.topicInvalid, {
        message: `topic "${name}" has the partitions 0 to ${topic.partitions - 1}, not ${partition}`,
      })
    }
    return partitionPlace(this.directory, topic, partition)
  }

  async #describePartition(place: PartitionPlace): Promise<PartitionInfo> {
    const files = await listPartition(this.#env, place, new Map())
    const watcher = new EndWatcher(this.#env, place, () => this.#stateOf(place))
    try {
      const end = await watcher.refresh()
      let bytes = 0
      for (const extent of files.extents)
        bytes += (await this.#env.disk.stat(extent.path))?.sizeBytes ?? 0
      const generation = files.generation
      return {
        partition: place.partition,
        startOffset: files.startOffset,
        endOffset: end.visible,
        stableOffset: end.stable,
        segments: files.extents.length,
        bytes,
        generation,
        clean: generation === 0 || files.clean?.generation === generation,
      }
    } finally {
      await watcher.close()
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw new TidemillError(logErrors.closed, { message: this.directory })
  }

  async #wrapped<Result>(doing: string, task: () => Promise<Result>): Promise<Result> {
    try {
      return await task()
    } catch (error) {
      throw wrapDiskError(error, doing, this.directory)
    }
  }
}
