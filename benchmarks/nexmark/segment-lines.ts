/**
 * Speed runs in profile S2: the JSON lines of a segment, read from disk (the page cache) again and again. Lines cannot
 * be moved on in ids and times, so only queries without windows and keys run here.
 */
import { readFileSync } from 'node:fs'
import { jsonLines, type Source } from 'tidemill'
import type { PartitionReader, SourceBatch, SourceHandle } from '../../src/connectors/contract.ts'
import type { NexmarkEvent } from './event.ts'
import { writeJsonLines } from './jsonl.ts'
import type { Meter } from './meter.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'
import { segmentDataset } from './segments.ts'

const EVENTS_PER_CHUNK = 1_000

/** The file of a segment; written at the first call. */
export function segmentFile(events: number): string {
  const file = writeJsonLines(segmentDataset(events))[0]
  if (file === undefined) throw new Error('the segment has no file')
  return file.path
}

/** The events of the file as the loops take them: a good loop, the file in one piece, a line at a time. */
export function* parsedChunks(path: string): Generator<readonly NexmarkEvent[]> {
  let rows: NexmarkEvent[] = []
  for (const line of readFileSync(path, 'latin1').split('\n')) {
    if (line === '') continue
    rows.push(JSON.parse(line))
    if (rows.length < EVENTS_PER_CHUNK) continue
    yield rows
    rows = []
  }
  yield rows
}

/** The same file so many times, as one partition. */
export function linesSource(path: string, count: number, meter: Meter): Source<EventRow> {
  const inner = jsonLines(path, nexmarkEvent)
  return {
    ...inner,
    describe: { ...inner.describe, segments: count },
    async open(context) {
      const handle = await inner.open(context)
      const open = (): Promise<PartitionReader<EventRow>> => handle.reader(path, undefined)
      return {
        partitions: () => handle.partitions(),
        reader: async () => new RepeatedReader(await open(), open, count, meter),
        close: () => handle.close(),
      } satisfies SourceHandle<EventRow>
    },
  }
}

class RepeatedReader implements PartitionReader<EventRow> {
  #reader: PartitionReader<EventRow>
  readonly #open: () => Promise<PartitionReader<EventRow>>
  readonly #count: number
  readonly #meter: Meter
  #segment = 0

  constructor(
    first: PartitionReader<EventRow>,
    open: () => Promise<PartitionReader<EventRow>>,
    count: number,
    meter: Meter,
  ) {
    this.#reader = first
    this.#open = open
    this.#count = count
    this.#meter = meter
  }

  poll(): SourceBatch<EventRow> | undefined {
    const batch = this.#reader.poll?.()
    return typeof batch === 'object' ? batch : undefined
  }

  async read(): Promise<SourceBatch<EventRow> | 'idle' | 'end'> {
    const batch = await this.#reader.read()
    // The last section ends with the job: results and the last checkpoint belong to it.
    if (batch !== 'end' || this.#segment === this.#count - 1) return batch
    this.#meter.end()
    await this.#reader.close()
    this.#reader = await this.#open()
    this.#segment++
    this.#meter.begin()
    return this.#reader.read()
  }

  wait(maxMs: number): Promise<void> {
    return this.#reader.wait(maxMs)
  }

  position(): Uint8Array {
    const position = this.#reader.position()
    const bytes = new Uint8Array(1 + position.length)
    bytes[0] = this.#segment
    bytes.set(position, 1)
    return bytes
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}
