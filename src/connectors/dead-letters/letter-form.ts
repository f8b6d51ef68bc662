/** A late or rejected record as one JSON object, and back. */
import { TidemillError } from '../../base/errors.ts'
import type { Late, Letter, Rejected } from '../../graph/letters.ts'
import { fromBase64, toBase64 } from '../../schema/json-form.ts'
import { toPlain } from '../../schema/row.ts'
import { connectorErrors } from '../errors.ts'
import { printJson } from '../text/json-print.ts'

/** A dead letter as it is stored. */
export interface DeadLetter {
  /** Unique within the directory: file and line. */
  readonly id: string
  readonly operator: string
  readonly kind: 'rejected' | 'late'
  /** Place of the record in its source, e.g. `orders.csv:17`; empty when it is not known. */
  readonly position: string
  readonly code: string
  readonly message: string
  readonly attempt: number
  /** When it was written, epoch milliseconds. */
  readonly time: number
  /** Event time of the record; undefined when it has none. */
  readonly timestamp: number | undefined
  /** What was refused: text or bytes as they came, or the row as data. */
  readonly raw: string | Uint8Array | { readonly row: unknown }
  readonly replayed: boolean
}

/** One line of JSON. */
export function printLetter(letter: Letter, timestampMs: number, nowMs: number): string {
  const late = 'lateBy' in letter
  const record = toPlain(
    late ? (letter as Late<unknown>).record : (letter as Rejected<unknown>).input,
  )
  const eventTime = late ? (letter as Late<unknown>).timestamp : timestampMs
  const facts = late
    ? {
        kind: 'late',
        position: '',
        code: 'late',
        message: `${(letter as Late<unknown>).lateBy} ms late`,
        attempt: 1,
      }
    : {
        kind: 'rejected',
        position: (letter as Rejected<unknown>).position,
        code: (letter as Rejected<unknown>).error.code,
        message: (letter as Rejected<unknown>).error.message,
        attempt: (letter as Rejected<unknown>).attempt,
      }
  const form = {
    operator: letter.operator,
    ...facts,
    time: nowMs,
    timestamp: Number.isFinite(eventTime) ? eventTime : undefined,
    ...rawForm(record),
  }
  // A dead letter must not fail for the very value that made it one.
  return printJson(form, { nonFinite: 'null', bigint: 'text' })
}

function rawForm(record: unknown): object {
  if (typeof record === 'string') return { text: record }
  if (record instanceof Uint8Array) return { base64: toBase64(record) }
  if (typeof record === 'number' && !Number.isFinite(record)) return { row: String(record) }
  return { row: record ?? null }
}

/** TM1740 for a line that is no dead letter. */
export function readLetter(line: string, id: string, replayed: boolean): DeadLetter {
  try {
    const form = JSON.parse(line) as Readonly<Record<string, unknown>>
    const { operator, kind, position, code, message, attempt, time, timestamp } = form
    if (typeof operator !== 'string' || (kind !== 'rejected' && kind !== 'late'))
      throw new TypeError('a field is missing')
    return {
      id,
      operator,
      kind,
      position: String(position),
      code: String(code),
      message: String(message),
      attempt: Number(attempt),
      time: Number(time),
      timestamp: typeof timestamp === 'number' ? timestamp : undefined,
      raw: readRaw(form),
      replayed,
    }
  } catch (cause) {
    throw new TidemillError(connectorErrors.deadLetterDamaged, {
      message: id,
      details: { file: id },
      cause,
    })
  }
}

function readRaw(form: Readonly<Record<string, unknown>>): DeadLetter['raw'] {
  const { text, base64, row } = form
  if (typeof text === 'string') return text
  if (typeof base64 !== 'string') return { row }
  const bytes = fromBase64(base64)
  if (bytes === undefined) throw new TypeError('base64 is damaged')
  return bytes
}
