/** The same rows whatever the number of subtasks, also when it changes between lives. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { milliseconds, timestamp } from '../base/time.ts'
import type { Source } from '../connectors/contract.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { inlineExecutor } from '../execution.ts'
import type { RunOptions } from '../graph/executor.ts'
import { createNodeEnv } from '../platform/node.ts'
import { int } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { count, countDistinct, max, sum } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { listState, valueState } from '../stream/state.ts'
import type { ParallelismOptions } from '../stream/types.ts'
import { session, sliding, tumbling } from '../stream/window-assigners.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'parallel-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Row {
  readonly t: number
  readonly key: string
  readonly n: number
  readonly note: string | null
}

/** Rows up to 40 ms out of order, some of them late for a watermark 20 ms behind. */
const rows: readonly Row[] = Array.from({ length: 3_000 }, (_, i) => {
  const late = (i * 2_654_435_761) % 97 < 3 ? 400 : 0
  const key = (i * 48_271) % 11
  return {
    t: 1_000 + i * 2 + ((i * 16_807) % 20) - late,
    key: `k${key}`,
    n: (i * 69_621) % 1_000,
    note: i % 7 === 0 ? null : `n${i % 5}`,
  }
})

type Results = Readonly<Record<string, readonly string[]>>

/** Every kind of keyed step, windows behind windows, a union of streams from different stages, late rows. */
function pipelineOf(
  source: Source<Row>,
  bound: ParallelismOptions = {},
  sinks: Record<string, ReturnType<typeof memorySink>> = {},
) {
  const app = pipelineOn(inlineExecutor(() => env))('parallel')
  const sink = (name: string): ReturnType<typeof memorySink> => {
    const made = sinks[name] ?? memorySink()
    sinks[name] = made
    return made
  }
  const timed = app.from('rows', source).withEventTime({
    timestamp: (row) => timestamp(row.t),
    maxOutOfOrderness: milliseconds(20),
  })
  const byKey = timed.keyBy((row) => row.key, bound)
  const tumbled = byKey.window(tumbling(milliseconds(50))).aggregate('tumbled', {
    rows: count(),
    total: sum((row) => row.n),
    notes: countDistinct((row) => row.note ?? ''),
  })
  tumbled.results.to('tumbled', sink('tumbled'))
  tumbled.late.to('late', sink('late'))
  const slid = byKey
    .window(sliding(milliseconds(100), milliseconds(20)))
    .aggregate('slid', { most: max((row) => row.n) })
    .dropLate('counted above')
  slid
    .keyBy((one) => [one.window.end, 'all'] as const)
    .window(tumbling(milliseconds(20)))
    .aggregate('windows', { keys: count(), most: max((one) => one.most) })
    .dropLate('results are in order')
    .to('windows', sink('windows'))
  byKey
    .window(session(milliseconds(9)))
    .aggregate('sessions', { rows: count() })
    .dropLate('counted above')
    .to('sessions', sink('sessions'))
  const pair = struct('pair', { n: field(1, int), before: field(2, int) })
  const processed = byKey.process('pairs', {
    state: { last: valueState(int, { initial: -1 }), seen: listState(int) },
    timers: { tick: 'event-time' },
    output: pair,
    onRecord(row, ctx) {
      ctx.emit({ n: row.n, before: ctx.state.last.get() })
      ctx.state.last.set(row.n)
      ctx.state.seen.add(row.n)
      ctx.timers.tick.setAt(timestamp(row.t + 100))
    },
    onTimer: {
      tick(ctx) {
        const seen = [...ctx.state.seen.all()]
        ctx.emit({ n: seen.length, before: -2 })
        ctx.state.seen.clear()
      },
    },
  })
  processed.to('pairs', sink('pairs'))
  timed
    .map((row) => ({ n: row.n, before: -3 }))
    .union(processed)
    .keyBy((one) => one.n % 5)
    .aggregate('running', { rows: count(), total: sum((one) => one.before) })
    .filter((one) => one.rows % 100 === 0)
    .map(({ key, rows: many }) => ({ key, many }))
    .to('running', sink('running'))
  return { app, sinks }
}

function linesOf(
  sinks: Readonly<Record<string, { readonly records: readonly unknown[] }>>,
): Results {
  const entries = Object.entries(sinks).map(([name, { records }]) => [
    name,
    records.map((row) => JSON.stringify(row)).sort(),
  ])
  return Object.fromEntries(entries) as Results
}

async function run(options: RunOptions, partitions: number = 1): Promise<Results> {
  const { app, sinks } = pipelineOf(memorySource(rows, { partitions }))
  const state = mkdtempSync(join(folder, 'state-'))
  await app.run({ state, checkpointInterval: milliseconds(20), ...options })
  return linesOf(sinks)
}

describe('several subtasks', () => {
  it('give the rows of one, late ones included', async () => {
    const one = await run({ workers: 1 })
    expect(one['late']?.length).toBeGreaterThan(10)
    for (const workers of [2, 3, 4, 7]) expect(await run({ workers }), `${workers}`).toEqual(one)
  })

  it('give the rows of one in batch mode, whatever the partitions', async () => {
    const one = await run({ workers: 1, mode: 'batch' })
    expect(one['late']).toEqual([])
    for (const workers of [2, 3, 4]) {
      expect(await run({ workers, mode: 'batch' }), `${workers}`).toEqual(one)
      expect(await run({ workers, mode: 'batch' }, 5), `${workers}, 5 partitions`).toEqual(
        await run({ workers: 1, mode: 'batch' }, 5),
      )
    }
  })

  it('hand their state to another number of subtasks', async () => {
    const expected = await run({ workers: 1 })
    const state = mkdtempSync(join(folder, 'state-'))
    const source = portioned()
    const { app, sinks } = pipelineOf(source)
    for (const workers of [1, 4, 2, 3, 1, 2]) {
      const read = source.allow(400)
      const job = await app.start({ state, workers, checkpointInterval: milliseconds(10) })
      await read
      await job.stop()
    }
    void source.allow(Number.POSITIVE_INFINITY)
    expect((await app.run({ state, workers: 3 })).status).toBe('finished')
    expect(linesOf(sinks)).toEqual(expected)
  })

  it('hand their state to steps with another bound', async () => {
    const expected = await run({ workers: 1 })
    const state = mkdtempSync(join(folder, 'state-'))
    const source = portioned()
    const { sinks, app: last } = pipelineOf(source)
    const lives = [
      { workers: 4, parallelism: 2 },
      { workers: 4 },
      { workers: 3, parallelism: 1 },
      { workers: 2, parallelism: 3 },
      { workers: 4, parallelism: 3 },
    ]
    for (const { workers, ...bound } of lives) {
      const { app } = pipelineOf(source, bound, sinks)
      expect(app.plan().fingerprint).toBe(last.plan().fingerprint)
      const read = source.allow(400)
      const job = await app.start({ state, workers, checkpointInterval: milliseconds(10) })
      await read
      await job.stop()
    }
    void source.allow(Number.POSITIVE_INFINITY)
    expect((await last.run({ state, workers: 3 })).status).toBe('finished')
    expect(linesOf(sinks)).toEqual(expected)
  })

  it.each([1, 3])('commit nothing of batch mode before its end, %i of them', async (workers) => {
    const expected = await run({ workers: 1, mode: 'batch' })
    const state = mkdtempSync(join(folder, 'state-'))
    const source = portioned()
    const { app, sinks } = pipelineOf(source)
    const read = source.allow(400)
    const job = await app.start({ state, workers, mode: 'batch' })
    await read
    await expect(job.savepoint(join(folder, `half-${workers}`))).rejects.toThrow(
      'batch mode has one commit',
    )
    await job.stop()
    expect(Object.values(sinks).flatMap(({ records }) => records)).toEqual([])
    void source.allow(Number.POSITIVE_INFINITY)
    expect((await app.run({ state, workers, mode: 'batch' })).status).toBe('finished')
    expect(linesOf(sinks)).toEqual(expected)
  })
})

/** All rows, 50 at a time; a reader gives as many as are allowed and then nothing, so that each life gets its share. */
function portioned(): Source<Row> & { allow(many: number): Promise<void> } {
  let allowed = 0
  let used = (): void => {}
  const numberOf = (bytes: Uint8Array | undefined): number =>
    bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes))
  return {
    role: 'source',
    connector: 'portioned',
    describe: {},
    schema: undefined,
    bounded: true,
    allow(many) {
      allowed = many
      return new Promise((resolve) => {
        used = resolve
      })
    },
    open: () =>
      Promise.resolve({
        partitions: () => Promise.resolve(['0']),
        close: () => Promise.resolve(),
        reader(_, position) {
          let at = numberOf(position)
          const end = at + allowed
          const tell = used
          return Promise.resolve({
            read() {
              if (at >= rows.length) return Promise.resolve('end' as const)
              const batch = rows.slice(at, Math.min(at + 50, end))
              at += batch.length
              if (batch.length > 0)
                return Promise.resolve({
                  kind: 'rows' as const,
                  rows: batch,
                  rejected: [],
                  locate: (i: number) => `row ${at + i}`,
                })
              tell()
              return Promise.resolve('idle' as const)
            },
            wait: (ms) => env.clock.sleep(ms),
            position: () => new TextEncoder().encode(String(at)),
            close: () => Promise.resolve(),
          })
        },
      }),
  }
}
