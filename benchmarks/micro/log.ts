/**
 * Group commit of the embedded log on the real disk, against one write and sync at a time.
 *
 *     npx tsx benchmarks/micro/log.ts [directory]
 *
 * Bar 18: 256 clients that each await their append reach at least 30 times the rate of one client, and their p99 stays
 * within 10 times the p50 of a bare write + fdatasync. The two are taken in short turns, so that both meet the same disk;
 * the median of the rounds counts. The p99 of the bare loop stands beside it: what it has, a commit of many has too.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLog } from '../../src/log/log.ts'
import { recordsBatch } from '../../src/log/records.ts'
import type { LogWriter } from '../../src/log/writer.ts'
import { createNodeEnv } from '../../src/platform/node.ts'

export interface Bar {
  readonly bar: string
  readonly measured: number
  readonly required: string
  readonly holds: boolean
}

const rounds = 5
const roundMs = 400
/** Of the many clients and of the bare loop in a round. */
const turns = 8
const rowBytes = 150

export async function logBars(parent: string = tmpdir()): Promise<Bar[]> {
  const directory = mkdtempSync(join(parent, 'tidemill-bench-log-'))
  const log = openLog({ env: createNodeEnv({ logLevel: 'error' }), directory })
  try {
    await log.createTopic('bench')
    const writer = await log.openWriter('bench', 0)
    await clients(writer, 256, roundMs)
    const ratios: number[] = []
    const latencies: number[] = []
    const tails: number[] = []
    for (let round = 0; round < rounds; round++) {
      const one = await clients(writer, 1, roundMs)
      const bareTimes: number[] = []
      const manyTimes: number[] = []
      for (let turn = 0; turn < turns; turn++) {
        const path = join(directory, `bare-${round}-${turn}`)
        bareTimes.push(...(await bareSync(path, roundMs / turns)))
        for (const ms of await clients(writer, 256, roundMs / turns)) manyTimes.push(ms)
      }
      const bare = share(bareTimes, 0.5)
      const bareP99 = share(bareTimes, 0.99)
      const manyP99 = share(manyTimes, 0.99)
      ratios.push(manyTimes.length / one.length)
      latencies.push(manyP99 / bare)
      tails.push(manyP99 / bareP99)
      const figures = {
        bareP50Ms: bare,
        bareP99Ms: bareP99,
        one: one.length / (roundMs / 1000),
        many: manyTimes.length / (roundMs / 1000),
        oneP50: share(one, 0.5),
        manyP99,
      }
      details.push(figures)
    }
    const ratio = median(ratios)
    const latency = median(latencies)
    return [
      {
        bar: '18a group commit: rows/s of 256 clients / 1 client',
        measured: round2(ratio),
        required: '>= 30',
        holds: ratio >= 30,
      },
      {
        bar: `18b group commit: p99 of 256 clients / p50 of one write + fdatasync (${round2(median(tails))} times its p99)`,
        measured: round2(latency),
        required: '<= 10',
        holds: latency <= 10,
      },
    ]
  } finally {
    await log.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Raw figures of the last run, for people. */
export const details: Record<string, number>[] = []

/** Where times are noted: a growing array would be copied now and then, in the time of some append. */
const noted = new Float64Array(4_000_000)

/** Milliseconds of each append. */
async function clients(writer: LogWriter, count: number, forMs: number): Promise<Float64Array> {
  const batch = recordsBatch([{ key: null, value: new Uint8Array(rowBytes), timestamp: 1 }])
  let length = 0
  const start = performance.now()
  const client = async (): Promise<void> => {
    for (let now = performance.now(); now - start < forMs; ) {
      await writer.append(batch)
      const after = performance.now()
      noted[length++] = after - now
      now = after
    }
  }
  await Promise.all(Array.from({ length: count }, client))
  return noted.slice(0, length)
}

/** One write of the same row and one sync at a time, to the end of a growing file. */
async function bareSync(path: string, forMs: number): Promise<number[]> {
  const file = await open(path, 'wx')
  const bytes = new Uint8Array(rowBytes + 128)
  const times: number[] = []
  const start = performance.now()
  for (let now = start; now - start < forMs; ) {
    await file.write(bytes, 0, bytes.length, times.length * bytes.length)
    await file.datasync()
    const after = performance.now()
    times.push(after - now)
    now = after
  }
  await file.close()
  return times
}

function median(values: ArrayLike<number>): number {
  return share(values, 0.5)
}

function share(values: ArrayLike<number>, of: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor(sorted.length * of)] ?? 0
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const bar of await logBars(process.argv[2])) process.stdout.write(`${JSON.stringify(bar)}\n`)
  process.stderr.write(`${details.map((row) => JSON.stringify(row)).join('\n')}\n`)
}
