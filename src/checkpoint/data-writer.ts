/**
 * Writes the data object of one subtask and epoch.
 *
 * `append` copies a block into pooled buffers and returns at once; full buffers are written behind, in order, one
 * call at a time. `full` asks the caller to await `drain` before it appends more: memory is then bounded by the pool
 * and one block. `finish` writes index and trailer, makes the object durable and visible, and says how the manifest
 * refers to it. Any failure poisons the writer: the attempt is over, the next one has another name.
 */
import { assert } from '../base/assert.ts'
import { crc32, crc32Joined, crc32Shift } from '../base/crc32.ts'
import type { Host } from '../base/env.ts'
import type { SnapshotBlock } from '../state/contract.ts'
import type { BufferPool } from './buffer-pool.ts'
import {
  blockHeaderBytes,
  blockMagic,
  type BlockPlace,
  encodeBlockHeader,
  encodeHeader,
  encodeIndex,
  encodeTrailer,
  identityCrc,
  indexMagic,
  type ObjectIdentity,
  trailerBytes,
} from './data-format.ts'
import { dataObjectName } from './names.ts'
import type { CheckpointStorage, ObjectWriter, PublishStep } from './storage.ts'

/** How a manifest refers to a data object. */
export interface ObjectRef {
  readonly name: string
  readonly sizeBytes: number
  /** CRC-32 of the whole file. */
  readonly crc32: number
}

export interface DataObjectOptions {
  readonly host: Pick<Host, 'crashPoint'>
  readonly storage: CheckpointStorage
  readonly identity: ObjectIdentity
  readonly pool: BufferPool
}

export interface DataObjectWriter {
  readonly name: string
  /** Bytes appended so far, headers included. */
  readonly sizeBytes: number
  /** True when all pooled buffers are in use: await `drain` before the next `append`. */
  readonly full: boolean
  /** Takes one block of the holder `operator`; the bytes are copied. Throws the error of an earlier write. */
  append(operator: string, block: SnapshotBlock): void
  /** Resolves when `full` is false again. */
  drain(): Promise<void>
  finish(): Promise<ObjectRef>
  /** Gives up and removes what was written. */
  abort(): Promise<void>
}

/** Below this reading twice is faster than joining, which costs a microsecond. */
const joinedBytesMin = 4 * 1024

export async function createDataObjectWriter(
  options: DataObjectOptions,
): Promise<DataObjectWriter> {
  const { host, storage, identity, pool } = options
  const name = dataObjectName(identity, identity.subtask)
  const object = await storage.put(name, { onStep: (step) => dataCrashPoint(host, step) })
  return new Writer(name, identity, pool, object, host)
}

function dataCrashPoint(host: Pick<Host, 'crashPoint'>, step: PublishStep): void {
  if (step === 'synced') host.crashPoint('op.data.sync')
  else if (step === 'published') host.crashPoint('op.data.publish')
  else if (step === 'durable') host.crashPoint('op.data.dirsync')
}

class Writer implements DataObjectWriter {
  readonly name: string
  sizeBytes = 0
  readonly #identity: number
  readonly #pool: BufferPool
  readonly #object: ObjectWriter
  readonly #host: Pick<Host, 'crashPoint'>
  readonly #operators = new NameTable()
  readonly #sections = new NameTable()
  readonly #places: BlockPlace[] = []
  readonly #blockHeader = new Uint8Array(blockHeaderBytes)
  #current: Uint8Array
  #used = 0
  /** Buffers that are queued or being written. */
  #pending = 0
  /** The write-behind queue; never rejects, failures go to `#failure`. */
  #tail: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #fileCrc = 0
  #closed = false

  constructor(
    name: string,
    identity: ObjectIdentity,
    pool: BufferPool,
    object: ObjectWriter,
    host: Pick<Host, 'crashPoint'>,
  ) {
    this.name = name
    this.#identity = identityCrc(identity)
    this.#pool = pool
    this.#object = object
    this.#host = host
    this.#current = pool.take()
    this.#put(encodeHeader(identity))
  }

  get full(): boolean {
    return this.#pending >= this.#pool.count - 1
  }

  append(operator: string, block: SnapshotBlock): void {
    this.#check()
    assert(block.keyGroup >= -1, 'a key group is -1 or not negative', { operator })
    const place: BlockPlace = {
      operator: this.#operators.indexOf(operator),
      section: this.#sections.indexOf(block.section),
      keyGroup: block.keyGroup,
      offset: this.sizeBytes,
      length: block.bytes.length,
    }
    this.#places.push(place)
    this.#putBlock(blockMagic, place, block.bytes)
  }

  async drain(): Promise<void> {
    while (this.full && this.#failure === undefined) await this.#tail
    this.#check()
  }

  async finish(): Promise<ObjectRef> {
    this.#check()
    const indexOffset = this.sizeBytes
    const index = encodeIndex({
      operators: this.#operators.names,
      sections: this.#sections.names,
      places: this.#places,
    })
    const place = { operator: 0, section: 0, keyGroup: -1, length: index.length }
    this.#putBlock(indexMagic, place, index)
    const sizeBytes = this.sizeBytes + trailerBytes
    this.#put(encodeTrailer({ indexOffset, indexLength: index.length, sizeBytes }, this.#identity))
    this.#flush()
    await this.#tail
    this.#check()
    this.#closed = true
    this.#releaseCurrent()
    await this.#object.finish()
    assert(this.#object.sizeBytes === sizeBytes, 'the object has the size its trailer says')
    return { name: this.name, sizeBytes, crc32: this.#fileCrc }
  }

  async abort(): Promise<void> {
    this.#failure ??= { error: new Error('the data object was abandoned') }
    await this.#tail
    if (!this.#closed) this.#releaseCurrent()
    this.#closed = true
    await this.#object.abort()
  }

  #putBlock(magic: number, place: Omit<BlockPlace, 'offset'>, payload: Uint8Array): void {
    const { operator, section, keyGroup, length } = place
    const header = { magic, operator, section, keyGroup, length }
    const continued = continuedBy(payload)
    encodeBlockHeader(this.#blockHeader, header, continued, this.sizeBytes, this.#identity)
    this.#put(this.#blockHeader)
    this.#copy(payload)
    this.#fileCrc = continued(this.#fileCrc)
  }

  #put(bytes: Uint8Array): void {
    this.#copy(bytes)
    this.#fileCrc = crc32(bytes, this.#fileCrc)
  }

  #copy(bytes: Uint8Array): void {
    let done = 0
    while (done < bytes.length) {
      if (this.#used === this.#current.length) this.#flush()
      const count = Math.min(bytes.length - done, this.#current.length - this.#used)
      this.#current.set(bytes.subarray(done, done + count), this.#used)
      this.#used += count
      done += count
    }
    this.sizeBytes += bytes.length
  }

  /** Queues the current buffer for writing and takes the next one. */
  #flush(): void {
    if (this.#used === 0) return
    const buffer = this.#current
    const bytes = buffer.subarray(0, this.#used)
    this.#current = this.#pool.take()
    this.#used = 0
    this.#pending++
    this.#tail = this.#tail.then(() => this.#writeBehind(buffer, bytes))
  }

  async #writeBehind(buffer: Uint8Array, bytes: Uint8Array): Promise<void> {
    try {
      if (this.#failure === undefined) {
        await this.#object.write(bytes)
        this.#host.crashPoint('op.slice.write')
      }
    } catch (error) {
      this.#failure = { error }
    } finally {
      this.#pending--
      this.#pool.give(buffer)
    }
  }

  #releaseCurrent(): void {
    this.#pool.give(this.#current)
    this.#current = new Uint8Array(0)
    this.#used = 0
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
    assert(!this.#closed, 'a finished data object takes no more blocks')
  }
}

/** Two checksums cover a payload, that of its block and that of the file; a long one is read for them once. */
function continuedBy(payload: Uint8Array): (before: number) => number {
  if (payload.length < joinedBytesMin) return (before) => crc32(payload, before)
  const alone = crc32(payload)
  const shift = crc32Shift(payload.length)
  return (before) => crc32Joined(before, alone, shift)
}

class NameTable {
  readonly names: string[] = []
  readonly #indexes = new Map<string, number>()

  indexOf(name: string): number {
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const index = this.names.length
    assert(
      index < 65_535 && name.length <= 4_096,
      'names of operators and sections fit their table',
    )
    this.names.push(name)
    this.#indexes.set(name, index)
    return index
  }
}
