/**
 * One timed run of one system in this process; started by `speed.ts`, one process per run.
 *
 *   node --import tsx benchmarks/nexmark/speed-run.ts '{"system":"tidemill","query":"q5",...}'
 *
 * Prints one JSON object.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { milliseconds, pipeline, type Stream } from 'tidemill'
import { Checksum } from './checksum.ts'
import type { NexmarkEvent } from './event.ts'
import { loops } from './loops.ts'
import { cpuMs, Meter } from './meter.ts'
import { type EngineQuery, queries, type QueryRows } from './queries.ts'
import type { EventRow } from './schema.ts'
import { linesSource, parsedChunks, segmentFile } from './segment-lines.ts'
import { segmentSource } from './segment-source.ts'
import { FrameSegments, RowSegments } from './segments.ts'
import { epochSink, summing } from './sinks.ts'

export interface RunRequest {
  readonly system: 'tidemill' | 'loop'
  readonly query: EngineQuery
  readonly profile: 'S1' | 'S2'
  readonly segmentEvents: number
  /** How many segments; `undefined` for as many as the CPU time needs (loops only). */
  readonly segments: number | undefined
  readonly cpuSeconds: number
  readonly checkpointIntervalMs: number
}

export interface RunFigures {
  readonly segments: number
  readonly warmupEvents: number
  readonly timedEvents: number
  readonly wallMs: number
  readonly cpuUserMs: number
  readonly cpuSysMs: number
  readonly outputRows: number
  readonly checksum: number
  /** q12 only: what its counts add up to. */
  readonly counted: number | undefined
  readonly peakRssBytes: number
  readonly gcMs: number
  readonly gcMaxPauseMs: number
  readonly eventLoopDelayMaxMs: number
  readonly eventLoopDelayP99Ms: number
  readonly checkpoints:
    | {
        readonly count: number
        readonly durationMsP50: number
        readonly durationMsMax: number
        readonly bytesMax: number
        readonly stallMsP99: number
      }
    | undefined
}

const SEGMENTS_MIN = 5

// `as`: written by `speed.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as RunRequest
const gc = { ms: 0, maxMs: 0 }
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    gc.ms += duration
    gc.maxMs = Math.max(gc.maxMs, duration)
  }
})
observer.observe({ entryTypes: ['gc'] })
const delay = monitorEventLoopDelay({ resolution: 5 })
const meter = new Meter()

const result = request.system === 'loop' ? runLoop() : await runEngine(request.query)
await new Promise((resolve) => setTimeout(resolve, 20))
observer.disconnect()
print(result)

interface Outcome {
  readonly rows: number
  readonly value: number
  readonly counted: number | undefined
  readonly segmentEvents: number
  readonly checkpoints: RunFigures['checkpoints']
}

function runLoop(): Outcome {
  const { query, segmentEvents, cpuSeconds } = request
  const segments = segmentsOf(segmentEvents)
  const loop = loops[query]()
  const sink = new Checksum()
  const enough = (): boolean =>
    request.segments === undefined
      ? meter.sections.length + 1 >= SEGMENTS_MIN && cpuMs(meter.timed()) >= cpuSeconds * 1000
      : meter.sections.length + 1 >= request.segments
  for (;;) {
    meter.begin()
    for (const rows of segments.chunks()) loop.rows(rows, sink)
    if (enough()) break
    meter.end()
    segments.next()
  }
  loop.end(sink)
  meter.end()
  return {
    rows: sink.rows,
    value: sink.value,
    counted: undefined,
    segmentEvents,
    checkpoints: undefined,
  }
}

/** What the loop reads: plain rows in memory, or the lines of a file. */
function segmentsOf(events: number): {
  chunks(): Iterable<readonly NexmarkEvent[]>
  next(): void
} {
  if (request.profile === 'S2') {
    const path = segmentFile(events)
    return { chunks: () => parsedChunks(path), next: () => {} }
  }
  const segments = new RowSegments(events)
  return { chunks: () => [segments.rows], next: () => segments.next() }
}

async function runEngine<Query extends EngineQuery>(query: Query): Promise<Outcome> {
  const { segmentEvents, checkpointIntervalMs } = request
  const count = request.segments ?? SEGMENTS_MIN
  const source =
    request.profile === 'S2'
      ? linesSource(segmentFile(segmentEvents), count, meter)
      : segmentSource(new FrameSegments(segmentEvents), count, meter)
  const state = mkdtempSync(join(tmpdir(), 'tidemill-nexmark-'))
  const sum = summing(query)
  let counted = 0
  const take = sum.take.bind(sum)
  if (query === 'q12') {
    sum.take = (row) => {
      counted += (row as QueryRows['q12']).count
      take(row)
    }
  }
  const checkpoints: { readonly atMs: number; readonly ms: number }[] = []
  const app = pipeline(`nexmark-${query}`)
  const events = app.from('events', source)
  // `as`: the table of queries gives this query this row type.
  const build = queries[query] as (events: Stream<EventRow>) => Stream<QueryRows[Query]>
  build(events).to(
    'checksum',
    epochSink('checksum', sum, (ms) => checkpoints.push({ atMs: performance.now(), ms })),
  )
  try {
    delay.enable()
    meter.begin()
    await app.run({ state, checkpointInterval: milliseconds(checkpointIntervalMs) })
    meter.end()
    delay.disable()
    const from = meter.timed()[0]?.beganMs ?? 0
    const timed = checkpoints.filter(({ atMs }) => atMs >= from).map(({ ms }) => ms)
    return {
      rows: sum.rows,
      value: sum.value,
      counted: query === 'q12' ? counted : undefined,
      segmentEvents,
      checkpoints: {
        count: timed.length,
        durationMsP50: quantile(timed, 0.5),
        durationMsMax: quantile(timed, 1),
        bytesMax: largestFile(state),
        stallMsP99: delay.percentile(99) / 1e6,
      },
    }
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}

function print({ rows, value, counted, segmentEvents, checkpoints }: Outcome): void {
  const timed = meter.timed()
  const figures: RunFigures = {
    segments: meter.sections.length,
    warmupEvents: (meter.sections.length - timed.length) * segmentEvents,
    timedEvents: timed.length * segmentEvents,
    wallMs: round(timed.reduce((sum, { wallMs }) => sum + wallMs, 0)),
    cpuUserMs: round(timed.reduce((sum, { userMs }) => sum + userMs, 0)),
    cpuSysMs: round(timed.reduce((sum, { sysMs }) => sum + sysMs, 0)),
    outputRows: rows,
    checksum: value,
    counted,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    gcMs: round(gc.ms),
    gcMaxPauseMs: round(gc.maxMs),
    eventLoopDelayMaxMs: round(delay.max / 1e6),
    eventLoopDelayP99Ms: round(delay.percentile(99) / 1e6),
    checkpoints,
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
}

function largestFile(folder: string): number {
  let largest = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      largest = Math.max(largest, statSync(join(entry.parentPath, entry.name)).size)
  }
  return largest
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
