import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type Duration,
  days,
  hours,
  milliseconds,
  minutes,
  seconds,
  type Timestamp,
  timestamp,
  timestampMax,
  timestampMin,
} from './time.ts'

describe('durations', () => {
  it('are milliseconds', () => {
    expect(milliseconds(5)).toBe(5)
    expect(seconds(5)).toBe(5_000)
    expect(minutes(5)).toBe(300_000)
    expect(hours(5)).toBe(18_000_000)
    expect(days(5)).toBe(432_000_000)
    expect(seconds(0.25)).toBe(250)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_VALUE])('refuse %s', (n) => {
    expect(() => days(n)).toThrow(RangeError)
  })
})

describe('timestamp', () => {
  it('takes epoch milliseconds as they are', () => {
    expect(timestamp(-1)).toBe(-1)
    expect(() => timestamp(Number.NaN)).toThrow('NaN is not a finite number')
  })

  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2026-01-02T03:04:05.678Z', 1_767_323_045_678],
    ['2026-01-02T04:04:05+01:00', 1_767_323_045_000],
    ['2026-01-01T21:34:05-05:30', 1_767_323_045_000],
  ])('reads %s', (text, ms) => {
    expect(timestamp(text)).toBe(ms)
  })

  it.each(['2026-01-02T03:04:05', '2026-01-02', 'yesterday Z', '', '2026-13-01T00:00:00Z'])(
    'refuses "%s", which names no moment',
    (text) => {
      expect(() => timestamp(text)).toThrow(RangeError)
    },
  )

  it('lies between the two ends of time', () => {
    const widest = 8_640_000_000_000_000
    expect(timestampMin).toBeLessThan(-widest)
    expect(timestampMax).toBeGreaterThan(widest)
    expect(Number.isSafeInteger(timestampMin) && Number.isSafeInteger(timestampMax)).toBe(true)
  })
})

describe('types', () => {
  it('keep points, lengths and bare numbers apart', () => {
    expectTypeOf<Duration>().not.toExtend<Timestamp>()
    expectTypeOf<number>().not.toExtend<Duration>()
    expectTypeOf(timestamp(0)).toEqualTypeOf<Timestamp>()
  })
})
