/** Tidemill's source in `nexmark peer`, with its batches counted on their way in. */
import type { Source } from 'tidemill'
import type { PartitionReader, SourceBatch, SourceHandle } from '../../src/connectors/contract.ts'
import type { Warmup } from './peer-input.ts'
import type { EventRow } from './schema.ts'

export function countedSource(inner: Source<EventRow>, warmup: Warmup): Source<EventRow> {
  return {
    ...inner,
    async open(context) {
      const handle: SourceHandle<EventRow> = await inner.open(context)
      return {
        partitions: () => handle.partitions(),
        reader: async (partition, position) =>
          new CountedReader(await handle.reader(partition, position), warmup),
        close: () => handle.close(),
      } satisfies SourceHandle<EventRow>
    },
  }
}

class CountedReader implements PartitionReader<EventRow> {
  readonly #inner: PartitionReader<EventRow>
  readonly #warmup: Warmup

  constructor(inner: PartitionReader<EventRow>, warmup: Warmup) {
    this.#inner = inner
    this.#warmup = warmup
  }

  poll(): SourceBatch<EventRow> | 'idle' | 'end' | undefined {
    const batch = this.#inner.poll?.()
    this.#count(batch)
    return batch
  }

  async read(): Promise<SourceBatch<EventRow> | 'idle' | 'end'> {
    const batch = await this.#inner.read()
    this.#count(batch)
    return batch
  }

  wait(maxMs: number): Promise<void> {
    return this.#inner.wait(maxMs)
  }

  position(): Uint8Array {
    return this.#inner.position()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #count(batch: SourceBatch<EventRow> | 'idle' | 'end' | undefined): void {
    if (typeof batch !== 'object') return
    this.#warmup.see(batch.kind === 'rows' ? batch.rows.length : batch.frame.length)
  }
}
