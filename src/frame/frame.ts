/**
 * A frame: an immutable batch of at most 256 rows in columns, which *is* its encoding (docs/formats/frame.md). Opening
 * one decodes nothing: it notes where each column starts inside the buffer, and values are read in place.
 *
 * All frames of a buffer share three typed arrays over the whole of it, so a frame costs one small object however many
 * columns it has. Per column `k` a frame has numbered properties, made by its layout: `o<k>` the index of the first
 * value (in units of the column's array), `n<k>` the first byte of the map of absent values, `p<k>`, `b<k>`, `a<k>` start,
 * length of the heap and whether it is surely ASCII, `h<k>` the heap as a string once somebody asked for it.
 *
 * Laws: a frame never changes while it is in use; who hands it out says how long that is (a source: until it is asked for
 * more). Whoever keeps a frame keeps its whole buffer, so what outlives a batch is copied (`copyFrame`).
 */
import { readKnownAscii } from '../base/ascii.ts'
import { TidemillError } from '../base/errors.ts'
import { schemaErrors } from '../schema/errors.ts'
import { readText } from '../schema/text.ts'
import type { FrameLayout } from './layout.ts'

export const FRAME_ROWS_MAX = 256
/** A frame of more than one row is not larger than this; a larger row travels alone. */
export const FRAME_BYTES_MAX = 65_536

/** Typed arrays over one whole buffer. */
export interface Region {
  readonly u8: Uint8Array<ArrayBuffer>
  readonly i32: Int32Array<ArrayBuffer>
  readonly f64: Float64Array<ArrayBuffer>
}

/** Where a frame lies in its region, and what its header says. */
export interface FrameHead {
  length: number
  start: number
  byteLength: number
  timestampMin: number
  timestampMax: number
  /** Index into `f64`, or -1 without timestamps. */
  timestampsAt: number
  /** Index into `i32`, or -1 without hashes. */
  hashesAt: number
}

export abstract class Frame {
  // `declare`: plain declarations would initialise every property twice, a third of the time it takes to open a frame.

  declare readonly layout: FrameLayout
  /** Rows. */
  declare readonly length: number
  declare readonly u8: Uint8Array<ArrayBuffer>
  declare readonly i32: Int32Array<ArrayBuffer>
  declare readonly f64: Float64Array<ArrayBuffer>
  /** First byte in `u8`. */
  declare readonly start: number
  declare readonly byteLength: number
  /** Smallest and largest event time; NaN when the rows have none. */
  declare readonly timestampMin: number
  declare readonly timestampMax: number
  declare readonly timestampsAt: number
  declare readonly hashesAt: number
  /** What views read for a field that the case of their row does not have. */
  declare readonly missing: undefined

  constructor(layout: FrameLayout, region: Region, head: FrameHead) {
    this.layout = layout
    this.length = head.length
    this.u8 = region.u8
    this.i32 = region.i32
    this.f64 = region.f64
    this.start = head.start
    this.byteLength = head.byteLength
    this.timestampMin = head.timestampMin
    this.timestampMax = head.timestampMax
    this.timestampsAt = head.timestampsAt
    this.hashesAt = head.hashesAt
  }

  /** The encoding, a view of the frame's own memory: read-only. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.u8.subarray(this.start, this.start + this.byteLength)
  }

  /** Event time of row `i`, NaN without one. */
  timestampAt(i: number): number {
    return this.timestampsAt < 0 ? Number.NaN : this.f64[this.timestampsAt + i]!
  }

  /** Key hash of row `i`; only frames behind `keyBy` have them. */
  hashAt(i: number): number {
    return this.i32[this.hashesAt + i]!
  }

  /** Event times, or undefined when the rows have none. */
  get timestamps(): Float64Array<ArrayBuffer> | undefined {
    return this.timestampsAt < 0
      ? undefined
      : this.f64.subarray(this.timestampsAt, this.timestampsAt + this.length)
  }

  /** Key hashes, or undefined before `keyBy`. */
  get hashes(): Int32Array<ArrayBuffer> | undefined {
    return this.hashesAt < 0
      ? undefined
      : this.i32.subarray(this.hashesAt, this.hashesAt + this.length)
  }

  /** Row `i` as plain data. */
  row(i: number): unknown {
    return this.layout.plain(this, i)
  }
}

Object.defineProperty(Frame.prototype, 'missing', { value: undefined })

/**
 * The region of the last buffer: frames are opened one after the other out of the same chunk of a log. A map of all
 * buffers costs more in garbage collection (20 us per frame were measured) than making three views again.
 */
let last: Region | undefined

/** The typed arrays over the buffer of `bytes`. */
export function regionOf(bytes: Uint8Array<ArrayBuffer>): Region {
  const { buffer } = bytes
  if (last !== undefined && last.u8.buffer === buffer) return last
  last = makeRegion(bytes)
  return last
}

/** For a buffer that holds one frame only, which is not asked for again. */
export function makeRegion(bytes: Uint8Array<ArrayBuffer>): Region {
  const { buffer } = bytes
  const whole = bytes.byteLength === buffer.byteLength && bytes.constructor === Uint8Array
  return {
    u8: whole ? bytes : new Uint8Array(buffer),
    i32: new Int32Array(buffer, 0, buffer.byteLength >>> 2),
    f64: new Float64Array(buffer, 0, buffer.byteLength >>> 3),
  }
}

/**
 * The heap of a text column as one string, of `units` UTF-16 units. TM1030 when it is not. `ascii`: 1 when whoever wrote
 * it is trusted and has found ASCII only.
 */
export function openHeap(
  u8: Uint8Array,
  start: number,
  length: number,
  units: number,
  ascii: number,
): string {
  const known = ascii === 1 ? readKnownAscii(u8, start, start + length) : undefined
  const text = known ?? readText(u8, start, start + length)
  if (text.length !== units)
    throw frameDamaged(`a text heap has ${text.length} units instead of ${units}`)
  return text
}

/** TM1030. */
export function frameDamaged(message: string): TidemillError {
  return new TidemillError(schemaErrors.frameDamaged, { message })
}
