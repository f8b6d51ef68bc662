/** Walks the batches of one segment in order: recovery, index building, compaction and `verify` all stand on it. */
import type { DiskFile } from '../base/env.ts'
import { readFully } from '../base/disk-io.ts'
import {
  batchHeaderBytes,
  batchMagic,
  type BatchCheck,
  checkBatch,
  checkBatchShape,
  field,
  getU53,
  viewOf,
} from './format.ts'

/** One batch that passed its check; `bytes` is valid only during the call of the visitor. */
export interface ScannedBatch {
  readonly position: number
  readonly length: number
  readonly baseOffset: number
  readonly nextOffset: number
  readonly kind: number
  readonly transactional: boolean
  readonly producerId: number
  readonly epoch: number
  readonly durableMark: number
  readonly appendTime: number
  readonly recordCount: number
  readonly bytes: Uint8Array
}

export interface ScanEnd {
  /** Where the first thing that is no valid batch begins. */
  readonly position: number
  readonly nextOffset: number
  /** `end` when nothing or only zeros of preallocation were met there, otherwise what is wrong. */
  readonly reason: BatchCheck
  readonly fileBytes: number
}

export interface ScanRange {
  readonly position: number
  readonly baseOffset: number
  readonly generation: number
  /** Stops before the batch with this offset. */
  readonly toOffset: number
}

const chunkBytes = 1024 * 1024
const rereadsMax = 2

/** Visits valid batches from `range` on until the range, the data or the validity ends. */
export async function scanBatches(
  file: DiskFile,
  seed: number,
  range: ScanRange,
  visit: (batch: ScannedBatch) => void | Promise<void>,
): Promise<ScanEnd> {
  const fileBytes = await file.size()
  let buffer = new Uint8Array(chunkFor(fileBytes - range.position))
  let position = range.position
  let offset = range.baseOffset
  let suspect = -1
  let rereads = 0
  for (;;) {
    const count = await readFully(file, buffer, position)
    const view = viewOf(buffer)
    let at = 0
    let check: BatchCheck = 'short'
    while (offset < range.toOffset) {
      check = checkBatch(buffer, view, at, count, seed, offset, range.generation)
      if (check !== 'ok') break
      const batch = batchAt(buffer, view, at, position + at)
      const visited = visit(batch)
      if (visited !== undefined) await visited
      at += batch.length
      offset = batch.nextOffset
    }
    position += at
    if (offset >= range.toOffset) return { position, nextOffset: offset, reason: 'end', fileBytes }
    const more = position - at + count < fileBytes
    if (check === 'end' && more && count - at < batchHeaderBytes) check = 'short'
    if (check !== 'short' || !more) {
      // A bit may flip on the way from the medium, once: what is judged here decides what is cut, so look again.
      if (suspect !== position) rereads = 0
      suspect = position
      if (check !== 'end' && rereads++ < rereadsMax) continue
      return { position, nextOffset: offset, reason: check, fileBytes }
    }
    // The batch goes on past the chunk. One that is larger than the buffer asks for a larger one.
    if (at === 0 && count === buffer.length) {
      buffer = new Uint8Array(Math.min(buffer.length * 2, fileBytes - position))
    }
  }
}

/** One byte more than there is, so that a read that fills the buffer says that there is more. */
function chunkFor(bytes: number): number {
  return Math.min(chunkBytes, Math.max(0, bytes) + 1)
}

/** True when a byte other than zero lies at or after `position`. */
export async function hasData(file: DiskFile, position: number): Promise<boolean> {
  const buffer = new Uint8Array(chunkFor((await file.size()) - position))
  for (let at = position; ; at += buffer.length) {
    const count = await readFully(file, buffer, at)
    for (let i = 0; i < count; i++) if (buffer[i] !== 0) return true
    if (count < buffer.length) return false
  }
}

/**
 * Counts valid batches of this segment at or after `position`, wherever they begin. Used after a bad block: what is
 * found tells a torn tail from corruption.
 */
export async function countValidAfter(
  file: DiskFile,
  seed: number,
  position: number,
  generation: number,
  minOffset: number,
): Promise<number> {
  const fileBytes = await file.size()
  const bytes = new Uint8Array(Math.max(0, fileBytes - position))
  const count = await readFully(file, bytes, position)
  const view = viewOf(bytes)
  let found = 0
  for (let at = 0; at + batchHeaderBytes <= count; ) {
    const isBatch =
      view.getUint32(at, true) === batchMagic &&
      checkBatchShape(bytes, view, at, count) === 'ok' &&
      getU53(view, at + field.baseOffset) >= minOffset &&
      checkBatch(bytes, view, at, count, seed, -1, generation) === 'ok'
    if (isBatch) {
      found++
      at += view.getUint32(at + field.length, true)
    } else at += 8
  }
  return found
}

/** The fields of a batch that was checked. */
export function batchAt(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  position: number,
): ScannedBatch {
  const length = view.getUint32(at + field.length, true)
  const baseOffset = getU53(view, at + field.baseOffset)
  return {
    position,
    length,
    baseOffset,
    nextOffset: baseOffset + view.getUint32(at + field.span, true),
    kind: view.getUint8(at + field.kind),
    transactional: (view.getUint8(at + field.flags) & 1) === 1,
    producerId: getU53(view, at + field.producerId),
    epoch: getU53(view, at + field.epoch),
    durableMark: getU53(view, at + field.durableMark),
    appendTime: view.getFloat64(at + field.appendTime, true),
    recordCount: view.getUint32(at + field.recordCount, true),
    bytes: bytes.subarray(at, at + length),
  }
}
