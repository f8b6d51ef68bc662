/** Windows in two phases give what one subtask gives, late rows included, whatever fits into the table of partials. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { milliseconds, timestamp } from '../base/time.ts'
import { ExchangeWriter } from '../exchange/exchange-writer.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { inlineExecutor } from '../execution.ts'
import { createNodeEnv } from '../platform/node.ts'
import { count, max, mean, min, sum } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { sliding, tumbling } from '../stream/window-assigners.ts'
import { LocalAggregate } from '../window/local-aggregate.ts'
import { PartialInput } from './partials.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'two-phase-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => vi.restoreAllMocks())

interface Row {
  readonly t: number
  readonly key: string | number
  readonly n: number
}

interface Shape {
  readonly partitions?: number
  readonly workers: number
  readonly lateness?: number
}

async function run(rows: readonly Row[], { partitions = 1, workers, lateness = 0 }: Shape) {
  const app = pipelineOn(inlineExecutor(() => env))('two-phase')
  const out = memorySink()
  const late = memorySink()
  const wide = memorySink()
  const timed = app.from('rows', memorySource(rows, { partitions })).withEventTime({
    timestamp: (row) => timestamp(row.t),
    maxOutOfOrderness: milliseconds(10),
  })
  const windows = timed.keyBy((row) => row.key).window(tumbling(milliseconds(20)))
  const waiting =
    lateness === 0 ? windows : windows.allowedLateness(milliseconds(lateness)).emitOnce()
  const tumbled = waiting.aggregate('tumbled', {
    rows: count(),
    odd: count({ where: (row) => row.n % 2 === 1 }),
    total: sum((row) => row.n),
    least: min((row) => row.n),
    average: mean((row) => row.n, { where: (row) => row.n > 3 }),
  })
  tumbled.results.to('tumbled', out)
  tumbled.late.to('late', late)
  timed
    .keyBy((row) => row.key)
    .window(sliding(milliseconds(30), milliseconds(10)))
    .aggregate('slid', { rows: count(), most: max((row) => row.n) })
    .dropLate('counted above')
    .to('slid', wide)
  const state = mkdtempSync(join(folder, 'state-'))
  await app.run({ state, workers, checkpointInterval: milliseconds(5) })
  const lines = (sink: { readonly records: readonly unknown[] }) =>
    sink.records.map((row) => JSON.stringify(row)).sort()
  return { out: lines(out), late: lines(late), slid: lines(wide) }
}

/** Two keys take most rows; some rows are far too late. */
function rowsOf(many: number, fraction: number = 0): readonly Row[] {
  return Array.from({ length: many }, (_, i) => ({
    t: 1_000 + Math.floor(i / 4) + ((i * 7) % 8) - ((i * 31) % 101 === 0 ? 60 : 0),
    key: i % 3 === 0 ? `k${(i * 48_271) % 7}` : i % 2,
    n: ((i * 69_621) % 100) + (i > many / 2 ? fraction : 0),
  }))
}

function tableOf(entries: number): void {
  const grew = LocalAggregate.prototype.grew
  vi.spyOn(LocalAggregate.prototype, 'grew').mockImplementation(function (this: LocalAggregate) {
    grew.call(this)
    inserted++
    if (inserted % entries === 0) this.flush()
  })
  let inserted = 0
}

describe('windows in two phases', () => {
  it('give the rows of one subtask, and send fewer', async () => {
    const rows = rowsOf(8_000)
    const one = await run(rows, { workers: 1 })
    expect(one.late.length).toBeGreaterThan(10)
    const sent = vi.spyOn(ExchangeWriter.prototype, 'send')
    const partials = vi.spyOn(ExchangeWriter.prototype, 'sendPartial')
    for (const workers of [2, 3, 4]) expect(await run(rows, { workers }), `${workers}`).toEqual(one)
    // Two windows read each row.
    expect(partials.mock.calls.length + sent.mock.calls.length).toBeLessThan(3 * 2 * 8_000 * 0.4)
    const standingFor = partials.mock.calls.reduce((all, [, many]) => all + many, 0)
    expect(standingFor + sent.mock.calls.length).toBe(3 * 2 * 8_000)
  })

  it('wait for late rows as one subtask does', async () => {
    const rows = rowsOf(4_000)
    const one = await run(rows, { workers: 1, lateness: 25 })
    expect(await run(rows, { workers: 3, lateness: 25 })).toEqual(one)
  })

  it('send rows themselves from the first fraction on, which sums take in the order of rows', async () => {
    const rows = rowsOf(4_000, 0.1)
    const partials = vi.spyOn(PartialInput.prototype, 'take')
    expect(await run(rows, { workers: 2 })).toEqual(await run(rows, { workers: 1 }))
    expect(partials).toHaveBeenCalled()
  })

  it.each([1, 2, 3, 8])('hold %i entries', async (entries) => {
    const rows = rowsOf(2_000)
    const one = await run(rows, { workers: 1 })
    tableOf(entries)
    for (const workers of [2, 4]) expect(await run(rows, { workers }), `${workers}`).toEqual(one)
  })

  it('give the rows of one subtask from any single partition', async () => {
    const row = fc.record({
      step: fc.integer({ min: 0, max: 9 }),
      back: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 70 })),
      key: fc.constantFrom(0, 1, -1, 'a', 'b', 0.5),
      n: fc.integer({ min: -1000, max: 1000 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 150 }),
        fc.constantFrom(2, 3, 4),
        fc.constantFrom(0, 15),
        fc.integer({ min: 1, max: 8 }),
        async (made, workers, lateness, entries) => {
          let now = 1_000
          const rows = made.map(({ step, back, key, n }) => {
            now += step
            return { t: now - back, key, n }
          })
          vi.restoreAllMocks()
          const one = await run(rows, { workers: 1, lateness })
          tableOf(entries)
          expect(await run(rows, { workers, lateness })).toEqual(one)
        },
      ),
      { numRuns: 25 },
    )
  }, 60_000)

  it('lose and double nothing of several partitions: what is not late is counted once', async () => {
    const rows = rowsOf(6_000)
    for (const workers of [2, 3]) {
      const { out, late } = await run(rows, { workers, partitions: 5 })
      const counted = out.reduce(
        (all, line) => all + (JSON.parse(line) as { rows: number }).rows,
        0,
      )
      expect(counted + late.length).toBe(6_000)
    }
  })
})
