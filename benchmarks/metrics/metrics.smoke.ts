/** Every command at a size that shows only that it runs and says what it must: the machine is not quiet here. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { main } from '../dispatch.ts'
import type { Figure } from './figure.ts'

let lines: string[] = []

beforeEach(() => {
  lines = []
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
})
afterEach(() => vi.restoreAllMocks())

/** The figures a command prints, behind the line about the machine. */
async function figuresOf(command: string): Promise<readonly Figure[]> {
  const code = await main(command.split(' '))
  const [head, ...figures] = lines.map((line): unknown => JSON.parse(line))
  expect(head).toMatchObject({ schema: 1, machine: { cores: expect.any(Number) } })
  for (const one of figures) {
    expect(one).toMatchObject({ metric: expect.stringMatching(/^P\d+$/), unit: expect.any(String) })
    expect((one as Figure).measured).toEqual(expect.any(Number))
  }
  const missed = figures.some((one) => (one as Figure).holds === false)
  expect(code).toBe(missed ? 1 : 0)
  return figures as readonly Figure[]
}

const byName = (figures: readonly Figure[], name: string): Figure | undefined =>
  figures.find((one) => one.name.includes(name))

test('grow measures memory, keys and windows', async () => {
  const sizes = '--keys 200,2000 --ratios 1,50 --draws uniform,hot --events 20000 --repetitions 1'
  const figures = await figuresOf(`grow --only memory,keys,windows ${sizes} --checkpoint-ms 200`)
  expect(byName(figures, '2000 16-character keys')?.goal).toBe('<= 180')
  expect(byName(figures, '10 times the keys, 200 to 2000, uniform')?.goal).toBe('<= 1.5')
  expect(byName(figures, 'size/slide 50, 1000 keys, hot / size/slide 1')?.goal).toBe('<= 4')
}, 120_000)

test('grow measures age', async () => {
  const sizes = '--queries q8 --segments 5 --segment-events 5000'
  const figures = await figuresOf(`grow --only age ${sizes} --checkpoint-ms 200`)
  expect(figures.map(({ goal }) => goal)).toEqual(['>= 0.95', '<= 5'])
  expect(figures[0]).toMatchObject({ digestRight: true })
}, 120_000)

test('checkpoint measures overhead, duration and changes', async () => {
  const sizes = '--state-mb 1 --duration-mb 1 --seconds 2 --interval-ms 300'
  const figures = await figuresOf(`checkpoint ${sizes} --keys 10000 --repetitions 1`)
  expect(figures.map(({ metric }) => metric)).toEqual(['P5', 'P6', 'P6', 'P6', 'P7'])
  const state = { stateBytes: expect.any(Number) }
  for (const one of [figures[0], figures[1], figures[4]]) expect(one).toMatchObject(state)
  expect(byName(figures, '1 % of 10000 keys')?.measured).toBeGreaterThan(0)
}, 120_000)

test('recovery finds the right result after a kill', async () => {
  const figures = await figuresOf(
    'recovery --state-mb 1 --repetitions 1 --checkpoint-ms 200 --json',
  )
  expect(figures).toHaveLength(3)
  expect(figures[1]).toMatchObject({ right: true })
}, 120_000)

test('backpressure loses nothing', async () => {
  const figures = await figuresOf('backpressure --seconds 0.5 --repetitions 1')
  expect(byName(figures, 'lost')?.measured).toBe(0)
  expect(byName(figures, 'out of order')?.measured).toBe(0)
}, 120_000)

test('latency has an object per run', async () => {
  const times = '--warmup 0.5 --seconds 1.5 --rate 50000 --events 5000'
  await main(`latency --queries q1,q5 ${times}`.split(' '))
  const runs = lines.map((line): object => JSON.parse(line))
  expect(runs).toHaveLength(2)
  for (const run of runs) {
    expect(run).toMatchObject({ system: 'tidemill', latencyMs: { ratePerSec: 50_000 } })
    expect(run).toMatchObject({ digest: (run as { digestExpected?: string }).digestExpected })
    const { latencyMs } = run as { latencyMs: Record<string, number> }
    expect(latencyMs['p50']).toBeLessThanOrEqual(latencyMs['max'] ?? 0)
    expect(latencyMs['p50']).toBeGreaterThan(0)
  }
}, 120_000)
