/**
 * One source partition as a subtask reads it: at most one read in flight, and the position after the rows that were
 * processed - not after those that were read ahead.
 */
import type { PartitionId, PartitionReader, Position, SourceBatch } from '../connectors/contract.ts'

export type PartitionState = 'reading' | 'ready' | 'idle' | 'ended' | 'failed'

export class PartitionInput {
  readonly source: number
  readonly sourceName: string
  readonly partition: PartitionId
  /** Place among the partitions of the source. */
  readonly rank: number
  /** Name of this partition among all inputs of the subtask. */
  readonly channel: string
  state: PartitionState = 'idle'
  /** Position after the last processed batch; `undefined` at the start of the partition. */
  position: Position | undefined
  /** Monotonic time since when there is nothing to read. */
  idleSinceMs: number = Number.NaN
  error: unknown
  readonly #reader: PartitionReader<unknown>
  readonly #wake: () => void
  #batch: SourceBatch<unknown> | undefined
  #after: Position | undefined
  #waiting = false
  #closed = false

  constructor(
    source: { readonly id: number; readonly name: string },
    partition: PartitionId,
    rank: number,
    reader: PartitionReader<unknown>,
    position: Position | undefined,
    wake: () => void,
  ) {
    this.source = source.id
    this.sourceName = source.name
    this.partition = partition
    this.rank = rank
    this.channel = `${source.name}/${partition}`
    this.#reader = reader
    this.position = position
    this.#wake = wake
  }

  /** Starts a read unless one is in flight. */
  request(): void {
    if (this.state !== 'idle' || this.#waiting || this.#closed) return
    const known = this.#reader.poll?.()
    if (known !== undefined) {
      this.#arrived(known)
      return
    }
    this.state = 'reading'
    this.#reader.read().then(
      (batch) => this.#arrived(batch),
      (error: unknown) => this.#failed(error),
    )
  }

  /** The batch that was read ahead; its position counts once `processed` is called. */
  take(): SourceBatch<unknown> | undefined {
    const batch = this.#batch
    this.#batch = undefined
    return batch
  }

  /** The taken batch was processed completely: read on. */
  processed(): void {
    this.position = this.#after
    this.state = 'idle'
    this.request()
  }

  async lag(): Promise<number | undefined> {
    return this.#reader.lag?.()
  }

  /** A read or wait that is in flight may still settle; nothing is asked of the reader any more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#reader.close()
  }

  #arrived(batch: SourceBatch<unknown> | 'idle' | 'end'): void {
    if (this.#closed) return
    this.#after = this.#reader.position()
    if (batch === 'end') {
      this.position = this.#after
      this.state = 'ended'
    } else if (batch === 'idle') {
      this.position = this.#after
      this.#wait()
    } else {
      this.#batch = batch
      this.state = 'ready'
    }
    this.#wake()
  }

  /** Nothing to read: ask the source when to come back. */
  #wait(): void {
    this.state = 'idle'
    this.#waiting = true
    this.#reader.wait(waitMsMax).then(
      () => {
        this.#waiting = false
        this.request()
      },
      (error: unknown) => this.#failed(error),
    )
  }

  #failed(error: unknown): void {
    if (this.#closed) return
    this.error = error
    this.state = 'failed'
    this.#wake()
  }

  /** True while the source itself says that there is nothing to read. */
  get quiet(): boolean {
    return this.#waiting
  }
}

/** A source is asked again after this long, also when it cannot tell that something came. */
const waitMsMax = 200
