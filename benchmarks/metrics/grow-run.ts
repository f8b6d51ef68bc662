/** One run of `grow` in this process; started by `grow.ts`. Prints one JSON object. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import {
  count,
  milliseconds,
  pipeline,
  seconds,
  sliding,
  type Stream,
  sum,
  timestamp,
} from 'tidemill'
import { cpuMs, Meter } from '../nexmark/meter.ts'
import { type EngineQuery, queries } from '../nexmark/queries.ts'
import type { EventRow } from '../nexmark/schema.ts'
import { segmentSource } from '../nexmark/segment-source.ts'
import { FrameSegments } from '../nexmark/segments.ts'
import { epochSink, summing } from '../nexmark/sinks.ts'
import { probeSink } from './probe-sink.ts'
import {
  type Draw,
  type Measurement,
  sourceNsPerRow,
  type SyntheticOptions,
  syntheticSource,
  syntheticTextSource,
} from './synthetic.ts'

interface Common {
  readonly keys: number
  readonly checkpointIntervalMs: number
}

export interface MemoryRequest extends Common {
  readonly kind: 'memory'
  readonly text: boolean
  /** At least so many, also with one key. */
  readonly events: number
}

export interface KeysRequest extends Common {
  readonly kind: 'keys'
  readonly draw: Draw
  readonly events: number
}

export interface WindowsRequest extends Common {
  readonly kind: 'windows'
  readonly draw: Draw
  readonly events: number
  /** Size of a window over its slide. */
  readonly ratio: number
}

export interface AgeRequest {
  readonly kind: 'age'
  readonly query: EngineQuery
  readonly segmentEvents: number
  readonly segments: number
  readonly checkpointIntervalMs: number
}

export type GrowRequest = MemoryRequest | KeysRequest | WindowsRequest | AgeRequest

export interface MemoryFigures {
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly pauseMaxMs: number
}

export interface CpuFigures {
  readonly nsPerEvent: number
  /** Of the source alone; not part of the above. */
  readonly sourceNsPerEvent: number
  readonly rows: number
}

export interface AgeFigures {
  readonly sections: readonly { readonly cpuMs: number; readonly rssBytes: number }[]
  readonly rows: number
}

const WINDOW_MS = 10_000

// `as`: written by `grow.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as GrowRequest
const state = mkdtempSync(join(tmpdir(), 'tidemill-grow-'))
const checkpointInterval = milliseconds(request.checkpointIntervalMs)
try {
  const figures = await run()
  process.stdout.write(`${JSON.stringify(figures)}\n`)
} finally {
  rmSync(state, { recursive: true, force: true })
}

function run(): Promise<object> {
  switch (request.kind) {
    case 'memory':
      return memory(request)
    case 'keys':
      return cpu(request, (rows, sink) => sums(rows, sink))
    case 'windows':
      return cpu(request, (rows, sink) => windows(rows, request.ratio, sink))
    case 'age':
      return age(request)
  }
}

/** Every key once or more, then silence, then what is left when all garbage is collected. */
async function memory({ keys, text, events }: MemoryRequest): Promise<MemoryFigures> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const stop = new AbortController()
  let rssBytes = 0
  const options: SyntheticOptions = {
    keys,
    phases: [{ draw: 'scan', events: Math.max(keys, events) }],
    stays: true,
    ended: () => {
      delay.disable()
      setTimeout(() => {
        collectGarbage()
        rssBytes = process.memoryUsage.rss()
        stop.abort()
      }, 300)
    },
  }
  const app = pipeline('grow-memory')
  const sink = probeSink<object>({})
  if (text) sums(app.from('rows', syntheticTextSource(options)), sink)
  else sums(app.from('rows', syntheticSource(options)), sink)
  delay.enable()
  await app.run({ state: join(state, 'state'), checkpointInterval, signal: stop.signal })
  const peakRssBytes = process.resourceUsage().maxRSS * 1024
  return { rssBytes, peakRssBytes, pauseMaxMs: delay.max / 1e6 }
}

function collectGarbage(): void {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('memory is measured with --expose-gc')
  for (let i = 0; i < 3; i++) gc()
}

/** CPU time of an event once all keys are there. */
async function cpu(
  { keys, draw, events }: KeysRequest | WindowsRequest,
  build: (rows: Stream<Measurement>, sink: ReturnType<typeof probeSink<object>>) => void,
): Promise<CpuFigures> {
  const meter = new Meter()
  let rows = 0
  const options: SyntheticOptions = {
    keys,
    phases: [
      { draw: 'scan', events: Math.max(keys, events) },
      { draw, events },
    ],
    ended: (phase) => (phase === 0 ? meter.begin() : meter.end()),
  }
  const app = pipeline('grow-cpu')
  build(app.from('rows', syntheticSource(options)), probeSink<object>({ row: () => void rows++ }))
  await app.run({ state: join(state, 'state'), checkpointInterval })
  const sourceNsPerEvent = sourceNsPerRow(options, events)
  const ns = (cpuMs(meter.sections) * 1e6) / events
  return { nsPerEvent: ns - sourceNsPerEvent, sourceNsPerEvent, rows }
}

/** Every row gives the new count and sum of its key. */
function sums<Row extends { readonly key: number | string; readonly value: number }>(
  rows: Stream<Row>,
  sink: ReturnType<typeof probeSink<object>>,
): void {
  rows
    .keyBy((row) => row.key)
    .aggregate('sums', { count: count<Row>(), sum: sum((row: Row) => row.value) })
    .to('sink', sink as never) // `as`: it takes any row
}

function windows(
  rows: Stream<Measurement>,
  ratio: number,
  sink: ReturnType<typeof probeSink<object>>,
): void {
  rows
    .withEventTime({
      timestamp: (row) => timestamp(row.time),
      maxOutOfOrderness: milliseconds(0),
    })
    .keyBy((row) => row.key)
    .window(sliding(seconds(WINDOW_MS / 1000), milliseconds(WINDOW_MS / ratio)))
    .count('counts')
    .dropLate('rows are in order')
    .to('sink', sink as never) // `as`: it takes any row
}

/** CPU time and memory segment by segment. */
async function age({ query, segmentEvents, segments }: AgeRequest): Promise<AgeFigures> {
  const rss: number[] = []
  class Watched extends Meter {
    override end(): void {
      super.end()
      rss.push(process.memoryUsage.rss())
    }
  }
  const meter = new Watched()
  const sum = summing(query)
  const source = segmentSource(new FrameSegments(segmentEvents), segments, meter)
  const app = pipeline(`grow-${query}`)
  // `as`: the table of queries gives this query this row type.
  const build = queries[query] as (events: Stream<EventRow>) => Stream<never>
  build(app.from('events', source)).to('checksum', epochSink('checksum', sum) as never)
  meter.begin()
  await app.run({ state: join(state, 'state'), checkpointInterval })
  meter.end()
  const sections = meter.sections.map((section, i) => ({
    cpuMs: cpuMs([section]),
    rssBytes: rss[i] ?? 0,
  }))
  return { sections, rows: sum.rows }
}
