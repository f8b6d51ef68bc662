/** Bar 1: chains of closures on rows in memory against the same steps written into one loop by hand. */
import type { Bid } from '../nexmark/event.ts'
import { type Bar, bar, raceRounds, ratio } from './bar.ts'
import { ROWS_PER_CALL } from './chain-of.ts'
import { bids, type Chain, Counter, otherChains, type Slim, tenSteps, threeSteps } from './steps.ts'
import { byEngine } from './styles.ts'

/** Together some milliseconds, so that starting and stopping the watch does not count. */
const PASSES = 20

export async function chainBars(): Promise<Bar[]> {
  const rows = bids()
  const others = otherChains().map((chain) => byEngine(chain, () => {}))
  const warm = (): void => {
    for (const run of others) run()
  }
  for (let i = 0; i < 20; i++) warm()
  return [
    await contest(threeSteps(rows), byHand(rows, threeByHand), warm),
    await contest(tenSteps(rows), byHand(rows, tenByHand), warm),
  ]
}

async function contest(chain: Chain, hand: () => Counter, warm: () => void): Promise<Bar> {
  const counter = new Counter()
  const run = byEngine(chain, (row: Slim) => counter.add(row))
  const engine = (): Counter => {
    counter.reset()
    run()
    return counter
  }
  const [a, b] = [engine(), hand()]
  if (a.rows !== b.rows || a.sum !== b.sum)
    throw new Error(`bar 1: ${chain.name} gives two results`)
  const [byChain, byLoop] = await raceRounds([repeat(engine), repeat(hand)], 41, 10, warm)
  return bar(`1 ${chain.name}: engine / hand-written loop`, ratio(byChain, byLoop), '<=', 1.5)
}

/** The loop is given as many rows at a time as a chain, and like it one counter for all of its life. */
function byHand(rows: readonly Bid[], loop: Loop): () => Counter {
  const counter = new Counter()
  return () => {
    counter.reset()
    for (let from = 0; from < rows.length; from += ROWS_PER_CALL)
      loop(rows, from, Math.min(from + ROWS_PER_CALL, rows.length), counter)
    return counter
  }
}

function repeat(run: () => Counter): () => void {
  return () => {
    let rows = 0
    for (let i = 0; i < PASSES; i++) rows += run().rows
    if (rows < 0) throw new Error('counts are not negative')
  }
}

type Loop = (rows: readonly Bid[], from: number, to: number, counter: Counter) => void

function threeByHand(rows: readonly Bid[], from: number, to: number, counter: Counter): void {
  for (let i = from; i < to; i++) {
    const bid = rows[i]!
    const row = {
      auction: bid.auction,
      bidder: bid.bidder,
      price: bid.price * 0.908,
      dateTime: bid.dateTime,
      extra: bid.extra,
    }
    if (row.price > 10_000) counter.add(row)
  }
}

function tenByHand(rows: readonly Bid[], from: number, to: number, counter: Counter): void {
  for (let i = from; i < to; i++) {
    const bid = rows[i]!
    const first = {
      auction: bid.auction,
      bidder: bid.bidder,
      price: bid.price * 0.908,
      dateTime: bid.dateTime,
      extra: bid.extra,
    }
    if (!(first.price > 10_000)) continue
    const second = {
      auction: first.auction,
      bidder: first.bidder,
      price: first.price + 1,
      dateTime: first.dateTime,
      extra: first.extra,
    }
    if (second.auction % 7 === 0) continue
    const third = {
      auction: second.auction + 1,
      bidder: second.bidder,
      price: second.price * 2,
      dateTime: second.dateTime,
      extra: second.extra,
    }
    if (third.bidder % 5 === 0) continue
    const fourth = {
      auction: third.auction,
      bidder: third.bidder,
      price: third.price + 1,
      dateTime: third.dateTime,
      extra: third.extra,
    }
    if (!(fourth.price < 1e9)) continue
    counter.add({
      auction: fourth.auction + 1,
      bidder: fourth.bidder,
      price: fourth.price * 2,
      dateTime: fourth.dateTime,
      extra: fourth.extra,
    })
  }
}
