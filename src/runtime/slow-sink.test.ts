/** A sink that stalls holds the stage that feeds it, and nothing else: checkpoints, other stages and stopping go on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { milliseconds, seconds } from '../base/time.ts'
import type { Sink, Source } from '../connectors/contract.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { inlineExecutor } from '../execution.ts'
import { createNodeEnv } from '../platform/node.ts'
import { pipelineOn } from '../stream/pipeline.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'slow-sink-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Row {
  readonly key: string
  readonly n: number
}
const batchRows = 3_000
const allRows = 9_500
const roomRows = 10

/** A memory sink that is full after ten rows, and has room again when the test lets its flush end. */
function stallingSink() {
  const kept = memorySink<unknown>()
  const seen = { flushes: 0, written: 0 }
  let release: (() => void)[] = []
  let open = false
  const sink: Sink<unknown> = {
    ...kept,
    async open(context) {
      const writer = await kept.open(context)
      let waiting = 0
      return {
        write(row, time) {
          writer.write(row, time)
          seen.written++
          waiting++
        },
        get full() {
          return waiting >= roomRows && !open
        },
        flush() {
          seen.flushes++
          const done = (): void => {
            waiting = 0
          }
          return open
            ? Promise.resolve().then(done)
            : new Promise<void>((resolve) => {
                release.push(resolve)
              }).then(done)
        },
        prepare: (epoch) => writer.prepare(epoch),
        commit: (epoch, prepared) => writer.commit(epoch, prepared),
        recover: (committed) => writer.recover(committed),
        counts: () => writer.counts(),
        close: () => writer.close(),
      }
    },
  }
  return {
    sink,
    kept,
    seen,
    /** From now on there is always room. */
    open() {
      open = true
      for (const resolve of release) resolve()
      release = []
    },
  }
}

/** Rows in batches that take several calls of the chain. */
function source(rows: number, batch: number = batchRows): Source<Row> {
  const numberOf = (bytes: Uint8Array | undefined): number =>
    bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes))
  return {
    role: 'source',
    connector: 'batches',
    describe: {},
    schema: undefined,
    bounded: true,
    open: () =>
      Promise.resolve({
        partitions: () => Promise.resolve(['0']),
        close: () => Promise.resolve(),
        reader(_, position) {
          let at = numberOf(position)
          return Promise.resolve({
            read() {
              if (at >= rows) return Promise.resolve('end' as const)
              const from = at
              at = Math.min(rows, at + batch)
              const numbers = Array.from({ length: at - from }, (_unused, i) => from + i)
              return Promise.resolve({
                kind: 'rows' as const,
                rows: numbers.map((n) => ({ key: `k${n % 7}`, n })),
                rejected: [],
                locate: (i: number) => `row ${from + i}`,
              })
            },
            wait: (ms) => env.clock.sleep(ms),
            position: () => new TextEncoder().encode(String(at)),
            close: () => Promise.resolve(),
          })
        },
      }),
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 2_000) throw new Error(`never: ${what}`)
    await env.clock.sleep(10)
  }
}

describe('a sink that stalls', () => {
  it.each([1, 2])('does not keep checkpoints waiting, with %i subtasks', async (workers) => {
    const { sink, kept, seen, open } = stallingSink()
    const app = pipelineOn(inlineExecutor(() => env))('stalls')
    app
      .from('rows', source(allRows))
      .map((row) => row.n)
      .to('out', sink)
    const state = mkdtempSync(join(folder, 'state-'))
    const job = await app.start({ state, workers, checkpointInterval: seconds(60) })
    await until(() => seen.flushes > 0, 'the sink is full')
    // The rest of the batch waits.
    expect(seen.written).toBeLessThan(batchRows)
    await job.savepoint(join(folder, `held-${workers}`))
    // What the sink was given is in the savepoint, though its flush is still pending.
    expect([kept.records.length, seen.written]).toEqual([batchRows, batchRows])
    for (let i = 0; i < 3; i++) await job.savepoint(join(folder, `held-${workers}-${i}`))
    // Each savepoint finishes the batch in work and no other, so memory is bounded.
    expect(seen.written).toBe(batchRows)
    open()
    expect((await job.finished).status).toBe('finished')
    const numbers = (kept.records as number[]).toSorted((a, b) => a - b)
    expect(numbers).toEqual(Array.from({ length: allRows }, (_, n) => n))
  })

  it('holds the stage that feeds it and no other', async () => {
    const { sink, kept, seen, open } = stallingSink()
    const fast = memorySink<number>()
    const app = pipelineOn(inlineExecutor(() => env))('branches')
    const rows = app.from('rows', source(batchRows))
    rows.map((row) => row.n).to('fast', fast)
    rows
      .keyBy((row) => row.key)
      .count('counts')
      .to('slow', sink)
    const state = mkdtempSync(join(folder, 'state-'))
    const job = await app.start({ state, workers: 2, checkpointInterval: milliseconds(20) })
    await until(
      () => fast.pending.length + fast.records.length === batchRows,
      'the fast sink has all',
    )
    expect(seen.written).toBeLessThan(batchRows)
    open()
    expect((await job.finished).status).toBe('finished')
    expect(kept.records.length).toBe(batchRows)
  })
})

/** A memory sink that takes about a thousand rows per second, in portions of twenty. */
function slowSink(kept: Sink<unknown>, slow: boolean): Sink<unknown> {
  return {
    ...kept,
    async open(context) {
      const writer = await kept.open(context)
      let waiting = 0
      return {
        write(row, time) {
          writer.write(row, time)
          waiting++
        },
        get full() {
          return slow && waiting >= 20
        },
        async flush() {
          await env.clock.sleep(waiting)
          waiting = 0
        },
        prepare: (epoch) => writer.prepare(epoch),
        commit: (epoch, prepared) => writer.commit(epoch, prepared),
        recover: (committed) => writer.recover(committed),
        counts: () => writer.counts(),
        close: () => writer.close(),
      }
    },
  }
}

describe('a sink that is slow', () => {
  it.each([
    [2, 3],
    [4, 1],
  ])(
    'keeps no checkpoint waiting for long: %i subtasks, then %i',
    async (workers, later) => {
      const rows = 100_000
      const kept = memorySink<{ readonly key: string; readonly count: number }>()
      const run = (slow: boolean) => {
        const app = pipelineOn(inlineExecutor(() => env))('slow')
        app
          .from('rows', source(rows, 256))
          .keyBy((row) => row.key)
          .count('counts')
          .to('out', slowSink(kept as Sink<unknown>, slow))
        return app
      }
      const state = mkdtempSync(join(folder, 'state-'))
      const job = await run(true).start({ state, workers, checkpointInterval: seconds(60) })
      await env.clock.sleep(2_500)
      for (let i = 0; i < 3; i++) {
        const sinceMs = env.clock.monoMs()
        await job.savepoint(join(folder, `slow-${workers}-${i}`))
        expect(env.clock.monoMs() - sinceMs).toBeLessThan(2_000)
      }
      await job.stop()
      const taken = kept.records.length
      expect(taken).toBeGreaterThan(0)
      expect(taken).toBeLessThan(rows / 2)
      const end = await run(false).run({ state, workers: later })
      expect(end.status).toBe('finished')
      const counts = new Map<string, number>()
      for (const { key } of kept.records) counts.set(key, (counts.get(key) ?? 0) + 1)
      for (const { key, count } of kept.records)
        expect(count).toBeLessThanOrEqual(counts.get(key) ?? 0)
      expect(new Set(kept.records.map(({ key, count }) => `${key} ${count}`)).size).toBe(rows)
      expect(kept.records.length).toBe(rows)
    },
    30_000,
  )
})
