/** Rows that change hands by rebalance, global, broadcast, partitionBy and in front of sinks, for any number of subtasks. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { forbidCodeGeneration } from '../base/codegen.ts'
import { isTidemillError } from '../base/errors.ts'
import { milliseconds, timestamp } from '../base/time.ts'
import type { Sink, SinkWriter } from '../connectors/contract.ts'
import { logSink, logSource } from '../connectors/log/log-topic.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { inlineExecutor } from '../execution.ts'
import type { RunOptions } from '../graph/executor.ts'
import { createNodeEnv } from '../platform/node.ts'
import { json } from '../schema/json.ts'
import { hashText, keyHash } from '../schema/key.ts'
import { int, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { count, sum } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import type { ParallelismOptions, Stream } from '../stream/types.ts'
import { tumbling } from '../stream/window-assigners.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'partition-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Row {
  readonly t: number
  readonly key: string
  readonly n: number
}

/** Up to 20 ms out of order; several rows share a time. */
const rows: readonly Row[] = Array.from({ length: 2_000 }, (_, i) => ({
  t: 1_000 + (i >> 2) * 4 + ((i * 16_807) % 20),
  key: `k${(i * 48_271) % 11}`,
  n: i,
}))

/** A sink that notes which subtask wrote what, in order. */
function noting<In>(options: Partial<Sink<In>> = {}): Sink<In> & {
  readonly written: (readonly In[])[]
} {
  const written: In[][] = []
  const sink: Sink<In> = {
    role: 'sink',
    connector: 'noting',
    describe: {},
    guarantee: 'at-least-once',
    open({ subtask }) {
      const own: In[] = []
      written[subtask] = own
      let received = 0
      const writer: SinkWriter<In> = {
        full: false,
        write(row) {
          received++
          own.push(structuredClone(row))
        },
        flush: () => Promise.resolve(),
        prepare: () => Promise.resolve(new Uint8Array(0)),
        commit: () => Promise.resolve(),
        recover: () => Promise.resolve(),
        counts: () => ({ received, skipped: 0, deadLettered: 0 }),
        close: () => Promise.resolve(),
      }
      return Promise.resolve(writer)
    },
    ...options,
  }
  return { ...sink, written }
}

async function run(
  options: RunOptions,
  partitions: number,
  build: (source: Stream<Row>) => void,
): Promise<void> {
  const app = pipelineOn(inlineExecutor(() => env))('partition')
  build(app.from('rows', memorySource(rows, { partitions })))
  const state = mkdtempSync(join(folder, 'state-'))
  const job = await app.run({ state, checkpointInterval: milliseconds(5), ...options })
  expect(job.status).toBe('finished')
}

const subtasks = [1, 2, 3, 4] as const
const sorted = (list: readonly unknown[]): readonly string[] =>
  list.map((one) => JSON.stringify(one)).sort()

describe.each([false, true])('interpreted: %s', (interpreted) => {
  async function runTwin(...args: Parameters<typeof run>): Promise<void> {
    forbidCodeGeneration(interpreted)
    try {
      await run(...args)
    } finally {
      forbidCodeGeneration(false)
    }
  }

  it.each(subtasks)('rebalance gives %i subtasks equal shares', async (workers) => {
    const sink = noting<Row>()
    await runTwin({ workers }, 1, (s) => s.rebalance().to('out', sink))
    expect(sorted(sink.written.flat())).toEqual(sorted(rows))
    for (const share of sink.written)
      expect(Math.abs(share.length - rows.length / workers)).toBeLessThanOrEqual(1)
    // What one sender gives one target keeps its order.
    for (const share of sink.written)
      expect(share.map(({ n }) => n)).toEqual(share.map(({ n }) => n).sort((a, b) => a - b))
  })

  it.each(subtasks)('global gives everything to the first of %i subtasks', async (workers) => {
    const sink = noting<Row>()
    await runTwin({ workers }, 3, (s) => s.global().to('out', sink))
    expect(sorted(sink.written[0] ?? [])).toEqual(sorted(rows))
    expect(sink.written.slice(1).flat()).toEqual([])
  })

  it.each(subtasks)('broadcast gives all %i subtasks everything', async (workers) => {
    const sink = noting<Row>()
    await runTwin({ workers }, 3, (s) => s.broadcast().to('out', sink))
    expect(sink.written).toHaveLength(workers)
    for (const share of sink.written) expect(sorted(share)).toEqual(sorted(rows))
  })

  it.each(subtasks)('partitionBy keeps keys together on %i subtasks', async (workers) => {
    const sink = noting<Row>()
    await runTwin({ workers }, 3, (s) => s.partitionBy((r) => r.key).to('out', sink))
    expect(sorted(sink.written.flat())).toEqual(sorted(rows))
    const homes = new Map<string, Set<number>>()
    sink.written.forEach((share, at) => {
      for (const { key } of share) homes.set(key, (homes.get(key) ?? new Set()).add(at))
    })
    expect([...homes.values()].every((one) => one.size === 1)).toBe(true)
    if (workers > 1)
      expect(sink.written.filter((share) => share.length > 0).length).toBeGreaterThan(1)
  })

  it.each(subtasks)('partitions with numbers have fixed owners among %i', async (workers) => {
    const sink = noting<Row>()
    await runTwin({ workers }, 3, (s) =>
      s.partitionBy((r) => r.n % 5, { partitions: 5, parallelism: 3 }).to('out', sink),
    )
    const owners = Math.min(workers, 3)
    sink.written.forEach((share, at) => {
      expect(sorted(share)).toEqual(sorted(rows.filter(({ n }) => (n % 5) % owners === at)))
    })
  })

  it.each([1, 2])('a number that is no partition stops the job, %i subtasks', async (workers) => {
    for (const wrong of [5, -1, 0.5, Number.NaN]) {
      const error = await runTwin({ workers }, 1, (s) =>
        s.partitionBy(() => wrong, { partitions: 5 }).to('out', noting<Row>()),
      ).catch((e: unknown) => e)
      expect(isTidemillError(error) && error.code).toBe('TM1903')
      expect(isTidemillError(error) && error.message).toContain('from 0 to 4')
    }
  })

  it.each(subtasks)('keyed steps, windows and late rows are those of one, %i', async (workers) => {
    const results = async (workers: number, mode: 'stream' | 'batch'): Promise<unknown> => {
      const sinks = { windows: memorySink(), late: memorySink(), parsed: memorySink() }
      await runTwin({ workers, mode }, 1, (source) => {
        const timed = source
          .map((row) => JSON.stringify(row))
          .rebalance()
          .map((line): Row => JSON.parse(line))
          .withEventTime({ timestamp: (r) => timestamp(r.t), maxOutOfOrderness: milliseconds(30) })
        timed.global().to('parsed', sinks.parsed)
        const windows = timed
          .rebalance({ parallelism: 2 })
          .filter((r) => r.n % 7 !== 0)
          .keyBy((r) => r.key, { parallelism: 3 })
          .window(tumbling(milliseconds(50)))
          .aggregate('windows', { rows: count(), total: sum((r) => r.n) })
        windows.results.to('windows', sinks.windows, { parallelism: 1 })
        windows.late.to('late', sinks.late)
      })
      if (mode === 'batch')
        // One writer behind event time sees batch mode in order of time, equal times as they were read.
        expect(sinks.parsed.records).toEqual([...rows].sort((a, b) => a.t - b.t))
      return Object.entries(sinks).map(([name, { records }]) => [name, sorted(records)])
    }
    for (const mode of ['stream', 'batch'] as const)
      expect(await results(workers, mode)).toEqual(await results(1, mode))
  })

  it.each(subtasks)('a sink with partitions gets rows where they belong, %i', async (workers) => {
    const sink = noting<Row>({
      partitioning: {
        count: () => Promise.resolve(7),
        of: (row, partitions) => (keyHash(row.key) >>> 0) % partitions,
      },
    })
    await runTwin({ workers }, 3, (s) => s.to('out', sink))
    sink.written.forEach((share, at) => {
      const own = rows.filter(({ key }) => ((keyHash(key) >>> 0) % 7) % workers === at)
      expect(sorted(share)).toEqual(sorted(own))
    })
  })

  it('a sink with a bound is opened by that many subtasks', async () => {
    const sink = noting<Row>()
    await runTwin({ workers: 4 }, 4, (s) => s.to('out', sink, { parallelism: 2 }))
    expect(sink.written).toHaveLength(2)
    expect(sorted(sink.written.flat())).toEqual(sorted(rows))
  })
})

describe('a topic', () => {
  const record = struct('record', { key: field(1, text), n: field(2, int) })

  /** Keys by partition, each with the numbers of its records in order. */
  async function partitionsOf(
    workers: number,
    partitions: number,
    options: ParallelismOptions = {},
  ): Promise<readonly Readonly<Record<string, readonly number[]>>[]> {
    const directory = mkdtempSync(join(folder, 'log-'))
    const topic = { directory, topic: 'rows', value: json<{ key: string; n: number }>(record) }
    await run({ workers }, 1, (source) =>
      source
        .keyBy((row) => row.key)
        .process('same', {
          output: record,
          onRecord: ({ key, n }, ctx) => ctx.emit({ key, n }),
        })
        .to('rows', logSink({ ...topic, key: (row) => row.key, partitions }), options),
    )
    const handle = await logSource({ ...topic, until: 'end' }).open({
      env,
      name: 'in',
      fields: undefined,
      mode: 'batch',
    })
    const found: Record<string, number[]>[] = []
    for (const partition of await handle.partitions()) {
      const keys: Record<string, number[]> = {}
      const reader = await handle.reader(partition, undefined)
      for (let batch = await reader.read(); batch !== 'end'; batch = await reader.read()) {
        if (batch === 'idle') await reader.wait(5)
        else if (batch.kind === 'rows')
          for (const { key, n } of batch.rows) {
            const known = keys[key] ?? []
            known.push(n)
            keys[key] = known
          }
      }
      await reader.close()
      found.push(keys)
    }
    await handle.close()
    return found
  }

  it('keeps a key in one partition and in order, whatever the number of workers', async () => {
    const one = await partitionsOf(1, 5)
    one.forEach((keys, partition) => {
      // The rule of `tidemill log append`.
      for (const key of Object.keys(keys)) expect((hashText(key) >>> 0) % 5).toBe(partition)
    })
    expect(one.flatMap((keys) => Object.keys(keys))).toHaveLength(11)
    for (const workers of [2, 3, 4]) expect(await partitionsOf(workers, 5)).toEqual(one)
    expect(await partitionsOf(4, 5, { parallelism: 2 })).toEqual(one)
  })

  it('with fewer partitions than workers needs a bound', async () => {
    await expect(partitionsOf(4, 2)).rejects.toMatchObject({ code: 'TM1704' })
    expect(await partitionsOf(4, 2, { parallelism: 2 })).toEqual(await partitionsOf(1, 2))
  })
})
