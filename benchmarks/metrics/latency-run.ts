/**
 * One run of `latency` in this process: warm-up, timed part, end. Prints one JSON object.
 *
 * A row of q1 counts from the instant its bid was due; a result of a window from the instant the event was due whose
 * watermark allows it. Both follow from the event time alone, since the events of D4 are evenly spaced and in order.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { milliseconds, pipeline, type Stream } from 'tidemill'
import { BASE_TIME_MS } from '../nexmark/dataset.ts'
import { queries, type QueryRows } from '../nexmark/queries.ts'
import type { EventRow } from '../nexmark/schema.ts'
import { FrameSegments } from '../nexmark/segments.ts'
import { probeSink } from './probe-sink.ts'
import { Schedule, scheduledSource } from './schedule-source.ts'

export const latencyQueries = ['q1', 'q5', 'q8'] as const
export type LatencyQuery = (typeof latencyQueries)[number]

export interface LatencyRequest {
  readonly query: LatencyQuery
  /** Absent: as fast as the job goes. */
  readonly ratePerSec?: number
  readonly warmupMs: number
  readonly timedMs: number
  readonly segmentEvents: number
  readonly checkpointIntervalMs: number
}

export interface LatencyFigures {
  readonly warmupEvents: number
  readonly timedEvents: number
  readonly wallMs: number
  readonly cpuUserMs: number
  readonly cpuSysMs: number
  /** Results of the timed part. */
  readonly outputRows: number
  readonly latencyMs: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>
  /** How long after the last event was due it was handed over: grows without end when the rate is too high. */
  readonly behindMs: number
  readonly peakRssBytes: number
  readonly gcMs: number
  readonly gcMaxPauseMs: number
  readonly eventLoopDelayMaxMs: number
  readonly eventLoopDelayP99Ms: number
  readonly checkpoints: number
}

const EVENTS_PER_MS = 10
const WINDOW_MS = 10_000
/** The watermark is the largest time less so much; a window is complete at its last millisecond. */
const WATERMARK_BEHIND_MS = 4_000
const ROWS_PER_FRAME_MAX = 256

// `as`: written by `latency.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as LatencyRequest

async function run(wanted: LatencyRequest): Promise<LatencyFigures> {
  const { query, ratePerSec = Number.POSITIVE_INFINITY, warmupMs, timedMs } = wanted
  // A frame holds what is due within a millisecond.
  const rowsPerFrame = Math.max(1, Math.min(ROWS_PER_FRAME_MAX, Math.floor(ratePerSec / 1000)))
  const segments = new FrameSegments(wanted.segmentEvents, rowsPerFrame)
  const schedule = new Schedule(ratePerSec)
  const histogram = createHistogram()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const gc = watchGarbageCollection()
  let checkpoints = 0
  let begun: Instant | undefined
  let ended: Instant | undefined
  let events = 0
  const elapsed = (): number => performance.now() - schedule.startMs

  const source = scheduledSource({
    segments,
    schedule,
    progress: (handedOver) => {
      events = handedOver
      if (begun === undefined && elapsed() >= warmupMs) {
        gc.reset()
        delay.enable()
        begun = instant(events)
      }
    },
    done: (handedOver) => {
      const over = Number.isFinite(ratePerSec)
        ? handedOver >= ((warmupMs + timedMs) / 1000) * ratePerSec
        : elapsed() >= warmupMs + timedMs
      if (over && ended === undefined) {
        ended = instant(handedOver)
        delay.disable()
      }
      return over
    },
  })
  const enablingEvent = eventOf[query] as (row: unknown) => number
  const app = pipeline(`latency-${query}`)
  // `as`: the table of queries gives this query this row type.
  const build = queries[query] as (from: Stream<EventRow>) => Stream<object>
  build(app.from('events', source)).to(
    'seen',
    probeSink<object>({
      row: (row) => {
        const event = enablingEvent(row)
        // What the warm-up allowed is not counted, nor what the end of the input does.
        if (begun === undefined || event < begun.events || event >= events) return
        const ms = performance.now() - schedule.dueMs(event)
        histogram.record(Math.max(1, Math.round(ms * 1000)))
      },
      commit: () => void checkpoints++,
    }),
  )
  await app.run({
    state: join(folder, 'state'),
    checkpointInterval: milliseconds(wanted.checkpointIntervalMs),
  })
  if (begun === undefined || ended === undefined) throw new Error('the run was over too soon')
  const quantile = (percent: number): number => histogram.percentile(percent) / 1000
  return {
    warmupEvents: begun.events,
    timedEvents: ended.events - begun.events,
    wallMs: ended.atMs - begun.atMs,
    cpuUserMs: ended.userMs - begun.userMs,
    cpuSysMs: ended.sysMs - begun.sysMs,
    outputRows: histogram.count,
    latencyMs: {
      p50: quantile(50),
      p90: quantile(90),
      p99: quantile(99),
      p999: quantile(99.9),
      max: histogram.max / 1000,
    },
    behindMs: Math.max(0, ended.atMs - schedule.dueMs(ended.events)),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    gcMs: gc.ms,
    gcMaxPauseMs: gc.maxMs,
    eventLoopDelayMaxMs: delay.max / 1e6,
    eventLoopDelayP99Ms: delay.percentile(99) / 1e6,
    checkpoints,
  }
}

interface Instant {
  readonly events: number
  readonly atMs: number
  readonly userMs: number
  readonly sysMs: number
}

function instant(events: number): Instant {
  const { user, system } = process.cpuUsage()
  return { events, atMs: performance.now(), userMs: user / 1000, sysMs: system / 1000 }
}

/** The number of the event that must have been seen before a row can be. */
const eventOf: {
  readonly [Query in LatencyQuery]: (row: QueryRows[Query]) => number
} = {
  q1: ({ dateTime }) => firstEventAt(dateTime),
  q5: ({ windowStart }) => firstEventAt(windowStart + WINDOW_MS + WATERMARK_BEHIND_MS - 1),
  q8: ({ windowStart }) => firstEventAt(windowStart + WINDOW_MS + WATERMARK_BEHIND_MS - 1),
}

function firstEventAt(timeMs: number): number {
  return (timeMs - BASE_TIME_MS) * EVENTS_PER_MS
}

function watchGarbageCollection() {
  const seen = {
    ms: 0,
    maxMs: 0,
    reset: () => {
      seen.ms = 0
      seen.maxMs = 0
    },
  }
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      seen.ms += duration
      seen.maxMs = Math.max(seen.maxMs, duration)
    }
  }).observe({ entryTypes: ['gc'] })
  return seen
}

const folder = mkdtempSync(join(tmpdir(), 'tidemill-latency-'))
try {
  process.stdout.write(`${JSON.stringify(await run(request))}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
