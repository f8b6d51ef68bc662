/**
 * Lines of JSON as frames. A line is read by the generated parser if that can, else in the ordinary way and added to the
 * frame as a row. A frame ends before a line that is refused, and before a row that no frame keeps exactly: those go
 * through batches of rows, which carry rejections.
 *
 * Lines that are written in another order than fields are declared in have a parser of their own, made from the first
 * such line.
 */
import { layoutOf } from '../../frame/layout.ts'
import { FRAME_ROWS_MAX } from '../../frame/frame.ts'
import { RawBuilder } from '../../frame/raw-builder.ts'
import { readField } from '../../schema/row.ts'
import type { Schema } from '../../schema/types.ts'
import type { FrameBatch } from '../contract.ts'
import {
  declaredOrder,
  emitLineParser,
  type FieldOrder,
  isParsable,
  type LineParser,
  parsed,
} from './json-parser.ts'
import { decodeText } from './utf8.ts'
import { canGenerateCode } from '../../base/codegen.ts'

/** What one call took from the buffer. */
export interface FrameCut {
  /** Index behind the last line that was taken. */
  readonly next: number
  readonly lines: number
  /** Undefined when only blank lines were taken, or nothing. */
  readonly batch: FrameBatch | undefined
  /** How many lines after these are better read as rows. */
  readonly rowsNext: number
}

const lineFeed = 0x0a

/** Lines that go through a batch of rows after a frame ended early; doubled while frames stay short. */
const rowsNextMin = 32
const rowsNextMax = 4096
/** A frame of fewer rows is short: it is hardly worth its making. */
const shortFrame = 64
/** So many orders of fields are learned from a source; lines of more orders are read in the ordinary way. */
const ordersMax = 4

/** The frames of one source: its readers take turns, and no row waits between two calls. */
export class LineFrames {
  readonly #schema: Schema<unknown>
  readonly #decode: (text: string) => unknown
  readonly #builder: RawBuilder
  #parse: LineParser
  #order: FieldOrder
  #ordersLeft = ordersMax
  #rowsNext = rowsNextMin

  /** `decode` is the ordinary way: it throws what is wrong with a line. */
  constructor(
    schema: Schema<unknown>,
    fields: readonly string[] | undefined,
    decode: (text: string) => unknown,
  ) {
    const layout = layoutOf(schema)
    this.#schema = schema
    this.#decode = decode
    this.#builder = new RawBuilder(fields === undefined ? layout : layout.pruned(fields))
    this.#order = declaredOrder(schema.type)
    this.#parse = emitLineParser(schema.type, this.#order, this.#builder)
  }

  /**
   * The lines of `bytes[start, end)`, which ends with a line feed, up to a full frame. `line` lines come before them;
   * none of them may have more than `bytesMax` bytes.
   */
  cut(
    bytes: Uint8Array,
    start: number,
    end: number,
    place: { readonly file: string; readonly line: number },
    limits: { readonly rowsMax: number; readonly bytesMax: number },
  ): FrameCut {
    const builder = this.#builder
    const { bytesMax } = limits
    const rowsMax = Math.min(limits.rowsMax, FRAME_ROWS_MAX)
    /** The row before which a blank line stands, for each blank line. */
    const blanks: number[] = []
    let at = start
    let others = 0
    let stopped = false
    while (builder.length < rowsMax && at < end) {
      const next = this.#parse(bytes, at, bytesMax)
      if (next > 0) {
        at = next
        continue
      }
      if (next === parsed.again) continue
      if (next === parsed.full) break
      const stop = bytes.indexOf(lineFeed, at)
      const kept = stop - at > bytesMax ? 'refused' : this.#other(bytes, at, stop)
      if (kept === 'full') break
      stopped = kept === 'refused'
      if (stopped) break
      if (kept === 'blank') blanks.push(builder.length)
      else others++
      at = stop + 1
    }
    const rows = builder.length
    const lines = rows + blanks.length
    const first = place.line + 1
    const batch: FrameBatch | undefined =
      rows === 0
        ? undefined
        : {
            kind: 'frame',
            frame: builder.build(),
            locate: (index) =>
              `${place.file}:${first + index + blanks.filter((before) => before <= index).length}`,
          }
    return { next: at, lines, batch, rowsNext: this.#judge(rows, others, stopped) }
  }

  /** A line that the parser does not know. */
  #other(bytes: Uint8Array, at: number, stop: number): 'blank' | 'full' | 'row' | 'refused' {
    const text = decodeText(bytes, at, stop)
    if (text === undefined) return 'refused'
    if (text.trim() === '') return isBlank(text) ? 'blank' : 'refused'
    let row: object
    try {
      // `as`: rows of a schema that is parsable are records. White space at the end is none of the value.
      row = this.#decode(text) as object
    } catch {
      return 'refused'
    }
    this.#learn(row, text)
    const appended = this.#builder.append(row)
    if (appended === 'inexact') return 'refused'
    return appended === 'full' ? 'full' : 'row'
  }

  /** Makes a parser for the order of fields in this line, if it is a new one. */
  #learn(row: object, text: string): void {
    if (this.#ordersLeft === 0) return
    const { type } = this.#schema
    const tag = type.kind === 'variant' ? (readField(row, type.tag) as string) : ''
    // `as`: the row came out of this text, which therefore is an object.
    const names = Object.keys(JSON.parse(text) as object)
    const order = type.kind === 'variant' ? names.filter((name) => name !== type.tag) : names
    if (isPartOf(order, this.#order.get(tag) ?? [])) return
    this.#ordersLeft--
    this.#order = new Map([...this.#order, [tag, order]])
    this.#parse = emitLineParser(type, this.#order, this.#builder)
  }

  #judge(rows: number, others: number, stopped: boolean): number {
    if (stopped) {
      this.#rowsNext = rows < shortFrame ? Math.min(rowsNextMax, this.#rowsNext * 2) : rowsNextMin
      return this.#rowsNext
    }
    // Reading most lines twice is slower than plain rows.
    if (rows >= shortFrame && others * 2 > rows) return rowsNextMax
    return 0
  }
}

/** Frames for lines of this schema, where they are possible. */
export function lineFrames(
  schema: Schema<unknown>,
  fields: readonly string[] | undefined,
  decode: (text: string) => unknown,
): LineFrames | undefined {
  return isParsable(schema.type) && canGenerateCode()
    ? new LineFrames(schema, fields, decode)
    : undefined
}

/** Whether the names stand in `known` in this order, with others between them: what lacks may be optional. */
function isPartOf(names: readonly string[], known: readonly string[]): boolean {
  let at = 0
  for (const name of known) if (name === names[at]) at++
  return at === names.length
}

/** As in batches of rows: the return of a line end is no part of the line. */
function isBlank(text: string): boolean {
  const line = text.endsWith('\r') ? text.slice(0, -1) : text
  return line === '' || line[0] === ' ' || line[0] === '\t'
}
