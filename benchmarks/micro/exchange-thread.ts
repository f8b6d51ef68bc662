/**
 * One thread of the two of bars 12 and 13: sends bids, or receives and reads them, by the engine's exchange or by
 * `postMessage`. Bundled and started by `exchange.ts`.
 */
import { readFileSync } from 'node:fs'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { MessageDecoder } from '../../src/exchange/decode.ts'
import { ExchangeWriter } from '../../src/exchange/exchange-writer.ts'
import { type MeshMemory, openMesh } from '../../src/exchange/mesh.ts'
import { installNativeAscii } from '../../src/platform/node-ascii.ts'
import { datasets } from '../nexmark/dataset.ts'
import type { Bid } from '../nexmark/event.ts'
import { EventGenerator } from '../nexmark/generator.ts'

export type Method = 'engine' | 'clone'

export interface Run {
  readonly method: Method
  readonly batchRows: number
  readonly batches: number
  /** 0: as fast as the receiver takes them. */
  readonly pauseMs: number
  readonly mesh: MeshMemory
}

export interface Result {
  /** Time this thread was on a processor. */
  readonly cpuNs: number
  readonly checksum: number
  /** Receiver only: from before the first row was sent to after the last one was read. */
  readonly latenciesUs: readonly number[]
}

type Row = Omit<Bid, 'type'>

/** Batches on the way in the clone case: what a ring of 1 MiB holds, about. */
const WINDOW = 32

const { role, peer } = workerData as {
  readonly role: 'send' | 'receive'
  readonly peer: MessagePort
}
installNativeAscii()
const rows = bids(4096)
const sleep = new Int32Array(new SharedArrayBuffer(4))

parentPort!.on('message', (run: Run) => {
  void (role === 'send' ? send(run) : receive(run)).then((result) =>
    parentPort!.postMessage(result),
  )
})

function bids(count: number): Row[] {
  const generator = new EventGenerator(datasets.D3)
  const made: Row[] = []
  for (let i = 0; made.length < count; i++) {
    const event = generator.event(i)
    if (event.type !== 'bid') continue
    const { type, ...row } = event
    // As a source decodes it: the generator's texts are trees of pieces, which the first method would have to flatten.
    made.push(JSON.parse(JSON.stringify(row)) as Row)
  }
  return made
}

function cpuNs(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0])
}

function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1000
}

async function send(run: Run): Promise<Result> {
  const start = cpuNs()
  await (run.method === 'engine' ? sendByEngine(run) : sendByClone(run))
  return { cpuNs: cpuNs() - start, checksum: 0, latenciesUs: [] }
}

async function sendByEngine({ batchRows, batches, pauseMs, mesh }: Run): Promise<void> {
  const links = openMesh(mesh, 0)
  const writer = new ExchangeWriter({
    fields: undefined,
    maxParallelism: 128,
    targets: [links.writer(0, 1)],
    keyed: true,
    where: 'bench',
  })
  let wake = (): void => {}
  links.onNews(() => wake())
  const room = async (): Promise<void> => {
    while (!writer.drain()) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  for (let b = 0, next = 0; b < batches; b++) {
    if (pauseMs > 0) Atomics.wait(sleep, 0, 0, pauseMs)
    const at = pauseMs > 0 ? nowUs() : b
    for (let i = 0; i < batchRows; i++) {
      const row = rows[next++ & 4095]!
      writer.send(row.auction, row, at, b)
    }
    writer.flush()
    if (writer.blocked) await room()
  }
  writer.end()
  await room()
  links.close()
}

async function sendByClone({ batchRows, batches, pauseMs }: Run): Promise<void> {
  let onWay = 0
  let wake = (): void => {}
  const acknowledged = (count: number): void => {
    onWay -= count
    wake()
  }
  peer.on('message', acknowledged)
  for (let b = 0, next = 0; b < batches; b++) {
    if (pauseMs > 0) Atomics.wait(sleep, 0, 0, pauseMs)
    const at = pauseMs > 0 ? nowUs() : b
    const batch: Row[] = []
    for (let i = 0; i < batchRows; i++) batch.push(rows[next++ & 4095]!)
    peer.postMessage({ at, rows: batch })
    onWay++
    while (pauseMs === 0 && onWay >= WINDOW) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  peer.postMessage(undefined)
  peer.off('message', acknowledged)
}

function receive(run: Run): Promise<Result> {
  const start = cpuNs()
  const latenciesUs: number[] = []
  let checksum = 0
  const result = (): Result => ({ cpuNs: cpuNs() - start, checksum, latenciesUs })
  return new Promise((resolve) => {
    if (run.method === 'clone') {
      let taken = 0
      const take = (
        message: { readonly at: number; readonly rows: readonly Row[] } | undefined,
      ) => {
        if (message === undefined) {
          peer.off('message', take)
          resolve(result())
          return
        }
        for (const row of message.rows) checksum += sum(row)
        if (run.pauseMs > 0) latenciesUs.push(nowUs() - message.at)
        if (++taken % (WINDOW / 4) === 0 && run.pauseMs === 0) peer.postMessage(WINDOW / 4)
      }
      peer.on('message', take)
      return
    }
    const links = openMesh(run.mesh, 1)
    const reader = links.reader(0, 0)
    const decoder = new MessageDecoder()
    const take = (): void => {
      for (let bytes = reader.read(); bytes !== undefined; bytes = reader.read()) {
        const message = decoder.decode(bytes)
        if (message.kind === 'end') {
          links.close()
          resolve(result())
          return
        }
        if (message.kind !== 'rows') continue
        const { frame, length, times } = message.rows
        const { plain } = frame!.layout
        for (let i = 0; i < length; i++) checksum += sum(plain(frame!, i) as Row)
        if (run.pauseMs > 0) latenciesUs.push(nowUs() - times[0]!)
      }
    }
    links.onNews(take)
  })
}

/** Reads every field. */
function sum(row: Row): number {
  return (
    ((row.auction ^ row.bidder) +
      row.price +
      (row.dateTime % 1000) +
      row.channel.length +
      row.url.length +
      row.extra.length) %
    1000
  )
}
