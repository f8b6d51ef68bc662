/** The queries on the engine give the published results; the commands say what they do not understand. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { main } from '../dispatch.ts'
import { type CorrectResult, correct } from './correct.ts'
import { Checksum } from './checksum.ts'
import { datasets } from './dataset.ts'
import { framesOf, plainRows } from './frames.ts'
import { EventGenerator } from './generator.ts'
import { loops, runLoop } from './loops.ts'
import { engineQueries } from './queries.ts'
import { FrameSegments, RowSegments } from './segments.ts'

type Request = Parameters<typeof correct>[0]

async function invalid(request: Request): Promise<{ results: number; wrong: CorrectResult[] }> {
  const wrong: CorrectResult[] = []
  let results = 0
  for await (const result of correct(request)) {
    results++
    if (!result.valid) wrong.push(result)
  }
  return { results, wrong }
}

describe('D2', () => {
  test.each([1, 1000])(
    'all queries, stream and batch, from memory, G = %i',
    async (g) => {
      const modes = ['stream', 'batch'] as const
      const request: Request = {
        queries: engineQueries,
        dataset: 'D2',
        profiles: ['S1'],
        gs: [g],
        modes,
      }
      expect(await invalid(request)).toEqual({ results: engineQueries.length * 2, wrong: [] })
    },
    60_000,
  )

  test('some of them from JSON lines and from the event log', async () => {
    const queries = ['q2', 'q5', 'q11', 'q12', 'q16'] as const
    const request: Request = {
      queries,
      dataset: 'D2',
      profiles: ['S2', 'S4'],
      gs: [1],
      modes: ['stream'],
    }
    expect(await invalid(request)).toEqual({ results: 10, wrong: [] })
  }, 60_000)
})

describe('frames', () => {
  const events = new EventGenerator(datasets.D3).slice(0, 5000)

  test('hold the rows of the generator, in order', () => {
    expect(plainRows(framesOf(events))).toEqual(events)
  })

  test('become the next segment exactly as rows do', () => {
    const frames = new FrameSegments(5000)
    const rows = new RowSegments(5000)
    for (let n = 0; n < 2; n++) {
      frames.next()
      rows.next()
    }
    expect(plainRows(frames.frames)).toEqual(rows.rows)
    expect(rows.rows[4]?.dateTime).toBe(events[4]!.dateTime + 1000)
    expect(() => new RowSegments(4999)).toThrow(RangeError)
  })
})

test.each(engineQueries.filter((query) => query !== 'q12'))(
  'the loop of %s gives the same result in several pieces',
  (query) => {
    const events = new EventGenerator(datasets.D2).slice(0, 30_000)
    const whole = new Checksum()
    runLoop(query, events, whole)
    const pieces = new Checksum()
    const loop = loops[query]()
    for (let at = 0; at < events.length; at += 7001) loop.rows(events.slice(at, at + 7001), pieces)
    loop.end(pieces)
    expect(pieces).toEqual(whole)
  },
)

describe('commands', () => {
  const errors = vi.spyOn(console, 'error').mockImplementation(() => {})
  const output = vi.spyOn(console, 'log').mockImplementation(() => {})
  afterEach(() => {
    errors.mockClear()
    output.mockClear()
  })

  test.each([
    [['nexmark'], 'nexmark needs correct, chaos, speed'],
    [['nexmark', 'fast'], 'there is no command "nexmark fast"'],
    [['nexmark', 'correct', '--queries', 'q5,q99'], '--queries takes q0, q1'],
    [['nexmark', 'correct', '--dataset', 'D4'], '--dataset takes D2, D3; got D4'],
    [['nexmark', 'correct', '--g', '7'], '--g takes 1, 1000; got 7'],
    [['nexmark', 'correct', '--slow'], "Unknown option '--slow'"],
    [['nexmark', 'speed', '--events', '0'], '--events takes a positive whole number'],
    [['nexmark', 'speed', '--cpu-seconds', 'x'], '--cpu-seconds takes a positive number'],
    [['nexmark', 'speed', '--profile', 'S3'], '--profile takes S1, S2; got S3'],
    [['micro', '--only', 'all'], '--only takes chain'],
  ])('%j is refused with a usage text', async (argv, message) => {
    expect(await main(argv)).toBe(2)
    const text = String(errors.mock.calls[0]?.[0])
    expect(text).toContain(message)
    expect(text).toContain('Usage: npm run bench')
  })

  test('without arguments and with --help the usage is shown', async () => {
    expect(await main([])).toBe(2)
    expect(await main(['--help'])).toBe(0)
    expect(await main(['nexmark', 'correct', '--help'])).toBe(0)
    expect(output).toHaveBeenCalledTimes(3)
  })

  test('correct prints one object per line and query', async () => {
    const argv = ['nexmark', 'correct', '--queries', 'q2,q12', '--json']
    expect(await main(argv)).toBe(0)
    const lines = output.mock.calls.map(([line]) => JSON.parse(String(line)) as CorrectResult)
    expect(lines.map(({ query, valid }) => ({ query, valid }))).toEqual([
      { query: 'q2', valid: true },
      { query: 'q12', valid: true },
    ])
    expect(lines[0]).toEqual({
      query: 'q2',
      dataset: 'D2',
      profile: 'S1',
      g: 1,
      mode: 'stream',
      parallelism: 1,
      rows: 351,
      digest: 'ddcab5f80c8469b1',
      digestExpected: 'ddcab5f80c8469b1',
      digestSource: 'published',
      valid: true,
    })
  })
})
