/**
 * A source that reads another one slowly and not to its end: how a recording becomes a live stream. An example of what it
 * takes to write a source: forward what you do not change, and put what you add into the position.
 */
import type { PartitionReader, Position, Source, SourceBatch, SourceContext } from 'tidemill'

export interface Pace {
  /** Rows per second; 0 for as fast as possible. */
  readonly ratePerSec: number
  /** Ends after so many rows; 0 for all of them. */
  readonly rowsMax: number
}

/** For sources with one partition whose batches are rows. */
export function paced<Row>(source: Source<Row>, pace: Pace): Source<Row> {
  return {
    ...source,
    connector: `paced ${source.connector}`,
    describe: { ...source.describe, ...pace },
    async open(context) {
      const handle = await source.open(context)
      return {
        partitions: () => handle.partitions(),
        async reader(partition, position) {
          const { rows, inner } = decode(position)
          return new PacedReader(context.env, await handle.reader(partition, inner), rows, pace)
        },
        close: () => handle.close(),
      }
    },
  }
}

class PacedReader<Row> implements PartitionReader<Row> {
  readonly #clock: SourceContext['env']['clock']
  readonly #inner: PartitionReader<Row>
  readonly #pace: Pace
  /** Rows of all lives, for the end; rows of this life, for the pace. */
  #rows: number
  #rowsNow = 0
  readonly #startMs: number

  constructor(env: SourceContext['env'], inner: PartitionReader<Row>, rows: number, pace: Pace) {
    this.#clock = env.clock
    this.#inner = inner
    this.#rows = rows
    this.#pace = pace
    this.#startMs = env.clock.monoMs()
  }

  async read(): Promise<SourceBatch<Row> | 'idle' | 'end'> {
    const left =
      this.#pace.rowsMax === 0 ? Number.POSITIVE_INFINITY : this.#pace.rowsMax - this.#rows
    if (left <= 0) return 'end'
    if (this.#dueMs() > this.#clock.monoMs()) return 'idle'
    const batch = await this.#inner.read()
    if (typeof batch === 'string') return batch
    if (batch.kind !== 'rows') throw new TypeError('only sources of rows can be paced')
    const rows = batch.rows.slice(0, left)
    this.#rows += rows.length
    this.#rowsNow += rows.length
    return {
      ...batch,
      rows,
      rejected: batch.rejected.filter(({ beforeRow }) => beforeRow <= rows.length),
    }
  }

  async wait(maxMs: number): Promise<void> {
    await this.#clock.sleep(Math.max(0, Math.min(maxMs, this.#dueMs() - this.#clock.monoMs())))
  }

  position(): Position {
    return encode(this.#rows, this.#inner.position())
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  /** When the next rows may come. */
  #dueMs(): number {
    const { ratePerSec } = this.#pace
    return ratePerSec === 0 ? 0 : this.#startMs + (this.#rowsNow * 1000) / ratePerSec
  }
}

const countBytes = 8

function encode(rows: number, inner: Position): Position {
  const bytes = new Uint8Array(countBytes + inner.length)
  new DataView(bytes.buffer).setFloat64(0, rows, true)
  bytes.set(inner, countBytes)
  return bytes
}

function decode(position: Position | undefined): {
  readonly rows: number
  readonly inner: Position | undefined
} {
  if (position === undefined) return { rows: 0, inner: undefined }
  const rows = new DataView(position.buffer, position.byteOffset, position.byteLength).getFloat64(
    0,
    true,
  )
  return { rows, inner: position.subarray(countBytes) }
}
