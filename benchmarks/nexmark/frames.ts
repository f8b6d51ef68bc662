/**
 * Profile S1: the mixed stream in memory, as frames of at most 256 rows in order of emission. The layout is the same for
 * every query: all three types together, every column there, nothing filtered, projected, split, hashed or windowed.
 *
 * Texts are decoded: the heap of every text column is opened when a data set is loaded, so reading a text is a slice of
 * a string in memory, as it is for the plain rows of the hand-written loops.
 *
 * Generating a million events takes longer than most runs, so the frames of a data set are kept in the cache folder:
 * the encodings one after the other, with size and count in a note beside them (see `jsonl.ts` for the same rules).
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createFrameBuilder } from '../../src/frame/create-builder.ts'
import { decodeTrustedFrame } from '../../src/frame/decode.ts'
import { HEADER_BYTES } from '../../src/frame/format.ts'
import type { Frame } from '../../src/frame/frame.ts'
import { layoutOf } from '../../src/frame/layout.ts'
import type { Dataset } from './dataset.ts'
import type { NexmarkEvent } from './event.ts'
import { EventGenerator } from './generator.ts'
import { CACHE_FOLDER } from './jsonl.ts'
import { nexmarkEvent } from './schema.ts'

const layout = layoutOf(nexmarkEvent)
const EVENTS_PER_STEP = 4096
const PIECE_BYTES = 1 << 28

/** The frames of these events, in order, of so many rows at most. */
export function framesOf(
  events: Iterable<NexmarkEvent>,
  rowsMax: number = Number.POSITIVE_INFINITY,
): Frame[] {
  const builder = createFrameBuilder(layout)
  const frames: Frame[] = []
  for (const event of events) {
    if (builder.append(event) || builder.length >= rowsMax) frames.push(builder.build())
  }
  while (builder.length > 0) frames.push(builder.build())
  return frames
}

/** The frames of a data set with one generator; written to the cache at the first call. */
export function loadFrames(dataset: Dataset, folder: string = CACHE_FOLDER): Frame[] {
  if (dataset.generators !== 1) throw new RangeError(`${dataset.name} has several generators`)
  mkdirSync(folder, { recursive: true })
  const path = join(folder, framesFileName(dataset))
  if (!isComplete(path)) write(path, dataset)
  return read(path)
}

/** Opens the text heaps, so that no later read pays for it. */
export function openTexts(frames: readonly Frame[]): void {
  const heaps = layout.columns.all.flatMap((column) =>
    column.storage === 'text' ? [`t${column.index}`] : [],
  )
  for (const frame of frames) {
    // `as`: generated methods, one per text column.
    const methods = frame as unknown as Readonly<Record<string, () => string>>
    for (const heap of heaps) methods[heap]?.()
  }
}

/** All rows of the frames as plain objects with texts of their own: what the loops read. */
export function plainRows(frames: readonly Frame[]): NexmarkEvent[] {
  const rows: NexmarkEvent[] = []
  for (const frame of frames) {
    for (let i = 0; i < frame.length; i++) {
      // `as`: the schema is that of the generator's rows.
      const row = layout.plain(frame, i) as Record<string, unknown>
      for (const key in row) {
        const value = row[key]
        if (typeof value === 'string' && key !== 'type') row[key] = ownText(value)
      }
      rows.push(row as unknown as NexmarkEvent)
    }
  }
  return rows
}

/** A copy that does not point into the heap of its frame. */
function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

export function framesFileName(dataset: Dataset): string {
  const { events, generators, ratePerSec, disorder } = dataset
  return `nexmark-n${events}-k${generators}-r${ratePerSec}-g${disorder}-${nexmarkEvent.hash}.frames`
}

function isComplete(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return false
  try {
    const note: { readonly bytes?: unknown } = JSON.parse(readFileSync(`${path}.note.json`, 'utf8'))
    return note.bytes === stat.size
  } catch {
    return false
  }
}

function write(path: string, dataset: Dataset): void {
  const generator = new EventGenerator(dataset)
  const builder = createFrameBuilder(layout)
  // Several processes may find the file missing at once.
  const part = `${path}.${process.pid}.part`
  const file = openSync(part, 'w')
  let bytes = 0
  const append = (frame: Frame): void => {
    const encoded = frame.bytes
    for (let at = 0; at < encoded.length; ) at += writeSync(file, encoded, at)
    bytes += encoded.length
  }
  try {
    for (let from = 0; from < generator.count; from += EVENTS_PER_STEP) {
      for (const event of generator.slice(from, from + EVENTS_PER_STEP)) {
        if (builder.append(event)) append(builder.build())
      }
    }
    while (builder.length > 0) append(builder.build())
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  writeFileSync(`${part}.note`, JSON.stringify({ events: generator.count, bytes }))
  renameSync(`${part}.note`, `${path}.note.json`)
  renameSync(part, path)
}

/** In pieces: a place in a file beyond 2 GiB is no place in an array that `readSync` takes. */
function read(path: string): Frame[] {
  const { size } = statSync(path)
  const frames: Frame[] = []
  const file = openSync(path, 'r')
  try {
    for (let from = 0; from < size; ) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, size - from))
      for (let at = 0; at < piece.length; )
        at += readSync(file, piece, at, piece.length - at, from + at)
      let at = 0
      for (let end = frameEnd(piece, at); end <= piece.length; end = frameEnd(piece, at)) {
        frames.push(decodeTrustedFrame(layout, piece, at))
        at = end
      }
      if (at === 0) throw new Error(`${path} is no file of frames`)
      from += at
    }
  } finally {
    closeSync(file)
  }
  return frames
}

/** Where the frame at `at` ends; infinite when its head is not there. */
function frameEnd(bytes: Uint8Array, at: number): number {
  if (at + HEADER_BYTES > bytes.length) return Number.POSITIVE_INFINITY
  // The third word of a frame is its length.
  return at + new DataView(bytes.buffer).getUint32(at + 8, true)
}
