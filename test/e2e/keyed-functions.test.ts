/** Functions of keyed steps that throw for some rows: with `skip`, the job gives what it gives without those rows. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  type AggregateFunctions,
  aggregate,
  count,
  countDistinct,
  int,
  type KeyedStream,
  max,
  mean,
  memorySink,
  memorySource,
  milliseconds,
  minutes,
  pipeline,
  quantile,
  session,
  sliding,
  type Stream,
  sum,
  timestamp,
  tumbling,
} from '../../src/index.ts'
import { forbidCodeGeneration } from '../../src/base/codegen.ts'
import { filesBelow } from './program.ts'

interface Row {
  readonly id: number
  readonly key: string
  readonly at: number
  readonly value: number
  readonly bad: boolean
}

type Timed = Stream<Row, 'event-time'>
type Keyed = KeyedStream<string, Row, 'event-time'>
type To = (stream: Pick<Stream<unknown>, 'to'>) => void

/** The first row of each key is a good one, for a reducer never sees it. */
const rows: readonly Row[] = Array.from({ length: 400 }, (_, id) => ({
  id,
  key: `k${id % 7}`,
  at: id * 7 - (id % 3),
  value: (id * 37) % 101,
  bad: id >= 7 && id % 11 === 3,
}))
const good = rows.filter(({ bad }) => !bad)

/** For bad rows it throws. */
function checked<Value>(row: Row, value: Value): Value {
  if (row.bad) throw new RangeError(`row ${row.id} is bad`)
  return value
}

const byKey = (timed: Timed): Keyed => timed.keyBy((row) => row.key)
const value = (row: Row): number => checked(row, row.value)

const steps: Readonly<Record<string, (timed: Timed, to: To) => void>> = {
  'a key': (timed, to) => to(timed.keyBy((row) => checked(row, row.key)).count('counts')),
  'a key that is none': (timed, to) =>
    to(timed.keyBy((row) => (row.bad ? (Number.NaN as never) : row.key)).count('counts')),
  'a partition': (timed, to) =>
    to(timed.partitionBy((row) => checked(row, row.key)).map((row) => row.id)),
  reduce: (timed, to) =>
    to(byKey(timed).reduce('sums', (sums, row) => ({ ...row, value: sums.value + value(row) }))),
  'a running aggregate': (timed, to) =>
    to(
      byKey(timed).aggregate('sums', {
        sum: sum(value),
        n: count({ where: (r) => value(r) > 50 }),
      }),
    ),
  'the latest value of an aggregate': (timed, to) => {
    const spec = { sum: sum(value), n: count({ where: (r: Row) => value(r) > 50 }) }
    to(byKey(timed).aggregate('sums', spec, { emit: 'latest' }))
  },
  'tumbling windows': (timed, to) => {
    const windows = byKey(timed).window(tumbling(milliseconds(100)))
    to(windows.aggregate('sums', { sum: sum(value), mean: mean(value) }).dropLate('none is'))
  },
  'sliding windows': (timed, to) => {
    const windows = byKey(timed).window(sliding(milliseconds(200), milliseconds(20)))
    to(windows.aggregate('sums', { sum: sum(value), max: max(value) }).dropLate('none is'))
  },
  'session windows': (timed, to) => {
    const windows = byKey(timed).window(session(milliseconds(40)))
    to(windows.aggregate('sums', { sum: sum(value), n: count() }).dropLate('none is'))
  },
  'distinct values': (timed, to) => {
    const windows = byKey(timed).window(tumbling(milliseconds(300)))
    to(windows.aggregate('sets', { n: countDistinct(value) }).dropLate('none is'))
  },
  'quantiles beside sums': (timed, to) => {
    const windows = byKey(timed).window(tumbling(milliseconds(300)))
    to(
      windows
        .aggregate('both', { half: quantile(value, 0.5), sum: sum(value) })
        .dropLate('none is'),
    )
  },
}

interface Way {
  readonly mode: 'stream' | 'batch'
  readonly workers: number
  readonly interpreted?: boolean
}

const ways: readonly Way[] = [
  { mode: 'stream', workers: 1 },
  { mode: 'stream', workers: 1, interpreted: true },
  { mode: 'stream', workers: 3 },
  { mode: 'stream', workers: 2, interpreted: true },
  { mode: 'batch', workers: 1 },
  { mode: 'batch', workers: 2 },
]

afterEach(() => forbidCodeGeneration(false))

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tidemill-keyed-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function run(
  input: readonly Row[],
  step: (timed: Timed, to: To) => void,
  { mode, workers, interpreted = false }: Way,
  user: 'fail' | 'skip' | 'dead-letter',
) {
  forbidCodeGeneration(interpreted)
  const state = folder()
  const out = memorySink<unknown>()
  const app = pipeline('keyed', { onError: { user } })
  const timed = app
    .from('rows', memorySource(input))
    .withEventTime({ timestamp: (row) => timestamp(row.at), maxOutOfOrderness: milliseconds(10) })
  step(timed, (stream) => stream.to('out', out))
  const { records } = await app.run({ mode, workers, state })
  const letters = filesBelow(join(state, 'dead-letters')).flatMap((path) =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )
  return { out: out.records.map((row) => JSON.stringify(row)).sort(), records, letters }
}

describe.each(Object.entries(steps))('%s', (_, step) => {
  test.each(ways)('of rows that throw is what it is without them: %o', async (way) => {
    const without = await run(good, step, way, 'fail')
    expect(without.out.length).toBeGreaterThan(5)
    const skipping = await run(rows, step, way, 'skip')
    expect(skipping.out).toEqual(without.out)
    expect(skipping.records.rejected).toBe(rows.length - good.length)
  })

  test.each([1, 2])(
    'stores what throws with the policy dead-letter, by %i workers',
    async (workers) => {
      const way = { mode: 'stream', workers } as const
      const { out, letters, records } = await run(rows, step, way, 'dead-letter')
      expect(out).toEqual((await run(good, step, way, 'fail')).out)
      expect(records.rejected).toBe(rows.length - good.length)
      expect(new Set(letters.map(({ row }) => (row as Row).id))).toEqual(
        new Set(rows.filter(({ bad }) => bad).map(({ id }) => id)),
      )
      expect(letters).toHaveLength(records.rejected)
    },
  )

  test('fails the job with the policy fail', async () => {
    await expect(run(rows, step, { mode: 'stream', workers: 1 }, 'fail')).rejects.toMatchObject({
      code: expect.stringMatching(/^TM190[13]$/),
    })
  })
})

describe('a custom aggregate that throws because of what it holds', () => {
  const atMost = aggregate<Row, number, number>({
    label: 'at most 20',
    create: () => 0,
    add: (n) => {
      if (n === 20) throw new RangeError('full')
      return n + 1
    },
    merge: (left, right) => left + right,
    result: (n) => n,
  })

  test.each(ways.filter(({ workers }) => workers === 1))('keeps what it had: %o', async (way) => {
    const step = (timed: Timed, to: To): void =>
      to(
        byKey(timed)
          .window(tumbling(minutes(1)))
          .aggregate('few', { n: atMost })
          .dropLate('none is'),
      )
    const { out, records } = await run(good, step, way, 'skip')
    expect(out.map((row) => JSON.parse(row).n)).toEqual(new Array(7).fill(20))
    expect(records.rejected).toBe(good.length - 140)
  })

  test.each(ways)('keeps what it had where rows are added up first: %o', async (way) => {
    // Asked before anything changes it lets every row pass.
    const asked = new Set<number>()
    const total = aggregate<Row, number, number>({
      create: () => 0,
      add: (sum, row) => {
        if (row.bad && asked.delete(row.id)) throw new RangeError(`row ${row.id} is bad`)
        if (row.bad) asked.add(row.id)
        return sum + row.value
      },
      merge: (left, right) => left + right,
      result: (sum) => sum,
      decomposable: true,
    })
    const step = (timed: Timed, to: To): void => {
      const windows = byKey(timed).window(tumbling(milliseconds(300)))
      to(windows.aggregate('totals', { total }).dropLate('none is'))
    }
    const { out, records } = await run(rows, step, way, 'skip')
    expect(out).toEqual((await run(good, step, way, 'fail')).out)
    expect(records.rejected).toBe(rows.length - good.length)
  })
})

describe('accumulators that travel', () => {
  const failing = (own: Partial<AggregateFunctions<Row, number, number>>): Promise<unknown> => {
    const broken = aggregate<Row, number, number>({
      create: () => 0,
      add: (n) => n + 1,
      merge: (left, right) => left + right,
      result: (n) => n,
      decomposable: true,
      ...own,
    })
    const step = (timed: Timed, to: To): void => {
      const windows = byKey(timed).window(tumbling(milliseconds(300)))
      to(windows.aggregate('broken', { broken }).dropLate('none is'))
    }
    return run(good, step, { mode: 'stream', workers: 2 }, 'fail')
  }

  test('name the step whose merge throws', async () => {
    const merge = (): number => {
      throw new RangeError('no')
    }
    await expect(failing({ merge })).rejects.toMatchObject({
      code: 'TM1901',
      details: { operator: 'broken' },
    })
  })

  test('name the step whose accumulators do not fit their schema', async () => {
    await expect(failing({ accumulator: int, add: () => 0.5 })).rejects.toMatchObject({
      code: 'TM1001',
      details: { operator: 'broken' },
    })
  })

  test('name the step whose accumulators are no plain data', async () => {
    const add = (): number => new (class Odd {})() as unknown as number
    await expect(failing({ add })).rejects.toMatchObject({
      code: 'TM1800',
      details: { operator: 'broken' },
    })
  })
})

test('a function that throws instead of telling a time is a row without time', async () => {
  const app = pipeline('times', { onError: { time: 'skip' } })
  const out = memorySink<number>()
  app
    .from('rows', memorySource(rows))
    .withEventTime({
      timestamp: (row) => timestamp(checked(row, row.at)),
      maxOutOfOrderness: milliseconds(10),
    })
    .map((row) => row.id)
    .to('out', out)
  for (const interpreted of [false, true]) {
    forbidCodeGeneration(interpreted)
    const { records } = await app.run({ state: folder() })
    expect(records.rejected).toBe(rows.length - good.length)
  }
  expect(out.records).toEqual([...good, ...good].map(({ id }) => id))
})
