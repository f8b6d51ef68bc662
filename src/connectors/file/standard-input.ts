/**
 * Standard input as a file that can be read once, named `-`.
 *
 * 1. Its positions are those of a file: they name content. A job that is started again with the same input reads over
 *    what its checkpoint has, and refuses other or shorter input (TM1703, TM1702).
 * 2. Nothing can be read twice within a process: a second reader, also that of a further life, is refused (TM1719).
 * 3. A producer may be silent for long. `read` then answers `idle`, and the read itself goes on behind it.
 */
import type { Env } from '../../base/env.ts'
import type { PartitionReader, Position, SourceBatch } from '../contract.ts'
import type { ByteInput } from './byte-input.ts'
import { fileClients } from './clients.ts'

/** The path that means standard input, as in many programs. */
export const standardInputPath = '-'

/** A read that lasts longer says that nothing is there now, so that other partitions need not wait for this one. */
const silenceMs = 20

export function openStandardInput(): ByteInput {
  const stream = fileClients('standard input').standardInput()
  let offset = 0
  const read = async (target: Uint8Array): Promise<number> => {
    const count = await stream.read(target)
    offset += count
    return count
  }
  return {
    compressed: false,
    read,
    async skipTo(to) {
      const room = new Uint8Array(1 << 16)
      while (offset < to) {
        const count = await read(room.subarray(0, Math.min(room.length, to - offset)))
        if (count === 0) break
      }
      return offset
    },
    remaining: () => Promise.resolve(undefined),
    close: () => Promise.resolve(stream.close()),
  }
}

type Batch<Out> = SourceBatch<Out> | 'idle' | 'end'

/** Reads from `inner`, which may wait for long. Its position is that of the rows that were handed over. */
export class PatientReader<Out> implements PartitionReader<Out> {
  readonly #inner: PartitionReader<Out>
  readonly #env: Env
  #position: Position
  /** A read that has not been handed over. */
  #reading: Promise<Batch<Out>> | undefined

  constructor(env: Env, inner: PartitionReader<Out>) {
    this.#env = env
    this.#inner = inner
    this.#position = inner.position()
  }

  poll(): Batch<Out> | undefined {
    if (this.#reading !== undefined) return undefined
    const batch = this.#inner.poll?.()
    if (batch !== undefined) this.#position = this.#inner.position()
    return batch
  }

  async read(): Promise<Batch<Out>> {
    this.#reading ??= this.#inner.read()
    const batch = await this.#settled(silenceMs)
    if (batch === undefined) return 'idle'
    this.#reading = undefined
    this.#position = this.#inner.position()
    return batch
  }

  async wait(maxMs: number): Promise<void> {
    // A failure is the answer of the next read.
    await this.#settled(maxMs).catch(() => {})
  }

  position(): Position {
    return this.#position
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** What the read in flight comes to, or undefined when that lasts longer. */
  #settled(maxMs: number): Promise<Batch<Out> | undefined> {
    return new Promise((resolve, reject) => {
      const timer = this.#env.clock.timer(maxMs, () => resolve(undefined))
      const reading = this.#reading ?? Promise.resolve(undefined)
      reading.then(
        (batch) => {
          timer.cancel()
          resolve(batch)
        },
        (error: unknown) => {
          timer.cancel()
          reject(error)
        },
      )
    })
  }
}
