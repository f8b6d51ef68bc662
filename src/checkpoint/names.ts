/**
 * Names inside a state directory. A snapshot is identified by the pair (generation, epoch), which only grows; every
 * file carries the pair in its name, so no name is ever used twice and nothing has to point at "the current one".
 */
import { assert } from '../base/assert.ts'

/** Which snapshot: the owner that wrote it, and the epoch it ends. Ordered by generation, then epoch. */
export interface SnapshotId {
  readonly generation: number
  readonly epoch: number
}

export function compareSnapshotIds(left: SnapshotId, right: SnapshotId): number {
  return left.generation - right.generation || left.epoch - right.epoch
}

/** `g7-e418`. */
export function snapshotName(id: SnapshotId): string {
  assert(isCount(id.generation) && isCount(id.epoch), 'generation and epoch are positive integers')
  return `g${id.generation}-e${id.epoch}`
}

/** `g7-e418.manifest`. */
export function manifestName(id: SnapshotId): string {
  return `${snapshotName(id)}.manifest`
}

/** `g7-e418-s0.data`. */
export function dataObjectName(id: SnapshotId, subtask: number): string {
  assert(Number.isSafeInteger(subtask) && subtask >= 0, 'a subtask index is not negative')
  return `${snapshotName(id)}-s${subtask}.data`
}

export type ParsedName =
  | { readonly kind: 'manifest'; readonly id: SnapshotId }
  | { readonly kind: 'data'; readonly id: SnapshotId; readonly subtask: number }
  /** Left over by a writer that died: never referred to. */
  | { readonly kind: 'temporary' }
  | { readonly kind: 'foreign' }

/** The suffixes of unfinished files; see `directory-storage.ts`. */
export const temporarySuffix = '.tmp'
export const claimSuffix = '.publishing'

const number = '([1-9]\\d{0,14})'
const manifestPattern = new RegExp(`^g${number}-e${number}\\.manifest$`)
const dataPattern = new RegExp(`^g${number}-e${number}-s(0|[1-9]\\d{0,5})\\.data$`)

export function parseName(name: string): ParsedName {
  if (name.endsWith(temporarySuffix) || name.endsWith(claimSuffix)) return { kind: 'temporary' }
  const manifest = manifestPattern.exec(name)
  if (manifest) return { kind: 'manifest', id: idOf(manifest) }
  const data = dataPattern.exec(name)
  if (data) return { kind: 'data', id: idOf(data), subtask: Number(data[3]) }
  return { kind: 'foreign' }
}

function idOf(match: RegExpExecArray): SnapshotId {
  return { generation: Number(match[1]), epoch: Number(match[2]) }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value < 1e15
}
