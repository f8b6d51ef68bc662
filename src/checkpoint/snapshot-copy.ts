/**
 * Copies of snapshots: a savepoint is a checkpoint copied to a place that no retention touches, and a start from a
 * savepoint is the copy in the other direction. Objects first, manifest last, so a copy is absent or whole.
 */
import { TidemillError } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import { crc32 } from '../base/crc32.ts'
import type { ObjectRef } from './data-writer.ts'
import { openDataObject } from './data-reader.ts'
import { directoryStorage } from './directory-storage.ts'
import { checkpointErrors } from './errors.ts'
import { encodeManifest, type Manifest } from './manifest.ts'
import {
  compareSnapshotIds,
  manifestName,
  parseName,
  type SnapshotId,
  snapshotName,
} from './names.ts'
import {
  checkpointDirectory,
  listStateDirectory,
  objectsOf,
  readManifest,
} from './state-directory.ts'
import type { CheckpointStorage } from './storage.ts'

const pieceBytes = 1 << 20

/** Copies one snapshot, verifying every byte. Running it again after a crash completes it. */
export async function copySnapshot(
  from: CheckpointStorage,
  manifest: Manifest,
  to: CheckpointStorage,
): Promise<void> {
  const present = new Set(await to.list())
  // Whoever copies to this place again is the only one who does.
  await to.delete([...present].filter((name) => parseName(name).kind === 'temporary'))
  for (const { ref: object, identity } of objectsOf(manifest)) {
    if (!present.has(object.name)) await copyObject(from, object, to)
    const reader = await openDataObject(to, object, identity)
    try {
      await reader.verify()
    } finally {
      await reader.close()
    }
  }
  if (present.has(manifestName(manifest))) {
    // Equal names with other content would be two histories under one number.
    const other = encodeManifest(await readManifest(to, manifest))
    const own = encodeManifest(manifest)
    if (other.length === own.length && crc32(other) === crc32(own)) return
    throw taken(to, manifest)
  }
  if (!(await to.publish(manifestName(manifest), encodeManifest(manifest))))
    throw taken(to, manifest)
}

export interface ImportOptions {
  readonly env: Env
  /** A savepoint's folder, or another state directory. */
  readonly from: string
  /** The state directory to start in. */
  readonly directory: string
  /** Default: the newest. */
  readonly id?: SnapshotId
}

/**
 * Puts a snapshot into a state directory that has none, for `openStateDirectory` to adopt; to be called before it.
 * Resolves to `false`, changing nothing, when the directory already holds snapshots: a restart goes on from those.
 */
export async function importSnapshot(options: ImportOptions): Promise<boolean> {
  const { env, from, directory, id } = options
  const existing = await listStateDirectory(env, directory)
  if (existing.valid.length > 0) return false
  const source = await listStateDirectory(env, from)
  const chosen = id
    ? source.valid.find((other) => compareSnapshotIds(other, id) === 0)
    : source.valid.at(-1)
  if (chosen === undefined) {
    throw new TidemillError(checkpointErrors.noSnapshot, {
      message: id ? `${snapshotName(id)} in ${from}` : from,
      details: { directory: from },
    })
  }
  const manifest = await readManifest(source.storage, chosen)
  await copySnapshot(
    source.storage,
    manifest,
    await directoryStorage(env, checkpointDirectory(directory)),
  )
  return true
}

async function copyObject(
  from: CheckpointStorage,
  object: ObjectRef,
  to: CheckpointStorage,
): Promise<void> {
  const source = await from.get(object.name)
  if (source === undefined) {
    const file = `${from.location}/${object.name}`
    throw new TidemillError(checkpointErrors.objectMissing, { message: file, details: { file } })
  }
  try {
    const writer = await to.put(object.name)
    try {
      const buffer = new Uint8Array(pieceBytes)
      for (let at = 0; at < source.sizeBytes; ) {
        const count = await source.read(buffer, at)
        if (count === 0) break
        await writer.write(buffer.subarray(0, count))
        at += count
      }
      await writer.finish()
    } catch (error) {
      await writer.abort()
      throw error
    }
  } finally {
    await source.close()
  }
}

function taken(to: CheckpointStorage, id: SnapshotId): TidemillError {
  const file = `${to.location}/${manifestName(id)}`
  return new TidemillError(checkpointErrors.nameTaken, { message: file, details: { file } })
}
