/**
 * Shows prepared files, and cleans up after a crash.
 *
 * 1. `link` gives the file its final name; it fails when the name is taken, so nothing is ever replaced (D05).
 * 2. The directory is synced: the results are there for good.
 * 3. The unfinished name is removed. A crash before that leaves two names for one file, which step 1 recognises.
 */
import { crc32 } from '../../base/crc32.ts'
import { removeIfPresent } from '../../base/disk-io.ts'
import { DiskError, type Env } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import { connectorErrors } from '../errors.ts'
import { pendingSubtask } from './names.ts'
import type { PreparedFile } from './prepared.ts'

export async function publish(
  env: Env,
  directory: string,
  files: readonly PreparedFile[],
): Promise<void> {
  if (files.length === 0) return
  const { disk, host } = env
  host.crashPoint('sink.commit.sent')
  for (const file of files) {
    try {
      await disk.link(`${directory}/${file.pending}`, `${directory}/${file.final}`)
    } catch (error) {
      if (!(error instanceof DiskError) || (error.errno !== 'EEXIST' && error.errno !== 'ENOENT'))
        throw error
      await requireShown(env, directory, file)
    }
  }
  await disk.syncDir(directory)
  host.crashPoint('sink.commit.local')
  for (const file of files) await removeIfPresent(disk, `${directory}/${file.pending}`)
}

/** TM1732 unless each file is there, whole, under one of its names. */
export async function verifyPrepared(
  env: Env,
  directory: string,
  files: readonly PreparedFile[],
): Promise<void> {
  for (const file of files) {
    const found =
      (await digest(env, `${directory}/${file.pending}`)) ??
      (await digest(env, `${directory}/${file.final}`))
    if (found === undefined) throw lost(directory, file, 'is missing')
    if (!same(found, file)) throw lost(directory, file, 'has other content than was written')
  }
}

/**
 * Removes unfinished files that no checkpoint wants: those of this subtask, and those of subtasks that no longer exist
 * and fall to this one.
 */
export async function removeUnfinished(
  env: Env,
  directory: string,
  subtask: number,
  subtasks: number,
  wanted: ReadonlySet<string>,
): Promise<void> {
  for (const name of await env.disk.list(directory)) {
    const writer = pendingSubtask(name)
    if (writer === undefined || writer % subtasks !== subtask || wanted.has(name)) continue
    env.host.crashPoint('sink.abort')
    await removeIfPresent(env.disk, `${directory}/${name}`)
  }
}

/** TM1731 when the final name holds something else, TM1732 when there is neither name. */
async function requireShown(env: Env, directory: string, file: PreparedFile): Promise<void> {
  const found = await digest(env, `${directory}/${file.final}`)
  if (found === undefined) throw lost(directory, file, 'is missing')
  if (same(found, file)) return
  const path = `${directory}/${file.final}`
  throw new TidemillError(connectorErrors.outputClash, { message: path, details: { file: path } })
}

interface Digest {
  readonly sizeBytes: number
  readonly crc: number
}

function same(found: Digest, file: PreparedFile): boolean {
  return found.sizeBytes === file.sizeBytes && found.crc === file.crc
}

function lost(directory: string, file: PreparedFile, what: string): TidemillError {
  const path = `${directory}/${file.final}`
  return new TidemillError(connectorErrors.outputLost, {
    message: `${path} ${what}`,
    details: { file: path, pending: file.pending, sizeBytes: file.sizeBytes },
  })
}

async function digest({ disk }: Env, path: string): Promise<Digest | undefined> {
  if ((await disk.stat(path)) === undefined) return undefined
  const file = await disk.open(path, 'read')
  try {
    const chunk = new Uint8Array(1 << 18)
    let sizeBytes = 0
    let crc = 0
    for (;;) {
      const count = await file.pread(chunk, sizeBytes)
      if (count === 0) return { sizeBytes, crc }
      crc = crc32(chunk.subarray(0, count), crc)
      sizeBytes += count
    }
  } finally {
    await file.close()
  }
}
