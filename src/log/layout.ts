/**
 * What the files of a partition mean together.
 *
 * Segments in the order of their creation (generation, sequence):
 *  1. A segment of kind `open` ends where the next created open segment begins. So a segment of a new generation seals
 *     all older ones at its base offset, and bytes that an old owner wrote past it mean nothing.
 *  2. A segment of kind `compacted` replaces exactly the older segments inside its range.
 *  3. The newest retention record says where the log starts; segments that end at or before it are dead.
 *  4. What is left must touch without a hole. A hole is a missing file, which is corruption (TM1207).
 */
import { type Disk, DiskError, type Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { envelopeKind, readEnvelope } from './envelope.ts'
import { corrupt, logErrors } from './errors.ts'
import { partitionSeed } from './format.ts'
import {
  digits,
  parseSegmentName,
  readSegmentHeader,
  type SegmentHeader,
  segmentKind,
  type SegmentName,
  segmentStem,
} from './segment.ts'
import type { TopicInfo } from './types.ts'

/** One live segment and the range of offsets it is responsible for. */
export interface Extent {
  readonly path: string
  readonly stem: string
  readonly header: SegmentHeader
  readonly from: number
  /** Infinity for the segment that is appended to. */
  readonly to: number
}

export interface PartitionFiles {
  readonly names: readonly string[]
  readonly extents: readonly Extent[]
  /** Segment files that no extent needs: superseded, replaced or retired. */
  readonly dead: readonly string[]
  readonly startOffset: number
  readonly retentionFiles: readonly string[]
  readonly clean: CleanRecord | undefined
  readonly cleanFiles: readonly string[]
  readonly claims: readonly number[]
  /** The largest generation in any name. */
  readonly generation: number
}

export interface CleanRecord {
  readonly generation: number
  readonly endOffset: number
  readonly stableOffset: number
  /** Bytes of the last segment, 0 when there is none. */
  readonly dataBytes: number
}

/** Where a partition lies and how its checksums are seeded. */
export interface PartitionPlace {
  readonly topic: TopicInfo
  readonly partition: number
  readonly directory: string
  readonly seed: number
}

export function partitionPlace(
  directory: string,
  topic: TopicInfo,
  partition: number,
): PartitionPlace {
  return {
    topic,
    partition,
    directory: `${directory}/${topic.name}/${partition}`,
    seed: partitionSeed(topic.id, partition),
  }
}

export const claimName = (generation: number): string => `gen-${digits(generation, 10)}`
export const cleanName = (generation: number): string => `clean-${digits(generation, 10)}`
export const retentionName = (startOffset: number): string => `start-${digits(startOffset, 20)}`

/** Headers never change once published, so a reader that lists often keeps them here. */
export type HeaderCache = Map<string, SegmentHeader>

/** Lists a partition and works out its live segments. Reads headers and small files, never batches. */
export async function readPartition(
  disk: Disk,
  place: PartitionPlace,
  cache: HeaderCache = new Map(),
): Promise<PartitionFiles> {
  const names = await disk.list(place.directory)
  const segments: SegmentHeader[] = []
  for (const name of names) {
    const parsed = parseSegmentName(name, '.log')
    if (parsed !== undefined) segments.push(await headerOf(disk, place, name, parsed, cache))
  }
  const retentionFiles = names.filter((name) => /^start-\d{20}$/.test(name))
  const cleanFiles = names.filter((name) => /^clean-\d{10}$/.test(name))
  const claims = names
    .filter((name) => /^gen-\d{10}$/.test(name))
    .map((name) => Number(name.slice(4)))
  const startOffset = await readStart(disk, place, retentionFiles)
  const extents = liveExtents(place.directory, segments, startOffset)
  const live = new Set(extents.map((extent) => extent.stem))
  return {
    names,
    extents,
    dead: segments.map(segmentStem).filter((stem) => !live.has(stem)),
    startOffset,
    retentionFiles,
    clean: await readClean(disk, place, cleanFiles),
    cleanFiles,
    claims,
    generation: Math.max(0, ...claims, ...segments.map((segment) => segment.generation)),
  }
}

async function headerOf(
  disk: Disk,
  place: PartitionPlace,
  name: string,
  parsed: SegmentName,
  cache: HeaderCache,
): Promise<SegmentHeader> {
  const known = cache.get(name)
  if (known !== undefined) return known
  const path = `${place.directory}/${name}`
  const file = await disk.open(path, 'read')
  try {
    const header = await readSegmentHeader(file, path, parsed, place.seed)
    cache.set(name, header)
    return header
  } finally {
    await file.close()
  }
}

/** Rules 1 to 4 above, as a pure function. */
export function liveExtents(
  directory: string,
  segments: readonly SegmentHeader[],
  startOffset: number,
): Extent[] {
  const created = [...segments].sort(
    (a, b) => a.generation - b.generation || a.sequence - b.sequence,
  )
  const open = created.filter((segment) => segment.kind === segmentKind.open)
  let extents: Extent[] = []
  for (let i = 0; i < open.length; i++) {
    const header = open[i]!
    const to = open[i + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
    if (header.baseOffset > to) {
      throw corrupt(
        `${directory}/${segmentStem(open[i + 1]!)}.log`,
        24,
        'a newer segment begins before an older one',
      )
    }
    if (header.baseOffset < to) extents.push(extentOf(directory, header, to))
  }
  for (const header of created) {
    if (header.kind !== segmentKind.compacted) continue
    const kept = extents.filter(
      (extent) => extent.to <= header.baseOffset || extent.from >= header.endOffset,
    )
    extents = [...kept, extentOf(directory, header, header.endOffset)]
  }
  extents.sort((a, b) => a.from - b.from)
  extents = extents.filter((extent) => extent.to > startOffset)
  let expected =
    extents.length > 0 && extents[0]!.from < startOffset ? extents[0]!.from : startOffset
  for (const extent of extents) {
    if (extent.from !== expected) {
      throw new TidemillError(logErrors.endsEarly, {
        message: `no file holds the offsets ${expected} to ${extent.from - 1}`,
        details: { file: `${directory}/`, offset: expected, next: extent.path },
      })
    }
    expected = extent.to
  }
  return extents
}

function extentOf(directory: string, header: SegmentHeader, to: number): Extent {
  const stem = segmentStem(header)
  return { path: `${directory}/${stem}.log`, stem, header, from: header.baseOffset, to }
}

async function readStart(
  disk: Disk,
  place: PartitionPlace,
  names: readonly string[],
): Promise<number> {
  let start = 0
  for (const name of names) {
    const path = `${place.directory}/${name}`
    const content = await readEnvelope(disk, path, envelopeKind.retention, place.seed)
    // A writer beside us may have replaced the record by a newer one since the directory was listed.
    if (content === undefined) continue
    const { startOffset } = content as { startOffset: number }
    if (retentionName(startOffset) !== name)
      throw corrupt(path, 0, 'the record belongs under another name')
    start = Math.max(start, startOffset)
  }
  return start
}

/** The newest clean mark. A damaged one is not used: recovery then treats the end as unclean, `verify` reports it. */
async function readClean(
  disk: Disk,
  place: PartitionPlace,
  names: readonly string[],
): Promise<CleanRecord | undefined> {
  let newest: CleanRecord | undefined
  for (const name of names) {
    const path = `${place.directory}/${name}`
    let content: unknown
    try {
      content = await readEnvelope(disk, path, envelopeKind.clean, place.seed)
    } catch (error) {
      if (error instanceof TidemillError && error.code === logErrors.corrupt.code) continue
      throw error
    }
    const record = content as CleanRecord | undefined
    if (record === undefined || cleanName(record.generation) !== name) continue
    if (newest === undefined || record.generation > newest.generation) newest = record
  }
  return newest
}

/** True for an error that says a file is not there (any more). */
export function isMissing(error: unknown): boolean {
  return error instanceof DiskError && error.errno === 'ENOENT'
}

/** How often a listing is taken again when a writer changes the directory meanwhile. */
const listAttempts = 10

/**
 * Lists a partition beside a running writer: files may vanish between the listing and the reading of their headers,
 * which then looks like a hole. Only what stays wrong is an error.
 */
export async function listPartition(
  env: Env,
  place: PartitionPlace,
  cache: HeaderCache,
): Promise<PartitionFiles> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readPartition(env.disk, place, cache)
    } catch (error) {
      const passing =
        isMissing(error) || (isTidemillError(error) && error.code === logErrors.endsEarly.code)
      if (!passing || attempt >= listAttempts) throw error
      await env.tasks.yield()
    }
  }
}
