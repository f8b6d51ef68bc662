/**
 * Records from and to text, for the command line: lines and JSON lines, with an optional key.
 *
 * `text`: the whole line is the value. `json`: the line is an object `{"key"?, "value", "timestamp"?, "headers"?}` whose
 * value may be any JSON value; a text value is stored as it is, everything else as JSON.
 */
import { TidemillError } from '../base/errors.ts'
import { logErrors } from './errors.ts'
import { type LogRecord, readRecords, type StoredRecord } from './records.ts'
import type { LogBatch } from './types.ts'

export interface TextFormat {
  readonly format: 'text' | 'json'
  /** `text` only: what stands between key and value, for instance a tab. Without it lines have no key. */
  readonly keySeparator?: string
}

/** What the command line prints with `--json`, one object per line. */
export interface PrintedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Present when the value is not UTF-8; key and value are then hexadecimal. */
  readonly encoding?: 'hex'
  /** Present when only the key is not UTF-8, as numbers are that a job uses for keys. */
  readonly keyEncoding?: 'hex'
}

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A record from one line; TM1219 when it has another form. `nowMs` is the timestamp of lines that carry none. */
export function recordFromLine(line: string, format: TextFormat, nowMs: number): LogRecord {
  if (format.format === 'json') return fromJson(line, nowMs)
  const { keySeparator } = format
  if (keySeparator === undefined)
    return { key: null, value: encoder.encode(line), timestamp: nowMs }
  const at = line.indexOf(keySeparator)
  if (at < 0) throw invalid(`no "${keySeparator}" between key and value`, line)
  return {
    key: encoder.encode(line.slice(0, at)),
    value: encoder.encode(line.slice(at + keySeparator.length)),
    timestamp: nowMs,
  }
}

/** The records of a batch for printing; empty for a frame, whose layout the log does not know. */
export function printRecords(batch: LogBatch): PrintedRecord[] {
  return batch.kind === 'records' ? readRecords(batch).map(printRecord) : []
}

export function printRecord(record: StoredRecord): PrintedRecord {
  const key = textOf(record.key)
  const value = textOf(record.value)
  const isAllText = key !== undefined && value !== undefined
  const headers: Record<string, string> = Object.create(null)
  for (const header of record.headers)
    headers[header.name] = textOf(header.value) ?? hex(header.value)
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    key: isAllText ? key : record.key && hex(record.key),
    value: value === undefined ? record.value && hex(record.value) : value,
    ...(record.headers.length === 0 ? {} : { headers }),
    ...(isAllText ? {} : { [value === undefined ? 'encoding' : 'keyEncoding']: 'hex' as const }),
  }
}

function fromJson(line: string, nowMs: number): LogRecord {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (error) {
    throw invalid('not JSON', line, error)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid('not a JSON object', line)
  const { key, value, timestamp, headers, ...rest } = parsed as Readonly<Record<string, unknown>>
  const unknown = Object.keys(rest)
  if (unknown.length > 0) throw invalid(`unknown field "${unknown[0]}"`, line)
  if (value === undefined) throw invalid('the field "value" is missing', line)
  if (key !== undefined && key !== null && typeof key !== 'string')
    throw invalid('the field "key" is not text', line)
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp)) {
    throw invalid('the field "timestamp" is not a whole number of milliseconds', line)
  }
  return {
    key: typeof key === 'string' ? encoder.encode(key) : null,
    value:
      value === null
        ? null
        : encoder.encode(typeof value === 'string' ? value : JSON.stringify(value)),
    timestamp: typeof timestamp === 'number' ? timestamp : nowMs,
    headers: headersOf(headers, line),
  }
}

function headersOf(headers: unknown, line: string): { name: string; value: Uint8Array }[] {
  if (headers === undefined) return []
  if (typeof headers !== 'object' || headers === null)
    throw invalid('the field "headers" is not an object', line)
  return Object.entries(headers).map(([name, value]) => {
    if (typeof value !== 'string') throw invalid(`the header "${name}" is not text`, line)
    return { name, value: encoder.encode(value) }
  })
}

function textOf(bytes: Uint8Array | null): string | null | undefined {
  if (bytes === null) return null
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

function invalid(message: string, line: string, cause?: unknown): TidemillError {
  const shown = line.length > 80 ? `${line.slice(0, 80)}…` : line
  return new TidemillError(logErrors.textInvalid, { message, details: { record: shown }, cause })
}
