/** A record whose clock is wrong by days, between records of right ones, in a topic. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  type Codec,
  days,
  type Duration,
  field,
  hours,
  instant,
  int,
  json,
  logSink,
  logSource,
  memorySink,
  memorySource,
  minutes,
  pipeline,
  seconds,
  struct,
  timestamp,
  type TypeOf,
  tumbling,
} from '../../src/index.ts'

const reading = struct('reading', { id: field(1, int), at: field(2, instant) })
type Reading = TypeOf<typeof reading>

const forms: readonly (readonly [string, Codec<Reading>])[] = [
  ['columns', reading],
  ['records', json(reading)],
]

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tidemill-future-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Ids 1 to 5, a minute apart; the third is a month ahead. */
function readings(): readonly Reading[] {
  const now = Date.now()
  return [1, 2, 3, 4, 5].map((id) => ({
    id,
    at: timestamp(now + minutes(id) + (id === 3 ? days(30) : 0)),
  }))
}

interface Times {
  readonly maxFuture?: Duration | 'unlimited'
  readonly notAfter?: Reading['at']
}

interface Run extends Times {
  readonly value: Codec<Reading>
  readonly mode?: 'stream' | 'batch'
  readonly workers?: number
  readonly rebalanced?: boolean
}

/** Writes the readings to a topic and counts them per minute. */
async function count({ value, mode = 'stream', workers = 1, rebalanced = false, ...times }: Run) {
  const directory = folder()
  const topic = { directory: join(directory, 'log'), topic: 'readings', value }
  const writer = pipeline('write')
  writer
    .from('readings', memorySource(readings()))
    .to('topic', logSink({ ...topic, key: () => 'one', partitions: 1 }))
  await writer.run({ state: join(directory, 'write') })

  const counts = memorySink<{ readonly count: number }>()
  const late = memorySink<Reading>()
  const untimed = memorySink<string>()
  const app = pipeline('count')
  const read = app.from('topic', logSource({ ...topic, until: 'end' }))
  const timed = (rebalanced ? read.rebalance() : read).tryWithEventTime('time', {
    timestamp: (row) => row.at,
    maxOutOfOrderness: seconds(1),
    ...times,
  })
  timed.rejected
    .map(({ input, error }) => `${input.id} ${error.code} ${error.message}`)
    .to('untimed', untimed)
  const windows = timed.results
    .keyBy(() => 'all')
    .window(tumbling(minutes(1)))
    .count('windows')
  windows.late.map(({ record }) => record).to('late', late)
  windows.results.to('counts', counts)
  await app.run({ state: join(directory, 'count'), mode, workers })
  return {
    counts: counts.records.reduce((sum, row) => sum + row.count, 0),
    late: late.records.map(({ id }) => id),
    untimed: untimed.records,
  }
}

test.each(forms)(
  'a time a month ahead is set aside and moves no watermark: %s',
  async (_, value) => {
    for (const mode of ['stream', 'batch'] as const) {
      for (const workers of [1, 2]) {
        const { counts, late, untimed } = await count({ value, mode, workers })
        expect([counts, late]).toEqual([4, []])
        expect(untimed).toHaveLength(1)
        expect(untimed[0]).toMatch(/^3 TM1902 .* more than 1 d after its record was appended$/)
      }
    }
  },
)

test('the bound is an option; without one a wrong clock makes others late', async () => {
  expect(await count({ value: reading, maxFuture: 'unlimited' })).toEqual({
    counts: 3,
    late: [4, 5],
    untimed: [],
  })
  expect(await count({ value: reading, maxFuture: days(60) })).toEqual({
    counts: 3,
    late: [4, 5],
    untimed: [],
  })
  const none = await count({ value: reading, maxFuture: minutes(0) })
  expect([none.counts, none.untimed.length]).toEqual([0, 5])
  const fixed = await count({
    value: reading,
    maxFuture: 'unlimited',
    notAfter: timestamp(Date.now() + hours(1)),
  })
  expect(fixed.counts).toBe(4)
  expect(fixed.untimed[0]).toMatch(/^3 TM1902 \S+ is after \S+$/)
})

test('behind a step that moves rows between workers nobody knows when they were appended, for any number of workers', async () => {
  for (const workers of [1, 2]) {
    const { untimed } = await count({ value: reading, workers, rebalanced: true })
    expect(untimed).toEqual([])
  }
})
