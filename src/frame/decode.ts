/**
 * Opens the bytes of a frame. Nothing is copied; the header, every length, all ends, codes and places are checked first,
 * so that a frame that opens can be read without further checks of its structure (text that is not UTF-8 is found when
 * its heap is first read). What it was meant to hold is the business of the checksum around it.
 */
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from '../schema/errors.ts'
import type { Column, Columns } from './columns.ts'
import {
  FLAG_HASHES,
  FLAG_TIMESTAMPS,
  HEADER_BYTES,
  MAGIC,
  pad8,
  SLOTS,
  VERSION,
} from './format.ts'
import {
  type Frame,
  FRAME_ROWS_MAX,
  type FrameHead,
  frameDamaged,
  makeRegion,
  type Region,
  regionOf,
} from './frame.ts'
import type { FrameLayout } from './layout.ts'

/** Reused for every frame: layouts copy it into the frame's properties. */
let slots: Int32Array = new Int32Array(256)
const head: FrameHead = {
  length: 0,
  start: 0,
  byteLength: 0,
  timestampMin: Number.NaN,
  timestampMax: Number.NaN,
  timestampsAt: -1,
  hashesAt: -1,
}

/**
 * The frame at `bytes[offset]`, of at most `length` bytes. TM1030 for damaged bytes, TM1031 when another schema wrote
 * them. Bytes that do not start at a multiple of 8 of their buffer, or lie in shared memory, are copied.
 */
export function decodeFrame(
  layout: FrameLayout,
  bytes: Uint8Array,
  offset: number = 0,
  length: number = bytes.length - offset,
): Frame {
  return open(layout, bytes, offset, length, true)
}

/**
 * The same for bytes that this process has just made or that passed their checksum in memory of its own: structure is
 * taken on trust, lengths and the schema are still checked.
 */
export function decodeTrustedFrame(
  layout: FrameLayout,
  bytes: Uint8Array,
  offset: number = 0,
  length: number = bytes.length - offset,
): Frame {
  return open(layout, bytes, offset, length, false)
}

/** The same for a frame inside memory whose arrays are at hand, at a multiple of 8. */
export function openTrustedFrame(
  layout: FrameLayout,
  region: Region,
  start: number,
  length: number,
): Frame {
  return openIn(layout, region, start, length, false)
}

/** A frame in a buffer of its own: for whatever is kept longer than the batch it came with. */
export function copyFrame(frame: Frame): Frame {
  if (frame.u8.length === frame.byteLength) return frame
  return decodeTrustedFrame(frame.layout, frame.bytes.slice())
}

/** Fingerprint in a frame's header, 16 hex digits; zeros when its writer gave none. TM1030 if there is no header. */
export function frameFingerprint(bytes: Uint8Array, offset: number = 0): string {
  if (bytes.length - offset < HEADER_BYTES) throw frameDamaged('its header is cut off')
  let text = ''
  for (let i = 7; i >= 0; i--) text += bytes[offset + 32 + i]!.toString(16).padStart(2, '0')
  return text
}

function open(
  layout: FrameLayout,
  source: Uint8Array,
  offset: number,
  length: number,
  check: boolean,
): Frame {
  if (offset < 0 || length < HEADER_BYTES || offset + length > source.length)
    throw frameDamaged('its header is cut off')
  let start = source.byteOffset + offset
  let bytes = source
  if ((start & 7) !== 0 || !(source.buffer instanceof ArrayBuffer)) {
    bytes = new Uint8Array(source.subarray(offset, offset + length))
    start = 0
  }
  // `as`: other kinds of buffers were copied above.
  const inPlace = bytes as Uint8Array<ArrayBuffer>
  const region = bytes.buffer.byteLength === length ? makeRegion(inPlace) : regionOf(inPlace)
  return openIn(layout, region, start, length, check)
}

function openIn(
  layout: FrameLayout,
  region: Region,
  start: number,
  length: number,
  check: boolean,
): Frame {
  const { i32, f64 } = region
  const at = start >>> 2
  if (i32[at] !== MAGIC) throw frameDamaged('it does not begin with the mark of a frame')
  const form = i32[at + 1]!
  if ((form & 0xff) !== VERSION)
    throw frameDamaged(`its version is ${form & 0xff}, this program reads ${VERSION}`)
  const flags = (form >>> 8) & 0xff
  if (flags > (FLAG_TIMESTAMPS | FLAG_HASHES)) throw frameDamaged('its flags are unknown')
  const byteLength = i32[at + 2]! >>> 0
  if (byteLength > length || byteLength % 8 !== 0)
    throw frameDamaged(`it announces ${byteLength} bytes of ${length}`)
  const rows = i32[at + 3]! >>> 0
  if (rows > FRAME_ROWS_MAX) throw frameDamaged(`it announces ${rows} rows`)
  checkSchema(layout, i32, at)
  if (form >>> 16 !== layout.columns.all.length)
    throw frameDamaged('its number of columns is not that of its schema')
  head.length = rows
  head.start = start
  head.byteLength = byteLength
  head.timestampMin = f64[(start >>> 3) + 2]!
  head.timestampMax = f64[(start >>> 3) + 3]!
  place(layout, region, flags, start + byteLength, i32[at + 10]! >>> 0, check)
  return layout.open(region, head, slots)
}

/** Walks the directory and fills the slot table. */
function place(
  layout: FrameLayout,
  region: Region,
  flags: number,
  end: number,
  entries: number,
  check: boolean,
): void {
  const { columns, directoryEntries } = layout
  const { i32 } = region
  if (entries !== directoryEntries) throw frameDamaged('its directory does not fit its schema')
  if (slots.length < columns.all.length * SLOTS)
    slots = new Int32Array(columns.all.length * SLOTS * 2)
  let entry = (head.start + HEADER_BYTES) >>> 2
  let at = head.start + HEADER_BYTES + entries * 8
  if (at > end) throw frameDamaged('its directory is cut off')
  head.timestampsAt = (flags & FLAG_TIMESTAMPS) === 0 ? -1 : at >>> 3
  if (head.timestampsAt >= 0) at += head.length * 8
  head.hashesAt = (flags & FLAG_HASHES) === 0 ? -1 : at >>> 2
  if (head.hashesAt >= 0) at += pad8(head.length * 4)
  for (const column of columns.all) {
    const rows =
      columns.rows === 'variant' && column.part >= 0 ? partRows[column.part]! : head.length
    const slot = column.index * SLOTS
    if (column.optional) {
      slots[slot + 1] = at
      at += pad8((rows + 7) >>> 3)
    }
    if (column.storage === 'number') {
      slots[slot] = at >>> 3
      at += rows * 8
    } else if (
      column.storage === 'text' ||
      column.storage === 'bytes' ||
      column.storage === 'cell'
    ) {
      slots[slot] = at >>> 2
      const heapAt = at + pad8(rows * 4 + 4)
      const bytes = i32[entry]! >>> 0
      const ascii = i32[entry + 1]! >>> 0
      entry += 2
      if (heapAt + bytes > end) throw frameDamaged('a heap is cut off')
      slots[slot + 2] = heapAt
      slots[slot + 3] = bytes
      slots[slot + 4] = check ? 0 : ascii
      if (check) checkEnds(column, i32, at >>> 2, rows, bytes, ascii)
      at = heapAt + pad8(bytes)
    } else {
      slots[slot] = at
      at += pad8(rows)
    }
    if (at > end) throw frameDamaged('a column is cut off')
    if (check && column.storage === 'code')
      checkCodes(region.u8, slots[slot]!, rows, column.values.length)
    if (check && column.storage === 'bool') checkCodes(region.u8, slots[slot]!, rows, 2)
    if (column.storage === 'place') entry = placeParts(columns, region, entry, check)
  }
  if (at !== end) throw frameDamaged(`${end - at} bytes are left over`)
}

const partRows: Int32Array = new Int32Array(256)
const partSeen: Int32Array = new Int32Array(256)

/** Reads the row counts of a variant's parts and compares them with tags and places. */
function placeParts(columns: Columns, region: Region, firstEntry: number, check: boolean): number {
  let entry = firstEntry
  let total = 0
  for (let part = 0; part < columns.parts.length; part++) {
    partRows[part] = region.i32[entry]!
    partSeen[part] = 0
    total += region.i32[entry]! >>> 0
    entry += 2
  }
  if (total !== head.length) throw frameDamaged('its cases do not add up to its rows')
  if (check) {
    for (let i = 0; i < head.length; i++) {
      const tag = region.u8[slots[0]! + i]!
      if (region.u8[slots[SLOTS]! + i] !== partSeen[tag])
        throw frameDamaged('a row is not at its place in its case')
      partSeen[tag]!++
    }
    for (let part = 0; part < columns.parts.length; part++) {
      if (partSeen[part] !== partRows[part]) throw frameDamaged('a case has another number of rows')
    }
  }
  return entry
}

function checkSchema(layout: FrameLayout, i32: Int32Array, at: number): void {
  const low = i32[at + 8]!
  const high = i32[at + 9]!
  if (
    (low === layout.fingerprintLow && high === layout.fingerprintHigh) ||
    (low === 0 && high === 0)
  )
    return
  const written =
    (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
  throw new TidemillError(schemaErrors.frameOtherSchema, {
    message: `fingerprint ${written}, expected ${layout.schema.hash}`,
  })
}

function checkEnds(
  column: Column,
  i32: Int32Array,
  ends: number,
  rows: number,
  bytes: number,
  ascii: number,
): void {
  if (ascii > 1) throw frameDamaged('a heap has an unknown flag')
  let last = i32[ends]!
  if (last !== 0) throw frameDamaged('the first value of a heap does not start at 0')
  for (let i = 1; i <= rows; i++) {
    const end = i32[ends + i]!
    if (end < last) throw frameDamaged('a value ends before it starts')
    last = end
  }
  // Units of UTF-16 are at most the bytes of UTF-8; equal for ASCII and for heaps of bytes.
  if (last > bytes || ((column.storage !== 'text' || ascii === 1) && last !== bytes)) {
    throw frameDamaged('the last value does not end with its heap')
  }
}

/** Codes must be inside their list, bools 0 or 1. */
function checkCodes(u8: Uint8Array, at: number, rows: number, values: number): void {
  for (let i = 0; i < rows; i++)
    if (u8[at + i]! >= values) throw frameDamaged('a code or bool is out of its range')
}
