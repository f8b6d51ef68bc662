/**
 * Reads a data object, verifying everything it looks at: header, trailer and index when it opens, each block when it
 * is read. The index says where every (operator, section, key group) is, so a restore at another parallelism reads
 * only the key groups it owns. Lengths are compared with the bytes that remain before anything is allocated.
 */
import { crc32 } from '../base/crc32.ts'
import { type ErrorDetails, TidemillError } from '../base/errors.ts'
import type { SnapshotBlock } from '../state/contract.ts'
import {
  blockCrc,
  blockHeaderBytes,
  blockMagic,
  type BlockPlace,
  type DataIndex,
  dataFormatVersion,
  decodeBlockHeader,
  decodeHeader,
  decodeIndex,
  decodeTrailer,
  encodeHeader,
  identityCrc,
  indexMagic,
  type ObjectIdentity,
  trailerBytes,
} from './data-format.ts'
import type { ObjectRef } from './data-writer.ts'
import { checkpointErrors } from './errors.ts'
import type { CheckpointStorage, ObjectReader } from './storage.ts'

/** One block as the index announces it, before its bytes are read. */
export interface BlockInfo {
  readonly operator: string
  readonly section: string
  readonly keyGroup: number
  readonly sizeBytes: number
}

export interface DataObjectReader {
  readonly ref: ObjectRef
  /** All blocks, in the order in which they were written. */
  readonly blocks: readonly BlockInfo[]
  /**
   * Reads, verifies and visits the blocks that `accept` wants, in the order of writing. The bytes that `visit` gets
   * are valid during the call only. An asynchronous `visit` is awaited.
   */
  read(
    accept: (block: BlockInfo) => boolean,
    visit: (operator: string, block: SnapshotBlock) => void | Promise<void>,
  ): Promise<void>
  /** Reads the whole file and compares it with the checksum of the manifest. */
  verify(): Promise<void>
  close(): Promise<void>
}

/** Neighbouring blocks are read together up to this size; a larger block is read alone. */
const readBytesMax = 1 << 20

/** Opens the object that a manifest refers to; rejects with TM1502, TM1503 or TM1504. */
export async function openDataObject(
  storage: CheckpointStorage,
  ref: ObjectRef,
  identity: ObjectIdentity,
): Promise<DataObjectReader> {
  const file = `${storage.location}/${ref.name}`
  const source = await getObject(storage, ref)
  try {
    const crc = identityCrc(identity)
    const firstOffset = await readHeader(source, file, identity)
    const index = await readIndex(source, file, crc, firstOffset)
    return new Reader(source, file, ref, crc, index)
  } catch (error) {
    await source.close()
    throw error
  }
}

/** Only that the object is there and has its size; TM1503 otherwise. */
export async function assertPresent(storage: CheckpointStorage, ref: ObjectRef): Promise<void> {
  const source = await getObject(storage, ref)
  await source.close()
}

async function getObject(storage: CheckpointStorage, ref: ObjectRef): Promise<ObjectReader> {
  const file = `${storage.location}/${ref.name}`
  const source = await storage.get(ref.name)
  if (source === undefined) throw missing(file, 'there is no such file', ref)
  if (source.sizeBytes === ref.sizeBytes) return source
  await source.close()
  throw missing(file, `it has ${source.sizeBytes} bytes, the manifest says ${ref.sizeBytes}`, ref)
}

async function readHeader(
  source: ObjectReader,
  file: string,
  identity: ObjectIdentity,
): Promise<number> {
  const expected = encodeHeader(identity)
  const bytes = new Uint8Array(expected.length)
  const count = await source.read(bytes, 0)
  const header = decodeHeader(bytes)
  if (header !== undefined && 'version' in header) {
    throw new TidemillError(checkpointErrors.formatUnknown, {
      message: `${file} has data format ${header.version}, this version reads up to ${dataFormatVersion}`,
      details: { file, found: header.version, supported: dataFormatVersion },
    })
  }
  if (
    count < bytes.length ||
    header === undefined ||
    bytes.some((byte, i) => byte !== expected[i])
  ) {
    throw corrupt(file, 0, 'the header is not the one this checkpoint wrote')
  }
  return expected.length
}

async function readIndex(
  source: ObjectReader,
  file: string,
  identity: number,
  firstOffset: number,
): Promise<DataIndex> {
  const trailerOffset = source.sizeBytes - trailerBytes
  if (trailerOffset < firstOffset + blockHeaderBytes)
    throw corrupt(file, 0, 'the file is too short')
  const trailer = decodeTrailer(
    await readExactly(source, file, trailerOffset, trailerBytes),
    identity,
  )
  if (trailer === undefined) throw corrupt(file, trailerOffset, 'the trailer does not verify')
  const { indexOffset, indexLength } = trailer
  if (
    trailer.sizeBytes !== source.sizeBytes ||
    indexOffset < firstOffset ||
    indexOffset + blockHeaderBytes + indexLength !== trailerOffset
  ) {
    throw corrupt(file, trailerOffset, 'the trailer does not fit the size of the file')
  }
  const bytes = await readExactly(source, file, indexOffset, blockHeaderBytes + indexLength)
  const header = decodeBlockHeader(bytes)
  const payload = bytes.subarray(blockHeaderBytes)
  const crc = blockCrc(bytes, payload, indexOffset, identity)
  if (header.magic !== indexMagic || header.length !== indexLength || header.crc !== crc) {
    throw corrupt(file, indexOffset, 'the index does not verify', {
      expected: hex(header.crc),
      found: hex(crc),
    })
  }
  const index = decodeIndex(payload)
  if (index === undefined || !isContiguous(index, firstOffset, indexOffset)) {
    throw corrupt(file, indexOffset, 'the index contradicts itself')
  }
  return index
}

/** The blocks fill the space between header and index without gaps, and their names exist. */
function isContiguous(index: DataIndex, first: number, end: number): boolean {
  let at = first
  for (const place of index.places) {
    if (place.offset !== at || place.keyGroup < -1) return false
    if (place.operator >= index.operators.length || place.section >= index.sections.length)
      return false
    at += blockHeaderBytes + place.length
  }
  return at === end
}

class Reader implements DataObjectReader {
  readonly ref: ObjectRef
  readonly blocks: readonly BlockInfo[]
  readonly #source: ObjectReader
  readonly #file: string
  readonly #identity: number
  readonly #places: readonly BlockPlace[]
  readonly #buffers: Uint8Array[] = []

  constructor(
    source: ObjectReader,
    file: string,
    ref: ObjectRef,
    identity: number,
    index: DataIndex,
  ) {
    this.ref = ref
    this.#source = source
    this.#file = file
    this.#identity = identity
    this.#places = index.places
    this.blocks = index.places.map((place) => ({
      operator: index.operators[place.operator]!,
      section: index.sections[place.section]!,
      keyGroup: place.keyGroup,
      sizeBytes: place.length,
    }))
  }

  async read(
    accept: (block: BlockInfo) => boolean,
    visit: (operator: string, block: SnapshotBlock) => void | Promise<void>,
  ): Promise<void> {
    const runs = this.#runs(accept)
    let next = this.#readRun(runs, 0)
    try {
      for (const [i, { first, end }] of runs.entries()) {
        const bytes = await next
        // The disk is busy with the next run while this one is visited.
        next = this.#readRun(runs, i + 1)
        // A failure is met where the run is awaited, which an asynchronous visit may put off.
        next.catch(() => {})
        const start = this.#places[first]!.offset
        for (let at = first; at < end; at++) {
          const block = this.#check(at, bytes, this.#places[at]!.offset - start)
          const pending = visit(this.blocks[at]!.operator, block)
          if (pending !== undefined) await pending
        }
      }
    } finally {
      // Whoever stops early closes the file next; what the last read says does not matter any more.
      await next.catch(() => {})
    }
  }

  async verify(): Promise<void> {
    await this.read(everyBlock, ignoreBlock)
    let crc = 0
    for (let at = 0; at < this.ref.sizeBytes; at += readBytesMax) {
      crc = crc32(await this.#readRange(at, Math.min(at + readBytesMax, this.ref.sizeBytes)), crc)
    }
    if (crc !== this.ref.crc32) {
      throw corrupt(this.#file, 0, 'the whole file differs from what the manifest says', {
        expected: hex(this.ref.crc32),
        found: hex(crc),
      })
    }
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  /** Neighbouring blocks that are wanted, as far as they are read together. */
  #runs(accept: (block: BlockInfo) => boolean): readonly Run[] {
    const runs: Run[] = []
    const wanted = this.blocks.map(accept)
    for (let at = 0; at < wanted.length; ) {
      const first = at++
      if (!wanted[first]) continue
      const start = this.#places[first]!.offset
      while (wanted[at] && endOf(this.#places[at]!) - start <= readBytesMax) at++
      runs.push({ first, end: at })
    }
    return runs
  }

  /** Reads a run into one of two buffers in turn; nothing when there is no such run. */
  async #readRun(runs: readonly Run[], index: number): Promise<Uint8Array> {
    const run = runs[index]
    if (run === undefined) return new Uint8Array(0)
    const { first, end } = run
    return this.#readRange(this.#places[first]!.offset, endOf(this.#places[end - 1]!), index & 1)
  }

  #check(index: number, bytes: Uint8Array, at: number): SnapshotBlock {
    const place = this.#places[index]!
    const info = this.blocks[index]!
    const header = bytes.subarray(at, at + blockHeaderBytes)
    const payload = bytes.subarray(at + blockHeaderBytes, at + blockHeaderBytes + place.length)
    const found = decodeBlockHeader(header)
    const crc = blockCrc(header, payload, place.offset, this.#identity)
    if (
      found.magic !== blockMagic ||
      found.crc !== crc ||
      found.operator !== place.operator ||
      found.section !== place.section ||
      found.keyGroup !== place.keyGroup ||
      found.length !== place.length
    ) {
      throw corrupt(
        this.#file,
        place.offset,
        `block of ${place.length} bytes of "${info.operator}"`,
        {
          operator: info.operator,
          section: info.section,
          keyGroup: info.keyGroup,
          expected: hex(found.crc),
          found: hex(crc),
        },
      )
    }
    return { section: info.section, keyGroup: info.keyGroup, bytes: payload }
  }

  async #readRange(start: number, end: number, into: number = 0): Promise<Uint8Array> {
    const length = end - start
    let buffer = this.#buffers[into]
    if (buffer === undefined || buffer.length < length) {
      const size = Math.min(Math.max(length, readBytesMax), this.ref.sizeBytes)
      buffer = new Uint8Array(size)
      this.#buffers[into] = buffer
    }
    const target = buffer.subarray(0, length)
    const count = await this.#source.read(target, start)
    if (count < length) throw corrupt(this.#file, start + count, 'the file ends early')
    return target
  }
}

/** Blocks from `first` to before `end`. */
interface Run {
  readonly first: number
  readonly end: number
}

function endOf(place: BlockPlace): number {
  return place.offset + blockHeaderBytes + place.length
}

const everyBlock = (): boolean => true
const ignoreBlock = (): void => {}

async function readExactly(
  source: ObjectReader,
  file: string,
  position: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  const count = await source.read(bytes, position)
  if (count < length) throw corrupt(file, position + count, 'the file ends early')
  return bytes
}

function corrupt(
  file: string,
  offset: number,
  what: string,
  details: ErrorDetails = {},
): TidemillError {
  return new TidemillError(checkpointErrors.objectCorrupt, {
    message: `${what}, at offset ${offset} of ${file}`,
    details: { file, offset, ...details },
  })
}

function missing(file: string, what: string, ref: ObjectRef): TidemillError {
  return new TidemillError(checkpointErrors.objectMissing, {
    message: `${file}: ${what}`,
    details: { file, expectedBytes: ref.sizeBytes },
  })
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
