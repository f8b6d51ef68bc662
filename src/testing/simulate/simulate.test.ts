import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isTidemillError } from '../../base/errors.ts'
import { seconds, timestamp } from '../../base/time.ts'
import type { Sink } from '../../connectors/contract.ts'
import { fileSink } from '../../connectors/file-sink/file-sink.ts'
import { jsonLines } from '../../connectors/file/json-lines.ts'
import { lines } from '../../connectors/file/lines.ts'
import { int } from '../../schema/scalars.ts'
import { count } from '../../stream/aggregates.ts'
import { type Pipeline, pipelineOn } from '../../stream/pipeline.ts'
import { valueState } from '../../stream/state.ts'
import { tumbling } from '../../stream/window-assigners.ts'
import { verify } from '../verify.ts'
import { exactlyOnce } from './check.ts'
import { simulate, type SimulateOptions } from './simulate.ts'

const pipeline = pipelineOn(undefined)

const book = Array.from({ length: 40 }, (_, i) => `to be or not ${i % 7}`).join('\n')
const small: Omit<SimulateOptions, 'seeds'> = {
  faults: { crash: 0.02, diskError: 0.002, reorder: true },
  check: exactlyOnce(),
  files: { 'book.txt': book },
  checkpointIntervalMs: 1,
}

function words(sink: Sink<unknown> = fileSink({ directory: 'out' })): Pipeline {
  const app = pipeline('words')
  app
    .from('book', lines('book.txt', { chunkBytes: 64, batchRowsMax: 2 }))
    .flatMap((line) => line.split(' '))
    .keyBy((word) => word)
    .count('words')
    .to('counts', sink)
  return app
}

async function failureOf(
  work: Promise<unknown>,
): Promise<{ readonly code: string; readonly message: string }> {
  const error = await work.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  return isTidemillError(error) ? error : { code: 'none', message: String(error) }
}

describe('simulate', () => {
  test('a job that keeps its state in the engine survives', async () => {
    const summary = await simulate(() => words(), { ...small, seeds: 30 })
    expect(summary.seeds).toBe(30)
    expect(summary.crashes).toBeGreaterThan(30)
    expect(summary.epochs).toBeGreaterThan(60)
  }, 60_000)

  test('sinks of the outside world are replaced by files', async () => {
    const elsewhere: Sink<unknown> = {
      role: 'sink',
      connector: 'http',
      describe: {},
      guarantee: 'at-least-once',
      open: () => Promise.reject(new Error('no')),
    }
    await simulate(words(elsewhere), { ...small, seeds: 3 })
  })

  test('a job that counts in a variable is found, with a seed that replays it', async () => {
    const build = (): Pipeline => {
      const app = pipeline('leaky')
      let total = 0
      app
        .from('book', lines('book.txt', { chunkBytes: 64, batchRowsMax: 2 }))
        .map((line) => `${++total} ${line}`)
        .to('numbered', fileSink({ directory: 'out' }))
      return app
    }
    const failure = await failureOf(simulate(build, { ...small, seeds: 30 }))
    expect(failure.code).toBe('TM2112')
    expect(failure.message).toMatch(/SIM FAIL {2}oracle O01 \(not exactly once\)/)
    const seed = Number(/seeds: \[(0x[0-9a-f]+)\]/.exec(failure.message)?.[1])
    const again = await failureOf(simulate(build, { ...small, seeds: [seed] }))
    expect(again.message).toBe(failure.message)
  }, 60_000)

  test('clocks and randomness in user functions are refused by name (R7)', async () => {
    const app = pipeline('dice')
    app
      .from('book', lines('book.txt'))
      .keyBy((line) => line)
      .process('dice', {
        state: { last: valueState(int) },
        output: int,
        onError: 'skip',
        onRecord: (_, ctx) => ctx.emit(Math.floor(Math.random() * 6)),
      })
      .to('rolls', fileSink({ directory: 'out' }))
    const failure = await failureOf(simulate(() => app, { ...small, seeds: 1 }))
    expect(failure.code).toBe('TM2110')
    expect(failure.message).toContain('step "dice" calls Math.random()')
  })

  test('what cannot be simulated is refused', async () => {
    expect((await failureOf(simulate(words(), { ...small, seeds: 0 }))).code).toBe('TM2114')
    expect(
      (await failureOf(simulate(words(), { ...small, seeds: 1, faults: { crash: 2 } }))).code,
    ).toBe('TM2114')
    const missing = await failureOf(simulate(words(), { ...small, seeds: 1, files: {} }))
    expect(missing.message).toMatch(/without any fault.*TM1700/s)
  })
})

describe('verify', () => {
  let directory: string
  const file = (name: string): string => join(directory, name)
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidemill-verify-test-'))
    const rows = Array.from({ length: 50 }, (_, i) =>
      JSON.stringify({ at: 1_000 * i, shop: i % 3 }),
    )
    await writeFile(file('sorted.jsonl'), rows.join('\n'))
    await writeFile(file('reversed.jsonl'), rows.reverse().join('\n'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  interface Sale {
    readonly at: number
    readonly shop: number
  }
  const perMinute = (): Pipeline => {
    const app = pipeline('sales')
    app
      .from('sales', jsonLines<Sale>(file('sorted.jsonl')))
      .withEventTime({ timestamp: (sale) => timestamp(sale.at), maxOutOfOrderness: seconds(1) })
      .keyBy((sale) => sale.shop)
      .window(tumbling(seconds(10)))
      .aggregate('per-window', { sales: count() })
      .dropLate('a test')
      .to('counts', fileSink({ directory: file('never-written') }))
    return app
  }

  test('passes when both modes agree', async () => {
    await verify(perMinute)
    await verify(perMinute(), { input: { sales: file('sorted.jsonl') } })
  })

  test('shows what late records change, and refuses inputs of sources that are not there', async () => {
    const failure = await failureOf(verify(perMinute, { input: file('reversed.jsonl') }))
    expect(failure.code).toBe('TM2113')
    expect(failure.message).toMatch(/sink "counts".*missing: 1 x \{/)
    expect((await failureOf(verify(perMinute, { input: { nobody: 'x' } }))).code).toBe('TM2114')
  })
})
