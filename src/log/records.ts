/**
 * The payload kind `records`: a plain layout for keys, values and headers as bytes.
 *
 * A record is: length of the rest, offset minus the batch's base offset, timestamp minus the batch's smallest one, key,
 * value, number of headers, headers. Numbers are unsigned LEB128 of up to 53 bits; key and value are preceded by their
 * length plus one, where 0 says that there is none. Offsets ascend within a batch; compaction leaves holes.
 */
import { TidemillError } from '../base/errors.ts'
import { logErrors } from './errors.ts'
import type { AppendBatch, LogBatch, TransactionId } from './types.ts'

export interface RecordHeader {
  readonly name: string
  readonly value: Uint8Array
}

export interface LogRecord {
  readonly key: Uint8Array | null
  /** `null` deletes the key in a compacted topic. */
  readonly value: Uint8Array | null
  /** Event time in whole milliseconds. */
  readonly timestamp: number
  readonly headers?: readonly RecordHeader[]
}

export interface StoredRecord extends LogRecord {
  readonly offset: number
  readonly headers: readonly RecordHeader[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const noHeaders: readonly RecordHeader[] = Object.freeze([])

/** A batch of these records, ready to append. At least one record. */
export function recordsBatch(
  records: readonly LogRecord[],
  transaction?: TransactionId,
): AppendBatch {
  if (records.length === 0) {
    throw new TidemillError(logErrors.batchInvalid, {
      message: 'a batch needs at least one record',
    })
  }
  let minTimestamp = Number.POSITIVE_INFINITY
  let maxTimestamp = Number.NEGATIVE_INFINITY
  for (const record of records) {
    if (!Number.isSafeInteger(record.timestamp)) {
      throw new TidemillError(logErrors.batchInvalid, {
        message: `the timestamp ${record.timestamp} is not a whole number of milliseconds`,
      })
    }
    minTimestamp = Math.min(minTimestamp, record.timestamp)
    maxTimestamp = Math.max(maxTimestamp, record.timestamp)
  }
  const sink = new ByteSink(records.length * 64)
  for (let i = 0; i < records.length; i++) putRecord(sink, records[i]!, i, minTimestamp)
  return {
    kind: 'records',
    payload: sink.bytes.subarray(0, sink.used),
    recordCount: records.length,
    minTimestamp,
    maxTimestamp,
    ...(transaction ? { transaction } : {}),
  }
}

/** The records of a batch from its position on. Keys and values are views of the batch's payload. */
export function readRecords(batch: LogBatch): StoredRecord[] {
  if (batch.kind !== 'records') {
    throw new TidemillError(logErrors.recordsMalformed, {
      message: `the batch holds a ${batch.kind}, not records`,
      details: { offset: batch.baseOffset },
    })
  }
  const all = decodeRecords(batch.payload, batch.recordCount, batch.baseOffset, batch.minTimestamp)
  return batch.skip === 0
    ? all
    : all.filter((record) => record.offset >= batch.baseOffset + batch.skip)
}

/** Decodes a payload; TM1217 when it is not exactly `count` records in ascending order of offsets. */
export function decodeRecords(
  payload: Uint8Array,
  count: number,
  baseOffset: number,
  minTimestamp: number,
): StoredRecord[] {
  const source = new ByteSource(payload, baseOffset)
  const records: StoredRecord[] = []
  let offset = baseOffset - 1
  for (let i = 0; i < count; i++) {
    const end = source.number() + source.at
    const next = baseOffset + source.number()
    if (next <= offset) source.fail('offsets do not ascend')
    offset = next
    const timestamp = minTimestamp + source.number()
    const key = source.optionalBytes()
    const value = source.optionalBytes()
    const headers = source.headers()
    if (source.at !== end) source.fail('a record has another length than it says')
    records.push({ offset, key, value, timestamp, headers })
  }
  if (source.at !== payload.length) source.fail('bytes follow the last record')
  return records
}

/** Encodes records that keep their offsets, as compaction needs it. */
export function encodeStored(
  records: readonly StoredRecord[],
  baseOffset: number,
  minTimestamp: number,
): Uint8Array {
  const sink = new ByteSink(records.length * 64)
  for (const record of records) putRecord(sink, record, record.offset - baseOffset, minTimestamp)
  return sink.bytes.subarray(0, sink.used)
}

function putRecord(sink: ByteSink, record: LogRecord, delta: number, minTimestamp: number): void {
  const headers = record.headers ?? noHeaders
  const names = headers.length === 0 ? [] : headers.map((header) => encoder.encode(header.name))
  const time = record.timestamp - minTimestamp
  if (!Number.isSafeInteger(time)) {
    throw new TidemillError(logErrors.batchInvalid, {
      message: 'the timestamps of one batch lie too far apart',
    })
  }
  let length = numberBytes(delta) + numberBytes(time) + numberBytes(headers.length)
  length += optionalLength(record.key) + optionalLength(record.value)
  for (let i = 0; i < headers.length; i++) {
    const value = headers[i]!.value.length
    length += numberBytes(names[i]!.length) + names[i]!.length + numberBytes(value) + value
  }
  sink.number(length)
  sink.number(delta)
  sink.number(time)
  sink.optional(record.key)
  sink.optional(record.value)
  sink.number(headers.length)
  for (let i = 0; i < headers.length; i++) {
    sink.number(names[i]!.length)
    sink.raw(names[i]!)
    sink.number(headers[i]!.value.length)
    sink.raw(headers[i]!.value)
  }
}

function numberBytes(value: number): number {
  let n = 1
  for (let v = value; v >= 128; v = Math.floor(v / 128)) n++
  return n
}

function optionalLength(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : numberBytes(bytes.length + 1) + bytes.length
}

class ByteSink {
  bytes: Uint8Array
  used = 0

  constructor(capacity: number) {
    this.bytes = new Uint8Array(Math.max(64, capacity))
  }

  room(count: number): void {
    if (this.used + count <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.used + count))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
  }

  number(value: number): void {
    this.room(8)
    let v = value
    while (v >= 128) {
      this.bytes[this.used++] = (v % 128) | 128
      v = Math.floor(v / 128)
    }
    this.bytes[this.used++] = v
  }

  optional(bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.number(0)
      return
    }
    this.number(bytes.length + 1)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.bytes.set(bytes, this.used)
    this.used += bytes.length
  }
}

/** Reads a payload front to back; every length is checked against the bytes that remain. */
class ByteSource {
  readonly bytes: Uint8Array
  readonly baseOffset: number
  at = 0

  constructor(bytes: Uint8Array, baseOffset: number) {
    this.bytes = bytes
    this.baseOffset = baseOffset
  }

  fail(message: string): never {
    throw new TidemillError(logErrors.recordsMalformed, {
      message,
      details: { offset: this.baseOffset, byte: this.at },
    })
  }

  number(): number {
    let value = 0
    let unit = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) this.fail('a number is cut short')
      value += (byte & 127) * unit
      if (byte < 128)
        return Number.isSafeInteger(value) ? value : this.fail('a number is too large')
      unit *= 128
    }
    return this.fail('a number is too long')
  }

  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) this.fail('a field is cut short')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  optionalBytes(): Uint8Array | null {
    const length = this.number()
    return length === 0 ? null : this.take(length - 1)
  }

  headers(): readonly RecordHeader[] {
    const count = this.number()
    if (count === 0) return noHeaders
    if (count > this.bytes.length - this.at) this.fail('more headers than bytes')
    const headers: RecordHeader[] = []
    for (let i = 0; i < count; i++) {
      const name = this.text(this.take(this.number()))
      headers.push({ name, value: this.take(this.number()) })
    }
    return headers
  }

  text(bytes: Uint8Array): string {
    try {
      return decoder.decode(bytes)
    } catch {
      return this.fail('the name of a header is not UTF-8')
    }
  }
}
