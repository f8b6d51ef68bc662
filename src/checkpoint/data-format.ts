/**
 * The bytes of a data object: everything one subtask stores in one epoch, in one file. `docs/formats/snapshot.md` is
 * the reference for readers in other languages; all numbers are little-endian.
 *
 *   header   magic, version, generation, epoch, subtask, job name, CRC
 *   block*   magic, operator, section, key group, length, CRC, payload
 *   index    a block of its own magic: names, and the place of every block
 *   trailer  magic, version, place of the index, size of the file, CRC
 *
 * Every CRC continues from the CRC of the file's identity (job, generation, epoch, subtask) and covers the offset, so
 * that a block in the wrong place, or of an older file, does not verify. There are no gaps between the parts: every
 * byte of the file is covered.
 */
import { crc32 } from '../base/crc32.ts'
import { decodeText, encodeText, getCount, setCount, viewOf } from './bytes.ts'
import type { SnapshotId } from './names.ts'

export const dataFormatVersion = 1

export const headerMagic = 0x4f444d54 // "TMDO"
export const blockMagic = 0x42444d54 // "TMDB"
export const indexMagic = 0x49444d54 // "TMDI"
export const trailerMagic = 0x45444d54 // "TMDE"

export const headerFixedBytes = 36
export const blockHeaderBytes = 24
export const trailerBytes = 32
export const indexEntryBytes = 24

/** Who wrote a data object; mixed into every checksum in it. */
export interface ObjectIdentity extends SnapshotId {
  readonly job: string
  readonly subtask: number
}

export function identityCrc(identity: ObjectIdentity): number {
  const job = encodeText(identity.job)
  const bytes = new Uint8Array(20 + job.length)
  const view = viewOf(bytes)
  setCount(view, 0, identity.generation)
  setCount(view, 8, identity.epoch)
  view.setUint32(16, identity.subtask, true)
  bytes.set(job, 20)
  return crc32(bytes)
}

/** The file header, CRC in its last four bytes. */
export function encodeHeader(identity: ObjectIdentity): Uint8Array {
  const job = encodeText(identity.job)
  const bytes = new Uint8Array(headerFixedBytes + job.length)
  const view = viewOf(bytes)
  view.setUint32(0, headerMagic, true)
  view.setUint16(4, dataFormatVersion, true)
  view.setUint16(6, job.length, true)
  setCount(view, 8, identity.generation)
  setCount(view, 16, identity.epoch)
  view.setUint32(24, identity.subtask, true)
  view.setUint32(28, 0, true)
  bytes.set(job, 32)
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)), true)
  return bytes
}

/** The identity a header claims, a newer version number, or `undefined` when it is damaged. */
export function decodeHeader(
  bytes: Uint8Array,
):
  | { readonly identity: ObjectIdentity; readonly sizeBytes: number }
  | { readonly version: number }
  | undefined {
  if (bytes.length < headerFixedBytes) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== headerMagic) return undefined
  const version = view.getUint16(4, true)
  if (version > dataFormatVersion) return { version }
  const sizeBytes = headerFixedBytes + view.getUint16(6, true)
  if (version !== dataFormatVersion || bytes.length < sizeBytes) return undefined
  if (view.getUint32(sizeBytes - 4, true) !== crc32(bytes.subarray(0, sizeBytes - 4)))
    return undefined
  return {
    sizeBytes,
    identity: {
      job: decodeText(bytes.subarray(32, sizeBytes - 4)),
      generation: getCount(view, 8),
      epoch: getCount(view, 16),
      subtask: view.getUint32(24, true),
    },
  }
}

/** What a block header says. `operator` and `section` are indexes into the name tables of the index. */
export interface BlockHeader {
  readonly magic: number
  readonly operator: number
  readonly section: number
  readonly keyGroup: number
  readonly length: number
}

/**
 * Writes a block header whose CRC covers offset, header and payload. `target` has at least 24 bytes; `payload` continues a
 * CRC with that of the payload.
 */
export function encodeBlockHeader(
  target: Uint8Array,
  header: BlockHeader,
  payload: (before: number) => number,
  offset: number,
  identity: number,
): void {
  const view = viewOf(target)
  view.setUint32(0, header.magic, true)
  view.setUint16(4, header.operator, true)
  view.setUint16(6, header.section, true)
  view.setInt32(8, header.keyGroup, true)
  view.setUint32(12, header.length, true)
  view.setUint32(16, 0, true)
  view.setUint32(20, payload(headerCrc(target, offset, identity)), true)
}

export function decodeBlockHeader(bytes: Uint8Array): BlockHeader & { readonly crc: number } {
  const view = viewOf(bytes)
  return {
    magic: view.getUint32(0, true),
    operator: view.getUint16(4, true),
    section: view.getUint16(6, true),
    keyGroup: view.getInt32(8, true),
    length: view.getUint32(12, true),
    crc: view.getUint32(20, true),
  }
}

const offsetBytes = new Uint8Array(8)
const offsetView = viewOf(offsetBytes)

export function blockCrc(
  header: Uint8Array,
  payload: Uint8Array,
  offset: number,
  identity: number,
): number {
  return crc32(payload, headerCrc(header, offset, identity))
}

function headerCrc(header: Uint8Array, offset: number, identity: number): number {
  setCount(offsetView, 0, offset)
  return crc32(header.subarray(0, 20), crc32(offsetBytes, identity))
}

/** Where one block is. */
export interface BlockPlace {
  readonly operator: number
  readonly section: number
  readonly keyGroup: number
  /** Of the block header. */
  readonly offset: number
  /** Of the payload. */
  readonly length: number
}

export interface DataIndex {
  readonly operators: readonly string[]
  readonly sections: readonly string[]
  readonly places: readonly BlockPlace[]
}

/** The payload of the index block. */
export function encodeIndex(index: DataIndex): Uint8Array {
  const names = [...index.operators, ...index.sections].map(encodeText)
  const nameBytes = names.reduce((sum, name) => sum + 2 + name.length, 0)
  const bytes = new Uint8Array(8 + nameBytes + index.places.length * indexEntryBytes)
  const view = viewOf(bytes)
  view.setUint16(0, index.operators.length, true)
  view.setUint16(2, index.sections.length, true)
  view.setUint32(4, index.places.length, true)
  let at = 8
  for (const name of names) {
    view.setUint16(at, name.length, true)
    bytes.set(name, at + 2)
    at += 2 + name.length
  }
  for (const place of index.places) {
    view.setUint16(at, place.operator, true)
    view.setUint16(at + 2, place.section, true)
    view.setInt32(at + 4, place.keyGroup, true)
    setCount(view, at + 8, place.offset)
    view.setUint32(at + 16, place.length, true)
    view.setUint32(at + 20, 0, true)
    at += indexEntryBytes
  }
  return bytes
}

/** `undefined` when the lengths do not add up; the CRC was checked before. */
export function decodeIndex(bytes: Uint8Array): DataIndex | undefined {
  if (bytes.length < 8) return undefined
  const view = viewOf(bytes)
  const operatorCount = view.getUint16(0, true)
  const nameCount = operatorCount + view.getUint16(2, true)
  const placeCount = view.getUint32(4, true)
  const names: string[] = []
  let at = 8
  for (let i = 0; i < nameCount; i++) {
    if (at + 2 > bytes.length) return undefined
    const end = at + 2 + view.getUint16(at, true)
    if (end > bytes.length) return undefined
    names.push(decodeText(bytes.subarray(at + 2, end)))
    at = end
  }
  if (bytes.length - at !== placeCount * indexEntryBytes) return undefined
  const places: BlockPlace[] = []
  for (let i = 0; i < placeCount; i++, at += indexEntryBytes) {
    places.push({
      operator: view.getUint16(at, true),
      section: view.getUint16(at + 2, true),
      keyGroup: view.getInt32(at + 4, true),
      offset: getCount(view, at + 8),
      length: view.getUint32(at + 16, true),
    })
  }
  return { operators: names.slice(0, operatorCount), sections: names.slice(operatorCount), places }
}

export interface Trailer {
  readonly indexOffset: number
  /** Payload bytes of the index block. */
  readonly indexLength: number
  readonly sizeBytes: number
}

export function encodeTrailer(trailer: Trailer, identity: number): Uint8Array {
  const bytes = new Uint8Array(trailerBytes)
  const view = viewOf(bytes)
  view.setUint32(0, trailerMagic, true)
  view.setUint16(4, dataFormatVersion, true)
  setCount(view, 8, trailer.indexOffset)
  view.setUint32(16, trailer.indexLength, true)
  setCount(view, 20, trailer.sizeBytes)
  view.setUint32(28, crc32(bytes.subarray(0, 28), identity), true)
  return bytes
}

export function decodeTrailer(bytes: Uint8Array, identity: number): Trailer | undefined {
  const view = viewOf(bytes)
  if (bytes.length !== trailerBytes || view.getUint32(0, true) !== trailerMagic) return undefined
  if (view.getUint32(28, true) !== crc32(bytes.subarray(0, 28), identity)) return undefined
  return {
    indexOffset: getCount(view, 8),
    indexLength: view.getUint32(16, true),
    sizeBytes: getCount(view, 20),
  }
}
