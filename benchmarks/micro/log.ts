/**
 * Group commit of the embedded log on the real disk, against one write and sync at a time.
 *
 *     npx tsx benchmarks/micro/log.ts [directory]
 *
 * Bar 18: 256 clients that each await their append reach at least 30 times the rate of one client, and their p99 stays
 * within 10 times the p50 of a bare write + fdatasync. The two are taken in turns, the median of the rounds counts.
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
    for (let round = 0; round < rounds; round++) {
      const { p50Ms: bare, p99Ms: bareP99 } = await bareSync(
        join(directory, `bare-${round}`),
        roundMs / 2,
      )
      const one = await clients(writer, 1, roundMs)
      const many = await clients(writer, 256, roundMs)
      ratios.push(many.perSecond / one.perSecond)
      latencies.push(many.p99Ms / bare)
      const figures = {
        bareP50Ms: bare,
        bareP99Ms: bareP99,
        one: one.perSecond,
        many: many.perSecond,
        oneP50: one.p50Ms,
        manyP99: many.p99Ms,
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
        bar: '18b group commit: p99 of 256 clients / p50 of one write + fdatasync',
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

async function clients(writer: LogWriter, count: number, forMs: number) {
  const batch = recordsBatch([{ key: null, value: new Uint8Array(rowBytes), timestamp: 1 }])
  const times: number[] = []
  const start = performance.now()
  const client = async (): Promise<void> => {
    for (let now = performance.now(); now - start < forMs; ) {
      await writer.append(batch)
      const after = performance.now()
      times.push(after - now)
      now = after
    }
  }
  await Promise.all(Array.from({ length: count }, client))
  const seconds = (performance.now() - start) / 1000
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** One write of the same row and one sync at a time, to the end of a growing file. */
async function bareSync(path: string, forMs: number): Promise<{ p50Ms: number; p99Ms: number }> {
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
  times.sort((a, b) => a - b)
  const p99Ms = times[Math.floor(times.length * 0.99)] ?? 0
  return { p50Ms: median(times), p99Ms }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const bar of await logBars(process.argv[2])) process.stdout.write(`${JSON.stringify(bar)}\n`)
  process.stderr.write(`${details.map((row) => JSON.stringify(row)).join('\n')}\n`)
}
