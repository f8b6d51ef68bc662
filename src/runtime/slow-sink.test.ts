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
function source(rows: number): Source<Row> {
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
              at = Math.min(rows, at + batchRows)
              const batch = Array.from({ length: at - from }, (_unused, i) => from + i)
              return Promise.resolve({
                kind: 'rows' as const,
                rows: batch.map((n) => ({ key: `k${n % 7}`, n })),
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
    if (i > 500) throw new Error(`never: ${what}`)
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
    const rows = app.from('rows', source(allRows))
    rows.map((row) => row.n).to('fast', fast)
    rows
      .keyBy((row) => row.key)
      .count('counts')
      .to('slow', sink)
    const state = mkdtempSync(join(folder, 'state-'))
    const job = await app.start({ state, workers: 2, checkpointInterval: milliseconds(20) })
    await until(
      () => fast.pending.length + fast.records.length === allRows,
      'the fast sink has all',
    )
    expect(seen.written).toBeLessThan(allRows)
    open()
    expect((await job.finished).status).toBe('finished')
    expect(kept.records.length).toBe(allRows)
  })
})
