/**
 * The one owner of a state directory, as files that survive it.
 *
 *   owner/g8.claim   made exclusively: from now on generation 8 is taken
 *   owner/g8.seal    says which snapshot generation 8 started from, its base
 *
 * Why both: the lock that dies with a process reaches as far as one machine (or container). A paused owner elsewhere
 * may wake up and publish once more. So a new owner (1) claims, (2) then lists the manifests and adopts the newest,
 * (3) seals its base; an owner looks for newer claims after publishing a manifest and before committing its sinks.
 * Then every epoch is either adopted by the new owner or not committed by the old one, and what an old owner publishes
 * past the base is not valid, whoever looks at it later.
 */
import { assert } from '../base/assert.ts'
import { crc32 } from '../base/crc32.ts'
import { readWhole, removeIfPresent } from '../base/disk-io.ts'
import { type Disk, DiskError, type Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { decodeText, encodeText } from './bytes.ts'
import { makeDirectoryDurable, openDirectoryStorage } from './directory-storage.ts'
import { checkpointErrors } from './errors.ts'
import { canonicalJson, Field, FieldError } from './json-fields.ts'
import { compareSnapshotIds, type SnapshotId } from './names.ts'

/** What generation `generation` started from. */
export interface Seal {
  readonly generation: number
  readonly job: string
  /** `undefined`: there was no snapshot. */
  readonly base: SnapshotId | undefined
}

export interface OwnerRecords {
  /** Generations that were claimed, ascending. */
  readonly claims: readonly number[]
  /** Ascending by generation. */
  readonly seals: readonly Seal[]
}

const sealFormatVersion = 1
const ownerPattern = /^g([1-9]\d{0,14})\.(claim|seal)$/
/** Two starts at once retry; more rounds than this mean that something else makes claims. */
const claimRoundsMax = 1_000

export function ownerDirectory(directory: string): string {
  return `${directory}/owner`
}

/** The claims, cheap enough to be looked at twice per epoch. */
export async function listClaims(disk: Disk, directory: string): Promise<readonly number[]> {
  return generationsOf(await disk.list(ownerDirectory(directory)), 'claim')
}

export async function readOwnerRecords(disk: Disk, directory: string): Promise<OwnerRecords> {
  const names = await disk.list(ownerDirectory(directory))
  const seals: Seal[] = []
  for (const generation of generationsOf(names, 'seal')) {
    const path = `${ownerDirectory(directory)}/g${generation}.seal`
    const bytes = await readWhole(disk, path)
    // Another owner may have pruned it since it was listed.
    if (bytes !== undefined) seals.push(decodeSeal(bytes, generation, path))
  }
  return { claims: generationsOf(names, 'claim'), seals }
}

/** True unless a later owner started from an older snapshot. */
export function isValidSnapshot(id: SnapshotId, seals: readonly Seal[]): boolean {
  return seals.every(
    (seal) =>
      seal.generation <= id.generation ||
      (seal.base !== undefined && compareSnapshotIds(id, seal.base) <= 0),
  )
}

/** Takes the next generation for `owner`. Durable when it resolves. */
export async function claimGeneration(
  env: Env,
  directory: string,
  owner: string,
  atLeast: number,
): Promise<number> {
  const { disk } = env
  const folder = ownerDirectory(directory)
  await makeDirectoryDurable(disk, folder)
  for (let round = 0; round < claimRoundsMax; round++) {
    const names = await disk.list(folder)
    const known = [...generationsOf(names, 'claim'), ...generationsOf(names, 'seal')]
    const generation = Math.max(atLeast - 1, 0, ...known) + 1
    if (!(await createClaim(disk, `${folder}/g${generation}.claim`, owner))) continue
    await disk.syncDir(folder)
    // A slow competitor may have chosen a number that was taken and pruned meanwhile.
    const newest = Math.max(...(await listClaims(disk, directory)))
    if (newest === generation) return generation
  }
  throw new TidemillError(checkpointErrors.locked, {
    message: `${directory}: other processes keep claiming it`,
    details: { directory },
  })
}

/** `false` when somebody else has it. Only the name matters; the text is for people. */
async function createClaim(disk: Disk, path: string, owner: string): Promise<boolean> {
  try {
    const file = await disk.open(path, 'create')
    try {
      await file.pwrite(encodeText(`${owner}\n`), 0)
      await file.fdatasync()
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if (error instanceof DiskError && error.errno === 'EEXIST') return false
    throw error
  }
}

/** Records the base of a generation, once. Durable when it resolves. */
export async function writeSeal(env: Env, directory: string, seal: Seal): Promise<void> {
  const storage = openDirectoryStorage(env, ownerDirectory(directory))
  const published = await storage.publish(`g${seal.generation}.seal`, encodeSeal(seal))
  assert(published, 'the generation was claimed, so nobody else seals it')
}

/** Removes the records that no longer say anything about a snapshot of generation `oldest` or later. */
export async function pruneOwnerRecords(
  env: Env,
  directory: string,
  own: number,
  oldest: number,
): Promise<void> {
  const { disk } = env
  const folder = ownerDirectory(directory)
  let removed = 0
  for (const name of await disk.list(folder)) {
    const match = ownerPattern.exec(name)
    const generation = match ? Number(match[1]) : Number.NaN
    const outdated = match ? generation < own - 1 && generation < oldest : isLeftover(name, own)
    if (!outdated) continue
    await removeIfPresent(disk, `${folder}/${name}`)
    removed++
  }
  if (removed > 0) await disk.syncDir(folder)
}

function isLeftover(name: string, own: number): boolean {
  const match = /^g([1-9]\d{0,14})\.seal\.([0-9a-f]{1,8}\.tmp|publishing)$/.exec(name)
  return match !== null && Number(match[1]) < own
}

function generationsOf(names: readonly string[], suffix: 'claim' | 'seal'): readonly number[] {
  const generations: number[] = []
  for (const name of names) {
    const match = ownerPattern.exec(name)
    if (match?.[2] === suffix) generations.push(Number(match[1]))
  }
  return generations.sort((a, b) => a - b)
}

function encodeSeal(seal: Seal): Uint8Array {
  const base = seal.base ?? null
  const content = canonicalJson({
    format: sealFormatVersion,
    generation: seal.generation,
    job: seal.job,
    base,
  })
  return encodeText(`${content}\n${crc32(encodeText(content)).toString(16).padStart(8, '0')}\n`)
}

function decodeSeal(bytes: Uint8Array, generation: number, file: string): Seal {
  try {
    const [content, crc, end, ...rest] = decodeText(bytes).split('\n')
    const intact = content !== undefined && end === '' && rest.length === 0
    if (!intact || crc !== crc32(encodeText(content)).toString(16).padStart(8, '0')) {
      throw new FieldError('the checksum differs')
    }
    const field = new Field(JSON.parse(content), '')
    const version = field.get('format').count(1)
    if (version > sealFormatVersion) {
      throw new TidemillError(checkpointErrors.formatUnknown, {
        message: `${file} has format ${version}, this version reads up to ${sealFormatVersion}`,
        details: { file, found: version, supported: sealFormatVersion },
      })
    }
    if (field.get('generation').count(1) !== generation)
      throw new FieldError('it is of another generation')
    const base = field.get('base')
    return {
      generation,
      job: field.get('job').text(),
      base:
        base.value === null
          ? undefined
          : { generation: base.get('generation').count(1), epoch: base.get('epoch').count(1) },
    }
  } catch (error) {
    if (
      !(error instanceof FieldError || error instanceof SyntaxError || error instanceof TypeError)
    )
      throw error
    throw new TidemillError(checkpointErrors.sealCorrupt, {
      message: `${file}: ${error.message}`,
      details: { file, offset: 0 },
      cause: error,
    })
  }
}
