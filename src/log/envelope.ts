/**
 * Small files that are written once: topic description, schema, retention record, clean mark, generation claim.
 *
 * magic 'TMLE', checksum over the rest (seeded with the partition's identity), version, kind, length, JSON in UTF-8.
 * The kind is under the checksum, so one kind of file renamed to another never passes. New files are written under a
 * temporary name, synced and then linked to their final name, which fails when that name exists.
 */
import { crc32 } from '../base/crc32.ts'
import { type Disk, DiskError } from '../base/env.ts'
import { readWhole, removeIfPresent, writeNew } from '../base/disk-io.ts'
import { TidemillError } from '../base/errors.ts'
import { corrupt, logErrors } from './errors.ts'
import { viewOf } from './format.ts'

export const envelopeKind = { topic: 1, retention: 2, clean: 3, generation: 4, schema: 5 } as const
export type EnvelopeKind = (typeof envelopeKind)[keyof typeof envelopeKind]

const magic = 0x454c4d54 // 'TMLE'
const version = 1
const headerBytes = 16
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function encodeEnvelope(kind: EnvelopeKind, content: unknown, seed: number): Uint8Array {
  const json = encoder.encode(JSON.stringify(content))
  const bytes = new Uint8Array(headerBytes + json.length)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  view.setUint16(8, version, true)
  view.setUint16(10, kind, true)
  view.setUint32(12, json.length, true)
  bytes.set(json, headerBytes)
  view.setUint32(4, crc32(bytes.subarray(8), seed), true)
  return bytes
}

/** The content, or TM1206 that names the file and the offset of the first thing that is wrong. */
export function decodeEnvelope(
  bytes: Uint8Array,
  kind: EnvelopeKind,
  seed: number,
  file: string,
): unknown {
  if (bytes.length < headerBytes) throw corrupt(file, bytes.length, 'the file is cut short')
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== magic)
    throw corrupt(file, 0, 'the file does not begin with its magic number')
  if (view.getUint32(4, true) !== crc32(bytes.subarray(8), seed)) {
    refuseNewer(view.getUint16(8, true), version, file)
    throw corrupt(file, 4, 'the checksum of the file does not match')
  }
  refuseNewer(view.getUint16(8, true), version, file)
  if (view.getUint16(10, true) !== kind) throw corrupt(file, 10, 'the file is of another kind')
  if (view.getUint32(12, true) !== bytes.length - headerBytes)
    throw corrupt(file, 12, 'the file has another length')
  return JSON.parse(decoder.decode(bytes.subarray(headerBytes)))
}

/**
 * TM1215 for a version this code does not know. A damaged version byte of today's format looks the same; versions
 * beyond any plausible release are therefore left to the checksum.
 */
export function refuseNewer(found: number, known: number, file: string): void {
  if (found <= known || found > known + 8) return
  throw new TidemillError(logErrors.formatUnknown, {
    message: `format version ${found}, known up to ${known}`,
    details: { file, found, known },
  })
}

/** Reads and checks one envelope; `undefined` when the file does not exist. */
export async function readEnvelope(
  disk: Disk,
  file: string,
  kind: EnvelopeKind,
  seed: number,
): Promise<unknown | undefined> {
  const bytes = await readWhole(disk, file)
  return bytes === undefined ? undefined : decodeEnvelope(bytes, kind, seed, file)
}

/**
 * Publishes a file under a name that must not exist; false when it does. Durable when this resolves. A crash leaves
 * nothing, or the temporary name (removed by the next writer), or the whole file.
 */
export async function publishFile(
  disk: Disk,
  directory: string,
  name: string,
  bytes: Uint8Array,
  published?: () => void,
): Promise<boolean> {
  const temporary = `${directory}/${name}.tmp`
  await removeIfPresent(disk, temporary)
  await writeNew(disk, temporary, bytes)
  const done = await publishTemporary(disk, temporary, `${directory}/${name}`)
  published?.()
  await disk.syncDir(directory)
  return done
}

/** Links a synced temporary file to its final name; false when that name exists. The caller syncs the directory. */
export async function publishTemporary(
  disk: Disk,
  temporary: string,
  path: string,
): Promise<boolean> {
  let done = true
  try {
    await disk.link(temporary, path)
  } catch (error) {
    if (!(error instanceof DiskError && error.errno === 'EEXIST')) throw error
    done = false
  }
  await removeIfPresent(disk, temporary)
  return done
}
