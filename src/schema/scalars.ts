/** Schemas of single values. */
import type { Timestamp } from '../base/time.ts'
import type { JsonValue } from './dynamic.ts'
import { makeSchema, validate } from './schema.ts'
import type { Schema } from './types.ts'

/** Any string. */
export const text: Schema<string> = makeSchema({ kind: 'text' })

/** A whole number up to 2^53 - 1 in size; -0 is stored as 0. For larger ones use {@link int64}. */
export const int: Schema<number> = makeSchema({ kind: 'int' })

/** A bigint of any size; values of 64 bits take 9 bytes. */
export const int64: Schema<bigint> = makeSchema({ kind: 'int64' })

/** Any number, NaN and infinities included. */
export const float: Schema<number> = makeSchema({ kind: 'float' })

/** True or false. */
export const bool: Schema<boolean> = makeSchema({ kind: 'bool' })

/** Raw bytes. */
export const bytes: Schema<Uint8Array> = makeSchema({ kind: 'bytes' })

/** A point in time, epoch milliseconds. */
export const instant: Schema<Timestamp> = makeSchema({ kind: 'instant' })

/** A day of the calendar without a time zone, as text `2026-11-22`. */
export const date: Schema<string> = makeSchema({ kind: 'date' })

/** Any JSON data as a value; for records that arrive as JSON text see `json`. */
export const jsonValue: Schema<JsonValue> = makeSchema({ kind: 'json' })

/**
 * An exact decimal as text, `-12.340`: at most `precision` digits, `scale` of them after the point. Trailing zeros are
 * kept, a leading zero or plus sign is refused. TM1002 for sizes that make no sense.
 */
export function decimal(precision: number, scale: number): Schema<string> {
  return makeSchema(validate({ kind: 'decimal', precision, scale }, 'decimal'))
}

/**
 * One of a fixed list of texts. Stored as text, so the list may be reordered and extended later. TM1002 when the list
 * is empty or repeats a value.
 */
export function literals<const Values extends readonly [string, ...string[]]>(
  ...values: Values
): Schema<Values[number]> {
  return makeSchema(validate({ kind: 'literals', values: [...values] }, 'literals'))
}
