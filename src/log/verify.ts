/**
 * Read-only check of every file of a topic. Takes no lease, changes nothing, and goes on after damage, so that one run
 * reports everything. Beside a running writer the last segment is checked up to the durable mark.
 */
import type { DiskFile, Env } from '../base/env.ts'
import { readWhole } from '../base/disk-io.ts'
import { isTidemillError, type TidemillError } from '../base/errors.ts'
import { decodeEnvelope, type EnvelopeKind, envelopeKind } from './envelope.ts'
import {
  batchHeaderBytes,
  batchKind,
  describeCheck,
  field,
  payloadKindRecords,
  viewOf,
} from './format.ts'
import { type Extent, liveExtents, type PartitionPlace } from './layout.ts'
import { marksBytes, marksFile, readMarks } from './marks.ts'
import { decodeRecords } from './records.ts'
import { countValidAfter, hasData, scanBatches, type ScannedBatch } from './scan.ts'
import { decodeIndex, indexPath, SegmentIndex } from './segment-index.ts'
import { parseSegmentName, readSegmentHeader, type SegmentHeader, segmentStem } from './segment.ts'
import type { VerifyProblem, VerifyReport } from './types.ts'

class Report {
  files = 0
  bytes = 0
  batches = 0
  records = 0
  readonly problems: VerifyProblem[] = []

  damage(file: string, offset: number, message: string): void {
    this.problems.push({ severity: 'damage', file, offset, message })
  }

  note(file: string, offset: number, message: string): void {
    this.problems.push({ severity: 'note', file, offset, message })
  }

  /** Keeps an error of the log as a problem; everything else goes on. */
  keep(error: unknown, file: string): void {
    if (!isTidemillError(error)) throw error
    const { details } = error
    const offset = typeof details['offset'] === 'number' ? details['offset'] : 0
    this.damage(
      typeof details['file'] === 'string' ? details['file'] : file,
      offset,
      messageOf(error),
    )
  }
}

function messageOf(error: TidemillError): string {
  return `${error.code}: ${error.message}`
}

/** Checks the given partitions of one topic, whose description was read and checked by the caller. */
export async function verifyPartitions(
  env: Env,
  topic: string,
  places: readonly PartitionPlace[],
): Promise<VerifyReport> {
  const report = new Report()
  for (const place of places) await verifyPartition(env, place, report)
  const { files, bytes, batches, records, problems } = report
  const intact = problems.every((problem) => problem.severity === 'note')
  return { topic, files: files + 1, bytes, batches, records, intact, problems }
}

/** Small facts that the check of the segments needs. */
interface Known {
  startOffset: number
  durable: number
  clean: { generation: number; endOffset: number } | undefined
}

async function verifyPartition(env: Env, place: PartitionPlace, report: Report): Promise<void> {
  const names = await env.disk.list(place.directory)
  const known: Known = { startOffset: 0, durable: 0, clean: undefined }
  const headers: SegmentHeader[] = []
  for (const name of names) {
    const path = `${place.directory}/${name}`
    const stat = await env.disk.stat(path)
    if (stat?.kind !== 'file') continue
    report.files++
    report.bytes += stat.sizeBytes
    await verifySmallFile(env, place, name, path, headers, known, report)
  }
  let extents: Extent[] = []
  try {
    extents = liveExtents(place.directory, headers, known.startOffset)
  } catch (error) {
    report.keep(error, place.directory)
  }
  const lastEnd = await verifySegments(env, place, extents, known, report)
  if (lastEnd < known.durable) {
    const file = extents.at(-1)?.path ?? `${place.directory}/`
    report.damage(file, 0, `the log ends at offset ${lastEnd}, ${known.durable} was durable`)
  }
  const live = new Set(extents.map((extent) => extent.stem))
  for (const header of headers) {
    const stem = segmentStem(header)
    if (!live.has(stem))
      report.note(`${place.directory}/${stem}.log`, 0, 'replaced, superseded or retired; not used')
  }
}

async function verifySmallFile(
  env: Env,
  place: PartitionPlace,
  name: string,
  path: string,
  headers: SegmentHeader[],
  known: Known,
  report: Report,
): Promise<void> {
  const segment = parseSegmentName(name, '.log')
  try {
    if (segment !== undefined) {
      const header = await withFile(env, path, (file) =>
        readSegmentHeader(file, path, segment, place.seed),
      )
      headers.push(header)
    } else if (name.startsWith('start-')) {
      const { startOffset } = await envelope<{ startOffset: number }>(
        env,
        path,
        envelopeKind.retention,
        place,
      )
      if (Number(name.slice(6)) !== startOffset)
        report.damage(path, 0, 'the record belongs under another name')
      else known.startOffset = Math.max(known.startOffset, startOffset)
    } else if (name.startsWith('clean-')) {
      const clean = await envelope<NonNullable<Known['clean']>>(
        env,
        path,
        envelopeKind.clean,
        place,
      )
      if (Number(name.slice(6)) !== clean.generation)
        report.damage(path, 0, 'the mark belongs under another name')
      else if (known.clean === undefined || clean.generation > known.clean.generation)
        known.clean = clean
      known.durable = Math.max(known.durable, clean.endOffset)
    } else if (name.startsWith('gen-')) await envelope(env, path, envelopeKind.generation, place)
    else if (name === marksFile) await verifyMarks(env, place, path, known, report)
    else if (name.endsWith('.tmp'))
      report.note(path, 0, 'left by a step that did not finish; the next writer removes it')
    else if (parseSegmentName(name, '.idx') === undefined)
      report.note(path, 0, 'not a file of the log')
  } catch (error) {
    report.keep(error, path)
  }
}

async function envelope<Content>(
  env: Env,
  path: string,
  kind: EnvelopeKind,
  place: PartitionPlace,
): Promise<Content> {
  const bytes = (await readWhole(env.disk, path)) ?? new Uint8Array(0)
  return decodeEnvelope(bytes, kind, place.seed, path) as Content
}

async function verifyMarks(
  env: Env,
  place: PartitionPlace,
  path: string,
  known: Known,
  report: Report,
): Promise<void> {
  await withFile(env, path, async (file) => {
    if ((await file.size()) > marksBytes)
      report.damage(path, marksBytes, 'bytes follow the two slots of the sidecar')
    const { marks, damaged } = await readMarks(file, place.seed, new Uint8Array(marksBytes))
    for (const offset of damaged)
      report.damage(path, offset, 'a slot of the sidecar failed its check')
    known.durable = Math.max(known.durable, marks?.durable ?? 0)
  })
}

/** Returns the offset at which the last segment ends. */
async function verifySegments(
  env: Env,
  place: PartitionPlace,
  extents: readonly Extent[],
  known: Known,
  report: Report,
): Promise<number> {
  let end = known.startOffset
  for (const extent of extents) {
    try {
      const isLast = extent === extents.at(-1)
      end = await withFile(env, extent.path, (file) =>
        verifySegment(env, place, extent, file, isLast, known, report),
      )
    } catch (error) {
      report.keep(error, extent.path)
    }
  }
  return end
}

async function verifySegment(
  env: Env,
  place: PartitionPlace,
  extent: Extent,
  file: DiskFile,
  isLast: boolean,
  known: Known,
  report: Report,
): Promise<number> {
  const { header, path } = extent
  const index = new SegmentIndex(header)
  const range = {
    position: header.headerBytes,
    baseOffset: header.baseOffset,
    generation: header.generation,
    toOffset: extent.to,
  }
  known.durable = Math.max(known.durable, header.endOffset)
  const end = await scanBatches(file, place.seed, range, (batch) => {
    index.addScanned(batch)
    report.batches++
    report.records += batch.recordCount
    known.durable = Math.max(known.durable, batch.durableMark)
    verifyRecords(batch, path, report)
  })
  if (!isLast || extent.to !== Number.POSITIVE_INFINITY) {
    if (end.nextOffset < extent.to) report.damage(path, end.position, describeCheck(end.reason))
    else if (end.fileBytes > end.position) {
      report.note(path, end.position, 'bytes past the seal; not used')
    }
  } else await verifyTail(place, extent, file, end, known, report)
  await verifyIndex(env, place, extent, index, report)
  return end.nextOffset
}

/** After the last valid batch: nothing, zeros of preallocation, a torn tail, or damage. */
async function verifyTail(
  place: PartitionPlace,
  extent: Extent,
  file: DiskFile,
  end: Awaited<ReturnType<typeof scanBatches>>,
  known: Known,
  report: Report,
): Promise<void> {
  const { path, header } = extent
  const closed = known.clean !== undefined && header.generation <= known.clean.generation
  const atEnd = end.reason === 'end' && !(await hasData(file, end.position))
  if (end.nextOffset < known.durable) {
    report.damage(
      path,
      end.position,
      `${describeCheck(end.reason)}; records up to ${known.durable} were durable`,
    )
  } else if (!atEnd) {
    const follow = await countValidAfter(
      file,
      place.seed,
      end.position,
      header.generation,
      end.nextOffset,
    )
    const message = `${describeCheck(end.reason)}; ${follow} valid batches follow`
    if (closed || follow > 0) report.damage(path, end.position, message)
    else
      report.note(
        path,
        end.position,
        `${describeCheck(end.reason)}: a write in progress or a torn tail`,
      )
  } else if (closed && end.fileBytes > end.position) {
    report.damage(path, end.position, 'bytes follow the end of a log that was closed in order')
  }
}

function verifyRecords(batch: ScannedBatch, path: string, report: Report): void {
  const view = viewOf(batch.bytes)
  if (batch.kind !== batchKind.data || view.getUint8(field.payloadKind) !== payloadKindRecords)
    return
  const payload = batch.bytes.subarray(
    batchHeaderBytes,
    batchHeaderBytes + view.getUint32(field.payloadLength, true),
  )
  try {
    decodeRecords(
      payload,
      batch.recordCount,
      batch.baseOffset,
      view.getFloat64(field.minTimestamp, true),
    )
  } catch (error) {
    if (!isTidemillError(error)) throw error
    report.damage(path, batch.position, messageOf(error))
  }
}

/** A damaged index is damage to a file, though every reader copes with it. */
async function verifyIndex(
  env: Env,
  place: PartitionPlace,
  extent: Extent,
  expected: SegmentIndex,
  report: Report,
): Promise<void> {
  const path = indexPath(extent.path)
  const bytes = await readWhole(env.disk, path)
  if (bytes === undefined) return
  const index = decodeIndex(bytes, extent.header, place.seed)
  if (index === undefined) {
    report.damage(
      path,
      0,
      'the index failed its check; readers do without it and the next writer makes it again',
    )
  } else if (index.endOffset !== expected.endOffset || index.dataBytes !== expected.dataBytes) {
    report.note(path, 32, 'the index is older than its segment; the next writer makes it again')
  }
}

async function withFile<Result>(
  env: Env,
  path: string,
  use: (file: DiskFile) => Promise<Result>,
): Promise<Result> {
  const file = await env.disk.open(path, 'read')
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
