/**
 * Bars 12 and 13: rows between two threads, by the engine's exchange and by `postMessage` of the same rows.
 *
 * Bar 12 takes the processor time of the slower of the two threads, which is what limits the rate; the methods take
 * turns, the median of the rounds counts. Bar 13 takes the time from before a batch of 16 rows is sent, one every
 * millisecond, until its last row was read.
 */
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import { createMeshMemory } from '../../src/exchange/mesh.ts'
import { type Bar, bar } from './bar.ts'
import type { Method, Result, Run } from './exchange-thread.ts'

const ROUNDS = 7
/** V8 compiles in a thread of its own, which takes seconds by the clock where other programs run. */
const WARM_UPS = 20
const ROWS = 102_400
const LATENCY_BATCHES = 400

export async function exchangeBars(): Promise<readonly Bar[]> {
  const threads = await startThreads()
  try {
    const bars: Bar[] = []
    for (const [batchRows, limit] of [
      [256, 5],
      [16, 4],
    ] as const) {
      const times: Record<Method, number[]> = { engine: [], clone: [] }
      const sides: Record<Method, string> = { engine: '', clone: '' }
      for (let round = -WARM_UPS; round < ROUNDS; round++) {
        const sums = new Set<number>()
        for (const method of ['engine', 'clone'] as const) {
          const batches = ROWS / batchRows
          const [sent, received] = await threads.run({ method, batchRows, batches, pauseMs: 0 })
          sums.add(received.checksum)
          const perRow = [sent.cpuNs / ROWS, received.cpuNs / ROWS] as const
          sides[method] = perRow.map((ns) => ns.toFixed(0)).join(' + ')
          if (round >= 0) times[method].push(Math.max(...perRow))
        }
        if (sums.size !== 1) throw new Error('bar 12: the two methods read different rows')
      }
      const ratio = median(times.clone) / median(times.engine)
      const last = `last round ${sides.clone} / ${sides.engine} ns per row`
      bars.push(
        bar(
          `12 exchange, batches of ${batchRows}: structured clone / engine (${last})`,
          ratio,
          '>=',
          limit,
        ),
      )
    }
    bars.push(await latencyBar(threads))
    return bars
  } finally {
    await threads.stop()
  }
}

async function latencyBar(threads: Threads): Promise<Bar> {
  const p50: Record<Method, number[]> = { engine: [], clone: [] }
  for (let round = -1; round < ROUNDS; round++) {
    for (const method of ['engine', 'clone'] as const) {
      const run = { method, batchRows: 16, batches: LATENCY_BATCHES, pauseMs: 1 }
      const [, received] = await threads.run(run)
      if (round >= 0) p50[method].push(median(received.latenciesUs))
    }
  }
  const [engine, clone] = [median(p50.engine), median(p50.clone)]
  const figures = `p50 ${engine.toFixed(0)} / ${clone.toFixed(0)} us`
  return bar(
    `13 exchange latency, 16 rows each ms: engine / postMessage (${figures})`,
    engine / clone,
    '<=',
    0.75,
  )
}

interface Threads {
  /** What the sender and the receiver measured. */
  run(run: Omit<Run, 'mesh'>): Promise<readonly [Result, Result]>
  stop(): Promise<void>
}

async function startThreads(): Promise<Threads> {
  const source = await build({
    entryPoints: [fileURLToPath(new URL('../micro/exchange-thread.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
    logLevel: 'silent',
  })
  const code = Buffer.from(source.outputFiles[0]!.contents).toString('base64')
  const url = new URL(`data:text/javascript;base64,${code}`)
  const { port1, port2 } = new MessageChannel()
  const start = (role: 'send' | 'receive', peer: typeof port1): Worker =>
    new Worker(url, { workerData: { role, peer }, transferList: [peer] })
  const workers = [start('send', port1), start('receive', port2)] as const
  const failed = new Promise<never>((_, reject) => {
    for (const worker of workers) worker.once('error', reject)
  })
  const answer = (worker: Worker): Promise<Result> => {
    const result = new Promise<Result>((resolve) => {
      worker.once('message', resolve)
    })
    return Promise.race([result, failed])
  }
  // One for all runs: a job lives longer than it takes to touch the memory of its rings once.
  const mesh = createMeshMemory({ exchanges: 1, subtasks: 2 })
  return {
    async run(run) {
      const answers = Promise.all([answer(workers[0]), answer(workers[1])])
      for (const worker of workers) worker.postMessage({ ...run, mesh } satisfies Run)
      return await answers
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
