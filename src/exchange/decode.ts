/**
 * Reads messages. Times, marks, hashes, numeric keys and frames are read in place: a batch is a few views of the
 * message's own buffer. One decoder per channel: it remembers the shapes that were announced there.
 */
import { assert, present } from '../base/assert.ts'
import { decodeTrustedFrame } from '../frame/decode.ts'
import { pad8 } from '../frame/format.ts'
import type { Frame } from '../frame/frame.ts'
import type { FrameLayout } from '../frame/layout.ts'
import { readText } from '../schema/text.ts'
import type { Key } from '../schema/types.ts'
import { layoutOfForm } from './columns.ts'
import type { Message, RowBatch } from './contract.ts'
import { FRAME_HEAD_BYTES, HEAD_BYTES, KEYS, kinds, SAME_MARKS, SAME_TIMES } from './format.ts'
import { readKeys } from './key-column.ts'

const noKeys: ArrayLike<Key> = Object.freeze([])

export class MessageDecoder {
  private readonly layouts = new Map<number, FrameLayout>()

  /** `message` as a reader gave it, at the start of its buffer; the batch keeps it. */
  decode(message: Uint8Array<ArrayBuffer>): Message {
    assert(message.byteOffset === 0, 'a message does not start at the start of its buffer')
    const head = new Int32Array(message.buffer, 0, 4)
    switch (head[0]! & 0xff) {
      case kinds.rows:
        return { kind: 'rows', rows: this.rows(message, head) }
      case kinds.watermark:
        return { kind: 'watermark', watermark: doubleOf(message) }
      case kinds.idle:
        return { kind: 'idle' }
      case kinds.barrier:
        return { kind: 'barrier', epoch: doubleOf(message) }
      default:
        assert(head[0] === kinds.end, 'a message between subtasks is of no known kind', {
          kind: head[0]!,
        })
        return { kind: 'end' }
    }
  }

  private rows(message: Uint8Array<ArrayBuffer>, head: Int32Array): RowBatch {
    const flags = head[0]! >>> 8
    const length = head[1]!
    const frameCount = head[2]!
    let at = HEAD_BYTES
    if (head[3]! > 0) {
      this.learn(readText(message, HEAD_BYTES, HEAD_BYTES + head[3]!))
      at += pad8(head[3]!)
    }
    const times = column(message, at, length, (flags & SAME_TIMES) !== 0)
    at += (flags & SAME_TIMES) !== 0 ? 8 : length * 8
    const marks = column(message, at, length, (flags & SAME_MARKS) !== 0)
    at += (flags & SAME_MARKS) !== 0 ? 8 : length * 8
    let hashes: Int32Array<ArrayBuffer> | undefined
    let keys = noKeys
    if ((flags & KEYS) !== 0) {
      hashes = new Int32Array(message.buffer, at, length)
      const read = readKeys(message, at + pad8(length * 4), length, flags)
      keys = read.keys
      at = read.after
    }
    if (frameCount === 1) {
      const frame = this.frame(message, at)
      return { length, frame, rows: undefined, keys, times, marks, hashes }
    }
    const order = message.subarray(at, at + length)
    const rows = this.mixed(message, at + pad8(length), frameCount, order)
    return { length, frame: undefined, rows, keys, times, marks, hashes }
  }

  private frame(message: Uint8Array<ArrayBuffer>, at: number): Frame {
    const [shape, , byteLength] = new Int32Array(message.buffer, at, 4)
    const layout = present(this.layouts.get(shape!), 'the shape of rows that were received')
    return decodeTrustedFrame(layout, message, at + FRAME_HEAD_BYTES, byteLength)
  }

  /** Plain rows in the order in which they were sent. */
  private mixed(
    message: Uint8Array<ArrayBuffer>,
    start: number,
    frameCount: number,
    order: Uint8Array,
  ): readonly unknown[] {
    const lanes: unknown[][] = []
    let at = start
    for (let k = 0; k < frameCount; k++) {
      const lane = new Int32Array(message.buffer, at, 4)[1]!
      const frame = this.frame(message, at)
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

function doubleOf(message: Uint8Array<ArrayBuffer>): number {
  return new Float64Array(message.buffer, HEAD_BYTES, 1)[0]!
}

function column(
  message: Uint8Array<ArrayBuffer>,
  at: number,
  rows: number,
  same: boolean,
): Float64Array<ArrayBuffer> {
  if (!same) return new Float64Array(message.buffer, at, rows)
  const [value] = new Float64Array(message.buffer, at, 1)
  return new Float64Array(rows).fill(value!)
}
