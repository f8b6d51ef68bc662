/** Points in time and lengths of time, both in milliseconds, kept apart by brands so that a bare number is neither. */

declare const timeBrand: unique symbol

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Timestamp = number & { readonly [timeBrand]: 'Timestamp' }

/** A length of time in milliseconds. */
export type Duration = number & { readonly [timeBrand]: 'Duration' }

/** Earlier than every record: the watermark before the first one. */
export const timestampMin: Timestamp = -8_640_000_000_000_001 as Timestamp

/** The last point in time that a record may have: the last one of a `Date`. */
export const latestTimestamp: Timestamp = 8_640_000_000_000_000 as Timestamp

/**
 * Later than every record, and than the end of its windows, by eleven thousand years: the watermark at the end of a bounded
 * input. Windows that reach beyond the last date would never close otherwise.
 */
export const timestampMax: Timestamp = Number.MAX_SAFE_INTEGER as Timestamp

/** A duration of `n` milliseconds. */
export function milliseconds(n: number): Duration {
  return checked(n, 1)
}

/** A duration of `n` seconds. */
export function seconds(n: number): Duration {
  return checked(n, 1_000)
}

/** A duration of `n` minutes. */
export function minutes(n: number): Duration {
  return checked(n, 60_000)
}

/** A duration of `n` hours. */
export function hours(n: number): Duration {
  return checked(n, 3_600_000)
}

/** A duration of `n` days of 24 hours. */
export function days(n: number): Duration {
  return checked(n, 86_400_000)
}

/**
 * A point in time from epoch milliseconds or from an ISO 8601 text that names its offset (`2026-01-02T03:04:05Z`).
 * Throws a `RangeError` for anything else: a text without an offset would depend on the machine's time zone.
 */
export function timestamp(at: number | string): Timestamp {
  if (typeof at === 'number') {
    if (!Number.isFinite(at))
      throw new RangeError(`timestamp: ${at} is not a finite number of milliseconds`)
    return at as Timestamp
  }
  const ms = /(?:Z|[+-]\d\d:?\d\d)$/i.test(at) ? Date.parse(at) : Number.NaN
  if (Number.isNaN(ms)) {
    throw new RangeError(
      `timestamp: "${at}" is not an ISO 8601 date and time with an offset such as Z or +01:00`,
    )
  }
  return ms as Timestamp
}

function checked(n: number, unitMs: number): Duration {
  const ms = n * unitMs
  if (!Number.isFinite(ms)) throw new RangeError(`a duration must be finite, got ${n}`)
  return ms as Duration
}
