/**
 * Bar 19: what is left to gain. The engine's chains of q2 and of the counting half of q5 over frames, against C++ over
 * plain columns (`limit.cpp`), which is compiled here where there is a compiler.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { milliseconds, seconds, type Timestamp } from '../../src/base/time.ts'
import { createFrameBuilder } from '../../src/frame/create-builder.ts'
import type { Frame } from '../../src/frame/frame.ts'
import { layoutOf } from '../../src/frame/layout.ts'
import { instant, int } from '../../src/schema/scalars.ts'
import { field, struct } from '../../src/schema/struct.ts'
import { sliding } from '../../src/stream/window-assigners.ts'
import { type Dataset, datasets } from '../nexmark/dataset.ts'
import { loadFrames, plainRows } from '../nexmark/frames.ts'
import { type Bar, bar, median, raceRounds, ratio, skipped } from './bar.ts'
import { chainOf } from './chain-of.ts'

interface Row {
  readonly auction: number
  readonly price: number
  readonly dateTime: Timestamp
}

const SOURCE = fileURLToPath(new URL('../micro/limit.cpp', import.meta.url))
const ROUNDS = 7
/** Until V8 has made its last version of the loops; with other programs on the machine that takes many rounds by the clock. */
const WARM_UPS = 15
const WATERMARK_MS = 3_999
const bars = [
  { query: 'q5', limit: 1.6, name: '19 counts of q5 over frames: engine / C++ on columns' },
  { query: 'q2', limit: 2, name: '19 q2 over frames, by expressions: engine / C++ on columns' },
] as const
type Query = (typeof bars)[number]['query']

const narrowBid = struct('narrowBid', {
  auction: field(1, int),
  price: field(2, int),
  dateTime: field(3, instant),
})

interface Contestant {
  /** What a round needs and is no work of the engine. */
  readonly before: () => void
  readonly run: () => number
}

export async function limitBars(dataset: Dataset = datasets.D3): Promise<Bar[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-limit-'))
  try {
    const program = join(folder, 'limit')
    const built = spawnSync('g++', ['-O3', '-march=native', '-o', program, SOURCE], {
      encoding: 'utf8',
    })
    if (built.status !== 0) {
      const reason = built.error === undefined ? built.stderr.trim() : 'there is no g++'
      return bars.map(({ name, limit }) => skipped(name, `<= ${limit}`, reason))
    }
    const rows = bids(dataset)
    const frames = framesOf(rows)
    writeColumns(rows, folder)
    const found: Bar[] = []
    for (const { query, limit, name } of bars) {
      const contestant = query === 'q2' ? q2(frames) : q5(frames)
      const { engineNs, machineNs, results } = await rounds(contestant, rows.length, () =>
        byMachine(program, query, rows.length, folder),
      )
      if (results.size !== 1)
        throw new Error(`bar 19: ${query} gives ${[...results].join(' and ')}`)
      const both = `${median(engineNs).toFixed(1)} / ${median(machineNs).toFixed(1)} ns`
      found.push(bar(`${name} (${both})`, ratio(engineNs, machineNs), '<=', limit))
    }
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function bids(dataset: Dataset): readonly Row[] {
  return plainRows(loadFrames(dataset)).flatMap((event) =>
    event.type === 'bid'
      ? [{ auction: event.auction, price: event.price, dateTime: event.dateTime as Timestamp }]
      : [],
  )
}

function framesOf(rows: readonly Row[]): readonly Frame[] {
  const builder = createFrameBuilder(layoutOf(narrowBid))
  const frames: Frame[] = []
  for (const row of rows) if (builder.append(row)) frames.push(builder.build())
  while (builder.length > 0) frames.push(builder.build())
  return frames
}

function q2(frames: readonly Frame[]): Contestant {
  let sum = 0
  const chain = chainOf<Row, Pick<Row, 'auction' | 'price'>>(
    (rows, sink) =>
      rows
        .where(({ auction }) => auction.mod(123).eq(0))
        .select(({ auction, price }) => ({ auction, price }))
        .to('sink', sink),
    ({ auction, price }) => {
      sum = (sum + auction + price) | 0
    },
  )
  return {
    before: () => {
      sum = 0
    },
    run: () => {
      chain.frames(frames)
      return sum
    },
  }
}

/**
 * One chain for all rounds, as in a job that has run for a while: each round is the same bids, later. The last windows
 * of a round fire in the next one, so what a call returns is the result of the round before.
 */
function q5(frames: readonly Frame[]): Contestant {
  let sum = 0
  const chain = chainOf<Row, { readonly key: number; readonly count: number }>(
    (rows, sink) =>
      rows
        .withEventTime({
          timestamp: (row) => row.dateTime,
          maxOutOfOrderness: milliseconds(WATERMARK_MS),
        })
        .keyBy((row) => row.auction)
        .window(sliding(seconds(10), seconds(2)))
        .count('counts')
        .dropLate('rows are in order')
        .to('sink', sink),
    ({ key, count }) => {
      sum = (sum + Math.imul(key + 1, count)) | 0
    },
  )
  const [first, ...rest] = frames
  if (first === undefined) throw new Error('no frames')
  chain.frames(frames)
  return {
    before: () => {
      for (const frame of frames) moveOn(frame)
    },
    run: () => {
      chain.frames([first])
      const before = sum
      sum = 0
      chain.frames(rest)
      return before
    },
  }
}

/** A multiple of the slide, longer than all bids and the longest window together. */
const ROUND_MS = 200_000

function moveOn(frame: Frame): void {
  // `as`: `o<k>` is where column k begins.
  const starts = frame as unknown as Readonly<Record<string, number>>
  const index = layoutOf(narrowBid).column('dateTime')?.index
  const from = starts[`o${index}`]!
  for (let i = from; i < from + frame.length; i++) frame.f64[i]! += ROUND_MS
}

/** Rounds of both in turn, so that what neighbours do to the machine weighs on both. */
async function rounds(
  { before, run }: Contestant,
  rows: number,
  machine: () => { readonly nsPerRow: number; readonly result: number },
): Promise<{ engineNs: number[]; machineNs: number[]; results: ReadonlySet<number> }> {
  const [engineNs, machineNs]: [number[], number[]] = [[], []]
  const results = new Set<number>()
  const once = (): void => {
    results.add(run())
  }
  await raceRounds([once], 0, WARM_UPS, before)
  for (let round = 0; round < ROUNDS; round++) {
    const [engineMs = []] = await raceRounds([once], 3, 0, before)
    engineNs.push((median(engineMs) * 1e6) / rows)
    const { nsPerRow, result } = machine()
    machineNs.push(nsPerRow)
    results.add(result)
  }
  return { engineNs, machineNs, results }
}

function byMachine(
  program: string,
  query: Query,
  rows: number,
  folder: string,
): { readonly nsPerRow: number; readonly result: number } {
  const columns = columnNames.map((name) => join(folder, name))
  const { status, stdout } = spawnSync(program, [query, ...columns, String(rows), '3'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`bar 19: the C++ program ended with ${status}`)
  return JSON.parse(stdout)
}

const columnNames = ['auction', 'price', 'dateTime'] as const

/** What the C++ program reads: a file of doubles per column. */
function writeColumns(rows: readonly Row[], folder: string): void {
  for (const name of columnNames)
    writeFileSync(
      join(folder, name),
      new Uint8Array(Float64Array.from(rows, (row) => row[name]).buffer),
    )
}
