/**
 * One run of one JavaScript system in this process, started by `peer.ts`: the file once, from the first line to the
 * last, and one JSON object on standard output.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { jsonLines, milliseconds, pipeline, type Stream } from 'tidemill'
import { Checksum } from './checksum.ts'
import { type LoopName, loops } from './loops.ts'
import { asyncGenerators } from './peer-generators.ts'
import { eventChunks, instant, Warmup } from './peer-input.ts'
import type { PeerFigures, PeerRequest } from './peer-systems.ts'
import { countedSource } from './peer-source.ts'
import { type Library, type LibraryQuery, type StatelessQuery, steps } from './peer-steps.ts'
import { type EngineQuery, queries, type QueryRows } from './queries.ts'
import { type EventRow, nexmarkEvent } from './schema.ts'
import { epochSink, type Summing, summing } from './sinks.ts'
import { streams } from './peer-streams.ts'

type Outcome = Pick<PeerFigures, 'rows' | 'checksum' | 'checkpoints'>

// `as`: written by `peer.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as PeerRequest
const gc = { ms: 0, maxMs: 0 }
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    gc.ms += duration
    gc.maxMs = Math.max(gc.maxMs, duration)
  }
})
observer.observe({ entryTypes: ['gc'] })
const warmup = new Warmup(request.warmupEvents)

const outcome = await run()
const end = instant(warmup.seen)
await new Promise((resolve) => setTimeout(resolve, 20))
observer.disconnect()
if (warmup.seen !== request.events)
  throw new Error(`the file has ${warmup.seen} events, not ${request.events}`)
print()

async function run(): Promise<Outcome> {
  const { system, query } = request
  switch (system) {
    case 'tidemill':
      return engine(query)
    case 'loop':
      return loop(query)
    case 'rxjs':
      // Loaded when it runs: a system must not pay for the modules of another.
      return library((await import('./peer-rxjs.ts')).rxjs)
    case 'streams':
      return library(streams)
    case 'async-generators':
      return library(asyncGenerators)
    case 'flink':
      throw new Error('flink has a process of another kind')
  }
}

function loop(query: LoopName): Outcome {
  const self = loops[query]()
  const sink = new Checksum()
  for (const events of eventChunks(request.path)) {
    self.rows(events, sink)
    warmup.see(events.length)
  }
  self.end(sink)
  return { rows: sink.rows, checksum: sink.value, checkpoints: 0 }
}

async function library(by: Library): Promise<Outcome> {
  // `as`: `peer.ts` asks libraries only for queries that they have.
  const query = request.query as LibraryQuery
  return query === 'q5'
    ? summed('q5', (take) => by.hotAuctions(request.path, { take, seeOne }))
    : stateless(by, query)
}

function stateless<Query extends StatelessQuery>(by: Library, query: Query): Promise<Outcome> {
  return summed(query, (take) => by.stateless(request.path, steps[query], { take, seeOne }))
}

function seeOne(): void {
  warmup.see(1)
}

async function summed<Query extends LibraryQuery>(
  query: Query,
  run: (take: (row: QueryRows[Query]) => void) => Promise<void>,
): Promise<Outcome> {
  const sum = summing(query)
  await run((row) => sum.take(row))
  sum.commit(sum.cut())
  return { ...figuresOf(sum), checkpoints: 0 }
}

async function engine<Query extends EngineQuery>(query: Query): Promise<Outcome> {
  const state = mkdtempSync(join(tmpdir(), 'tidemill-peer-'))
  const sum = summing(query)
  let checkpoints = 0
  const app = pipeline(`nexmark-${query}`)
  // `as`: the table of queries gives this query this row type.
  const build = queries[query] as (events: Stream<EventRow>) => Stream<QueryRows[Query]>
  build(app.from('events', countedSource(jsonLines(request.path, nexmarkEvent), warmup))).to(
    'checksum',
    epochSink('checksum', sum, () => checkpoints++),
  )
  try {
    const checkpointInterval = milliseconds(request.checkpointIntervalMs)
    await app.run({ state: join(state, 'state'), checkpointInterval })
    return { ...figuresOf(sum), checkpoints }
  } finally {
    rmSync(state, { recursive: true, force: true })
  }
}

function figuresOf({ rows, value }: Summing): Pick<Outcome, 'rows' | 'checksum'> {
  return { rows, checksum: value }
}

function print(): void {
  const { over } = warmup
  if (over === undefined) throw new Error('the warm-up was never over')
  const figures: PeerFigures = {
    ...outcome,
    events: end.events,
    wallMs: end.atMs,
    cpuUserMs: end.userMs,
    cpuSysMs: end.sysMs,
    timed: {
      events: end.events - over.events,
      wallMs: end.atMs - over.atMs,
      cpuUserMs: end.userMs - over.userMs,
      cpuSysMs: end.sysMs - over.sysMs,
    },
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    gcMs: gc.ms,
    gcMaxPauseMs: gc.maxMs,
    versions: {},
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}
