/** Steps in two phases give what one subtask gives, late rows included, whatever fits into the table of partials. */
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
import { aggregate, count, max, mean, min, quantile, sum } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { sliding, tumbling } from '../stream/window-assigners.ts'
import { LocalAggregate } from '../window/local-aggregate.ts'
import { LocalTotals } from '../window/local-totals.ts'
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

/** The different numbers of the rows, in order: an accumulator of plain data. */
const kinds = aggregate<Row, number[], readonly number[]>({
  create: () => [],
  add: (known, row) => (known.includes(row.n) ? known : [...known, row.n]),
  merge: (left, right) => [...new Set([...left, ...right])],
  result: (known) => known.toSorted((a, b) => a - b),
  decomposable: true,
})
/** An accumulator with a schema, of a class of its own; it takes fractions too. */
const middle = quantile((row: Row) => row.n, 0.5)

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
  const customs = memorySink()
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
    middle,
    kinds,
  })
  tumbled.results.to('tumbled', out)
  tumbled.late.to('late', late)
  timed
    .keyBy((row) => row.key)
    .window(sliding(milliseconds(30), milliseconds(10)))
    .aggregate('slid', { rows: count(), most: max((row) => row.n) })
    .dropLate('counted above')
    .to('slid', wide)
  timed
    .keyBy((row) => row.key)
    .window(sliding(milliseconds(30), milliseconds(10)))
    .aggregate('customs', { kinds, middle })
    .dropLate('counted above')
    .to('customs', customs)
  const state = mkdtempSync(join(folder, 'state-'))
  await app.run({ state, workers, checkpointInterval: milliseconds(5) })
  const lines = (sink: { readonly records: readonly unknown[] }) =>
    sink.records.map((row) => JSON.stringify(row)).sort()
  return { out: lines(out), late: lines(late), slid: lines(wide), customs: lines(customs) }
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
    // Three windows read each row.
    expect(partials.mock.calls.length + sent.mock.calls.length).toBeLessThan(3 * 3 * 8_000 * 0.4)
    const standingFor = partials.mock.calls.reduce((all, [, many]) => all + many, 0)
    expect(standingFor + sent.mock.calls.length).toBe(3 * 3 * 8_000)
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

interface Total {
  readonly key: string | number
  readonly rows: number
  readonly odd: number
  readonly total: number
  readonly least: number
  readonly most: number
  readonly average: number | undefined
  readonly middle: number
  readonly kinds: readonly number[]
}

/** What a running aggregate has shown of each key, in the order in which it was shown. */
async function runTotals(
  rows: readonly Row[],
  { partitions = 1, workers }: Shape,
  timed: boolean,
): Promise<ReadonlyMap<string | number, readonly Total[]>> {
  const app = pipelineOn(inlineExecutor(() => env))('totals')
  const out = memorySink<Total>()
  const source = app.from('rows', memorySource(rows, { partitions }))
  const time = { timestamp: (row: Row) => timestamp(row.t), maxOutOfOrderness: milliseconds(10) }
  const totals = {
    rows: count<Row>(),
    odd: count({ where: (row: Row) => row.n % 2 === 1 }),
    total: sum((row: Row) => row.n),
    least: min((row: Row) => row.n),
    most: max((row: Row) => row.n),
    average: mean((row: Row) => row.n, { where: (row) => row.n > 3 }),
    middle,
    kinds,
  }
  const keyed = (timed ? source.withEventTime(time) : source).keyBy((row) => row.key)
  keyed.aggregate('totals', totals, { emit: 'latest' }).to('out', out)
  const state = mkdtempSync(join(folder, 'state-'))
  await app.run({ state, workers, checkpointInterval: milliseconds(5) })
  const shown = new Map<string | number, Total[]>()
  for (const row of out.records) {
    const before = shown.get(row.key) ?? []
    before.push(row)
    shown.set(row.key, before)
  }
  return shown
}

function lastOf(shown: ReadonlyMap<string | number, readonly Total[]>): readonly string[] {
  return [...shown.values()].map((rows) => JSON.stringify(rows.at(-1))).sort()
}

/** The results of a key go on from each other, as those of its rows would. */
function expectProgress(shown: ReadonlyMap<string | number, readonly Total[]>): void {
  for (const rows of shown.values()) {
    for (let i = 1; i < rows.length; i++) {
      const [before, now] = [rows[i - 1]!, rows[i]!]
      expect(now.rows).toBeGreaterThan(before.rows)
      expect(now.least).toBeLessThanOrEqual(before.least)
      expect(now.most).toBeGreaterThanOrEqual(before.most)
    }
  }
}

describe.each([
  ['timed', true],
  ['untimed', false],
])('running aggregates in two phases, %s', (_, timed) => {
  it('come to the totals of one subtask, and send fewer rows', async () => {
    const rows = rowsOf(8_000)
    const one = lastOf(await runTotals(rows, { workers: 1 }, timed))
    const sent = vi.spyOn(ExchangeWriter.prototype, 'send')
    const partials = vi.spyOn(ExchangeWriter.prototype, 'sendPartial')
    for (const workers of [2, 3, 4]) {
      const shown = await runTotals(rows, { workers, partitions: workers }, timed)
      expectProgress(shown)
      expect(lastOf(shown), `${workers}`).toEqual(one)
    }
    expect(partials.mock.calls.length + sent.mock.calls.length).toBeLessThan(3 * 8_000 * 0.4)
    const standingFor = partials.mock.calls.reduce((all, [, many]) => all + many, 0)
    expect(standingFor + sent.mock.calls.length).toBe(3 * 8_000)
  })

  it('send rows themselves from the first fraction on', async () => {
    const rows = rowsOf(4_000, 0.1)
    const partials = vi.spyOn(PartialInput.prototype, 'take')
    const two = lastOf(await runTotals(rows, { workers: 2 }, timed))
    expect(partials).toHaveBeenCalled()
    expect(two).toEqual(lastOf(await runTotals(rows, { workers: 1 }, timed)))
  })

  it.each([1, 2, 7])('hold %i keys', async (keys) => {
    const rows = rowsOf(2_000)
    const one = lastOf(await runTotals(rows, { workers: 1 }, timed))
    const grew = vi.spyOn(LocalTotals.prototype, 'grew').mockImplementation(function (
      this: LocalTotals,
    ) {
      if (this.table.size >= keys) this.flush()
    })
    const shown = await runTotals(rows, { workers: 3 }, timed)
    expect(grew).toHaveBeenCalled()
    expectProgress(shown)
    expect(lastOf(shown)).toEqual(one)
  })
})

describe('the first phase of a running aggregate', () => {
  type Sent = readonly [key: unknown, time: number, words: readonly number[], rows: number]

  function phase(pauseRows: number): { readonly local: LocalTotals; readonly sent: Sent[] } {
    const local = new LocalTotals({
      aggregates: { total: { kind: 'sum', of: (row: Row) => row.n, where: undefined } },
      limits: { entriesMax: 4, sampleRows: 4, pauseRows },
    })
    const sent: Sent[] = []
    local.connect((table, slot, time, rows) => {
      const { stride } = table.kernel
      sent.push([table.keyAt(slot), time, [table.words[slot * stride]!], rows])
    })
    return { local, sent }
  }
  const row = (n: number): Row => ({ t: 0, key: 0, n })

  it('gives keys in the order in which they came, each with the time of its last row', () => {
    const { local, sent } = phase(10)
    local.record('b', row(1), 5)
    local.record('a', row(2), 6)
    local.record('b', row(3), 7)
    local.record('b', row(3), 4)
    expect(local.empty).toBe(false)
    local.flush()
    expect(sent).toEqual([
      ['b', 4, [7], 3],
      ['a', 6, [2], 1],
    ])
    expect(local.empty).toBe(true)
  })

  it('leaves rows alone for a while where nearly every row has a key of its own', () => {
    const { local, sent } = phase(3)
    for (let key = 0; key < 4; key++) expect(local.record(key, row(key), key)).toBe(true)
    expect(sent).toHaveLength(4)
    for (let key = 0; key < 3; key++) expect(local.record(key, row(key), key)).toBe(false)
    expect(local.record(0, row(0), 0)).toBe(true)
  })

  it('sends what was added up before a row that is no whole number', () => {
    const { local, sent } = phase(10)
    local.record('a', row(2), 1)
    expect(local.record('b', row(0.5), 2)).toBe(false)
    expect(sent).toEqual([['a', 1, [2], 1]])
    expect(local.record('a', row(2), 3)).toBe(false)
  })
})
