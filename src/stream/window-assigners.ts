/** Window descriptors: plain data that says which windows a record belongs to. */
import { TidemillError } from '../base/errors.ts'
import type { Duration, Timestamp } from '../base/time.ts'
import type { WindowDefinition } from '../graph/plan.ts'
import { durationMs } from './arguments.ts'
import { streamErrors } from './errors.ts'

/**
 * A window of time: `start` belongs to it, `end` does not. Epoch milliseconds.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface TimeWindow {
  readonly start: Timestamp
  readonly end: Timestamp
}

/** Windows that follow the records' event time. Made by `tumbling`, `sliding` and `session`. */
export interface EventTimeWindow {
  readonly time: 'event-time'
  readonly definition: WindowDefinition
  readonly closeAfterQuietMs: number
}

/** Windows that follow the clock of the machine. Made by `tumblingProcessingTime`. */
export interface ProcessingTimeWindow {
  readonly time: 'processing-time'
  readonly definition: WindowDefinition
}

/** Options of windows that are aligned to the epoch; a session closes by its gap. */
export interface QuietOptions {
  /**
   * Closes the open windows when no record arrived for this long in processing time, as if the input had gone on.
   * Records that come after that are late. Default: windows wait for the watermark, however long.
   */
  readonly closeAfterQuiet?: Duration
}

/** Options of windows that are aligned to the epoch. */
export interface AlignmentOptions {
  /** Shifts the start of every window, e.g. by `hours(-1)` for days that begin at 23:00 UTC. Default 0. */
  readonly offset?: Duration
}

/**
 * Windows of `size` that follow each other without gap or overlap, aligned to 1970-01-01T00:00Z.
 * State: one set of aggregates per key and open window. Errors: TM1353.
 *
 * @example
 * ```ts
 * import { minutes, type Stream, tumbling } from 'tidemill'
 * declare const orders: Stream<{ readonly shopId: number }, 'event-time'>
 * orders.keyBy((o) => o.shopId).window(tumbling(minutes(1))).count('orders-per-minute')
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function tumbling(
  size: Duration,
  options: AlignmentOptions & QuietOptions = {},
): EventTimeWindow {
  const sizeMs = wholeMs(size, 'the size of a tumbling window', 1)
  const offsetMs = offsetOf(options, sizeMs)
  return eventTime({ kind: 'tumbling', time: 'event-time', sizeMs, offsetMs }, options)
}

/**
 * Windows of `size` that begin every `slide`, so that they overlap. A record updates one slice whatever the number of
 * windows it is in; choose a slide that divides the size to keep slices few. Errors: TM1353.
 *
 * @example
 * ```ts
 * import { hours, minutes, type Stream, sliding } from 'tidemill'
 * declare const views: Stream<{ readonly itemId: number }, 'event-time'>
 * views.keyBy((v) => v.itemId).window(sliding(hours(1), minutes(5))).count('views')
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function sliding(
  size: Duration,
  slide: Duration,
  options: AlignmentOptions & QuietOptions = {},
): EventTimeWindow {
  const sizeMs = wholeMs(size, 'the size of a sliding window', 1)
  const slideMs = wholeMs(slide, 'the slide of a sliding window', 1)
  if (slideMs > sizeMs) {
    throw new TidemillError(streamErrors.window, {
      message: `the slide of ${slideMs} ms is larger than the size of ${sizeMs} ms: records between windows would be lost`,
    })
  }
  const offsetMs = offsetOf(options, slideMs)
  return eventTime({ kind: 'sliding', time: 'event-time', sizeMs, slideMs, offsetMs }, options)
}

/**
 * Windows that last as long as records of a key follow each other by less than `gap`. A window ends `gap` after its last
 * record; records that join two windows merge them. Errors: TM1353.
 *
 * @example
 * ```ts
 * import { minutes, type Stream, session } from 'tidemill'
 * declare const clicks: Stream<{ readonly user: string }, 'event-time'>
 * clicks.keyBy((c) => c.user).window(session(minutes(30))).count('clicks-per-visit')
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function session(gap: Duration): EventTimeWindow {
  const gapMs = wholeMs(gap, 'the gap of a session window', 1)
  return eventTime({ kind: 'session', time: 'event-time', gapMs }, {})
}

/**
 * Tumbling windows by the clock of the machine: a record belongs to the window in which it arrives. For alerts and
 * throttling; results differ from run to run, so use event time where they matter. Errors: TM1353.
 *
 * @example
 * ```ts
 * import { seconds, type Stream, tumblingProcessingTime } from 'tidemill'
 * declare const clicks: Stream<{ readonly page: string }>
 * clicks.keyBy((c) => c.page).window(tumblingProcessingTime(seconds(10))).count('clicks-now')
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function tumblingProcessingTime(
  size: Duration,
  options: AlignmentOptions = {},
): ProcessingTimeWindow {
  const sizeMs = wholeMs(size, 'the size of a tumbling window', 1)
  const offsetMs = offsetOf(options, sizeMs)
  const definition = { kind: 'tumbling', time: 'processing-time', sizeMs, offsetMs } as const
  return Object.freeze({ time: 'processing-time', definition: Object.freeze(definition) })
}

function eventTime(definition: WindowDefinition, options: QuietOptions): EventTimeWindow {
  const quiet = options.closeAfterQuiet
  const closeAfterQuietMs = quiet === undefined ? 0 : wholeMs(quiet, 'closeAfterQuiet', 1)
  return Object.freeze({
    time: 'event-time',
    definition: Object.freeze(definition),
    closeAfterQuietMs,
  })
}

/** The offset in [0, every): windows shifted by a whole period are the same windows. */
function offsetOf(options: AlignmentOptions, everyMs: number): number {
  if (options.offset === undefined) return 0
  const offsetMs = durationMs(options.offset, 'the offset of a window', Number.NEGATIVE_INFINITY)
  if (!Number.isInteger(offsetMs) || Math.abs(offsetMs) >= everyMs) {
    throw new TidemillError(streamErrors.window, {
      message: `the offset is ${offsetMs} ms, expected whole milliseconds and less than the ${everyMs} ms between windows`,
    })
  }
  return offsetMs < 0 ? offsetMs + everyMs : offsetMs
}

function wholeMs(duration: Duration, what: string, minMs: number): number {
  const ms = durationMs(duration, what, Number.NEGATIVE_INFINITY)
  if (!Number.isSafeInteger(ms) || ms < minMs) {
    throw new TidemillError(streamErrors.window, {
      message: `${what} is ${ms} ms, expected whole milliseconds, at least ${minMs}`,
    })
  }
  return ms
}
