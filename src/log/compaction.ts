/**
 * Compaction by key. Steps: 1 note the newest offset of every key in the sealed segments below the first open
 * transaction, 2 rewrite each segment that would lose something into a new one that covers the same offsets
 * (`log.compact.written`, published: `log.compact.swapped`), 3 unlink the old one (`log.compact.cleaned`).
 *
 * Records keep their offsets. Data of aborted transactions and markers go; data of committed ones stays as plain data,
 * so that it never needs its marker again. Segments are rewritten oldest first: a marker is dropped only after all data
 * it speaks of was rewritten. A deletion (no value) stays `tombstoneMs` long. The keys of all sealed segments are held
 * in memory meanwhile; appends go on beside.
 */
import type { DiskFile, Env } from '../base/env.ts'
import { assert } from '../base/assert.ts'
import { removeIfPresent, writeFully } from '../base/disk-io.ts'
import { createSegment, StepFailure, writeSealedIndex } from './active-segment.ts'
import {
  batchHeaderBytes,
  batchKind,
  batchLength,
  field,
  payloadKindRecords,
  sealBatch,
  viewOf,
} from './format.ts'
import type { PartitionPlace } from './layout.ts'
import { decodeRecords, encodeStored, type StoredRecord } from './records.ts'
import { type ScannedBatch, scanBatches } from './scan.ts'
import { indexPath, type SegmentIndex } from './segment-index.ts'
import { segmentKind } from './segment.ts'
import { corrupt } from './errors.ts'
import { describeCheck } from './format.ts'
import type { SealedSegment } from './writer.ts'

export interface CompactionReport {
  readonly segmentsRewritten: number
  readonly recordsRemoved: number
  readonly bytesRemoved: number
}

export interface CompactionContext {
  readonly generation: number
  readonly stableOffset: number
  /** Offsets at or above it stay as they are: somebody may restore to a position there. */
  readonly pin: number
  readonly nextSequence: () => number
}

/** Outcomes seen in the segments, by producer and epoch. */
type Outcomes = Map<string, 'committed' | 'aborted'>

export async function compactSegments(
  env: Env,
  place: PartitionPlace,
  sealed: SealedSegment[],
  context: CompactionContext,
): Promise<CompactionReport> {
  const report = { segmentsRewritten: 0, recordsRemoved: 0, bytesRemoved: 0 }
  if (!place.topic.compaction) return report
  const limit = Math.min(context.stableOffset, context.pin)
  const count = sealed.findIndex((segment) => segment.extent.to > limit)
  const candidates = sealed.slice(0, count < 0 ? sealed.length : count)
  const outcomes = await readOutcomes(env, place, sealed)
  const { newest, decided } = await newestOffsets(env, place, candidates, outcomes)
  const inputs = candidates.slice(0, decided)
  const expiredBefore = env.clock.wallMs() - place.topic.tombstoneMs
  for (const input of inputs) {
    const filter = new Filter(newest, outcomes, expiredBefore)
    await eachBatch(env, place, input, (batch, payload) => filter.look(batch, payload))
    if (!filter.changes) continue
    const output = await rewrite(env, place, input, filter, context)
    const i = sealed.indexOf(input)
    assert(i >= 0, 'a segment vanished while it was compacted', { file: input.extent.path })
    sealed[i] = output
    report.segmentsRewritten++
    report.recordsRemoved += filter.removed
    report.bytesRemoved += input.index.dataBytes - output.index.dataBytes
  }
  return report
}

function keyOf(batch: ScannedBatch): string {
  return `${batch.producerId}/${batch.epoch}`
}

/** Markers may lie in a later segment than their data, so all sealed segments are looked at. */
async function readOutcomes(
  env: Env,
  place: PartitionPlace,
  sealed: readonly SealedSegment[],
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map()
  for (const segment of sealed) {
    await eachBatch(env, place, segment, (batch) => {
      if (batch.kind === batchKind.commit) outcomes.set(keyOf(batch), 'committed')
      if (batch.kind === batchKind.abort) outcomes.set(keyOf(batch), 'aborted')
    })
  }
  return outcomes
}

/** The newest offset of every key, and how many segments hold only data whose outcome is in a sealed segment. */
async function newestOffsets(
  env: Env,
  place: PartitionPlace,
  candidates: readonly SealedSegment[],
  outcomes: Outcomes,
): Promise<{ newest: Map<string, number>; decided: number }> {
  const newest = new Map<string, number>()
  for (let i = 0; i < candidates.length; i++) {
    let undecided = false
    await eachBatch(env, place, candidates[i]!, (batch, payload) => {
      if (batch.kind !== batchKind.data || isAborted(batch, outcomes)) return
      if (batch.transactional && !outcomes.has(keyOf(batch))) undecided = true
      if (undecided) return
      for (const record of recordsOf(batch, payload))
        newest.set(textOfKey(record.key), record.offset)
    })
    if (undecided) return { newest, decided: i }
  }
  return { newest, decided: candidates.length }
}

function isAborted(batch: ScannedBatch, outcomes: Outcomes): boolean {
  return batch.transactional && outcomes.get(keyOf(batch)) === 'aborted'
}

/** One character per byte: exact for all byte strings, and far smaller than hexadecimal. */
function textOfKey(key: Uint8Array | null): string {
  let text = ''
  for (const byte of key ?? []) text += String.fromCharCode(byte)
  return text
}

function recordsOf(batch: ScannedBatch, payload: Uint8Array): StoredRecord[] {
  const minTimestamp = viewOf(batch.bytes).getFloat64(field.minTimestamp, true)
  return decodeRecords(payload, batch.recordCount, batch.baseOffset, minTimestamp)
}

/** Decides record by record what stays, and whether that differs from what is there. */
class Filter {
  readonly #newest: Map<string, number>
  readonly #outcomes: Outcomes
  readonly #expiredBefore: number
  changes = false
  removed = 0

  constructor(newest: Map<string, number>, outcomes: Outcomes, expiredBefore: number) {
    this.#newest = newest
    this.#outcomes = outcomes
    this.#expiredBefore = expiredBefore
  }

  look(batch: ScannedBatch, payload: Uint8Array): void {
    const kept = this.kept(batch, payload).length
    // A transactional batch must lose its flag before its marker may go.
    if (kept < batch.recordCount || batch.transactional) this.changes = true
    this.removed += batch.recordCount - kept
  }

  kept(batch: ScannedBatch, payload: Uint8Array): StoredRecord[] {
    if (batch.kind !== batchKind.data || isAborted(batch, this.#outcomes)) return []
    const records = recordsOf(batch, payload)
    const expired = batch.appendTime < this.#expiredBefore
    return records.filter((record) => {
      if (this.#newest.get(textOfKey(record.key)) !== record.offset) return false
      return record.value !== null || !expired
    })
  }
}

async function rewrite(
  env: Env,
  place: PartitionPlace,
  input: SealedSegment,
  filter: Filter,
  context: CompactionContext,
): Promise<SealedSegment> {
  const { extent } = input
  const header = {
    kind: segmentKind.compacted,
    generation: context.generation,
    sequence: context.nextSequence(),
    baseOffset: extent.from,
    endOffset: extent.to,
    state: extent.header.state,
  }
  const output = new Output(place, extent.from, context.generation)
  const created = await createOrUnwrap(env, place, header, async (file, index) => {
    await eachBatch(env, place, input, (batch, payload) =>
      output.add(batch, filter.kept(batch, payload)),
    )
    await output.finish(file, index, extent.to)
    env.host.crashPoint('log.compact.written')
  })
  env.host.crashPoint('log.compact.swapped')
  await created.file.close()
  const newExtent = { ...created.extent, to: extent.to }
  await writeSealedIndex(env, place, newExtent, created.index)
  await removeIfPresent(env.disk, indexPath(extent.path))
  await removeIfPresent(env.disk, extent.path)
  await env.disk.syncDir(place.directory)
  env.host.crashPoint('log.compact.cleaned')
  return { extent: newExtent, index: created.index }
}

const createOrUnwrap: typeof createSegment = async (env, place, header, fill) => {
  try {
    return await createSegment(env, place, header, fill)
  } catch (error) {
    throw error instanceof StepFailure ? error.cause : error
  }
}

/**
 * The batches of the new segment. A batch covers its own offsets and the removed ones behind it, so that the next one
 * begins where it ends and readers can still demand the offset they expect.
 */
class Output {
  readonly #place: PartitionPlace
  readonly #generation: number
  readonly #batches: {
    bytes: Uint8Array
    baseOffset: number
    nextOffset: number
    appendTime: number
  }[] = []
  readonly #from: number

  constructor(place: PartitionPlace, from: number, generation: number) {
    this.#place = place
    this.#from = from
    this.#generation = generation
  }

  add(batch: ScannedBatch, kept: readonly StoredRecord[]): void {
    const last = this.#batches.at(-1)
    if (
      kept.length === 0 &&
      last !== undefined &&
      batch.nextOffset - last.baseOffset <= 0xffff_ffff
    ) {
      last.nextOffset = batch.nextOffset
      return
    }
    // Removed offsets at the front of the segment are covered by an empty batch.
    const baseOffset = last === undefined ? this.#from : batch.baseOffset
    let minTimestamp = Number.POSITIVE_INFINITY
    let maxTimestamp = Number.NEGATIVE_INFINITY
    for (const record of kept) {
      minTimestamp = Math.min(minTimestamp, record.timestamp)
      maxTimestamp = Math.max(maxTimestamp, record.timestamp)
    }
    if (kept.length === 0) minTimestamp = maxTimestamp = batch.appendTime
    const payload = encodeStored(kept, baseOffset, minTimestamp)
    const bytes = new Uint8Array(batchLength(payload.length))
    bytes.set(batch.bytes.subarray(0, batchHeaderBytes))
    bytes.set(payload, batchHeaderBytes)
    const view = viewOf(bytes)
    view.setUint8(field.kind, batchKind.data)
    view.setUint8(field.payloadKind, payloadKindRecords)
    view.setUint8(field.flags, 0)
    view.setUint32(field.length, bytes.length, true)
    view.setUint32(field.payloadLength, payload.length, true)
    view.setUint32(field.recordCount, kept.length, true)
    view.setUint32(field.generation, this.#generation, true)
    view.setFloat64(field.minTimestamp, minTimestamp, true)
    view.setFloat64(field.maxTimestamp, maxTimestamp, true)
    for (let at = field.producerId; at < field.fingerprint; at++) view.setUint8(at, 0)
    this.#batches.push({
      bytes,
      baseOffset,
      nextOffset: batch.nextOffset,
      appendTime: batch.appendTime,
    })
  }

  async finish(file: DiskFile, index: SegmentIndex, endOffset: number): Promise<void> {
    assert(this.#batches.at(-1)?.nextOffset === endOffset, 'compaction lost an offset')
    for (const { bytes, baseOffset, nextOffset, appendTime } of this.#batches) {
      const view = viewOf(bytes)
      view.setUint32(field.span, nextOffset - baseOffset, true)
      view.setUint32(field.baseOffset, baseOffset % 0x1_0000_0000, true)
      view.setUint32(field.baseOffset + 4, Math.floor(baseOffset / 0x1_0000_0000), true)
      sealBatch(bytes, view, 0, bytes.length, this.#place.seed)
      const position = index.dataBytes
      await writeFully(file, bytes, position)
      index.add(baseOffset, nextOffset, position, bytes.length, appendTime)
    }
  }
}

/** Every batch of a sealed segment, checked. Damage stops the compaction with TM1206. */
async function eachBatch(
  env: Env,
  place: PartitionPlace,
  segment: SealedSegment,
  visit: (batch: ScannedBatch, payload: Uint8Array) => void,
): Promise<void> {
  const { extent } = segment
  const { headerBytes, baseOffset, generation } = extent.header
  const file = await env.disk.open(extent.path, 'read')
  try {
    const range = { position: headerBytes, baseOffset, generation, toOffset: extent.to }
    const end = await scanBatches(file, place.seed, range, (batch) => {
      const payloadLength = viewOf(batch.bytes).getUint32(field.payloadLength, true)
      visit(batch, batch.bytes.subarray(batchHeaderBytes, batchHeaderBytes + payloadLength))
    })
    if (end.nextOffset < extent.to)
      throw corrupt(extent.path, end.position, describeCheck(end.reason))
  } finally {
    await file.close()
  }
}
