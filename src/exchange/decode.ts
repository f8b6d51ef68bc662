/**
 * Reads messages. Times, marks, hashes, numeric keys and frames are read in place: a batch is a few views of the
 * message's own buffer. One decoder per channel: it remembers the shapes that were announced there.
 */
import { assert, present } from '../base/assert.ts'
import { openTrustedFrame } from '../frame/decode.ts'
import { pad8 } from '../frame/format.ts'
import { type Frame, FRAME_ROWS_MAX, makeRegion, type Region } from '../frame/frame.ts'
import type { FrameLayout } from '../frame/layout.ts'
import { readText } from '../schema/text.ts'
import type { Key } from '../schema/types.ts'
import type { Message, RowBatch } from './contract.ts'
import {
  FRAME_HEAD_BYTES,
  HEAD_BYTES,
  KEYS,
  kinds,
  PARTIAL,
  SAME_MARKS,
  SAME_TIMES,
} from './format.ts'
import { layoutOfForm } from './form-layouts.ts'
import { readKeys } from './key-column.ts'

const REPEATED_VALUES = 8 * FRAME_ROWS_MAX

const noKeys: ArrayLike<Key> = Object.freeze([])

export class MessageDecoder {
  private readonly layouts = new Map<number, FrameLayout>()
  /** Over the buffer of the last message: the next one mostly lies behind it. */
  private region: Region | undefined
  private readonly repeated = new Repeated()

  /** `message` as a reader gave it; the batch keeps it. */
  decode(message: Uint8Array<ArrayBuffer>): Message {
    const start = message.byteOffset
    assert((start & 7) === 0, 'a message does not start at a multiple of 8')
    let { region } = this
    if (region === undefined || region.u8.buffer !== message.buffer) {
      region = makeRegion(message)
      this.region = region
    }
    const head = region.i32[start >>> 2]!
    switch (head & 0xff) {
      case kinds.rows:
        return { kind: 'rows', rows: this.rows(region, start, head >>> 8) }
      case kinds.watermark:
        return { kind: 'watermark', watermark: region.f64[(start + HEAD_BYTES) >>> 3]! }
      case kinds.idle:
        return { kind: 'idle' }
      case kinds.barrier:
        return { kind: 'barrier', epoch: region.f64[(start + HEAD_BYTES) >>> 3]! }
      default:
        assert(head === kinds.end, 'a message between subtasks is of no known kind', { head })
        return { kind: 'end' }
    }
  }

  private rows(region: Region, start: number, flags: number): RowBatch {
    const { u8, i32 } = region
    const word = start >>> 2
    const length = i32[word + 1]!
    const frameCount = i32[word + 2]!
    const newShapes = i32[word + 3]!
    let at = start + HEAD_BYTES
    if (newShapes > 0) {
      this.learn(readText(u8, at, at + newShapes))
      at += pad8(newShapes)
    }
    const first = at
    let frame: Frame | undefined
    for (let k = 0; k < frameCount; k++) {
      frame = this.frame(region, at)
      at += FRAME_HEAD_BYTES + frame.byteLength
    }
    let rows: readonly unknown[] | undefined
    if (frameCount > 1) {
      rows = this.mixed(region, first, frameCount, u8.subarray(at, at + length))
      frame = undefined
      at += pad8(length)
    }
    const sameTimes = (flags & SAME_TIMES) !== 0
    const times = this.column(region, at, length, sameTimes)
    at += sameTimes ? 8 : length * 8
    const sameMarks = (flags & SAME_MARKS) !== 0
    const marks = this.column(region, at, length, sameMarks)
    at += sameMarks ? 8 : length * 8
    const partial = (flags & PARTIAL) !== 0
    if ((flags & KEYS) === 0)
      return { length, partial, frame, rows, keys: noKeys, times, marks, hashes: undefined }
    const hashes = new Int32Array(u8.buffer, at, length)
    const keys = readKeys(region, at + pad8(length * 4), length, flags)
    return { length, partial, frame, rows, keys, times, marks, hashes }
  }

  private frame(region: Region, at: number): Frame {
    const { i32 } = region
    const layout = present(this.layouts.get(i32[at >>> 2]!), 'the shape of rows that were received')
    return openTrustedFrame(layout, region, at + FRAME_HEAD_BYTES, i32[(at >>> 2) + 2]!)
  }

  private column(
    { u8, f64 }: Region,
    at: number,
    rows: number,
    same: boolean,
  ): Float64Array<ArrayBuffer> {
    return same ? this.repeated.column(f64[at >>> 3]!, rows) : new Float64Array(u8.buffer, at, rows)
  }

  /** Plain rows in the order in which they were sent. */
  private mixed(
    region: Region,
    start: number,
    frameCount: number,
    order: Uint8Array,
  ): readonly unknown[] {
    const lanes: unknown[][] = []
    let at = start
    for (let k = 0; k < frameCount; k++) {
      const lane = region.i32[(at >>> 2) + 1]!
      const frame = this.frame(region, at)
      lanes[lane] ??= []
      const rows = lanes[lane]
      for (let i = 0; i < frame.length; i++) rows.push(frame.row(i))
      at += FRAME_HEAD_BYTES + frame.byteLength
    }
    const next = lanes.map(() => 0)
    const rows: unknown[] = []
    for (const lane of order) rows.push(lanes[lane]![next[lane]!++])
    return rows
  }

  private learn(text: string): void {
    // `as`: written by a subtask of the same program.
    for (const [id, form] of JSON.parse(text) as readonly (readonly [number, string])[])
      this.layouts.set(id, layoutOfForm(form))
  }
}

/** Columns of one value. What was handed out never changes; a small array of its own each would cost a microsecond. */
class Repeated {
  private chunk: Float64Array<ArrayBuffer> | undefined
  private used = 0
  private last: Float64Array<ArrayBuffer> | undefined

  column(value: number, rows: number): Float64Array<ArrayBuffer> {
    const { last } = this
    if (last !== undefined && last.length === rows && Object.is(last[0], value)) return last
    if (this.chunk === undefined || this.used + rows > this.chunk.length) {
      this.chunk = new Float64Array(REPEATED_VALUES)
      this.used = 0
    }
    const made = new Float64Array(this.chunk.buffer, this.used * 8, rows)
    for (let i = 0; i < rows; i++) made[i] = value
    this.used += rows
    this.last = made
    return made
  }
}
