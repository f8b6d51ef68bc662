/**
 * Bytes of a batch: a header of 96 bytes, the payload, zeros up to a multiple of 8. Little-endian.
 *
 * The checksum covers everything after itself and starts from the partition's seed (CRC-32 of topic id and partition
 * number), so that a batch of another topic or partition never passes. Its base offset and generation are inside; a
 * reader also demands the offset it expects and the generation of the segment, so that a batch in the wrong place or
 * from an older life never passes either. Documented in `docs/formats/log.md`; a change needs a new version byte.
 */
import { crc32 } from '../base/crc32.ts'

export const batchMagic = 0x424c4d54 // 'TMLB'
export const batchVersion = 1
export const batchHeaderBytes = 96
/** A batch must fit into one read of every reader; 16 MiB is 256 of the largest frames. */
export const batchBytesMax = 16 * 1024 * 1024

export const batchKind = { data: 0, commit: 1, abort: 2, prepare: 3 } as const
export const payloadKindNone = 0
export const payloadKindRecords = 1
export const payloadKindFrame = 2
export const flagTransactional = 1

/** Positions of the header's fields. */
export const field = {
  magic: 0,
  crc: 4,
  version: 8,
  kind: 9,
  payloadKind: 10,
  flags: 11,
  length: 12,
  payloadLength: 16,
  recordCount: 20,
  span: 24,
  generation: 28,
  baseOffset: 32,
  durableMark: 40,
  minTimestamp: 48,
  maxTimestamp: 56,
  appendTime: 64,
  producerId: 72,
  epoch: 80,
  fingerprint: 88,
} as const

/** The seed of all checksums of a partition. `topicId` has 32 hexadecimal digits. */
export function partitionSeed(topicId: string, partition: number): number {
  return crc32(new TextEncoder().encode(`${topicId}/${partition}`))
}

/** Writes a safe non-negative integer as 64 bits. */
export function putU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}

/** Reads 64 bits; a value beyond 2^53 comes back as NaN, which fails every range check. */
export function getU53(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true)
  if (high > 0x1f_ffff) return Number.NaN
  return high * 0x1_0000_0000 + view.getUint32(at, true)
}

/** Rounds up to a multiple of 8. */
export function align8(length: number): number {
  return (length + 7) & ~7
}

export function batchLength(payloadLength: number): number {
  return align8(batchHeaderBytes + payloadLength)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Puts the checksum of a complete batch into its header. */
export function sealBatch(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  seed: number,
): void {
  view.setUint32(at + field.crc, crc32(bytes.subarray(at + 8, at + length), seed), true)
}

export type BatchCheck =
  | 'ok'
  | 'end'
  | 'short'
  | 'magic'
  | 'version'
  | 'length'
  | 'checksum'
  | 'place'

/**
 * Checks the batch at `at`. `end`: only zeros, nothing was written here. `short`: the bytes at hand do not hold the
 * whole batch, whose length can be read. `version` is decided before the checksum so that newer formats are named.
 * `baseOffset` and `generation` are what must be there; a negative one accepts anything.
 */
export function checkBatch(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  seed: number,
  baseOffset: number,
  generation: number,
): BatchCheck {
  const shape = checkBatchShape(bytes, view, at, end)
  if (shape !== 'ok') return shape
  const length = view.getUint32(at + field.length, true)
  if (crc32(bytes.subarray(at + 8, at + length), seed) !== view.getUint32(at + field.crc, true))
    return 'checksum'
  if (baseOffset >= 0 && getU53(view, at + field.baseOffset) !== baseOffset) return 'place'
  if (generation >= 0 && view.getUint32(at + field.generation, true) !== generation) return 'place'
  return 'ok'
}

/** The checks that need no checksum: enough to step over a batch, never enough to use it. */
export function checkBatchShape(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
): BatchCheck {
  if (end - at < batchHeaderBytes) {
    for (let i = at; i < end; i++) if (bytes[i] !== 0) return 'short'
    return 'end'
  }
  if (view.getUint32(at, true) !== batchMagic) {
    return view.getUint32(at, true) === 0 && isZero(bytes, at, at + batchHeaderBytes)
      ? 'end'
      : 'magic'
  }
  const length = view.getUint32(at + field.length, true)
  const payloadLength = view.getUint32(at + field.payloadLength, true)
  if (length > batchBytesMax || length !== batchLength(payloadLength)) return 'length'
  if (view.getUint8(at + field.version) !== batchVersion) return 'version'
  return length > end - at ? 'short' : 'ok'
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}

/** What a failed check means, for messages. */
export function describeCheck(check: BatchCheck): string {
  switch (check) {
    case 'ok':
      return 'valid'
    case 'end':
      return 'no batch is here'
    case 'short':
      return 'the batch is cut short'
    case 'magic':
      return 'no batch begins here'
    case 'version':
      return 'the batch has an unknown format version'
    case 'length':
      return 'the length of the batch is impossible'
    case 'checksum':
      return 'the checksum of the batch does not match'
    case 'place':
      return 'the batch belongs to another place or an older life of the log'
  }
}
