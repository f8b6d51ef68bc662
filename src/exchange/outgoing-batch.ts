/**
 * The rows that wait to be sent to one target: at most 256. Rows of each shape are collected by a frame builder of their
 * own (a lane), so that a change of shape does not cut a batch.
 */
import { createFrameBuilder } from '../frame/create-builder.ts'
import type { FrameBuilder } from '../frame/builder.ts'
import { FRAME_ROWS_MAX } from '../frame/frame.ts'
import type { Key } from '../schema/types.ts'
import { KeyColumn } from './key-column.ts'
import { FRAME_HEAD_BYTES, kinds, PARTIAL, SAME_MARKS, SAME_TIMES } from './format.ts'
import type { MessageBuffer } from './message-buffer.ts'
import type { RowShapes } from './row-shapes.ts'
import type { Shape } from './shape.ts'

interface Lane {
  readonly shape: Shape
  readonly builder: FrameBuilder
  /** Position among the lanes of the running batch, -1 outside. */
  index: number
  /** The receiver knows the shape. */
  announced: boolean
}

const encoder = new TextEncoder()

export class OutgoingBatch {
  length: number
  private readonly keyed: boolean
  private readonly partial: boolean
  private readonly times: Float64Array
  private readonly marks: Float64Array
  private readonly hashes: Int32Array
  private readonly keys: KeyColumn
  /** Lane of each row. */
  private readonly order: Uint8Array
  /** By number of the shape. */
  private readonly lanes: (Lane | undefined)[]
  /** Those with rows in this batch. */
  private readonly used: Lane[]
  private lane: Lane | undefined
  private version: number

  constructor(keyed: boolean, partial: boolean) {
    this.length = 0
    this.keyed = keyed
    this.partial = partial
    this.times = new Float64Array(FRAME_ROWS_MAX)
    this.marks = new Float64Array(FRAME_ROWS_MAX)
    this.hashes = new Int32Array(FRAME_ROWS_MAX)
    this.keys = new KeyColumn()
    this.order = new Uint8Array(FRAME_ROWS_MAX)
    this.lanes = []
    this.used = []
    this.lane = undefined
    this.version = 0
  }

  /** True when the batch is full. TM1001 when the row is not of the shape, TM1012 when it is not data; nothing changed. */
  append(shape: Shape, row: unknown): boolean {
    let lane = this.lane
    if (lane === undefined || lane.shape !== shape) lane = this.laneOf(shape)
    const { flatten } = shape
    const flat = flatten === undefined ? row : flatten(row)
    return lane.builder.append(flat) || this.length === FRAME_ROWS_MAX - 1
  }

  /** Takes note of the row that {@link append} took. */
  added(time: number, mark: number): void {
    const n = this.length
    const lane = this.lane!
    if (lane.index < 0) lane.index = this.used.push(lane) - 1
    this.times[n] = time
    this.marks[n] = mark
    this.order[n] = lane.index
    this.length = n + 1
  }

  /** Before {@link added}. */
  addKey(key: Key, hash: number): void {
    this.keys.set(this.length, key)
    this.hashes[this.length] = hash
  }

  /** Puts rows into `to` until none is left; `send` is called with each message. */
  flush(to: MessageBuffer, shapes: RowShapes, send: (to: MessageBuffer) => void): void {
    // Nearly always one message; wide text, or a last row that is large, makes more of them.
    for (let done = 0; done < this.length; ) {
      done = this.write(to, done)
      send(to)
    }
    this.clear(shapes)
  }

  private clear(shapes: RowShapes): void {
    for (const lane of this.used) lane.index = -1
    this.used.length = 0
    this.length = 0
    this.keys.clear()
    if (this.version === shapes.version) return
    // Builders of shapes that were widened since are never used again.
    this.version = shapes.version
    this.lane = undefined
    for (const [id, lane] of this.lanes.entries())
      if (lane !== undefined && !shapes.isLive(lane.shape)) this.lanes[id] = undefined
  }

  private laneOf(shape: Shape): Lane {
    let lane = this.lanes[shape.id]
    if (lane === undefined) {
      lane = { shape, builder: createFrameBuilder(shape.layout), index: -1, announced: false }
      this.lanes[shape.id] = lane
    }
    this.lane = lane
    return lane
  }

  /** A message of the rows from `start` on: one frame of them, or all if there are several lanes. */
  private write(to: MessageBuffer, start: number): number {
    const { used } = this
    const news = this.announce()
    to.clear()
    to.words(0, 0, 0, news.length)
    if (news.length > 0) to.bytes(news, 0, news.length)
    let end = start
    let frames = 0
    if (used.length === 1) {
      end += writeFrame(to, used[0]!)
      frames = 1
    } else {
      for (const lane of used) {
        while (lane.builder.length > 0) {
          end += writeFrame(to, lane)
          frames++
        }
      }
    }
    const rows = end - start
    if (frames > 1) to.bytes(this.order, start, rows)
    let flags = this.partial ? PARTIAL : 0
    flags |= writeColumn(to, this.times, start, rows, SAME_TIMES)
    flags |= writeColumn(to, this.marks, start, rows, SAME_MARKS)
    if (this.keyed) {
      to.ints(this.hashes, start, rows)
      flags |= this.keys.write(to, start, end)
    }
    to.i32[0] = kinds.rows | (flags << 8)
    to.i32[1] = rows
    to.i32[2] = frames
    return end
  }

  /** Definitions of the shapes that this channel has not seen. */
  private announce(): Uint8Array {
    let news: (readonly [number, string])[] | undefined
    for (const lane of this.used) {
      if (lane.announced) continue
      lane.announced = true
      news ??= []
      news.push([lane.shape.id, lane.shape.text])
    }
    return news === undefined ? noBytes : encoder.encode(JSON.stringify(news))
  }
}

const noBytes = new Uint8Array(0)

/** The rows of a lane, or as many as fit into a frame; returns their number. */
function writeFrame(to: MessageBuffer, { shape, index, builder }: Lane): number {
  const head = to.at
  to.words(shape.id, index, 0, 0)
  const rows = builder.buildInto(to)
  to.i32[(head >>> 2) + 2] = to.at - head - FRAME_HEAD_BYTES
  return rows
}

/** One value when all are the same, which is said by the flag that is returned. */
function writeColumn(
  to: MessageBuffer,
  column: Float64Array,
  start: number,
  rows: number,
  flag: number,
): number {
  const first = column[start]!
  let i = start + 1
  while (i < start + rows && Object.is(column[i], first)) i++
  const same = i === start + rows
  to.doubles(column, start, same ? 1 : rows)
  return same ? flag : 0
}
