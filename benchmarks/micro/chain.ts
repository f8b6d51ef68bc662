/**
 * Bars 1 and 2: chains of closures on rows in memory. A dozen other pipelines, with other rows and other steps, run
 * before and between the rounds, so nothing that pipelines share is tuned to one of them.
 */
import { Readable, Transform, Writable } from 'node:stream'
import { pipeline as streamed } from 'node:stream/promises'
import type { Stream } from '../../src/stream/types.ts'
import type { Sink } from '../../src/connectors/contract.ts'
import { datasets } from '../nexmark/dataset.ts'
import type { Bid } from '../nexmark/event.ts'
import { EventGenerator } from '../nexmark/generator.ts'
import { type Bar, bar, race } from './bar.ts'
import { chainOf, type RunnableChain } from './chain-of.ts'

const ROWS = 50_000
/** Fast contestants go over the rows so often per round. */
const PASSES = 40

interface Slim {
  readonly auction: number
  readonly bidder: number
  readonly price: number
  readonly dateTime: number
  readonly extra: string
}

const slim = (bid: Bid): Slim => ({
  auction: bid.auction,
  bidder: bid.bidder,
  price: bid.price * 0.908,
  dateTime: bid.dateTime,
  extra: bid.extra,
})
const dear = (row: Slim): boolean => row.price > 10_000

/** Counts rows and looks at them. */
class Counter {
  rows = 0
  sum = 0

  add(row: Slim): void {
    this.rows++
    this.sum += row.price
  }
}

export async function chainBars(): Promise<Bar[]> {
  const rows = bids()
  const others = otherPipelines()
  const warm = (): void => {
    for (const run of others) run()
  }
  for (let i = 0; i < 20; i++) warm()
  const three = threeSteps(rows)
  const ten = tenSteps(rows)
  check(three)
  check(ten)
  const bars: Bar[] = []
  const ratios: number[] = []
  for (const { name, engine, hand } of [three, ten]) {
    const [engineMs = 0, handMs = 0] = await race([repeat(engine), repeat(hand)], 9, 3, warm)
    ratios.push(engineMs / handMs)
    bars.push(bar(`1 ${name}: engine / hand-written loop`, engineMs / handMs, '<=', 1.5))
  }
  bars.push(...(await libraries(rows, three.engine)))
  return bars
}

interface Contest {
  readonly name: string
  readonly engine: () => Counter
  readonly hand: () => Counter
}

function threeSteps(rows: readonly Bid[]): Contest {
  let counter = new Counter()
  const chain = chainOf<Bid, Slim>(
    (stream, sink) => stream.map(slim).filter(dear).to('sink', sink),
    (row) => counter.add(row),
  )
  return {
    name: 'chain of 3 steps',
    engine: () => {
      counter = new Counter()
      chain.rows(rows)
      return counter
    },
    hand: () => {
      const own = new Counter()
      for (let i = 0; i < rows.length; i++) {
        const bid = rows[i]!
        const price = bid.price * 0.908
        if (price > 10_000) {
          own.rows++
          own.sum += price
        }
      }
      return own
    },
  }
}

/** Five maps, four filters and the sink. */
function tenSteps(rows: readonly Bid[]): Contest {
  const more = (row: Slim): Slim => ({
    auction: row.auction,
    bidder: row.bidder,
    price: row.price + 1,
    dateTime: row.dateTime,
    extra: row.extra,
  })
  const doubled = (row: Slim): Slim => ({
    auction: row.auction + 1,
    bidder: row.bidder,
    price: row.price * 2,
    dateTime: row.dateTime,
    extra: row.extra,
  })
  let counter = new Counter()
  const chain = chainOf<Bid, Slim>(
    (stream, sink) =>
      stream
        .map(slim)
        .filter(dear)
        .map(more)
        .filter((row) => row.auction % 7 !== 0)
        .map(doubled)
        .filter((row) => row.bidder % 5 !== 0)
        .map((row) => more(row))
        .filter((row) => row.price < 1e9)
        .map((row) => doubled(row))
        .to('sink', sink),
    (row) => counter.add(row),
  )
  return {
    name: 'chain of 10 steps',
    engine: () => {
      counter = new Counter()
      chain.rows(rows)
      return counter
    },
    hand: () => {
      const own = new Counter()
      for (let i = 0; i < rows.length; i++) {
        const bid = rows[i]!
        const first = bid.price * 0.908
        if (!(first > 10_000) || bid.auction % 7 === 0 || bid.bidder % 5 === 0) continue
        const last = (first + 1) * 2 + 1
        if (!(last < 1e9)) continue
        own.rows++
        own.sum += last * 2
      }
      return own
    },
  }
}

function check({ name, engine, hand }: Contest): void {
  const [a, b] = [engine(), hand()]
  if (a.rows !== b.rows || a.sum !== b.sum) throw new Error(`bar 1: ${name} gives two results`)
}

function repeat(run: () => Counter): () => void {
  return () => {
    let rows = 0
    for (let i = 0; i < PASSES; i++) rows += run().rows
    if (rows < 0) throw new Error('counts are not negative')
  }
}

/** Bar 2: the chain of three steps by what one would use otherwise. */
async function libraries(rows: readonly Bid[], engine: () => Counter): Promise<Bar[]> {
  const bars: Bar[] = []
  const times = async (other: () => unknown, passes: number): Promise<number> => {
    const [engineMs = 0, otherMs = 0] = await race(
      [many(engine, PASSES), many(other, passes)],
      5,
      1,
    )
    return otherMs / passes / (engineMs / PASSES)
  }
  const rx = await loadRx()
  if (rx === undefined) console.error('bar 2: rxjs is not installed, so it is not compared')
  else bars.push(bar('2 RxJS / engine', await times(() => rx(rows), PASSES), '>=', 6))
  bars.push(bar('2 Node object streams / engine', await times(() => byStreams(rows), 1), '>=', 50))
  bars.push(bar('2 async generators / engine', await times(() => byGenerators(rows), 1), '>=', 60))
  return bars
}

function many(run: () => unknown, passes: number): () => Promise<void> {
  return async () => {
    for (let i = 0; i < passes; i++) await run()
  }
}

async function byStreams(rows: readonly Bid[]): Promise<Counter> {
  const counter = new Counter()
  await streamed(
    Readable.from(rows),
    new Transform({
      objectMode: true,
      transform: (bid: Bid, _encoding, done) => done(null, slim(bid)),
    }),
    new Transform({
      objectMode: true,
      transform: (row: Slim, _encoding, done) => (dear(row) ? done(null, row) : done()),
    }),
    new Writable({
      objectMode: true,
      write: (row: Slim, _encoding, done) => {
        counter.add(row)
        done()
      },
    }),
  )
  return counter
}

async function byGenerators(rows: readonly Bid[]): Promise<Counter> {
  async function* source(): AsyncGenerator<Bid> {
    for (const row of rows) yield row
  }
  async function* mapped(from: AsyncIterable<Bid>): AsyncGenerator<Slim> {
    for await (const row of from) yield slim(row)
  }
  async function* filtered(from: AsyncIterable<Slim>): AsyncGenerator<Slim> {
    for await (const row of from) if (dear(row)) yield row
  }
  const counter = new Counter()
  for await (const row of filtered(mapped(source()))) counter.add(row)
  return counter
}

interface Rx {
  from(rows: readonly Bid[]): {
    pipe(...steps: unknown[]): { subscribe(next: (row: Slim) => void): void }
  }
  map(fn: (bid: Bid) => Slim): unknown
  filter(fn: (row: Slim) => boolean): unknown
}

/** RxJS when it is installed. */
async function loadRx(): Promise<((rows: readonly Bid[]) => Counter) | undefined> {
  const wanted: string = 'rxjs'
  let found: Rx
  try {
    // `as`: the three functions that are used.
    found = (await import(wanted)) as Rx
  } catch {
    return undefined
  }
  return (rows) => {
    const counter = new Counter()
    found
      .from(rows)
      .pipe(found.map(slim), found.filter(dear))
      .subscribe((row) => counter.add(row))
    return counter
  }
}

/** Twelve pipelines with rows of other shapes. */
function otherPipelines(): readonly (() => void)[] {
  return Array.from({ length: 12 }, (_, n) => {
    const rows = Array.from({ length: 500 }, (_row, i) =>
      Object.fromEntries(
        [...Array(n + 2).keys()].map((f) => [`f${n}x${f}`, f % 3 === 0 ? `text ${i}` : i / 3]),
      ),
    )
    let count = 0
    const first = `f${n}x1`
    const build = (stream: Stream<Record<string, string | number>>, sink: Sink<object>): void => {
      let steps = stream
      for (let k = 0; k <= n % 4; k++) {
        steps = steps.map((row) => ({ ...row, [first]: Number(row[first]) + k }))
        if (k % 2 === n % 2) steps = steps.filter((row) => Number(row[first]) >= 0)
      }
      steps.to('sink', sink)
    }
    const chain: RunnableChain<Record<string, string | number>> = chainOf(build, () => count++)
    return () => chain.rows(rows)
  })
}

function bids(): readonly Bid[] {
  const generator = new EventGenerator(datasets.D3)
  const rows: Bid[] = []
  for (let i = 0; rows.length < ROWS; i++) {
    const event = generator.event(i)
    if (event.type === 'bid') rows.push(event)
  }
  return rows
}
