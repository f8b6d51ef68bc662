/**
 * Cuts a text file into records and batches. A record ends at a line break, outside of quotes where the format has
 * them; the last one may lack it (a torn write is still a record, to be judged by the format).
 *
 * 1. Records are cut on bytes: a line break is never part of another character in UTF-8.
 * 2. A run of records is decoded at once and split as text, which is several times faster than record by record. When
 *    the run is not UTF-8 it is decoded record by record to find the culprits.
 * 3. A record longer than the limit is refused with its first bytes and skipped without being kept; the position says
 *    so when a checkpoint falls into it.
 * 4. What a batch contains never depends on where reads of the file end: only how many records a batch has does.
 */
import type { Env } from '../../base/env.ts'
import { TidemillError } from '../../base/errors.ts'
import type { PartitionReader, Position, SourceBatch } from '../contract.ts'
import { connectorErrors } from '../errors.ts'
import { BatchBuilder } from './batch-builder.ts'
import { ByteBuffer } from './byte-buffer.ts'
import { type ByteInput, type GzipLimits, openByteInput, shrank } from './byte-input.ts'
import type { LineFrames } from './line-frames.ts'
import { decodePosition, encodePosition } from './position.ts'
import { decodeText, firstBadByte } from './utf8.ts'

export interface RecordFormat<Out> {
  /** Delimiter of fields when values may be quoted; undefined when every line break ends a record. */
  readonly quotedBy?: { readonly delimiter: number }
  /** Turns the texts of consecutive lines into rows. May take `texts` over. */
  decodeLines(texts: string[], line: number, batch: BatchBuilder<Out>): void
  /** Makes frames of lines, where it can; the others are given to `decodeLines`. */
  readonly frames?: LineFrames | undefined
  /** One record with quotes, which may span lines. */
  decodeQuoted?(text: string, line: number, batch: BatchBuilder<Out>): void
}

export interface RecordOptions {
  /** Records beyond it are refused. Default 1 MiB. */
  readonly recordBytesMax?: number
  /** Bytes per read of the file. Default 256 KiB. */
  readonly chunkBytes?: number
  /** Default 4,096. */
  readonly batchRowsMax?: number
  readonly gzip?: GzipLimits
}

/** Of a record that is too long so much is kept for its refusal. */
export const rawBytesMax = 1024

const lineFeed = 0x0a
const quote = 0x22

export async function openRecords<Out>(
  env: Env,
  file: string,
  format: RecordFormat<Out>,
  options: RecordOptions,
  position: Position | undefined,
): Promise<RecordReader<Out>> {
  const input = await openByteInput(env.disk, file, options.gzip ?? {})
  const reader = new RecordReader(file, input, format, options)
  try {
    await reader.restore(position)
  } catch (error) {
    await input.close()
    throw error
  }
  return reader
}

export class RecordReader<Out> implements PartitionReader<Out> {
  readonly #file: string
  readonly #input: ByteInput
  readonly #buffer: ByteBuffer
  readonly #format: RecordFormat<Out>
  readonly #recordBytesMax: number
  readonly #batchRowsMax: number
  /** Lines consumed so far. */
  #line = 0
  #skipping = false
  /** Lines that go through batches of rows before the next frame is tried. */
  #plainLines = 0

  constructor(file: string, input: ByteInput, format: RecordFormat<Out>, options: RecordOptions) {
    this.#file = file
    this.#input = input
    this.#format = format
    this.#recordBytesMax = options.recordBytesMax ?? 1 << 20
    this.#batchRowsMax = options.batchRowsMax ?? 4096
    this.#buffer = new ByteBuffer(input, options.chunkBytes ?? 1 << 18)
  }

  async restore(position: Position | undefined): Promise<void> {
    const buffer = this.#buffer
    if (position === undefined) {
      while (buffer.end < 3 && !buffer.ended) await buffer.fill()
      const { bytes } = buffer
      if (buffer.end >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
        buffer.consume(3)
      return
    }
    const { offset, line, skipping, printLength, printCrc } = decodePosition(position, this.#file)
    const from = offset - printLength
    const got = await this.#input.skipTo(from)
    if (got < from) throw shrank(this.#file, offset, got)
    buffer.offset = from
    while (buffer.end < printLength && !buffer.ended) await buffer.fill()
    if (buffer.end < printLength) throw shrank(this.#file, offset, from + buffer.end)
    buffer.consume(printLength)
    if (buffer.print().crc !== printCrc) {
      throw new TidemillError(connectorErrors.inputChanged, {
        message: `${this.#file}: the ${printLength} bytes before byte ${offset} differ`,
        details: { file: this.#file, offset },
      })
    }
    this.#line = line
    this.#skipping = skipping
  }

  poll(): SourceBatch<Out> | undefined {
    return this.#next()
  }

  async read(): Promise<SourceBatch<Out> | 'end'> {
    for (;;) {
      const batch = this.#next()
      if (batch !== undefined) return batch
      if (this.#buffer.ended) return 'end'
      await this.#buffer.fill()
    }
  }

  wait(): Promise<void> {
    return Promise.resolve()
  }

  position(): Position {
    const { offset } = this.#buffer
    const { length, crc } = this.#buffer.print()
    return encodePosition({
      offset,
      line: this.#line,
      skipping: this.#skipping,
      printLength: length,
      printCrc: crc,
    })
  }

  async lag(): Promise<number | undefined> {
    const remaining = await this.#input.remaining()
    return remaining === undefined ? undefined : remaining + this.#buffer.end - this.#buffer.start
  }

  close(): Promise<void> {
    return this.#input.close()
  }

  /** A frame of the next lines, or their rows. */
  #next(): SourceBatch<Out> | undefined {
    const { frames } = this.#format
    while (frames !== undefined && this.#plainLines === 0 && !this.#skipping) {
      const buffer = this.#buffer
      const { bytes, start } = buffer
      const end = bytes.subarray(start, buffer.end).lastIndexOf(lineFeed) + 1 + start
      // What is left may be the last line, or one that is too long.
      if (end === start) break
      const place = { file: this.#file, line: this.#line }
      const limits = { rowsMax: this.#batchRowsMax, bytesMax: this.#recordBytesMax }
      const { next, lines, batch, rowsNext } = frames.cut(bytes, start, end, place, limits)
      buffer.consume(next - start)
      this.#line += lines
      this.#plainLines = rowsNext
      if (batch !== undefined) return batch
    }
    const before = this.#line
    const batch = this.#cut(
      this.#plainLines === 0 ? this.#batchRowsMax : Math.min(this.#plainLines, this.#batchRowsMax),
    )
    this.#plainLines = Math.max(0, this.#plainLines - (this.#line - before))
    return batch
  }

  /** The next records that are complete in the buffer; undefined when there is none. */
  #cut(rowsMax: number): SourceBatch<Out> | undefined {
    const buffer = this.#buffer
    if (this.#skipping && !this.#skipRest()) return undefined
    const { bytes, start, end, ended } = buffer
    const filled = bytes.subarray(0, end)
    const { quotedBy } = this.#format
    const batch = new BatchBuilder<Out>(this.#file)
    let nextQuote = quotedBy === undefined ? end : indexOr(filled.indexOf(quote, start), end)
    // Records from `runStart` to `at` are plain lines not decoded yet, the first of them `runLine`.
    let runStart = start
    let runLine = this.#line
    let at = start
    let line = this.#line
    for (let count = 0; count < rowsMax && at < end; count++) {
      let stop = filled.indexOf(lineFeed, at)
      if (nextQuote < at) nextQuote = indexOr(filled.indexOf(quote, at), end)
      const quoted = quotedBy !== undefined && nextQuote < (stop === -1 ? end : stop)
      if (quoted) stop = quotedRecordEnd(filled, at, quotedBy.delimiter)
      const tooLong = (stop === -1 ? end : stop) - at > this.#recordBytesMax
      if (stop === -1 && !ended && !tooLong) break
      if (!quoted && !tooLong) {
        at = stop === -1 ? end : stop + 1
        line++
        continue
      }
      if (at > runStart) this.#decodeRun(runStart, at, runLine, batch)
      const next = tooLong
        ? this.#refuse(filled, at, line + 1, batch)
        : this.#decodeQuoted(at, stop === -1 ? end : stop, line + 1, batch)
      line += countLines(filled, at, next)
      at = next
      runStart = at
      runLine = line
    }
    if (at > runStart) this.#decodeRun(runStart, at, runLine, batch)
    if (at === start) return undefined
    buffer.consume(at - start)
    this.#line = line
    return batch.batch()
  }

  /** Records `from`..`to` are whole lines, the first of them after `line` others. */
  #decodeRun(from: number, to: number, line: number, batch: BatchBuilder<Out>): void {
    const { bytes } = this.#buffer
    const stop = bytes[to - 1] === lineFeed ? to - 1 : to
    const text = decodeText(bytes, from, stop)
    if (text === undefined) {
      this.#decodeEach(from, stop, line, batch)
      return
    }
    const texts = text.split('\n')
    if (text.includes('\r'))
      for (let i = 0; i < texts.length; i++) texts[i] = withoutReturn(texts[i]!)
    this.#format.decodeLines(texts, line + 1, batch)
  }

  #decodeEach(from: number, to: number, line: number, batch: BatchBuilder<Out>): void {
    const filled = this.#buffer.bytes.subarray(0, to)
    let number = line + 1
    for (let at = from; at <= to; number++) {
      const stop = indexOr(filled.indexOf(lineFeed, at), to)
      const text = decodeText(filled, at, stop)
      if (text === undefined) this.#refuseBytes(at, stop, number, batch)
      else this.#format.decodeLines([withoutReturn(text)], number, batch)
      at = stop + 1
    }
  }

  /** Resolves to the start of the next record. */
  #decodeQuoted(from: number, stop: number, line: number, batch: BatchBuilder<Out>): number {
    const text = decodeText(this.#buffer.bytes, from, stop)
    if (text === undefined) this.#refuseBytes(from, stop, line, batch)
    else this.#format.decodeQuoted?.(withoutReturn(text), line, batch)
    return Math.min(stop + 1, this.#buffer.end)
  }

  #refuseBytes(from: number, stop: number, line: number, batch: BatchBuilder<Out>): void {
    const { bytes, start, offset } = this.#buffer
    const bad = firstBadByte(bytes, from, stop)
    const shown = bytes[bad]?.toString(16).padStart(2, '0') ?? ''
    const detail =
      bad < stop
        ? `byte ${bad - from + 1} of the record (${offset + bad - start + 1} of the file) is 0x${shown}`
        : 'it ends within a character'
    batch.reject(bytes.slice(from, stop), line, connectorErrors.notUtf8, detail)
  }

  /**
   * Refuses the record at `at`, which is too long. What follows its first `recordBytesMax` bytes up to the next line
   * break is dropped: a quote that is never closed must not take the rest of the file with it.
   */
  #refuse(filled: Uint8Array, at: number, line: number, batch: BatchBuilder<Out>): number {
    const detail = `more than ${this.#recordBytesMax} bytes, the first ${rawBytesMax} are kept`
    const raw = filled.slice(at, at + Math.min(rawBytesMax, this.#recordBytesMax))
    batch.reject(raw, line, connectorErrors.recordTooLong, detail)
    const stop = filled.indexOf(lineFeed, at + this.#recordBytesMax)
    if (stop !== -1) return stop + 1
    this.#skipping = true
    return filled.length
  }

  /** True when the record that is being skipped has ended. */
  #skipRest(): boolean {
    const buffer = this.#buffer
    const stop = buffer.bytes.subarray(0, buffer.end).indexOf(lineFeed, buffer.start)
    buffer.consume((stop === -1 ? buffer.end : stop + 1) - buffer.start)
    if (stop === -1) return false
    this.#line++
    this.#skipping = false
    return true
  }
}

/** Index of the line break that ends the record at `from`, or -1 when it is not in `bytes`. */
function quotedRecordEnd(bytes: Uint8Array, from: number, delimiter: number): number {
  let fieldStart = true
  for (let i = from; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === lineFeed) return i
    if (fieldStart && byte === quote) {
      i = closingQuote(bytes, i + 1)
      if (i === -1) return -1
    }
    fieldStart = byte === delimiter
  }
  return -1
}

/** Index of the quote that ends a quoted value; a doubled one is part of it. */
function closingQuote(bytes: Uint8Array, from: number): number {
  for (let i = from; ; i += 2) {
    i = bytes.indexOf(quote, i)
    // At the end of the buffer it cannot be told whether another quote follows.
    if (i === -1 || i + 1 === bytes.length) return -1
    if (bytes[i + 1] !== quote) return i
  }
}

function countLines(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  for (
    let i = bytes.indexOf(lineFeed, from);
    i !== -1 && i < to;
    i = bytes.indexOf(lineFeed, i + 1)
  )
    count++
  return count
}

function withoutReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function indexOr(index: number, otherwise: number): number {
  return index === -1 ? otherwise : index
}
