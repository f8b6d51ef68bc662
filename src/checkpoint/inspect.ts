/**
 * Looks at snapshots from outside: without lock, without the program that wrote them, without changing anything.
 * `tidemill snapshot inspect` prints what `inspectSnapshot` returns, `tidemill snapshot check` what `checkSnapshots`
 * does; both work on state directories and on savepoint folders.
 */
import { DiskError } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { openDataObject } from './data-reader.ts'
import type { StorageEnv } from './directory-storage.ts'
import { checkpointErrors } from './errors.ts'
import { InFlightCount, inFlightSection, type InFlightSummary } from './in-flight.ts'
import { checkLedger, formatLedgerProblem, type Ledger } from './ledger.ts'
import type { Manifest, SnapshotKind } from './manifest.ts'
import {
  compareSnapshotIds,
  manifestName,
  parseName,
  type SnapshotId,
  snapshotName,
} from './names.ts'
import { compareText } from './order.ts'
import {
  listStateDirectory,
  objectsOf,
  readManifest,
  type SnapshotListing,
} from './state-directory.ts'
import type { CheckpointStorage } from './storage.ts'

/** A snapshot in numbers and names; plain data, `--json` prints it as it is. */
export interface SnapshotSummary {
  readonly job: string
  /** `g7-e418`. */
  readonly snapshot: string
  readonly generation: number
  readonly epoch: number
  readonly kind: SnapshotKind
  readonly finished: boolean
  readonly created: string
  readonly fingerprint: string
  readonly parameters: Readonly<Record<string, string>>
  readonly parallelism: number
  readonly maxParallelism: number
  readonly versions: Readonly<Record<string, string>>
  /** Of manifest and data objects, those of earlier epochs included. */
  readonly sizeBytes: number
  /** Of manifest and data objects of this epoch. */
  readonly writtenBytes: number
  readonly objects: readonly ObjectSummary[]
  readonly operators: readonly OperatorSummary[]
  /** Rows that were on their way between subtasks, by channel; none after a barrier that aligned. */
  readonly inFlight: readonly InFlightSummary[]
  readonly positions: readonly PositionSummary[]
  readonly watermarks: readonly {
    readonly node: number
    readonly partition: string
    readonly watermarkMs: number
  }[]
  /** Bytes of prepared output per sink and epoch. */
  readonly sinks: readonly {
    readonly sink: string
    readonly subtask: number
    readonly epoch: number
    readonly preparedBytes: number
  }[]
  readonly schemas: readonly { readonly name: string; readonly hash: string }[]
  readonly ledger: { readonly total: Ledger; readonly epoch: Ledger }
}

export interface ObjectSummary {
  readonly name: string
  readonly sizeBytes: number
  /** Only for an object of an earlier epoch that the snapshot builds on: the operators that need it. */
  readonly neededBy?: readonly string[]
}

/** Sizes and blocks include what is stored in objects of earlier epochs. */
export interface OperatorSummary {
  readonly operator: string
  readonly sizeBytes: number
  readonly blocks: number
  readonly sections: readonly SectionSummary[]
}

export interface SectionSummary {
  readonly section: string
  readonly sizeBytes: number
  readonly blocks: number
  /** Distinct key groups that hold something; 0 for a section that is not keyed. */
  readonly keyGroups: number
}

export interface PositionSummary {
  readonly source: string
  readonly partition: string
  readonly subtask: number
  /** Hexadecimal; what it means is the connector's business. */
  readonly position: string
}

/** Summary of one snapshot, by default the newest. Verifies manifest and indexes, and of payloads only rows in flight. */
export async function inspectSnapshot(
  env: StorageEnv,
  directory: string,
  id?: SnapshotId,
): Promise<SnapshotSummary> {
  const listing = await listStateDirectory(env, directory)
  const chosen = id ?? listing.valid.at(-1)
  if (chosen === undefined) {
    throw new TidemillError(checkpointErrors.noSnapshot, {
      message: directory,
      details: { directory },
    })
  }
  return summarize(listing.storage, await readManifest(listing.storage, chosen))
}

async function summarize(storage: CheckpointStorage, manifest: Manifest): Promise<SnapshotSummary> {
  const objects = objectsOf(manifest).map(({ ref, operators }): ObjectSummary => {
    const { name, sizeBytes } = ref
    return operators === undefined ? { name, sizeBytes } : { name, sizeBytes, neededBy: operators }
  })
  const written = objects.filter(({ neededBy }) => neededBy === undefined)
  const manifestFile = await storage.get(manifestName(manifest))
  const manifestBytes = manifestFile?.sizeBytes ?? 0
  await manifestFile?.close()
  return {
    job: manifest.job,
    snapshot: snapshotName(manifest),
    generation: manifest.generation,
    epoch: manifest.epoch,
    kind: manifest.kind,
    finished: manifest.finished,
    created: new Date(manifest.createdMs).toISOString(),
    fingerprint: manifest.plan.fingerprint,
    parameters: manifest.parameters,
    parallelism: manifest.parallelism,
    maxParallelism: manifest.maxParallelism,
    versions: manifest.versions,
    sizeBytes: objects.reduce((sum, object) => sum + object.sizeBytes, manifestBytes),
    writtenBytes: written.reduce((sum, object) => sum + object.sizeBytes, manifestBytes),
    objects,
    ...(await contentOf(storage, manifest)),
    positions: manifest.subtasks.flatMap(({ subtask, positions }) =>
      positions.map(({ source, partition, position }) => ({
        source,
        partition,
        subtask,
        position: hexOf(position),
      })),
    ),
    watermarks: manifest.subtasks.flatMap(({ watermarks }) => watermarks),
    sinks: manifest.subtasks.flatMap(({ subtask, sinks }) =>
      sinks.map(({ sink, epoch, prepared }) => ({
        sink,
        subtask,
        epoch,
        preparedBytes: prepared.length,
      })),
    ),
    schemas: manifest.schemas.map(({ name, hash }) => ({ name, hash })),
    ledger: manifest.ledger,
  }
}

interface SectionCount {
  sizeBytes: number
  blocks: number
  readonly keyGroups: Set<number>
}

async function contentOf(
  storage: CheckpointStorage,
  manifest: Manifest,
): Promise<Pick<SnapshotSummary, 'operators' | 'inFlight'>> {
  const inFlight = new InFlightCount()
  const operators = new Map<string, Map<string, SectionCount>>()
  for (const { ref, identity, operators: needed, subtask } of objectsOf(manifest)) {
    const reader = await openDataObject(storage, ref, identity)
    await reader.read(
      ({ section }) => needed === undefined && section === inFlightSection,
      (_holder, { bytes }) => inFlight.add(bytes, subtask),
    )
    for (const block of reader.blocks) {
      if (block.section === inFlightSection || needed?.includes(block.operator) === false) continue
      const sections = operators.get(block.operator) ?? new Map<string, SectionCount>()
      operators.set(block.operator, sections)
      const count = sections.get(block.section) ?? { sizeBytes: 0, blocks: 0, keyGroups: new Set() }
      sections.set(block.section, count)
      count.sizeBytes += block.sizeBytes
      count.blocks++
      if (block.keyGroup >= 0) count.keyGroups.add(block.keyGroup)
    }
    await reader.close()
  }
  return { operators: summariesOf(operators), inFlight: inFlight.channels }
}

function summariesOf(
  operators: ReadonlyMap<string, ReadonlyMap<string, SectionCount>>,
): readonly OperatorSummary[] {
  return [...operators]
    .sort(([a], [b]) => compareText(a, b))
    .map(([operator, counts]) => {
      const sections = [...counts]
        .sort(([a], [b]) => compareText(a, b))
        .map(([section, { sizeBytes, blocks, keyGroups }]) => ({
          section,
          sizeBytes,
          blocks,
          keyGroups: keyGroups.size,
        }))
      const sizeBytes = sections.reduce((sum, section) => sum + section.sizeBytes, 0)
      const blocks = sections.reduce((sum, section) => sum + section.blocks, 0)
      return { operator, sizeBytes, blocks, sections }
    })
}

/** What a check found; plain data. */
export interface CheckReport {
  readonly directory: string
  readonly snapshots: readonly SnapshotCheck[]
  /** Files that no valid snapshot refers to; the next start removes them. */
  readonly garbage: readonly string[]
  /** Files that are not ours. */
  readonly foreign: readonly string[]
  readonly intact: boolean
}

export interface SnapshotCheck {
  readonly snapshot: string
  readonly status: 'intact' | 'damaged' | 'superseded'
  readonly sizeBytes: number
  /** For `damaged`. */
  readonly problems: readonly {
    readonly code: string
    readonly message: string
    readonly file: string | undefined
    readonly offset: number | undefined
  }[]
}

/** Reads every byte of every snapshot. Damage is part of the report; only a missing directory is an error. */
export async function checkSnapshots(env: StorageEnv, directory: string): Promise<CheckReport> {
  const listing = await listStateDirectory(env, directory)
  const snapshots: SnapshotCheck[] = []
  const known = [...listing.valid, ...listing.superseded].sort(compareSnapshotIds)
  if (known.length === 0) {
    throw new TidemillError(checkpointErrors.noSnapshot, {
      message: directory,
      details: { directory },
    })
  }
  const needed = new Set<string>()
  for (const id of known) {
    const check = await checkOne(listing, id)
    snapshots.push(check.result)
    if (check.result.status !== 'superseded') for (const name of check.objects) needed.add(name)
  }
  const names = (await listing.storage.list()).map((name) => ({ name, parsed: parseName(name) }))
  const valid = new Set(listing.valid.map(snapshotName))
  const isGarbage = ({ name, parsed }: (typeof names)[number]): boolean =>
    parsed.kind === 'temporary' ||
    ((parsed.kind === 'data' || parsed.kind === 'manifest') &&
      !valid.has(snapshotName(parsed.id)) &&
      !needed.has(name))
  return {
    directory,
    snapshots,
    garbage: names.filter(isGarbage).map(({ name }) => name),
    foreign: names
      .filter(({ name, parsed }) => parsed.kind === 'foreign' && !directories.has(name))
      .map(({ name }) => name),
    intact: snapshots.every(({ status }) => status !== 'damaged'),
  }
}

/** Sub-directories of a state directory or of a bundle that are no foreign files. */
const directories: ReadonlySet<string> = new Set(['owner'])

async function checkOne(
  { storage, superseded }: SnapshotListing,
  id: SnapshotId,
): Promise<{ readonly result: SnapshotCheck; readonly objects: readonly string[] }> {
  const snapshot = snapshotName(id)
  const problems: SnapshotCheck['problems'][number][] = []
  const objects: string[] = []
  let sizeBytes = 0
  const attempt = async (check: () => Promise<void>): Promise<void> => {
    try {
      await check()
    } catch (error) {
      problems.push(problemOf(error))
    }
  }
  await attempt(async () => {
    const manifest = await readManifest(storage, id)
    for (const problem of [
      ...checkLedger(manifest.ledger.total),
      ...checkLedger(manifest.ledger.epoch),
    ]) {
      const message = formatLedgerProblem(problem)
      problems.push({
        code: checkpointErrors.ledgerImbalance.code,
        message,
        file: undefined,
        offset: undefined,
      })
    }
    for (const { ref, identity } of objectsOf(manifest)) {
      objects.push(ref.name)
      sizeBytes += ref.sizeBytes
      await attempt(async () => {
        const reader = await openDataObject(storage, ref, identity)
        try {
          await reader.verify()
        } finally {
          await reader.close()
        }
      })
    }
  })
  const old = superseded.some((other) => compareSnapshotIds(other, id) === 0)
  const status = old ? 'superseded' : problems.length > 0 ? 'damaged' : 'intact'
  return { result: { snapshot, status, sizeBytes, problems }, objects }
}

function problemOf(error: unknown): SnapshotCheck['problems'][number] {
  if (isTidemillError(error)) {
    const { file, offset } = error.details
    return {
      code: error.code,
      message: error.message,
      file: typeof file === 'string' ? file : undefined,
      offset: typeof offset === 'number' ? offset : undefined,
    }
  }
  if (!(error instanceof DiskError)) throw error
  return {
    code: checkpointErrors.storageFailed.code,
    message: error.message,
    file: error.path,
    offset: undefined,
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
