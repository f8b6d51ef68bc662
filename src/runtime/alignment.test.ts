/** Partitions of one event time at different paces: with `alignment` none is far ahead, and results are the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { milliseconds, seconds, type Timestamp } from '../base/time.ts'
import type { Source } from '../connectors/contract.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { inlineExecutor } from '../execution.ts'
import { createNodeEnv } from '../platform/node.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import type { EventTime } from '../stream/process-types.ts'
import { tumbling } from '../stream/window-assigners.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'alignment-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const spanMs = 60_000
const driftMs = 2_000
const batchRows = 10

interface Row {
  readonly key: string
  readonly at: number
}

/** A row every `everyMs` of event time, up to the end of the span or `endMs`; silent from `silentMs` on. */
interface Pace {
  readonly everyMs: number
  readonly endMs?: number
  readonly silentMs?: number
}

/** Where the partitions of some sources are in event time, by what was handed out. */
class Places {
  readonly at: Map<string, number> = new Map()
  farthestMs = 0

  /** A batch is asked for: how far its partition is ahead of the slowest. */
  asked(name: string, counts: (other: string) => boolean): void {
    const others = [...this.at].filter(([other]) => other !== name && counts(other))
    const least = Math.min(...others.map(([, at]) => at))
    const ahead = (this.at.get(name) ?? 0) - least
    if (Number.isFinite(ahead)) this.farthestMs = Math.max(this.farthestMs, ahead)
  }
}

/** Partitions by name; `places` is told what they hand out, and `open` lets silent ones go on. */
function source(
  paces: Readonly<Record<string, Pace>>,
  places: Places,
  open: { silent: boolean } = { silent: true },
): Source<Row> {
  const numberOf = (bytes: Uint8Array | undefined): number =>
    bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes))
  const isOver = (name: string): boolean => {
    const { endMs = spanMs, silentMs = endMs } = paces[name] ?? { everyMs: 1 }
    return (places.at.get(name) ?? 0) >= Math.min(endMs, open.silent ? silentMs : endMs)
  }
  return {
    role: 'source',
    connector: 'paces',
    describe: {},
    schema: undefined,
    bounded: true,
    open: () =>
      Promise.resolve({
        partitions: () => Promise.resolve(Object.keys(paces)),
        close: () => Promise.resolve(),
        reader(name, position) {
          const { everyMs, endMs = spanMs, silentMs = endMs } = paces[name]!
          let at = numberOf(position)
          places.at.set(name, at)
          return Promise.resolve({
            read() {
              if (at >= endMs) return Promise.resolve('end' as const)
              if (at >= silentMs && open.silent) return Promise.resolve('idle' as const)
              places.asked(name, (other) => !isOver(other))
              const rows: Row[] = []
              for (; rows.length < batchRows && at < endMs; at += everyMs)
                rows.push({ key: name, at })
              places.at.set(name, at)
              const locate = (i: number) => `${name} ${i}`
              return Promise.resolve({ kind: 'rows' as const, rows, rejected: [], locate })
            },
            wait: (ms) => env.clock.sleep(Math.min(ms, 5)),
            position: () => new TextEncoder().encode(String(at)),
            close: () => Promise.resolve(),
          })
        },
      }),
  }
}

const paces = { fast: { everyMs: 100 }, slow: { everyMs: 7 }, other: { everyMs: 20 } }
const aligned: Pick<EventTime<Row>, 'alignment'> = {
  alignment: { maxDrift: milliseconds(driftMs) },
}
/** Beyond the drift: a batch that is processed, one that was read ahead, and one of what holds the others back. */
const slackMs = (all: Readonly<Record<string, Pace>>): number =>
  3 * batchRows * Math.max(...Object.values(all).map(({ everyMs }) => everyMs))

function job(
  sources: readonly Source<Row>[],
  more: Pick<EventTime<Row>, 'alignment' | 'idleAfter'>,
) {
  const out = memorySink<unknown>()
  /** Windows that have a row and have not closed. */
  const open = new Set<string>()
  const most = { open: 0 }
  const app = pipelineOn(inlineExecutor(() => env))('paces')
  const [first, ...rest] = sources.map((one, i) =>
    app.from(`rows-${i}`, one).withEventTime({
      timestamp: (row) => {
        open.add(`${row.key} ${Math.floor(row.at / 1_000)}`)
        most.open = Math.max(most.open, open.size)
        return row.at as Timestamp
      },
      maxOutOfOrderness: milliseconds(0),
      ...more,
    }),
  )
  rest
    .reduce((all, one) => all.union(one), first!)
    .keyBy((row) => row.key)
    .window(tumbling(seconds(1)))
    .count('counts')
    .dropLate('partitions are in order')
    .map((counted) => {
      open.delete(`${counted.key} ${counted.window.start / 1_000}`)
      return counted
    })
    .to('out', out)
  return { app, out, most }
}

const sorted = (rows: readonly unknown[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row)).sort()

async function resultsOf(
  all: Readonly<Record<string, Pace>>,
  more: Parameters<typeof job>[1],
  workers = 1,
) {
  const places = new Places()
  const { app, out, most } = job([source(all, places)], more)
  const { status } = await app.run({ state: mkdtempSync(join(folder, 'state-')), workers })
  expect(status).toBe('finished')
  return { results: sorted(out.records), places, open: most.open }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 2_000) throw new Error(`never: ${what}`)
    await env.clock.sleep(10)
  }
}

describe('alignment', () => {
  it('keeps partitions together that would drift apart', async () => {
    const free = await resultsOf(paces, {})
    expect(free.places.farthestMs).toBeGreaterThan(10 * driftMs)
    expect(free.open).toBeGreaterThan(40)
    for (const workers of [1, 2, 3]) {
      const { results, places, open } = await resultsOf(paces, aligned, workers)
      // Of three partitions, each with those of the drift, of the slack and at both ends.
      expect(open).toBeLessThanOrEqual(3 * (driftMs + slackMs(paces) + 2_000) * 1e-3)
      expect(results).toEqual(free.results)
      expect(places.farthestMs).toBeGreaterThan(0)
      expect(places.farthestMs).toBeLessThanOrEqual(driftMs + slackMs(paces))
    }
  })

  it('works for several sources by the name of their group', async () => {
    for (const group of [undefined, 'pair']) {
      const places = new Places()
      const both = [
        source({ fast: { everyMs: 100 } }, places),
        source({ slow: { everyMs: 9 } }, places),
      ]
      const alignment = { maxDrift: milliseconds(driftMs), ...(group && { group }) }
      const { app } = job(both, { alignment })
      await app.run({ state: mkdtempSync(join(folder, 'state-')), workers: 2 })
      expect(places.farthestMs).toBeLessThanOrEqual(driftMs + slackMs(paces))
    }
  })

  it.each([1, 2])('waits for nobody who has ended, with %i subtasks', async (workers) => {
    const { results } = await resultsOf(
      { fast: { everyMs: 100 }, slow: { everyMs: 7, endMs: 50 } },
      aligned,
      workers,
    )
    expect(results.length).toBeGreaterThan(spanMs / 1_000)
  })

  it.each([1, 2])('waits for nobody who is silent, with %i subtasks', async (workers) => {
    const places = new Places()
    const open = { silent: true }
    const all = { fast: { everyMs: 100 }, slow: { everyMs: 7, silentMs: 50 } }
    const { app } = job([source(all, places, open)], { ...aligned, idleAfter: milliseconds(300) })
    const state = mkdtempSync(join(folder, 'state-'))
    const running = await app.start({ state, workers })
    await until(() => (places.at.get('fast') ?? 0) > driftMs, 'the fast partition has begun')
    await env.clock.sleep(100)
    // It waits before the slow one is taken for silent, and goes on then.
    expect(places.at.get('fast')).toBeLessThanOrEqual(driftMs + slackMs(all))
    await until(() => (places.at.get('fast') ?? 0) >= spanMs, 'the fast partition is through')
    open.silent = false
    expect((await running.finished).status).toBe('finished')
  })

  it.each([
    [1, 2],
    [3, 1],
    [2, 3],
  ])(
    'goes on from a checkpoint in which somebody waits: %i subtasks, then %i',
    async (first, then) => {
      const free = await resultsOf(paces, {})
      const places = new Places()
      const open = { silent: true }
      const held = { ...paces, slow: { ...paces.slow, silentMs: 10_000 } }
      const state = mkdtempSync(join(folder, 'state-'))
      const before = job([source(held, places, open)], aligned)
      const running = await before.app.start({ state, workers: first })
      await until(() => (places.at.get('fast') ?? 0) > 10_000 + driftMs, 'the fast partition waits')
      await running.stop()
      const again = new Places()
      const after = job([source(paces, again)], aligned)
      expect((await after.app.run({ state, workers: then })).status).toBe('finished')
      expect(sorted([...before.out.records, ...after.out.records])).toEqual(free.results)
      expect(again.farthestMs).toBeLessThanOrEqual(driftMs + slackMs(paces))
    },
  )
})

describe('a partition with several event times', () => {
  /** Made at one time and shipped at another; each lane has these two columns. */
  async function shipped(
    lanes: Readonly<Record<string, readonly (readonly [number, number])[]>>,
    group: string,
  ) {
    const out = memorySink<unknown>()
    const app = pipelineOn(inlineExecutor(() => env))('two-times')
    const rows = app.from('rows', columns(lanes))
    const at = (column: 0 | 1): EventTime<readonly [number, number]> => ({
      timestamp: (row) => row[column] as Timestamp,
      maxOutOfOrderness: milliseconds(0),
      alignment: { group, maxDrift: milliseconds(50) },
    })
    rows.withEventTime(at(0)).to('made', out)
    rows
      .filter((row) => row[1] >= 0)
      .withEventTime(at(1))
      .to('shipped', out)
    const running = await app.start({ state: mkdtempSync(join(folder, 'state-')) })
    const stuck = env.clock.sleep(3_000).then(() => 'stuck' as const)
    const end = await Promise.race([running.finished.then(({ status }) => status), stuck])
    if (end === 'stuck') await running.stop()
    return { end, rows: out.records.length, records: out.records }
  }

  it('does not wait for itself', async () => {
    const lane = Array.from({ length: 50 }, (_, i) => [i * 10, 5_000 + i * 10] as const)
    expect(await shipped({ lane }, 'g')).toMatchObject({ end: 'finished', rows: 100 })
  })

  it('does not wait for one that waits for it', async () => {
    const one = Array.from({ length: 50 }, (_, i) => [i * 10, 5_000 + i * 10] as const)
    const two = one.map(([made, sent]) => [sent, made] as const)
    expect(await shipped({ one, two }, 'g')).toMatchObject({ end: 'finished', rows: 200 })
  })

  it('holds nobody back by a step that gets no row of it', async () => {
    const one = Array.from({ length: 50 }, (_, i) => [i * 10, i * 10] as const)
    const unshipped = one.map(([made]) => [made, -1] as const)
    const { records } = await shipped({ one, unshipped }, 'g')
    const before = records.slice(
      0,
      records.findIndex((row) => `${row}` === '490,-1'),
    )
    // Row for row, up to a drift of five; the other would come first if it stood at the beginning of time.
    expect(before.filter((row) => !`${row}`.endsWith('-1')).length).toBeGreaterThan(40)
  })
})

function columns(
  lanes: Readonly<Record<string, readonly (readonly [number, number])[]>>,
): Source<readonly [number, number]> {
  return {
    role: 'source',
    connector: 'columns',
    describe: {},
    schema: undefined,
    bounded: true,
    open: () =>
      Promise.resolve({
        partitions: () => Promise.resolve(Object.keys(lanes)),
        close: () => Promise.resolve(),
        reader(name) {
          let next = 0
          return Promise.resolve({
            read() {
              const row = lanes[name]?.[next++]
              if (row === undefined) return Promise.resolve('end' as const)
              const locate = () => name
              return Promise.resolve({ kind: 'rows' as const, rows: [row], rejected: [], locate })
            },
            wait: (ms) => env.clock.sleep(ms),
            position: () => new TextEncoder().encode(String(next)),
            close: () => Promise.resolve(),
          })
        },
      }),
  }
}
