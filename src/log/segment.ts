/**
 * Segments: their names and their headers.
 *
 * A segment file is `<base offset, 20 digits>-<generation, 10 digits>-<sequence, 6 digits>.log`. The pair (generation,
 * sequence) grows with every segment that is created, so no name is ever used twice and the order of creation is known.
 * The header, once published, never changes:
 *
 *   magic 'TMLS', checksum of the rest, version, kind, header length, generation, sequence, base offset, end offset,
 *   creation time, length of the JSON, JSON { bootId, state }, zeros up to a multiple of 8
 *
 * `end offset`: for kind `open` everything below it was durable before the header was published; for kind `compacted`
 * the segment covers exactly [base, end). `state` is the transaction table at the base offset (`transactions.ts`), so
 * that a recovery reads one segment and never the whole log.
 */
import { crc32 } from '../base/crc32.ts'
import type { DiskFile } from '../base/env.ts'
import { readFully } from '../base/disk-io.ts'
import { corrupt } from './errors.ts'
import { align8, getU53, putU53, viewOf } from './format.ts'
import { refuseNewer } from './envelope.ts'
import type { TransactionState } from './transactions.ts'

export const segmentKind = { open: 0, compacted: 1 } as const

export interface SegmentHeader {
  readonly kind: 0 | 1
  readonly generation: number
  readonly sequence: number
  readonly baseOffset: number
  readonly endOffset: number
  readonly createdMs: number
  /** The boot of the machine in which the segment was written. */
  readonly bootId: string
  readonly state: TransactionState
  /** Where the first batch begins. */
  readonly headerBytes: number
}

const magic = 0x534c4d54 // 'TMLS'
const version = 1
const fixedBytes = 56
/** The transaction table of tens of thousands of producers; a longer header is taken for damage. */
const headerBytesMax = 64 * 1024 * 1024
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export interface SegmentName {
  readonly baseOffset: number
  readonly generation: number
  readonly sequence: number
}

/** The name without its ending: segments end in `.log`, their indexes in `.idx`. */
export function segmentStem(name: SegmentName): string {
  return `${digits(name.baseOffset, 20)}-${digits(name.generation, 10)}-${digits(name.sequence, 6)}`
}

export function parseSegmentName(name: string, ending: '.log' | '.idx'): SegmentName | undefined {
  const match = /^(\d{20})-(\d{10})-(\d{6})\.(log|idx)$/.exec(name)
  if (match === null || `.${match[4]}` !== ending) return undefined
  return { baseOffset: Number(match[1]), generation: Number(match[2]), sequence: Number(match[3]) }
}

/** Zero-padded decimal digits. */
export function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}

export function encodeSegmentHeader(
  header: Omit<SegmentHeader, 'headerBytes'>,
  seed: number,
): Uint8Array {
  const json = encoder.encode(JSON.stringify({ bootId: header.bootId, state: header.state }))
  const length = align8(fixedBytes + json.length)
  const bytes = new Uint8Array(length)
  const view = viewOf(bytes)
  view.setUint32(0, magic, true)
  view.setUint16(8, version, true)
  view.setUint16(10, header.kind, true)
  view.setUint32(12, length, true)
  view.setUint32(16, header.generation, true)
  view.setUint32(20, header.sequence, true)
  putU53(view, 24, header.baseOffset)
  putU53(view, 32, header.endOffset)
  view.setFloat64(40, header.createdMs, true)
  view.setUint32(48, json.length, true)
  bytes.set(json, fixedBytes)
  view.setUint32(4, crc32(bytes.subarray(8), seed), true)
  return bytes
}

/** Reads and checks the header; TM1206 when it is damaged or belongs under another name. */
export async function readSegmentHeader(
  file: DiskFile,
  path: string,
  name: SegmentName,
  seed: number,
): Promise<SegmentHeader> {
  const fixed = new Uint8Array(fixedBytes)
  if ((await readFully(file, fixed, 0)) < fixedBytes)
    throw corrupt(path, 0, 'the header of the segment is cut short')
  const view = viewOf(fixed)
  if (view.getUint32(0, true) !== magic)
    throw corrupt(path, 0, 'the segment does not begin with its magic number')
  const length = view.getUint32(12, true)
  const jsonLength = view.getUint32(48, true)
  if (
    length > headerBytesMax ||
    length !== align8(fixedBytes + jsonLength) ||
    length > (await file.size())
  ) {
    throw corrupt(path, 12, 'the length of the segment header is impossible')
  }
  const bytes = new Uint8Array(length)
  await readFully(file, bytes, 0)
  if (crc32(bytes.subarray(8), seed) !== view.getUint32(4, true)) {
    refuseNewer(view.getUint16(8, true), version, path)
    throw corrupt(path, 4, 'the checksum of the segment header does not match')
  }
  refuseNewer(view.getUint16(8, true), version, path)
  const json = JSON.parse(decoder.decode(bytes.subarray(fixedBytes, fixedBytes + jsonLength)))
  const header: SegmentHeader = {
    kind:
      view.getUint16(10, true) === segmentKind.compacted ? segmentKind.compacted : segmentKind.open,
    generation: view.getUint32(16, true),
    sequence: view.getUint32(20, true),
    baseOffset: getU53(view, 24),
    endOffset: getU53(view, 32),
    createdMs: view.getFloat64(40, true),
    bootId: json.bootId,
    state: json.state,
    headerBytes: length,
  }
  if (segmentStem(header) !== segmentStem(name))
    throw corrupt(path, 16, 'the segment belongs under another name')
  return header
}
