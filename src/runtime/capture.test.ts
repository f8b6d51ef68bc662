/** Checkpoints under back-pressure: stages that barriers do not reach in time are cut, and the rows arrive in the next life. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { milliseconds, timestamp } from '../base/time.ts'
import { hasRowsInFlight } from '../checkpoint/manifest.ts'
import type { Sink } from '../connectors/contract.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { createNodeEnv } from '../platform/node.ts'
import { type Pipeline, pipelineOn } from '../stream/pipeline.ts'
import { inlineExecutor } from '../execution.ts'
import { int } from '../schema/scalars.ts'
import { sum } from '../stream/aggregates.ts'
import { valueState } from '../stream/state.ts'
import { tumbling } from '../stream/window-assigners.ts'
import { describeJob } from './describe.ts'
import { inlineHost } from './inline-host.ts'
import { startJob } from './job.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'capture-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A memory sink that is full after ten rows until the test gives it room; what it took is in its preparations. */
function stalledSink() {
  const kept = memorySink<unknown>()
  let open = false
  let release: (() => void)[] = []
  const sink: Sink<unknown> = {
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
          return waiting >= 10 && !open
        },
        async flush() {
          if (!open) await new Promise<void>((resolve) => release.push(resolve))
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
  return {
    sink,
    kept,
    open() {
      open = true
      for (const resolve of release) resolve()
      release = []
    },
  }
}

interface Row {
  readonly key: string
  readonly n: number
  readonly other: number
}
const rows: readonly Row[] = Array.from({ length: 30_000 }, (_, n) => ({
  key: `k${n % 13}`,
  n,
  other: 0,
}))

/** Runs in this thread, until `crash`. */
function start(app: Pipeline, state: string, subtasks: number) {
  const plan = app.plan()
  const inline = inlineHost(env, plan)
  const lives: boolean[] = []
  let failed: ((error: unknown) => void) | undefined
  const job = startJob({
    env,
    job: plan.job,
    description: describeJob(plan, {}),
    host: {
      start(spec, callbacks) {
        failed = (error) => callbacks.failed(error)
        if (spec.subtask === 0) lives.push(spec.arriving === true)
        return inline.start(spec, callbacks)
      },
    },
    mode: 'stream',
    stateDirectory: state,
    intervalMs: 60_000,
    alignedMs: 100,
    acceptParameters: false,
    subtasks,
    attemptsMax: 1,
  })
  job.outcome.catch(() => {})
  const crash = async (): Promise<void> => {
    failed?.(new Error('a crash'))
    await expect(job.outcome).rejects.toThrow('a crash')
  }
  return { job, crash, lives }
}

/** Keyed counts, and behind them windows whose results meet the sink. */
const jobs: Readonly<Record<string, (sink: Sink<unknown>) => Pipeline>> = {
  'a running count': (sink) => {
    const app = pipelineOn(inlineExecutor(() => env))('counts')
    app
      .from('rows', memorySource(rows))
      .keyBy((row) => row.key)
      .process('numbers', {
        state: { count: valueState(int, { initial: 0 }) },
        output: int,
        onRecord(row, ctx) {
          ctx.state.count.set(ctx.state.count.get() + 1)
          ctx.emit(row.n * 10_000 + ctx.state.count.get())
        },
      })
      .to('out', sink)
    return app
  },
  'windows between two exchanges': (sink) => {
    const app = pipelineOn(inlineExecutor(() => env))('windows')
    app
      .from('rows', memorySource(rows))
      .withEventTime({ timestamp: ({ n }) => timestamp(n), maxOutOfOrderness: milliseconds(50) })
      .keyBy((row) => row.key)
      .window(tumbling(milliseconds(20)))
      .aggregate('sums', { all: sum((row) => row.n) })
      .dropLate('none is')
      .keyBy((row) => row.all % 7)
      .process('numbered', {
        state: { count: valueState(int, { initial: 0 }) },
        output: int,
        onRecord(row, ctx) {
          ctx.state.count.set(ctx.state.count.get() + 1)
          ctx.emit(row.all)
        },
      })
      .to('out', sink)
    return app
  },
}

const sorted = (records: readonly unknown[]): readonly unknown[] =>
  (records as readonly number[]).toSorted((a, b) => a - b)

describe('a checkpoint while a sink has stalled', () => {
  for (const [name, build] of Object.entries(jobs)) {
    it.each([
      [2, 2],
      [3, 1],
      [2, 4],
    ])(`${name}: %i subtasks, then %i`, async (subtasks, later) => {
      const whole = memorySink<unknown>()
      await start(build(whole), mkdtempSync(join(folder, 'whole-')), 1).job.outcome
      const state = mkdtempSync(join(folder, 'state-'))
      const stalled = stalledSink()
      const { job, crash } = start(build(stalled.sink), state, subtasks)
      while (stalled.kept.pending.length < 10) await env.clock.sleep(10)
      await env.clock.sleep(300)
      const sinceMs = env.clock.monoMs()
      const manifests = [await job.checkpoint(), await job.checkpoint()]
      expect(env.clock.monoMs() - sinceMs).toBeLessThan(2_000)
      expect(manifests.map(hasRowsInFlight)).toEqual([true, true])
      const inFlight = manifests.at(-1)?.ledger.total.edges.map((edge) => edge.inFlightAfter) ?? []
      expect(Math.max(...inFlight)).toBeGreaterThan(0)
      const crashed = crash()
      await env.clock.sleep(50)
      stalled.open()
      await crashed
      const again = start(build(stalled.sink), state, later)
      const outcome = await again.job.outcome
      expect(again.lives).toEqual([true, false])
      expect(outcome.status).toBe('finished')
      expect(sorted(stalled.kept.records)).toEqual(sorted(whole.records))
      expect(outcome.ledger.edges.every((edge) => edge.inFlightAfter === 0)).toBe(true)
    })
  }
})

describe('a program that has changed while rows are in flight', () => {
  const build = (sink: Sink<unknown>, of: (row: Row) => number, parallelism: number): Pipeline => {
    const app = pipelineOn(inlineExecutor(() => env))('changed')
    app
      .from('rows', memorySource<Row>(rows))
      .partitionBy((row) => row.key, { parallelism })
      .map(of)
      .to('out', sink)
    return app
  }

  it.each<readonly [string, (row: Row) => number, number, string | undefined]>([
    ['in no way', (row) => row.n, 2, undefined],
    ['and reads another field', (row) => row.n + row.other, 2, 'the program reads other'],
    ['and has another parallelism', (row) => row.n, 3, 'were shared by 2 subtasks'],
  ])('%s', async (_name, of, parallelism, message) => {
    const state = mkdtempSync(join(folder, 'state-'))
    const stalled = stalledSink()
    const first = start(
      build(stalled.sink, (row) => row.n, 2),
      state,
      3,
    )
    while (stalled.kept.pending.length < 10) await env.clock.sleep(10)
    expect(hasRowsInFlight(await first.job.checkpoint())).toBe(true)
    const crashed = first.crash()
    await env.clock.sleep(50)
    stalled.open()
    await crashed
    const { outcome } = start(build(stalled.sink, of, parallelism), state, 3).job
    if (message === undefined) {
      expect((await outcome).status).toBe('finished')
      expect(sorted(stalled.kept.records)).toEqual(rows.map(({ n }) => n))
    } else {
      await expect(outcome).rejects.toMatchObject({
        code: 'TM1905',
        message: expect.stringContaining(message) as string,
      })
    }
  })
})

describe('a checkpoint while a step takes its time for every row', () => {
  it('does not wait for the rows in front of it', async () => {
    const rowMs = 25
    const sink = memorySink<unknown>()
    const app = pipelineOn(inlineExecutor(() => env))('patient')
    let calls = 0
    app
      .from('rows', memorySource(rows.slice(0, 200)))
      .keyBy((row) => row.key)
      .process('slow', {
        state: { count: valueState(int, { initial: 0 }) },
        output: int,
        onRecord(row, ctx) {
          calls++
          const until = performance.now() + rowMs
          while (performance.now() < until);
          ctx.emit(row.n)
        },
      })
      .to('out', sink)
    const { job, lives } = start(app, mkdtempSync(join(folder, 'state-')), 2)
    while (calls < 3) await env.clock.sleep(1)
    const sinceMs = env.clock.monoMs()
    const manifest = await job.checkpoint()
    const passedMs = env.clock.monoMs() - sinceMs
    // All rows take 5 s.
    expect(calls).toBeLessThan(100)
    expect(passedMs).toBeLessThan(2_500)
    expect(hasRowsInFlight(manifest)).toBe(true)
    expect((await job.outcome).status).toBe('finished')
    expect(lives).toEqual([false])
    expect(sorted(sink.records)).toEqual(rows.slice(0, 200).map(({ n }) => n))
  })
})
