/** Reads the committed records of a topic. */
import type { Env } from '../../base/env.ts'
import { isTidemillError, TidemillError } from '../../base/errors.ts'
import { decodeFrame } from '../../frame/decode.ts'
import { type FrameLayout, layoutOf } from '../../frame/layout.ts'
import { logErrors } from '../../log/errors.ts'
import { openLog } from '../../log/log.ts'
import type { LogReader } from '../../log/reader.ts'
import { readRecords } from '../../log/records.ts'
import type { LogBatch, TopicInfo } from '../../log/types.ts'
import { Reader, Writer } from '../../schema/bytes.ts'
import type { Codec } from '../../schema/types.ts'
import type {
  PartitionReader,
  Position,
  RejectedInput,
  SourceBatch,
  SourceContext,
  SourceHandle,
} from '../contract.ts'
import { connectorErrors } from '../errors.ts'
import { type LogSourceOptions, schemaIn } from './options.ts'

export async function openLogSource<Value>(
  { env, mode }: SourceContext,
  options: LogSourceOptions<Value>,
): Promise<SourceHandle<Value>> {
  const log = openLog({ env, directory: options.directory })
  const topic = await log.topic(options.topic)
  const bounded = options.until === 'end' || mode === 'batch'
  const schema = schemaIn(options.value)
  const layout = schema === undefined ? undefined : layoutOf(schema as never)
  return {
    partitions: async () => Array.from({ length: topic.partitions }, (_, i) => String(i)),
    async reader(partition, position) {
      const from = position === undefined ? 'earliest' : decodeOffset(position, topic)
      const reader = await log.openReader(options.topic, Number(partition), {
        from,
        // The runtime is done with a batch before it asks for more (`FrameBatch`).
        reuse: true,
        chunkBytes,
        ...(options.onGap ? { onGap: options.onGap } : {}),
      })
      const end = bounded ? await reader.endOffset() : Number.POSITIVE_INFINITY
      return new TopicReader<Value>(env, topic, reader, options.value, layout, end)
    },
    close: () => log.close(),
  }
}

/** Small enough to stay in the cache of a core from the read to the chain, large enough that a read costs little. */
const chunkBytes = 256 * 1024

/** How often an idle partition looks for news; at first, and again after each batch, it does so after a millisecond. */
const pollMs = 10

class TopicReader<Value> implements PartitionReader<Value> {
  readonly #env: Env
  readonly #topic: TopicInfo
  readonly #reader: LogReader
  readonly #codec: Codec<Value>
  readonly #layout: FrameLayout | undefined
  readonly #end: number
  #batches: readonly LogBatch[] = []
  #next = 0
  #offset: number
  #gapsTold = 0
  /** The next wait without news. */
  #waitMs = 1

  constructor(
    env: Env,
    topic: TopicInfo,
    reader: LogReader,
    codec: Codec<Value>,
    layout: FrameLayout | undefined,
    end: number,
  ) {
    this.#env = env
    this.#topic = topic
    this.#reader = reader
    this.#codec = codec
    this.#layout = layout
    this.#end = end
    this.#offset = reader.position
    this.#tellGaps()
  }

  poll(): SourceBatch<Value> | 'end' | undefined {
    if (this.#offset >= this.#end) return 'end'
    const batch = this.#batches[this.#next]
    if (batch === undefined) return undefined
    this.#next++
    // After the last one, markers and aborted data behind it are passed too.
    this.#offset = this.#next === this.#batches.length ? this.#reader.position : batch.nextOffset
    return this.#decode(batch)
  }

  async read(): Promise<SourceBatch<Value> | 'idle' | 'end'> {
    for (;;) {
      const ready = this.poll()
      if (ready !== undefined) return ready
      const batches = await this.#reader.read()
      if (batches === undefined) return 'idle'
      this.#batches = batches
      this.#next = 0
      this.#waitMs = 1
      if (batches.length === 0) this.#offset = this.#reader.position
      if (this.#reader.gaps.length > this.#gapsTold) this.#tellGaps()
    }
  }

  /** Who allows gaps wants to go on, not to be left in the dark. */
  #tellGaps(): void {
    for (const { from, to } of this.#reader.gaps.slice(this.#gapsTold)) {
      const place = { topic: this.#topic.name, partition: this.#reader.partition }
      this.#env.host.log(
        'warn',
        `offsets ${from} to ${to - 1} were removed by retention and are skipped`,
        { code: logErrors.gap.code, ...place, from, to: to - 1 },
      )
    }
    this.#gapsTold = this.#reader.gaps.length
  }

  wait(maxMs: number): Promise<void> {
    const ms = Math.min(maxMs, this.#waitMs)
    this.#waitMs = Math.min(pollMs, this.#waitMs * 2)
    return this.#env.clock.sleep(ms)
  }

  position(): Position {
    const w = new Writer(48)
    w.u8(1)
    w.text(this.#topic.id)
    w.varint(this.#offset)
    return w.finish()
  }

  async lag(): Promise<number> {
    return Math.max(0, (await this.#reader.endOffset()) - this.#offset)
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  #decode(batch: LogBatch): SourceBatch<Value> {
    const place = `${this.#topic.name}[${this.#reader.partition}]`
    if (batch.kind === 'records') return this.#decodeRecords(batch, place)
    if (this.#layout === undefined) {
      throw new TidemillError(connectorErrors.recordRefused, {
        message: `${place}@${batch.baseOffset} holds columns, which need a schema as \`value\``,
        details: { offset: batch.baseOffset },
      })
    }
    const frame = decodeFrame(this.#layout, batch.payload)
    if (batch.skip === 0) {
      const locate = (i: number): string => `${place}@${batch.baseOffset + i}`
      return { kind: 'frame', frame, appendedMs: batch.appendTime, locate }
    }
    const rows: Value[] = []
    const timestamps: number[] = []
    for (let i = batch.skip; i < frame.length; i++) {
      rows.push(frame.row(i) as Value) // the layout is the schema's
      timestamps.push(frame.timestampAt(i))
    }
    const first = batch.baseOffset + batch.skip
    const locate = (i: number): string => `${place}@${first + i}`
    return { kind: 'rows', rows, timestamps, rejected: [], appendedMs: batch.appendTime, locate }
  }

  /** What `tidemill log append` writes is text, which is easily taken for the encoding of a schema. */
  #hint(value: Uint8Array): string {
    const isJson = this.#layout !== undefined && value[0] === 0x7b && value.at(-1) === 0x7d
    return isJson ? '; this looks like JSON text, which `value: json(…)` reads' : ''
  }

  #decodeRecords(batch: LogBatch, place: string): SourceBatch<Value> {
    const rows: Value[] = []
    const timestamps: number[] = []
    const offsets: number[] = []
    const rejected: RejectedInput[] = []
    // A codec may keep parts of the bytes it was given, and the reader will reuse its own.
    for (const record of readRecords({ ...batch, payload: batch.payload.slice() })) {
      const reject = (code: string, message: string): void => {
        const raw = record.value?.slice() ?? new Uint8Array(0)
        rejected.push({
          raw,
          source: place,
          position: record.offset,
          error: { code, message },
          beforeRow: rows.length,
        })
      }
      if (record.value === null) {
        reject(connectorErrors.recordRefused.code, 'the record deletes its key, it has no value')
        continue
      }
      try {
        rows.push(this.#codec.decode(record.value))
      } catch (error) {
        const code = isTidemillError(error) ? error.code : connectorErrors.recordRefused.code
        reject(
          code,
          `${error instanceof Error ? error.message : String(error)}${this.#hint(record.value)}`,
        )
        continue
      }
      timestamps.push(record.timestamp)
      offsets.push(record.offset)
    }
    return {
      kind: 'rows',
      rows,
      timestamps,
      rejected,
      appendedMs: batch.appendTime,
      locate: (i) => `${place}@${offsets[i] ?? batch.baseOffset}`,
    }
  }
}

/** TM1703 when the position belongs to another topic of this name, TM1708 when it is none. */
function decodeOffset(position: Position, topic: TopicInfo): number {
  let id: string
  let offset: number
  try {
    const r = new Reader(position)
    if (r.u8() !== 1) throw new RangeError('another version')
    id = r.text()
    offset = r.varint()
    r.finish()
  } catch (cause) {
    throw new TidemillError(connectorErrors.positionUnknown, {
      message: `topic ${topic.name}`,
      cause,
    })
  }
  if (id === topic.id) return offset
  throw new TidemillError(connectorErrors.inputChanged, {
    message: `topic ${topic.name} was created anew since offset ${offset} was reached`,
    details: { topic: topic.name, offset },
  })
}
