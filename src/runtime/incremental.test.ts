/** Checkpoints that store what has changed: how small they are, and that jobs go on from them like from whole ones. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkSnapshots, inspectSnapshot } from '../checkpoint/inspect.ts'
import type { Manifest } from '../checkpoint/manifest.ts'
import type { Source } from '../connectors/contract.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { decodeIndex, encodeIndex } from '../connectors/memory/memory-source.ts'
import { inlineExecutor } from '../execution.ts'
import { createNodeEnv } from '../platform/node.ts'
import { count, countDistinct, sum } from '../stream/aggregates.ts'
import { type Pipeline, pipelineOn } from '../stream/pipeline.ts'
import { describeJob } from './describe.ts'
import { inlineHost } from './inline-host.ts'
import { startJob } from './job.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'incremental-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Row {
  readonly key: number
  readonly n: number
}

const partitions = 4
const keys = 20_000
const batchRows = 500

/** First every key once, then 200 of them at a time, all over the table. */
const rowAt = (n: number): Row => ({ key: n < keys ? n : (n * 7_919) % keys, n })

/** Rows up to `gate.rows`, which the test raises; the input ends at `end`. */
function gated(gate: { rows: number }, end: number): Source<Row> {
  return {
    role: 'source',
    connector: 'gated',
    describe: {},
    schema: undefined,
    bounded: true,
    open: async () => ({
      partitions: async () => Array.from({ length: partitions }, (_, i) => String(i)),
      reader: async (partition, position) => {
        let at = position === undefined ? Number(partition) : decodeIndex(position, 'gated')
        return {
          async read() {
            if (at >= end) return 'end'
            const rows: Row[] = []
            for (; at < Math.min(gate.rows, end) && rows.length < batchRows; at += partitions)
              rows.push(rowAt(at))
            if (rows.length === 0) return 'idle'
            return { kind: 'rows', rows, rejected: [], locate: (i) => `row ${i}` }
          },
          wait: (maxMs) => env.clock.sleep(Math.min(maxMs, 5)),
          position: () => encodeIndex(at),
          close: async () => {},
        }
      },
      close: async () => {},
    }),
  }
}

function program(source: Source<Row>): {
  readonly app: Pipeline
  readonly results: () => readonly string[]
} {
  const sink = memorySink<unknown>()
  const app = pipelineOn(inlineExecutor(() => env))('totals')
  app
    .from('rows', source)
    .keyBy((row) => row.key)
    .aggregate('totals', {
      rows: count(),
      total: sum((row) => row.n),
      kinds: countDistinct((row) => `kind ${row.n % 3}`),
    })
    .to('out', sink)
  return { app, results: () => sink.records.map((row) => JSON.stringify(row)) }
}

/** Runs in this thread, until `crash`. */
function start(app: Pipeline, state: string, subtasks: number, from?: string) {
  const plan = app.plan()
  const inline = inlineHost(env, plan)
  let failed: ((error: unknown) => void) | undefined
  const job = startJob({
    env,
    job: plan.job,
    description: describeJob(plan, {}),
    host: {
      start(spec, callbacks) {
        failed = (error) => callbacks.failed(error)
        return inline.start(spec, callbacks)
      },
    },
    mode: 'stream',
    stateDirectory: state,
    intervalMs: 60_000,
    acceptParameters: false,
    subtasks,
    attemptsMax: 1,
    ...(from === undefined ? {} : { from }),
  })
  job.outcome.catch(() => {})
  const read = async (rows: number): Promise<void> => {
    const all = (): number =>
      job.status().subtasks?.reduce((s, { progress }) => s + (progress?.recordsRead ?? 0), 0) ?? 0
    while (all() < rows) await env.clock.sleep(5)
  }
  const crash = async (): Promise<void> => {
    failed?.(new Error('a crash'))
    await expect(job.outcome).rejects.toThrow('a crash')
  }
  return { job, read, crash }
}

const ownBytes = ({ subtasks }: Manifest): number =>
  subtasks.reduce((sum, { object }) => sum + (object?.sizeBytes ?? 0), 0)
const basesOf = ({ subtasks }: Manifest): readonly number[] =>
  subtasks.map(({ bases }) => bases?.length ?? 0)

/** What comes out without any checkpoint. */
async function expected(end: number): Promise<readonly string[]> {
  const { app, results } = program(gated({ rows: end }, end))
  await start(app, mkdtempSync(join(folder, 'whole-')), 1).job.outcome
  return [...results()].sort()
}

describe('checkpoints of a job of whose keys few change', () => {
  it.each([
    [1, 1],
    [1, 3],
    [2, 1],
  ])('%i subtasks, then %i: small files, and the same results', async (subtasks, later) => {
    const end = keys + 2_400
    const gate = { rows: keys }
    const state = mkdtempSync(join(folder, 'state-'))
    const { app, results } = program(gated(gate, end))
    const first = start(app, state, subtasks)
    await first.read(keys)
    const whole = await first.job.checkpoint()
    expect(basesOf(whole)).toEqual(Array.from({ length: subtasks }, () => 0))
    const idle = await first.job.checkpoint()
    // Nothing has changed: that, and no more, is stored.
    expect(ownBytes(idle)).toBeLessThan(500 * subtasks)
    for (let round = 0; round < 4; round++) {
      gate.rows += 200
      await first.read(gate.rows)
      const some = await first.job.checkpoint()
      expect(basesOf(some)).toEqual(Array.from({ length: subtasks }, () => round + 2))
      expect(ownBytes(some) * 20).toBeLessThan(ownBytes(whole))
    }
    const summary = await inspectSnapshot(env, state)
    expect(summary.writtenBytes * 20).toBeLessThan(summary.sizeBytes)
    expect(summary.objects.filter(({ neededBy }) => neededBy?.includes('totals')).length).toBe(
      5 * subtasks,
    )
    expect(await checkSnapshots(env, state)).toMatchObject({ intact: true, garbage: [] })
    gate.rows += 200
    await first.read(gate.rows)
    await first.crash()

    const second = start(app, state, later)
    gate.rows += 200
    while (second.job.status().driver === undefined) await env.clock.sleep(5)
    // A life begins with a whole one, and then what the lives before wrote is needed no more.
    expect(basesOf(await second.job.checkpoint())).toEqual(Array.from({ length: later }, () => 0))
    for (let round = 0; round < 2; round++) {
      gate.rows += 200
      await env.clock.sleep(100)
      expect(Math.max(...basesOf(await second.job.checkpoint()))).toBe(round + 1)
    }
    const names = readdirSync(join(state, 'checkpoints')).filter((name) => name.endsWith('.data'))
    expect(names.every((name) => name.startsWith('g2-'))).toBe(true)
    await second.crash()

    const third = start(app, state, subtasks)
    gate.rows = end
    expect((await third.job.outcome).status).toBe('finished')
    expect([...results()].sort()).toEqual(await expected(end))
  })

  it('copies a savepoint that stands alone, and starts from it and from a directory that does not', async () => {
    const end = keys + 1_000
    const gate = { rows: keys }
    const state = mkdtempSync(join(folder, 'state-'))
    const { app, results } = program(gated(gate, end))
    const first = start(app, state, 1)
    await first.read(keys)
    await first.job.checkpoint()
    gate.rows += 200
    await first.read(gate.rows)
    expect(basesOf(await first.job.checkpoint())).toEqual([1])
    const save = join(folder, 'save')
    expect(basesOf(await first.job.savepoint(save))).toEqual([0])
    expect(readdirSync(save).filter((name) => name.endsWith('.data'))).toHaveLength(1)
    gate.rows += 200
    await first.read(gate.rows)
    expect(basesOf(await first.job.checkpoint())).toEqual([1])
    await first.crash()
    const shown = results().length

    for (const from of [save, state]) {
      const copy = mkdtempSync(join(folder, 'copy-'))
      const again = program(gated({ rows: end }, end))
      await start(again.app, copy, 2, from).job.outcome
      const all = await expected(end)
      const known = [...results().slice(0, shown), ...again.results()]
      // From the savepoint, 200 results come a second time.
      expect(known.length).toBe(all.length + (from === save ? 200 : 0))
      expect([...new Set(known)].sort()).toEqual([...new Set(all)].sort())
    }
  })
})
