/**
 * Bars 6, 7 and 8: whole jobs from a log to a result, with checkpoints, against what one would write by hand on JSON
 * lines. The log and the lines hold the same events; both are read from the page cache.
 */
import { once } from 'node:events'
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Transform, Writable } from 'node:stream'
import { pipeline as streamed } from 'node:stream/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { field, instant, int, logSink, pipeline, type Stream, struct, text } from 'tidemill'
import { Checksum } from '../nexmark/checksum.ts'
import { type Dataset, datasets } from '../nexmark/dataset.ts'
import type { NexmarkEvent } from '../nexmark/event.ts'
import { writeJsonLines } from '../nexmark/jsonl.ts'
import { loops } from '../nexmark/loops.ts'
import { type OpenProfile, openProfile } from '../nexmark/profiles.ts'
import { queries } from '../nexmark/queries.ts'
import { isBid, q1 } from '../nexmark/queries/stateless.ts'
import type { EuroBid, HotAuction } from '../nexmark/results.ts'
import type { EventRow } from '../nexmark/schema.ts'
import { countedSource } from '../nexmark/peer-source.ts'
import { epochSink, summing } from '../nexmark/sinks.ts'
import { type Bar, bar, raceRounds, ratio } from './bar.ts'
import { steadily, Timed } from './steady.ts'

const dataset: Dataset = datasets.D3
const EVENTS_PER_CHUNK = 1_000

type Query = (events: Stream<EventRow>) => Stream<HotAuction, 'event-time'>

/** What the contests share: the log, the JSON lines of the same events, and a folder for what the jobs write. */
interface Place {
  readonly log: OpenProfile
  readonly lines: string
  readonly folder: string
}

async function withLog(run: (place: Place) => Promise<Bar[]>): Promise<Bar[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-micro-'))
  const log = await openProfile('S4', dataset)
  try {
    return await run({ log, lines: writeJsonLines(dataset)[0]?.path ?? '', folder })
  } finally {
    log.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Bar 6 with rows that are plain objects. */
export function rowsBars(): Promise<Bar[]> {
  return withLog(async ({ log, lines, folder }) => {
    // A spread needs the whole row: from here on rows are plain.
    const rows = q5Job(log, folder, (events) =>
      (queries.q5 as Query)(events.map((event) => ({ ...event }))),
    )
    await using hands = byHands(lines)
    const hand = (): Promise<number> => hands.run('loop')
    await requireEqual([hand, rows])
    const [byRows, byHand] = await raceRounds([rows, hand], 7, 2)
    const measured = ratio(byHand, byRows)
    return [bar('6 log to q5: loop on JSON lines / engine, plain rows', measured, '>=', 5)]
  })
}

/** Bars 6 and 7: rows are views of their frames. */
export function viewsBars(): Promise<Bar[]> {
  return withLog(async ({ log, lines, folder }) => {
    const views = q5Job(log, folder, queries.q5 as Query)
    await using hands = byHands(lines)
    const hand = (): Promise<number> => hands.run('loop')
    const streams = (): Promise<number> => hands.run('streams')
    await requireEqual([hand, views, streams])
    const [byViews, byHand, byStream] = await raceRounds([views, hand, streams], 7, 2)
    const [throughLoop, throughStreams] = [ratio(byHand, byViews), ratio(byStream, byViews)]
    return [
      bar('6 log to q5: loop on JSON lines / engine, views', throughLoop, '>=', 8),
      bar('7 log to q5: Node streams on JSON lines / engine, views', throughStreams, '>=', 10),
    ]
  })
}

/** Bar 8. */
export function copyBars(): Promise<Bar[]> {
  return withLog(async ({ log, lines, folder }) => {
    const copied = join(folder, 'copied.jsonl')
    const source = (): ReturnType<OpenProfile['source']> => log.source()
    const [byClosures, byExpressions, byHand] = await raceRounds(
      [
        logToLog(source, folder, q1),
        logToLog(source, folder, q1ByExpressions),
        () => handCopy(lines, copied),
      ],
      7,
      2,
    )
    const name = '8 log to q1 to log: loop on JSON lines / engine'
    return [
      bar(`${name}, closures`, ratio(byHand, byClosures), '>=', 5),
      bar(`${name}, expressions`, ratio(byHand, byExpressions), '>=', 9),
    ]
  })
}

function q5Job(log: OpenProfile, folder: string, query: Query): () => Promise<Timed> {
  return () =>
    steadily(dataset.events, async (warmup) => {
      const sum = summing('q5')
      const app = pipeline('micro-q5')
      const events = app.from('events', countedSource(log.source(), warmup))
      query(events).to('checksum', epochSink('checksum', sum))
      await app.run({ state: mkdtempSync(join(folder, 'state-')) })
      return sum.value
    })
}

async function requireEqual(ways: readonly (() => Promise<number | Timed>)[]): Promise<void> {
  const results = new Set<number>()
  for (const way of ways) {
    const result = await way()
    results.add(result instanceof Timed ? result.value : result)
  }
  if (results.size !== 1) throw new Error('bars 6 and 7: two ways give two results')
}

const handWritten = { loop: byLoop, streams: byStreams, parse: parseAll } as const
type HandWritten = keyof typeof handWritten

/**
 * What is written by hand runs in a thread of its own: a heap with the file as one string and a million rows is collected
 * there, not in the rounds of the engine, where collections of that size also throw away compiled code.
 */
export function byHands(lines: string): {
  run(name: HandWritten): Promise<number>
  [Symbol.asyncDispose](): Promise<void>
} {
  const thread = new Worker(process.argv[1] ?? '', { workerData: { lines } })
  return {
    async run(name) {
      thread.postMessage(name)
      const [value] = await once(thread, 'message')
      return value
    },
    async [Symbol.asyncDispose]() {
      await thread.terminate()
    },
  }
}

/** The other end of {@link byHands}. */
export function serveHands(): void {
  const { lines } = workerData as { readonly lines: string }
  parentPort?.on('message', async (name: HandWritten) => {
    parentPort?.postMessage(await handWritten[name](lines))
  })
}

/** A good loop: the file in one piece, a line at a time, maps per slice. */
function byLoop(path: string): number {
  const lines = readFileSync(path, 'latin1').split('\n')
  const sink = new Checksum()
  const loop = loops.q5()
  let rows: NexmarkEvent[] = []
  for (const line of lines) {
    if (line === '') continue
    rows.push(JSON.parse(line))
    if (rows.length < EVENTS_PER_CHUNK) continue
    loop.rows(rows, sink)
    rows = []
  }
  loop.rows(rows, sink)
  loop.end(sink)
  return sink.value
}

function parseAll(path: string): number {
  let sum = 0
  for (const line of readFileSync(path, 'latin1').split('\n')) {
    if (line !== '') sum += (JSON.parse(line) as EventRow).dateTime
  }
  return sum
}

async function byStreams(path: string): Promise<number> {
  const sink = new Checksum()
  const loop = loops.q5()
  await streamed(
    createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY }),
    new Transform({
      objectMode: true,
      transform: (line: string, _encoding, done) => done(null, JSON.parse(line)),
    }),
    new Writable({
      objectMode: true,
      write: (event: NexmarkEvent, _encoding, done) => {
        loop.rows([event], sink)
        done()
      },
    }),
  )
  loop.end(sink)
  return sink.value
}

const euroBid = struct('euroBid', {
  auction: field(1, int),
  bidder: field(2, int),
  priceThousandths: field(3, int),
  dateTime: field(4, instant),
  extra: field(5, text),
})

type ToEuro = (events: Stream<EventRow>) => Stream<EuroBid>

const q1ByExpressions: ToEuro = (events) =>
  events.filter(isBid).select(({ auction, bidder, price, dateTime, extra }) => ({
    auction,
    bidder,
    priceThousandths: price.mul(908),
    dateTime,
    extra,
  }))

function logToLog(source: OpenProfile['source'], folder: string, query: ToEuro) {
  return async (): Promise<Timed> => {
    const directory = mkdtempSync(join(folder, 'copy-'))
    const app = pipeline('micro-q1')
    const timed = await steadily(dataset.events, async (warmup) => {
      const results = query(app.from('events', countedSource(source(), warmup)))
      // `as`: times of q1 are those of the bids.
      const sink = logSink({
        directory: join(directory, 'log'),
        topic: 'euro',
        value: euroBid,
        partitions: 1,
      }) as never
      results.to('log', sink)
      await app.run({ state: join(directory, 'state') })
      return 0
    })
    rmSync(directory, { recursive: true, force: true })
    return timed
  }
}

function handCopy(from: string, to: string): void {
  let out = ''
  for (const line of readFileSync(from, 'latin1').split('\n')) {
    if (line === '') continue
    const event: NexmarkEvent = JSON.parse(line)
    if (event.type !== 'bid') continue
    const { auction, bidder, price, dateTime, extra } = event
    out += `${JSON.stringify({ auction, bidder, priceThousandths: price * 908, dateTime, extra })}\n`
  }
  writeFileSync(to, out, 'latin1')
}
