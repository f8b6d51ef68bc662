import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Checksum } from './checksum.ts'
import { datasets } from './dataset.ts'
import { digestOf } from './digest.ts'
import { expectedD2 } from './expected.ts'
import { generateEvents } from './generator.ts'
import { runLoop } from './loops.ts'
import { asyncGenerators } from './peer-generators.ts'
import { eventChunks, Warmup } from './peer-input.ts'
import { rxjs } from './peer-rxjs.ts'
import { HotAuctions, type Library, libraryQueries, steps } from './peer-steps.ts'
import { streams } from './peer-streams.ts'
import { indicativeReason, type PeerFigures } from './peer-systems.ts'
import { type PeerRun, summarise, tableOf } from './peer-table.ts'
import type { HotAuction } from './results.ts'
import { summing } from './sinks.ts'
import { jsonLine } from './text.ts'

// More than one piece of the file, and windows that fire before the end.
const events = generateEvents({ ...datasets.D2, events: 20_000 })
let folder = ''
let path = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-peer-test-'))
  path = join(folder, 'events.jsonl')
  writeFileSync(path, events.map(jsonLine).join(''))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('pieces of the file hold every event once, in order', () => {
  expect([...eventChunks(path)].flat()).toEqual(events)
})

test('a last line without an end counts too', () => {
  const cut = join(folder, 'cut.jsonl')
  writeFileSync(cut, events.slice(0, 3).map(jsonLine).join('').trimEnd())
  expect([...eventChunks(cut)].flat()).toEqual(events.slice(0, 3))
})

describe.each<[string, Library]>([
  ['rxjs', rxjs],
  ['streams', streams],
  ['async generators', asyncGenerators],
])('%s', (_name, library) => {
  test.each(libraryQueries)('%s has the result of the loop', async (query) => {
    const right = new Checksum()
    runLoop(query, events, right)
    let seen = 0
    const seeOne = (): void => {
      seen++
    }
    const sum = summing(query)
    // `as never`: a union of queries, of which the rows of one go to the sum of the same.
    const ends = { take: (row: object) => sum.take(row as never), seeOne }
    if (query === 'q5') await library.hotAuctions(path, ends)
    else await library.stateless(path, steps[query] as never, ends)
    sum.commit(sum.cut() as never)
    expect({ rows: sum.rows, value: sum.value }).toEqual({ rows: right.rows, value: right.value })
    expect(seen).toBe(events.length)
  })
})

test('q5 an event at a time has the published rows of D2', () => {
  const windows = new HotAuctions()
  const rows: HotAuction[] = []
  for (const event of generateEvents(datasets.D2)) rows.push(...windows.add(event))
  rows.push(...windows.end())
  expect({ rows: rows.length, digest: digestOf('q5', rows) }).toEqual(expectedD2.q5)
})

test('the warm-up is over with the batch that reaches its last event', () => {
  const warmup = new Warmup(20)
  warmup.see(19)
  expect(warmup.over).toBeUndefined()
  warmup.see(5)
  warmup.see(5)
  expect(warmup.over?.events).toBe(24)
  expect(warmup.seen).toBe(29)
})

describe('the summary', () => {
  const runOf = (
    system: PeerRun['system'],
    query: PeerRun['query'],
    cpuMs: number,
    invalid?: string,
  ): PeerRun => {
    const used = { events: 1_000_000, wallMs: cpuMs, cpuUserMs: cpuMs, cpuSysMs: 0 }
    // `as`: the summary reads nothing else.
    return { system, query, figures: { ...used, timed: used } as PeerFigures, invalid }
  }

  test('takes medians, their geometric mean and the least of them', () => {
    const { all } = summarise([
      ...[1_000, 9_000, 1_100].map((ms) => runOf('tidemill', 'q0', ms)),
      ...[2_200, 2_200, 100].map((ms) => runOf('flink', 'q0', ms)),
      runOf('tidemill', 'q5', 1_000),
      runOf('flink', 'q5', 8_000),
      runOf('tidemill', 'q13', 1_000),
    ])
    expect(all.valid).toBe(true)
    const part = { geometricMean: 4, least: 2 }
    expect(all.ratios).toEqual([{ to: 'flink', queries: 2, wholeProcess: part, afterWarmup: part }])
  })

  test('says that wrong results are wrong', () => {
    const summary = summarise([runOf('tidemill', 'q0', 1_000, '3 rows, expected 4')])
    expect(summary.all.valid).toBe(false)
    expect(tableOf(summary, ['tidemill'], undefined)).toContain('INVALID')
  })

  test('says which runs are too short to be quoted', () => {
    const of = (cpuUserMs: number, checkpoints: number) => ({
      timed: { events: 1, wallMs: 1, cpuUserMs, cpuSysMs: 0 },
      checkpoints,
    })
    expect(indicativeReason('loop', of(4_999, 0))).toContain('CPU')
    expect(indicativeReason('loop', of(5_000, 0))).toBeUndefined()
    expect(indicativeReason('flink', of(5_000, 1))).toContain('checkpoints')
    expect(indicativeReason('flink', of(5_000, 2))).toBeUndefined()
    const summary = summarise([runOf('tidemill', 'q0', 1_000), runOf('loop', 'q0', 5_000)])
    expect(summary.all).toMatchObject({ runs: 2, indicativeRuns: 1 })
    expect(tableOf(summary, ['tidemill', 'loop'], undefined)).toContain('1 of 2 runs')
  })
})
