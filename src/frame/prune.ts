/** Copies whole columns into a frame of fewer columns: what an exchange sends when later steps read few fields. */
import { assert } from '../base/assert.ts'
import { type Column, type Columns, hasHeap } from './columns.ts'
import { decodeTrustedFrame } from './decode.ts'
import { FLAG_HASHES, FLAG_TIMESTAMPS, HEADER_BYTES, MAGIC, pad8, VERSION } from './format.ts'
import type { Frame } from './frame.ts'
import type { FrameLayout } from './layout.ts'

/** The numbered properties of a frame that tell where its columns are. */
type Numbered = { readonly [property: string]: number }

/** The same rows in `layout`, which must be `frame.layout.pruned(…)`. Nothing is decoded. */
export function pruneFrame(frame: Frame, layout: FrameLayout): Frame {
  if (layout === frame.layout) return frame
  const from = frame.layout.columns
  const kept = layout.columns.all.map((column) => twin(from, layout.columns, column))
  let size = HEADER_BYTES + layout.directoryEntries * 8
  if (frame.timestampsAt >= 0) size += frame.length * 8
  if (frame.hashesAt >= 0) size += pad8(frame.length * 4)
  for (const column of kept) size += regionEnd(frame, column) - regionStart(frame, column)
  const bytes = new Uint8Array(size)
  const words = new Int32Array(bytes.buffer)
  const source = frame.start >>> 2
  const flags =
    (frame.timestampsAt >= 0 ? FLAG_TIMESTAMPS : 0) | (frame.hashesAt >= 0 ? FLAG_HASHES : 0)
  words[0] = MAGIC
  words[1] = VERSION | (flags << 8) | (layout.columns.all.length << 16)
  words[2] = size
  words[3] = frame.length
  for (let i = 4; i < 8; i++) words[i] = frame.i32[source + i]!
  words[8] = layout.fingerprintLow
  words[9] = layout.fingerprintHigh
  words[10] = layout.directoryEntries
  writeDirectory(frame, from, kept, words)
  let at = HEADER_BYTES + layout.directoryEntries * 8
  const copy = (start: number, end: number): void => {
    bytes.set(frame.u8.subarray(start, end), at)
    at += end - start
  }
  if (frame.timestampsAt >= 0) copy(frame.timestampsAt * 8, (frame.timestampsAt + frame.length) * 8)
  if (frame.hashesAt >= 0) copy(frame.hashesAt * 4, frame.hashesAt * 4 + pad8(frame.length * 4))
  for (const column of kept) copy(regionStart(frame, column), regionEnd(frame, column))
  return decodeTrustedFrame(layout, bytes)
}

function writeDirectory(
  frame: Frame,
  from: Columns,
  kept: readonly Column[],
  words: Int32Array,
): void {
  const numbers = frame as unknown as Numbered
  let entry = HEADER_BYTES >>> 2
  if (from.rows === 'variant') {
    for (let part = 0; part < from.parts.length; part++, entry += 2)
      words[entry] = numbers[`r${part}`]!
  }
  for (const column of kept) {
    if (!hasHeap(column.storage)) continue
    words[entry] = numbers[`b${column.index}`]!
    words[entry + 1] = column.storage === 'text' ? numbers[`a${column.index}`]! : 0
    entry += 2
  }
}

/** The column of `from` that a column of a subset was taken from. */
function twin(from: Columns, subset: Columns, column: Column): Column {
  if (column.part < 0) return from.all[column.index]!
  assert(
    from.rows === subset.rows && from.parts.length === subset.parts.length,
    'a frame is pruned to a foreign layout',
  )
  const found = from.parts[column.part]!.columns.find((one) => one.field === column.field)
  assert(
    found !== undefined && found.storage === column.storage,
    'a frame is pruned to a foreign layout',
  )
  return found
}

function regionStart(frame: Frame, column: Column): number {
  const numbers = frame as unknown as Numbered
  if (column.optional) return numbers[`n${column.index}`]!
  return (
    numbers[`o${column.index}`]! *
    (column.storage === 'number' ? 8 : hasHeap(column.storage) ? 4 : 1)
  )
}

function regionEnd(frame: Frame, column: Column): number {
  const numbers = frame as unknown as Numbered
  const k = column.index
  if (hasHeap(column.storage)) return numbers[`p${k}`]! + pad8(numbers[`b${k}`]!)
  const variant = frame.layout.columns.rows === 'variant' && column.part >= 0
  const rows = variant ? numbers[`r${column.part}`]! : frame.length
  if (column.storage === 'number') return (numbers[`o${k}`]! + rows) * 8
  return numbers[`o${k}`]! + pad8(rows)
}
