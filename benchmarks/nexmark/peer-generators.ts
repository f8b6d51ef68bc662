/** The baseline `async-generators`: `for await` over the lines of readline, one generator per step. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Bid, NexmarkEvent } from './event.ts'
import { HotAuctions, isBid, type Library } from './peer-steps.ts'
import type { HotAuction } from './results.ts'

async function* eventsOf(path: string, seeOne: () => void): AsyncGenerator<NexmarkEvent> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity })
  for await (const line of lines) {
    seeOne()
    yield JSON.parse(line)
  }
}

async function* kept(
  events: AsyncIterable<NexmarkEvent>,
  keep: (bid: Bid) => boolean,
): AsyncGenerator<Bid> {
  for await (const event of events) if (isBid(event) && keep(event)) yield event
}

async function* made<Row>(bids: AsyncIterable<Bid>, make: (bid: Bid) => Row): AsyncGenerator<Row> {
  for await (const bid of bids) yield make(bid)
}

async function* hottest(events: AsyncIterable<NexmarkEvent>): AsyncGenerator<HotAuction> {
  const windows = new HotAuctions()
  for await (const event of events) yield* windows.add(event)
  yield* windows.end()
}

export const asyncGenerators: Library = {
  async stateless(path, { keep, make }, { take, seeOne }) {
    for await (const row of made(kept(eventsOf(path, seeOne), keep), make)) take(row)
  },

  async hotAuctions(path, { take, seeOne }) {
    for await (const row of hottest(eventsOf(path, seeOne))) take(row)
  },
}
