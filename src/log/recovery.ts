/**
 * Taking a partition over. Steps, in this order; killed anywhere, the same steps lead to the same log:
 *
 *  1. lock the directory (`own.lock`), claim the next generation with an exclusive file (`own.claim`), *then* list
 *  2. find the live segments (`layout.ts`) and the durable mark: the maximum of the clean mark, the sidecar, the header of
 *     the last segment, the marks inside its valid batches and the positions that the caller knows to be durable
 *  3. walk the last segment. Bad bytes below the mark are corruption: stop, change nothing. Bad bytes above it are a
 *     torn tail, unless valid batches follow and the machine was not rebooted: then the page cache is what was written,
 *     only the very last write can be torn, and this is corruption too
 *  4. after an unclean end: copy the valid batches above the mark into a new segment of the new generation and publish it
 *     (`recover.log.copied`, `own.seal`). It seals every older segment at its base offset. They are never adopted in
 *     place, because a cache may show bytes that a failed sync never wrote
 *  5. cut the old segment at the mark and sync (`recover.log.cut`), make missing indexes again, remove what is dead
 *
 * After a clean end nothing is written but the claim; the first append begins a segment of the new generation.
 */
import { DiskError, type DiskFile, type DiskLock, type Env } from '../base/env.ts'
import { removeIfPresent, writeFully, writeNew } from '../base/disk-io.ts'
import { assert } from '../base/assert.ts'
import { TidemillError } from '../base/errors.ts'
import {
  type ActiveSegment,
  createSegment,
  StepFailure,
  writeSealedIndex,
} from './active-segment.ts'
import { encodeEnvelope, envelopeKind } from './envelope.ts'
import { corrupt, logErrors, wrapDiskError } from './errors.ts'
import { describeCheck, field, sealBatch, viewOf } from './format.ts'
import {
  claimName,
  cleanName,
  type Extent,
  type PartitionFiles,
  type PartitionPlace,
  readPartition,
  retentionName,
} from './layout.ts'
import { marksBytes, marksFile, type Marks, readMarks } from './marks.ts'
import { countValidAfter, hasData, scanBatches, type ScanEnd } from './scan.ts'
import { buildIndex, indexPath, readIndex, SegmentIndex } from './segment-index.ts'
import { parseSegmentName, segmentKind, segmentStem } from './segment.ts'
import { noTransactions, TransactionTable } from './transactions.ts'
import { syncParents } from './topics.ts'
import type { RecoveryCut, RecoveryReport } from './types.ts'

/** What the writer goes on with. */
export interface Recovered {
  readonly lock: DiskLock
  readonly report: RecoveryReport
  /** Live sealed segments with their indexes, oldest first. */
  readonly sealed: { extent: Extent; index: SegmentIndex }[]
  /** The segment that step 4 made. */
  readonly active: ActiveSegment | undefined
  readonly nextSequence: number
  readonly startOffset: number
  readonly endOffset: number
  readonly lastAppendMs: number
  readonly transactions: TransactionTable
}

/** Steps 1 to 5. `durableAtLeast`: an offset that a checkpoint names; the log must reach it. */
export async function recoverPartition(
  env: Env,
  place: PartitionPlace,
  owner: string,
  durableAtLeast: number,
): Promise<Recovered> {
  const lock = await takeLock(env, place, owner)
  try {
    // Whoever created the topic may have died before its directories were durable.
    await syncParents(env.disk, place.directory)
    const generation = await claimGeneration(env, place, owner)
    const files = await readPartition(env.disk, place)
    return await takeOver(env, place, lock, generation, files, durableAtLeast)
  } catch (error) {
    const cause = error instanceof StepFailure ? error.cause : error
    await afterFailure(env, place, () => lock.release())
    throw wrapDiskError(cause, 'opening the partition', place.directory)
  }
}

/** Tidies up after an error that matters more than one met here. */
export async function afterFailure(
  env: Env,
  place: PartitionPlace,
  tidy: () => Promise<void>,
): Promise<void> {
  try {
    await tidy()
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    env.host.log('warn', 'a file of the log could not be closed', {
      file: place.directory,
      error: error.message,
    })
  }
}

async function takeLock(env: Env, place: PartitionPlace, owner: string): Promise<DiskLock> {
  try {
    const lock = await env.disk.lock(place.directory, owner)
    env.host.crashPoint('own.lock')
    return lock
  } catch (error) {
    if (!(error instanceof DiskError && error.errno === 'EBUSY')) {
      throw wrapDiskError(error, 'taking the lease of the partition', place.directory)
    }
    throw new TidemillError(logErrors.locked, {
      message: `topic "${place.topic.name}", partition ${place.partition}: ${error.message}`,
      details: { file: place.directory, partition: place.partition },
      cause: error,
    })
  }
}

async function claimGeneration(env: Env, place: PartitionPlace, owner: string): Promise<number> {
  const generation = highestGeneration(await env.disk.list(place.directory)) + 1
  const { host } = env
  const claim = {
    owner,
    host: host.hostName,
    pid: host.pid,
    bootId: host.bootId,
    startedMs: env.clock.wallMs(),
  }
  const bytes = encodeEnvelope(envelopeKind.generation, claim, place.seed)
  try {
    await writeNew(env.disk, `${place.directory}/${claimName(generation)}`, bytes)
  } catch (error) {
    if (!(error instanceof DiskError && error.errno === 'EEXIST')) throw error
    throw fencedBy(place, generation)
  }
  await env.disk.syncDir(place.directory)
  host.crashPoint('own.claim')
  return generation
}

/** The largest generation in any claim or segment name. */
export function highestGeneration(names: readonly string[]): number {
  let highest = 0
  for (const name of names) {
    const claim = /^gen-(\d{10})$/.exec(name)?.[1]
    const generation =
      claim === undefined ? parseSegmentName(name, '.log')?.generation : Number(claim)
    if (generation !== undefined && generation > highest) highest = generation
  }
  return highest
}

export function fencedBy(place: PartitionPlace, generation: number): TidemillError {
  return new TidemillError(logErrors.fenced, {
    message: `generation ${generation} of topic "${place.topic.name}", partition ${place.partition} has another owner`,
    details: { file: place.directory, generation },
  })
}

async function takeOver(
  env: Env,
  place: PartitionPlace,
  lock: DiskLock,
  generation: number,
  files: PartitionFiles,
  durableAtLeast: number,
): Promise<Recovered> {
  const marks = await readSidecar(env, place)
  const known = Math.max(
    files.clean?.endOffset ?? 0,
    marks?.durable ?? 0,
    durableAtLeast,
    files.startOffset,
  )
  const last = files.extents.at(-1)
  if (last === undefined) return freshPartition(env, place, lock, generation, files, known)
  const rebuilt: string[] = []
  const sealed = await sealedIndexes(env, place, files.extents.slice(0, -1), rebuilt)
  const file = await env.disk.open(last.path, 'write')
  try {
    const tail = await inspectTail(env, place, last, file, files, known)
    const before = { sealed, nextSequence: 0, startOffset: files.startOffset, lock }
    if (tail.clean) {
      sealed.push({ extent: { ...last, to: tail.endOffset }, index: tail.index })
      if ((await readIndex(env.disk, last, place.seed)) === undefined) {
        await writeSealedIndex(env, place, last, tail.index)
        rebuilt.push(indexPath(last.path))
      }
      const removed = await removeDead(env, place, files, generation, [])
      const report = reportOf(generation, tail, 0, 0, removed, rebuilt)
      const { endOffset, transactions, lastAppendMs } = tail
      return { ...before, report, active: undefined, endOffset, transactions, lastAppendMs }
    }
    const { active, batches, bytes } = await copyTail(env, place, last, file, tail, generation)
    env.host.crashPoint('recover.log.copied')
    env.host.crashPoint('own.seal')
    const emptied = await cutOld(env, place, last, file, tail, sealed)
    const removed = await removeDead(env, place, files, generation, emptied)
    const report = reportOf(generation, tail, batches, bytes, removed, rebuilt)
    announce(env, place, report)
    const { endOffset, transactions, lastAppendMs } = tail
    return { ...before, report, active, nextSequence: 1, endOffset, transactions, lastAppendMs }
  } finally {
    await file.close()
  }
}

async function readSidecar(env: Env, place: PartitionPlace): Promise<Marks | undefined> {
  const path = `${place.directory}/${marksFile}`
  if ((await env.disk.stat(path)) === undefined) return undefined
  const file = await env.disk.open(path, 'read')
  try {
    const { marks, damaged } = await readMarks(file, place.seed, new Uint8Array(marksBytes))
    for (const offset of damaged) {
      env.host.log('warn', 'a slot of the log sidecar failed its check and is not used', {
        file: path,
        offset,
      })
    }
    return marks
  } finally {
    await file.close()
  }
}

async function freshPartition(
  env: Env,
  place: PartitionPlace,
  lock: DiskLock,
  generation: number,
  files: PartitionFiles,
  known: number,
): Promise<Recovered> {
  if (known > 0) {
    throw new TidemillError(logErrors.endsEarly, {
      message: `offset ${known} was durable and no segment is there`,
      details: { file: `${place.directory}/`, offset: 0, mark: known },
    })
  }
  const removed = await removeDead(env, place, files, generation, [])
  const tail = { clean: true, mark: 0, endOffset: 0, cut: undefined }
  return {
    lock,
    report: reportOf(generation, tail, 0, 0, removed, []),
    sealed: [],
    active: undefined,
    nextSequence: 0,
    startOffset: 0,
    endOffset: 0,
    lastAppendMs: 0,
    transactions: new TransactionTable(noTransactions),
  }
}

/** Indexes of the sealed segments; one that is missing or damaged is made from the segment, which is checked by that. */
async function sealedIndexes(
  env: Env,
  place: PartitionPlace,
  extents: readonly Extent[],
  rebuilt: string[],
): Promise<{ extent: Extent; index: SegmentIndex }[]> {
  const sealed: { extent: Extent; index: SegmentIndex }[] = []
  for (const extent of extents) {
    let index = await readIndex(env.disk, extent, place.seed)
    if (index === undefined || index.endOffset !== extent.to) {
      index = await rebuild(env, place, extent)
      await writeSealedIndex(env, place, extent, index)
      rebuilt.push(indexPath(extent.path))
    }
    sealed.push({ extent, index })
  }
  return sealed
}

/** Also cuts off bytes past the seal that an earlier, interrupted recovery left. */
async function rebuild(env: Env, place: PartitionPlace, extent: Extent): Promise<SegmentIndex> {
  const file = await env.disk.open(extent.path, 'write')
  try {
    const { index, end } = await buildIndex(file, extent, place.seed)
    if (end.nextOffset !== extent.to) throw tooShort(extent, end, extent.to)
    if (end.fileBytes > end.position) {
      await file.truncate(end.position)
      await file.fdatasync()
    }
    return index
  } finally {
    await file.close()
  }
}

/** The last segment, judged. */
interface Tail {
  readonly clean: boolean
  readonly mark: number
  readonly endOffset: number
  readonly end: ScanEnd
  readonly index: SegmentIndex
  readonly cut: RecoveryCut | undefined
  readonly transactions: TransactionTable
  readonly lastAppendMs: number
}

async function inspectTail(
  env: Env,
  place: PartitionPlace,
  last: Extent,
  file: DiskFile,
  files: PartitionFiles,
  known: number,
): Promise<Tail> {
  const { header } = last
  const index = new SegmentIndex(header)
  const transactions = new TransactionTable(header.state)
  let mark = Math.max(known, header.endOffset)
  const range = {
    position: header.headerBytes,
    baseOffset: header.baseOffset,
    generation: header.generation,
    toOffset: last.to,
  }
  const end = await scanBatches(file, place.seed, range, (batch) => {
    index.addScanned(batch)
    if (batch.durableMark > mark) mark = batch.durableMark
    if (batch.transactional)
      transactions.apply(batch.kind, batch.producerId, batch.epoch, batch.baseOffset)
  })
  if (end.nextOffset < mark) throw tooShort(last, end, mark)
  const { clean: closed } = files
  const clean = closed !== undefined && header.generation <= closed.generation
  const cut = await judgeRest(env, place, last, file, end, mark)
  if (clean && (cut !== undefined || end.nextOffset !== closed.endOffset)) {
    throw corrupt(last.path, end.position, 'the segment was closed in order and has changed since')
  }
  const lastAppendMs = index.newestAppendMs
  return { clean, mark, endOffset: end.nextOffset, end, index, cut, transactions, lastAppendMs }
}

/** Damage below the durable mark: either bytes that fail their check, or a file that is too short. */
function tooShort(extent: Extent, end: ScanEnd, mark: number): TidemillError {
  const details = { offset: end.position, record: end.nextOffset, mark }
  if (end.reason !== 'end' && end.reason !== 'short') {
    return corrupt(extent.path, end.position, describeCheck(end.reason), details)
  }
  return new TidemillError(logErrors.endsEarly, {
    message: `the data ends at offset ${end.nextOffset}, ${mark} was durable`,
    details: { file: extent.path, ...details },
  })
}

/** Step 3 for the bytes after the last valid batch. */
async function judgeRest(
  env: Env,
  place: PartitionPlace,
  last: Extent,
  file: DiskFile,
  end: ScanEnd,
  mark: number,
): Promise<RecoveryCut | undefined> {
  if (end.reason === 'end' && !(await hasData(file, end.position))) return undefined
  const { generation, bootId } = last.header
  const batches = await countValidAfter(file, place.seed, end.position, generation, end.nextOffset)
  if (batches > 0 && bootId === env.host.bootId) {
    throw corrupt(
      last.path,
      end.position,
      `${describeCheck(end.reason)}, and ${batches} valid batches follow`,
      {
        record: end.nextOffset,
        mark,
      },
    )
  }
  const bytes = end.fileBytes - end.position
  return {
    file: last.path,
    offset: end.position,
    bytes,
    batches,
    reason: describeCheck(end.reason),
  }
}

/** Step 4. The transaction table of the new header is the one at the mark. */
async function copyTail(
  env: Env,
  place: PartitionPlace,
  last: Extent,
  file: DiskFile,
  tail: Tail,
  generation: number,
): Promise<{ active: ActiveSegment; batches: number; bytes: number }> {
  const { header } = last
  const atMark = new TransactionTable(header.state)
  const start = {
    position: header.headerBytes,
    baseOffset: header.baseOffset,
    generation: header.generation,
  }
  const below = await scanBatches(file, place.seed, { ...start, toOffset: tail.mark }, (batch) => {
    if (batch.transactional)
      atMark.apply(batch.kind, batch.producerId, batch.epoch, batch.baseOffset)
  })
  assert(below.nextOffset === tail.mark, 'the durable mark lies between two batches', {
    mark: tail.mark,
  })
  let batches = 0
  let bytes = 0
  const newHeader = {
    kind: segmentKind.open,
    generation,
    sequence: 0,
    baseOffset: tail.mark,
    endOffset: tail.endOffset,
    state: atMark.toState(),
  }
  const active = await createSegment(env, place, newHeader, async (target, index) => {
    const rest = { position: below.position, baseOffset: tail.mark, generation: header.generation }
    await scanBatches(file, place.seed, { ...rest, toOffset: tail.endOffset }, async (batch) => {
      const copy = batch.bytes.slice()
      const view = viewOf(copy)
      view.setUint32(field.generation, generation, true)
      sealBatch(copy, view, 0, copy.length, place.seed)
      const position = index.dataBytes
      await writeFully(target, copy, position)
      index.add(batch.baseOffset, batch.nextOffset, position, copy.length, batch.appendTime)
      batches++
      bytes += copy.length
    })
  })
  return { active, batches, bytes }
}

/** Step 5 for the segment that was cut: nothing past the mark stays. Gives back the stems that hold nothing now. */
async function cutOld(
  env: Env,
  place: PartitionPlace,
  last: Extent,
  file: DiskFile,
  tail: Tail,
  sealed: { extent: Extent; index: SegmentIndex }[],
): Promise<string[]> {
  if (tail.mark === last.header.baseOffset) {
    env.host.crashPoint('recover.log.cut')
    return [last.stem]
  }
  const extent = { ...last, to: tail.mark }
  const { index, end } = await buildIndex(file, extent, place.seed)
  if (end.fileBytes > end.position) {
    await file.truncate(end.position)
    await file.fdatasync()
  }
  env.host.crashPoint('recover.log.cut')
  await writeSealedIndex(env, place, extent, index)
  sealed.push({ extent, index })
  return []
}

/** Removes temporary files, dead segments and records of older lives. The newest clean mark stays until the next one. */
async function removeDead(
  env: Env,
  place: PartitionPlace,
  files: PartitionFiles,
  generation: number,
  emptied: readonly string[],
): Promise<string[]> {
  const names = new Set(files.names)
  const dead = [...files.dead, ...emptied]
  const doomed = [
    ...dead.map((stem) => `${stem}.idx`).filter((name) => names.has(name)),
    ...dead.map((stem) => `${stem}.log`),
    ...files.names.filter((name) => name.endsWith('.tmp')),
    ...files.claims.filter((claim) => claim < generation).map(claimName),
    ...files.cleanFiles.filter(
      (name) => files.clean !== undefined && name < cleanName(files.clean.generation),
    ),
    ...files.retentionFiles.filter((name) => name < retentionName(files.startOffset)),
    ...orphanIndexes(files, dead),
  ]
  for (const name of doomed) await removeIfPresent(env.disk, `${place.directory}/${name}`)
  if (doomed.length > 0) await env.disk.syncDir(place.directory)
  return doomed
}

function orphanIndexes(files: PartitionFiles, dead: readonly string[]): string[] {
  const stems = new Set([...files.extents.map((extent) => segmentStem(extent.header)), ...dead])
  return files.names.filter((name) => name.endsWith('.idx') && !stems.has(name.slice(0, -4)))
}

function reportOf(
  generation: number,
  tail: { clean: boolean; mark: number; endOffset: number; cut: RecoveryCut | undefined },
  copiedBatches: number,
  copiedBytes: number,
  removed: readonly string[],
  rebuilt: readonly string[],
): RecoveryReport {
  return {
    generation,
    clean: tail.clean,
    durableMark: tail.mark,
    endOffset: tail.endOffset,
    copiedBatches,
    copiedBytes,
    cut: tail.cut,
    removed,
    rebuilt,
  }
}

/** Every cut is said aloud: rot inside the last group commit before a power cut looks the same as a torn tail. */
function announce(env: Env, place: PartitionPlace, report: RecoveryReport): void {
  const facts = {
    topic: place.topic.name,
    partition: place.partition,
    generation: report.generation,
    durableMark: report.durableMark,
    endOffset: report.endOffset,
    copiedBatches: report.copiedBatches,
  }
  if (report.cut === undefined)
    env.host.log('info', 'the log was not closed in order and is recovered', facts)
  else env.host.log('warn', 'a torn tail of the log was cut off', { ...facts, ...report.cut })
}
