/**
 * The sparse index of a sealed segment: `<stem>.idx`, one entry per 64 KiB of batches.
 *
 * It only says where to begin reading; the batch found there is checked like every other. It can be made again from
 * the segment at any time, so a damaged or missing index is never an error for a reader, and the next writer replaces
 * it. It also keeps what retention needs: the end of the data and the newest append time.
 *
 *   magic 'TMLX', checksum of the rest, version, count, generation, sequence, base offset, end offset, data bytes,
 *   newest append time, then per entry: offset, position
 */
import { crc32 } from '../base/crc32.ts'
import type { Disk, DiskFile } from '../base/env.ts'
import { readWhole, removeIfPresent, writeNew } from '../base/disk-io.ts'
import { getU53, putU53, viewOf } from './format.ts'
import { publishTemporary } from './envelope.ts'
import type { Extent } from './layout.ts'
import { scanBatches, type ScannedBatch, type ScanEnd } from './scan.ts'
import type { SegmentHeader } from './segment.ts'

const magic = 0x584c4d54 // 'TMLX'
const version = 1
const fixedBytes = 64
const entryBytes = 16
const spacingBytes = 64 * 1024

/** Collected while a segment is written or scanned; looked up by readers. */
export class SegmentIndex {
  readonly offsets: number[] = []
  readonly positions: number[] = []
  endOffset: number
  dataBytes: number
  newestAppendMs = 0
  #nextEntryAt: number

  constructor(header: SegmentHeader) {
    this.endOffset = header.baseOffset
    this.dataBytes = header.headerBytes
    this.#nextEntryAt = header.headerBytes + spacingBytes
  }

  /** Batches arrive in order. */
  add(
    baseOffset: number,
    nextOffset: number,
    position: number,
    length: number,
    appendTime: number,
  ): void {
    if (position >= this.#nextEntryAt) {
      this.offsets.push(baseOffset)
      this.positions.push(position)
      this.#nextEntryAt = position + spacingBytes
    }
    this.endOffset = nextOffset
    this.dataBytes = position + length
    this.newestAppendMs = Math.max(this.newestAppendMs, appendTime)
  }

  addScanned(batch: ScannedBatch): void {
    this.add(batch.baseOffset, batch.nextOffset, batch.position, batch.length, batch.appendTime)
  }

  /** A place at or before the batch that holds `offset`; undefined for the beginning of the segment. */
  floor(offset: number): { offset: number; position: number } | undefined {
    let low = 0
    let high = this.offsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsets[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return low === 0
      ? undefined
      : { offset: this.offsets[low - 1]!, position: this.positions[low - 1]! }
  }
}

export function encodeIndex(index: SegmentIndex, header: SegmentHeader, seed: number): Uint8Array {
  const count = index.offsets.length
  const bytes = new Uint8Array(fixedBytes + count * entryBytes)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  view.setUint32(8, version, true)
  view.setUint32(12, count, true)
  view.setUint32(16, header.generation, true)
  view.setUint32(20, header.sequence, true)
  putU53(view, 24, header.baseOffset)
  putU53(view, 32, index.endOffset)
  putU53(view, 40, index.dataBytes)
  view.setFloat64(48, index.newestAppendMs, true)
  for (let i = 0; i < count; i++) {
    putU53(view, fixedBytes + i * entryBytes, index.offsets[i]!)
    putU53(view, fixedBytes + i * entryBytes + 8, index.positions[i]!)
  }
  view.setUint32(4, crc32(bytes.subarray(8), seed), true)
  return bytes
}

/** `undefined` when the bytes are not the index of this segment. */
export function decodeIndex(
  bytes: Uint8Array,
  header: SegmentHeader,
  seed: number,
): SegmentIndex | undefined {
  if (bytes.length < fixedBytes) return undefined
  const view = viewOf(bytes)
  const count = view.getUint32(12, true)
  const fits =
    view.getUint32(0, true) === magic &&
    view.getUint32(8, true) === version &&
    bytes.length === fixedBytes + count * entryBytes &&
    crc32(bytes.subarray(8), seed) === view.getUint32(4, true) &&
    view.getUint32(16, true) === header.generation &&
    view.getUint32(20, true) === header.sequence &&
    getU53(view, 24) === header.baseOffset
  if (!fits) return undefined
  const index = new SegmentIndex(header)
  for (let i = 0; i < count; i++) {
    index.offsets.push(getU53(view, fixedBytes + i * entryBytes))
    index.positions.push(getU53(view, fixedBytes + i * entryBytes + 8))
  }
  index.endOffset = getU53(view, 32)
  index.dataBytes = getU53(view, 40)
  index.newestAppendMs = view.getFloat64(48, true)
  return index
}

export async function readIndex(
  disk: Disk,
  extent: Extent,
  seed: number,
): Promise<SegmentIndex | undefined> {
  const bytes = await readWhole(disk, indexPath(extent.path))
  return bytes === undefined ? undefined : decodeIndex(bytes, extent.header, seed)
}

export function indexPath(segmentPath: string): string {
  return `${segmentPath.slice(0, -4)}.idx`
}

/** Makes the index of a segment from its batches; the caller decides what the end of the scan means. */
export async function buildIndex(
  file: DiskFile,
  extent: Extent,
  seed: number,
): Promise<{ index: SegmentIndex; end: ScanEnd }> {
  const index = new SegmentIndex(extent.header)
  const { headerBytes, baseOffset, generation } = extent.header
  const range = { position: headerBytes, baseOffset, generation, toOffset: extent.to }
  const end = await scanBatches(file, seed, range, (batch) => index.addScanned(batch))
  return { index, end }
}

/** Publishes the index; an existing one that no longer fits is replaced. Loss in a power cut is harmless. */
export async function writeIndex(
  disk: Disk,
  segmentPath: string,
  header: SegmentHeader,
  index: SegmentIndex,
  seed: number,
): Promise<void> {
  const path = indexPath(segmentPath)
  await removeIfPresent(disk, `${path}.tmp`)
  await writeNew(disk, `${path}.tmp`, encodeIndex(index, header, seed))
  await removeIfPresent(disk, path)
  await publishTemporary(disk, `${path}.tmp`, path)
}
