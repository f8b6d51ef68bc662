/**
 * A state directory and its owner. Opening it goes
 *
 *   lock → claim a generation → list and adopt the newest valid manifest → verify it → seal → remove garbage
 *
 * and may be interrupted anywhere: everything before the seal changes nothing that a later start looks at, and what
 * is removed afterwards is what no valid snapshot refers to. A published manifest that does not verify is corruption
 * and stops the start; it is never skipped.
 *
 *   <directory>/owner/         claims and seals, see `ownership.ts`
 *   <directory>/checkpoints/   manifests and data objects
 */
import { assert } from '../base/assert.ts'
import { DiskError, type DiskLock, type Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { assertPresent, openDataObject } from './data-reader.ts'
import type { ObjectIdentity } from './data-format.ts'
import type { ObjectRef } from './data-writer.ts'
import {
  directoryStorage,
  makeDirectoryDurable,
  openDirectoryStorage,
  type StorageEnv,
} from './directory-storage.ts'
import { checkpointErrors } from './errors.ts'
import { decodeManifest, encodeManifest, type Manifest } from './manifest.ts'
import {
  compareSnapshotIds,
  manifestName,
  parseName,
  type SnapshotId,
  snapshotName,
} from './names.ts'
import {
  claimGeneration,
  isValidSnapshot,
  listClaims,
  pruneOwnerRecords,
  readOwnerRecords,
  writeSeal,
} from './ownership.ts'
import { type CheckpointStorage, PublishOutcomeUnknown, type PublishStep } from './storage.ts'

export interface StateDirectoryOptions {
  readonly env: Env
  readonly directory: string
  readonly job: string
  /** Start from this older snapshot: newer ones become invalid. A decision for people, not for programs. */
  readonly restore?: SnapshotId
}

export interface StateDirectory {
  readonly directory: string
  readonly job: string
  readonly generation: number
  readonly storage: CheckpointStorage
  /** What to restore; `undefined` when no epoch was ever committed here. */
  readonly adopted: Manifest | undefined
  /** Larger than every epoch that any file here names. */
  readonly nextEpoch: number
  /** Valid snapshots, ascending. */
  readonly retained: readonly SnapshotId[]
  /**
   * Publishes a manifest: afterwards its epoch is committed. Rejects with TM1509, and then nothing may be committed
   * to a sink, when a newer owner is there; with `PublishOutcomeUnknown` when only a recovery can tell.
   */
  publish(manifest: Manifest): Promise<void>
  /** Reads a snapshot back: manifest, sizes, structure and, up to `bytesMax` per object, all content. */
  verify(id: SnapshotId, bytesMax: number): Promise<Manifest>
  /** Removes all but the newest `keep` snapshots, manifests first; resolves to those removed. */
  retire(keep: number): Promise<readonly SnapshotId[]>
  /** Removes the objects of an attempt that failed; storage errors are left to the next start. */
  discard(epoch: number): Promise<void>
  /** Lets the next owner in. */
  release(): Promise<void>
}

export function checkpointDirectory(directory: string): string {
  return `${directory}/checkpoints`
}

/** Opens and owns a state directory: TM1500 when it is in use, TM1501 to TM1505 when it cannot be used. */
export async function openStateDirectory(options: StateDirectoryOptions): Promise<StateDirectory> {
  const { env, directory, job } = options
  try {
    await makeDirectoryDurable(env.disk, directory)
    const owner = describeOwner(env, job)
    const lock = await takeLock(env, directory, owner)
    try {
      return await takeOver(options, lock, owner)
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (error) {
    throw wrapStorageError(error, `opening ${directory}`)
  }
}

async function takeOver(
  options: StateDirectoryOptions,
  lock: DiskLock,
  owner: string,
): Promise<StateDirectory> {
  const { env, directory, job } = options
  env.host.crashPoint('own.lock')
  const storage = await directoryStorage(env, checkpointDirectory(directory))
  const files = await listSnapshots(storage)
  const generation = await claimGeneration(env, directory, owner, files.generationMax + 1)
  env.host.crashPoint('own.claim')
  const opened = await adopt(options, storage, generation)
  env.host.crashPoint('recover.verify')
  await writeSeal(env, directory, { generation, job, base: opened.adopted && idOf(opened.adopted) })
  env.host.crashPoint('own.seal')
  const state = new OpenDirectory(env, directory, job, generation, storage, lock, opened)
  await state.removeGarbage()
  await reportDamage(env, storage, opened.retained.slice(0, -1))
  return state
}

/** Older snapshots are not needed now, but nobody should learn of their damage on the day they are. */
async function reportDamage(
  env: Env,
  storage: CheckpointStorage,
  older: readonly SnapshotId[],
): Promise<void> {
  for (const id of older) {
    try {
      await verifyObjects(storage, await readManifest(storage, id), 0)
    } catch (error) {
      if (!isTidemillError(error)) throw error
      env.host.log('error', `an older checkpoint is damaged: ${error.message}`, {
        code: error.code,
        snapshot: snapshotName(id),
      })
    }
  }
}

/** Errors of the disk get a code before they leave this folder; all others pass. */
export function wrapStorageError(error: unknown, what: string): unknown {
  if (!(error instanceof DiskError || error instanceof PublishOutcomeUnknown)) return error
  return new TidemillError(checkpointErrors.storageFailed, {
    message: `${what}: ${error.message}`,
    cause: error,
  })
}

/** A snapshot directory seen without lock and without changes. */
export interface SnapshotListing {
  readonly storage: CheckpointStorage
  /** Valid snapshots, ascending. */
  readonly valid: readonly SnapshotId[]
  /** Published by an owner after it was replaced; the next start removes them. */
  readonly superseded: readonly SnapshotId[]
  /** The job that seals and claims speak of, when there are any. */
  readonly job: string | undefined
}

/** For tools: lists without lock. `directory` is a state directory or a folder that holds manifests itself. */
export async function listStateDirectory(
  env: StorageEnv,
  directory: string,
): Promise<SnapshotListing> {
  const nested = (await env.disk.stat(checkpointDirectory(directory))) !== undefined
  const storage = openDirectoryStorage(env, nested ? checkpointDirectory(directory) : directory)
  const { seals } = await readOwnerRecords(env.disk, directory)
  const { manifests } = await listSnapshots(storage)
  return {
    storage,
    valid: manifests.filter((id) => isValidSnapshot(id, seals)),
    superseded: manifests.filter((id) => !isValidSnapshot(id, seals)),
    job: seals.at(-1)?.job,
  }
}

/** Reads and decodes one manifest; TM1516 when it is not there. */
export async function readManifest(storage: CheckpointStorage, id: SnapshotId): Promise<Manifest> {
  const name = manifestName(id)
  const file = `${storage.location}/${name}`
  const object = await storage.get(name)
  if (object === undefined)
    throw new TidemillError(checkpointErrors.noSnapshot, { message: file, details: { file } })
  try {
    const bytes = new Uint8Array(object.sizeBytes)
    const count = await object.read(bytes, 0)
    return decodeManifest(bytes.subarray(0, count), id, file)
  } finally {
    await object.close()
  }
}

/** The identity that the data object of one subtask was written with. */
export function objectIdentity(manifest: Manifest, subtask: number): ObjectIdentity {
  return { job: manifest.job, generation: manifest.generation, epoch: manifest.epoch, subtask }
}

/** A data object that a snapshot needs. */
export interface SnapshotObject {
  readonly subtask: number
  readonly ref: ObjectRef
  readonly identity: ObjectIdentity
  /** The operators whose blocks count, in an object of an earlier epoch; undefined in that of the epoch itself. */
  readonly operators: readonly string[] | undefined
}

/** Everything that a manifest names, in the order of restoring: subtask by subtask, and of each the oldest first. */
export function objectsOf(manifest: Manifest): readonly SnapshotObject[] {
  return manifest.subtasks.flatMap(({ object, bases = [], subtask }) => {
    const earlier = bases.map((base) => {
      const name = parseName(base.name)
      assert(name.kind === 'data', 'the manifest was checked')
      return {
        subtask,
        ref: base,
        identity: { job: manifest.job, ...name.id, subtask: name.subtask },
        operators: base.operators,
      }
    })
    const identity = objectIdentity(manifest, subtask)
    return object === undefined
      ? earlier
      : [...earlier, { subtask, ref: object, identity, operators: undefined }]
  })
}

/**
 * Verifies what a manifest names: every object exists, has its size, header, index and trailer; objects of at most
 * `bytesMax` bytes are read completely. `ownOnly`: those of earlier epochs, which were verified in theirs, only exist.
 */
export async function verifyObjects(
  storage: CheckpointStorage,
  manifest: Manifest,
  bytesMax: number,
  ownOnly: boolean = false,
): Promise<void> {
  for (const { ref: object, identity, operators } of objectsOf(manifest)) {
    if (ownOnly && operators !== undefined) {
      await assertPresent(storage, object)
      continue
    }
    const reader = await openDataObject(storage, object, identity)
    try {
      if (object.sizeBytes <= bytesMax) await reader.verify()
    } finally {
      await reader.close()
    }
  }
}

interface Opened {
  readonly adopted: Manifest | undefined
  readonly retained: readonly SnapshotId[]
  readonly objects: ObjectNames
  readonly nextEpoch: number
}

async function adopt(
  options: StateDirectoryOptions,
  storage: CheckpointStorage,
  generation: number,
): Promise<Opened> {
  const { env, directory, job, restore } = options
  const { seals } = await readOwnerRecords(env.disk, directory)
  const stranger = seals.find((seal) => seal.job !== job)
  if (stranger !== undefined) throw otherJob(directory, stranger.job, job)
  // Listed after the claim: an older owner that publishes from here on sees the claim and does not commit.
  const files = await listSnapshots(storage)
  const valid = files.manifests.filter(
    (id) => isValidSnapshot(id, seals) && id.generation < generation,
  )
  if (restore !== undefined && !valid.some((id) => compareSnapshotIds(id, restore) === 0)) {
    throw new TidemillError(checkpointErrors.noSnapshot, {
      message: `${snapshotName(restore)} in ${directory}; there are ${valid.map(snapshotName).join(', ') || 'none'}`,
    })
  }
  const retained =
    restore === undefined ? valid : valid.filter((id) => compareSnapshotIds(id, restore) <= 0)
  const newest = retained.at(-1)
  env.host.crashPoint('recover.manifest')
  const nextEpoch = files.epochMax + 1
  if (newest === undefined)
    return { adopted: undefined, retained: [], objects: new Map(), nextEpoch }
  // Its publisher may have died between the name and the sync of the directory. Sinks are about to show its output, so
  // from here on it must outlive a power cut.
  await env.disk.syncDir(checkpointDirectory(directory))
  try {
    const adopted = await readManifest(storage, newest)
    if (adopted.job !== job) throw otherJob(directory, adopted.job, job)
    await verifyObjects(storage, adopted, 0)
    const objects: Map<string, ReadonlySet<string> | undefined> = new Map()
    objects.set(snapshotName(newest), namesOf(adopted))
    for (const id of retained.slice(0, -1))
      objects.set(snapshotName(id), await readNames(storage, id))
    return { adopted, retained, objects, nextEpoch }
  } catch (error) {
    throw await withAlternatives(storage, retained.slice(0, -1), error)
  }
}

/** By retained snapshot: the objects that it needs, or undefined when its manifest is damaged. */
type ObjectNames = ReadonlyMap<string, ReadonlySet<string> | undefined>

function namesOf(manifest: Manifest): ReadonlySet<string> {
  return new Set(objectsOf(manifest).map(({ ref }) => ref.name))
}

async function readNames(
  storage: CheckpointStorage,
  id: SnapshotId,
): Promise<ReadonlySet<string> | undefined> {
  try {
    return namesOf(await readManifest(storage, id))
  } catch (error) {
    if (!isTidemillError(error)) throw error
    return undefined
  }
}

/** Adds to a corruption error which older snapshot is intact. */
export async function withAlternatives(
  storage: CheckpointStorage,
  older: readonly SnapshotId[],
  error: unknown,
): Promise<unknown> {
  if (!isTidemillError(error) || error.kind !== 'fatal') return error
  for (const id of [...older].reverse()) {
    try {
      await verifyObjects(storage, await readManifest(storage, id), Number.POSITIVE_INFINITY)
    } catch (other) {
      if (!isTidemillError(other)) throw other
      continue
    }
    return error.with({ intact: snapshotName(id) })
  }
  return error.with({ intact: 'no older snapshot' })
}

class OpenDirectory implements StateDirectory {
  readonly directory: string
  readonly job: string
  readonly generation: number
  readonly storage: CheckpointStorage
  readonly adopted: Manifest | undefined
  readonly nextEpoch: number
  readonly #env: Env
  readonly #lock: DiskLock
  #retained: readonly SnapshotId[]
  #objects: ObjectNames
  #released = false

  constructor(
    env: Env,
    directory: string,
    job: string,
    generation: number,
    storage: CheckpointStorage,
    lock: DiskLock,
    opened: Opened,
  ) {
    this.#env = env
    this.directory = directory
    this.job = job
    this.generation = generation
    this.storage = storage
    this.#lock = lock
    this.adopted = opened.adopted
    this.nextEpoch = opened.nextEpoch
    this.#retained = opened.retained
    this.#objects = opened.objects
  }

  get retained(): readonly SnapshotId[] {
    return this.#retained
  }

  async publish(manifest: Manifest): Promise<void> {
    const { host } = this.#env
    const id = idOf(manifest)
    await this.#assertOwner()
    const onStep = (step: PublishStep): void => {
      if (step === 'written') host.crashPoint('coord.manifest.temp')
      else if (step === 'synced') host.crashPoint('coord.manifest.sync')
      else if (step === 'published') host.crashPoint('coord.manifest.publish')
      else host.crashPoint('coord.manifest.dirsync')
    }
    const published = await this.storage.publish(manifestName(id), encodeManifest(manifest), {
      onStep,
    })
    if (!published) {
      const file = `${this.storage.location}/${manifestName(id)}`
      throw new TidemillError(checkpointErrors.nameTaken, { message: file, details: { file } })
    }
    try {
      await this.#assertOwner()
    } catch (error) {
      throw error instanceof DiskError ? new PublishOutcomeUnknown(manifestName(id), error) : error
    }
    this.#retained = [...this.#retained, id]
    this.#objects = new Map([...this.#objects, [snapshotName(id), namesOf(manifest)]])
  }

  async verify(id: SnapshotId, bytesMax: number): Promise<Manifest> {
    const manifest = await readManifest(this.storage, id)
    await verifyObjects(this.storage, manifest, bytesMax, true)
    return manifest
  }

  async retire(keep: number): Promise<readonly SnapshotId[]> {
    assert(keep >= 1, 'the newest snapshot is never retired')
    const old = this.#retained.slice(0, Math.max(0, this.#retained.length - keep))
    if (old.length === 0) return []
    await this.#assertOwner()
    // Manifests first, durably: at no moment, a power cut included, does a manifest name an object that is gone.
    await this.storage.delete(old.map(manifestName))
    this.#retained = this.#retained.slice(old.length)
    // Also what stragglers of failed attempts left since; an attempt that still runs is newer than every manifest.
    const newest = this.#retained.at(-1)!
    await this.storage.delete(await this.#unreferenced((id) => compareSnapshotIds(id, newest) < 0))
    return old
  }

  async discard(epoch: number): Promise<void> {
    const mine = (id: SnapshotId): boolean =>
      id.generation === this.generation && id.epoch === epoch
    try {
      await this.storage.delete(await this.#unreferenced(mine))
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
    }
  }

  async removeGarbage(): Promise<void> {
    const names = await this.storage.list()
    const kept = new Set(this.#retained.map(manifestName))
    const manifests = names.filter((name) => parseName(name).kind === 'manifest' && !kept.has(name))
    await this.storage.delete(manifests)
    const leftovers = names.filter((name) => parseName(name).kind === 'temporary')
    await this.storage.delete([...leftovers, ...(await this.#unreferenced(() => true))])
    const oldest = this.#retained[0]?.generation ?? this.generation
    await pruneOwnerRecords(this.#env, this.directory, this.generation, oldest)
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    this.#env.host.crashPoint('own.release')
    try {
      await this.#lock.release()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // What the owner did is safe, and the lock ends with the process at the latest.
      this.#env.host.log(
        'warn',
        `the lock of ${this.directory} could not be released: ${error.message}`,
      )
    }
  }

  /** Data objects of the snapshots `of` that no retained one needs: its own by the pair in their names, and its bases. */
  async #unreferenced(of: (id: SnapshotId) => boolean): Promise<readonly string[]> {
    const kept = new Set(this.#retained.map(snapshotName))
    const needed = new Set([...kept].flatMap((name) => [...(this.#objects.get(name) ?? [])]))
    // What a damaged manifest needs is not known, but all of it is older.
    const unreadable = this.#retained.findLast((id) => !this.#objects.get(snapshotName(id)))
    return (await this.storage.list()).filter((name) => {
      const parsed = parseName(name)
      if (parsed.kind !== 'data' || !of(parsed.id)) return false
      if (kept.has(snapshotName(parsed.id)) || needed.has(name)) return false
      return unreadable === undefined || compareSnapshotIds(parsed.id, unreadable) > 0
    })
  }

  async #assertOwner(): Promise<void> {
    const claims = await listClaims(this.#env.disk, this.directory)
    const newest = claims.at(-1) ?? 0
    if (newest === this.generation) return
    throw new TidemillError(checkpointErrors.ownershipLost, {
      message: `this process is generation ${this.generation}, ${this.directory} is claimed by generation ${newest}`,
      details: { generation: this.generation, newest, directory: this.directory },
    })
  }
}

interface SnapshotFiles {
  readonly manifests: readonly SnapshotId[]
  readonly generationMax: number
  readonly epochMax: number
}

async function listSnapshots(storage: CheckpointStorage): Promise<SnapshotFiles> {
  const manifests: SnapshotId[] = []
  let generationMax = 0
  let epochMax = 0
  for (const name of await storage.list()) {
    const parsed = parseName(name)
    if (parsed.kind !== 'manifest' && parsed.kind !== 'data') continue
    generationMax = Math.max(generationMax, parsed.id.generation)
    epochMax = Math.max(epochMax, parsed.id.epoch)
    if (parsed.kind === 'manifest') manifests.push(parsed.id)
  }
  return { manifests: manifests.sort(compareSnapshotIds), generationMax, epochMax }
}

async function takeLock(env: Env, directory: string, owner: string): Promise<DiskLock> {
  try {
    return await env.disk.lock(directory, owner)
  } catch (error) {
    if (!(error instanceof DiskError && error.errno === 'EBUSY')) throw error
    throw new TidemillError(checkpointErrors.locked, {
      message: `${directory}: ${error.message}`,
      details: { directory },
      cause: error,
    })
  }
}

function describeOwner(env: Env, job: string): string {
  const { host, clock } = env
  const since = new Date(clock.wallMs()).toISOString()
  return `job ${JSON.stringify(job)}, process ${host.pid} on ${host.hostName}, started ${since}`
}

function otherJob(directory: string, found: string, job: string): TidemillError {
  return new TidemillError(checkpointErrors.jobMismatch, {
    message: `${directory} holds the state of job ${JSON.stringify(found)}, not of ${JSON.stringify(job)}`,
    details: { directory, found, job },
  })
}

function idOf(manifest: Manifest): SnapshotId {
  return { generation: manifest.generation, epoch: manifest.epoch }
}
