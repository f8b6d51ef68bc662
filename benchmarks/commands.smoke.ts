/** The commands that have no tests of their own, at sizes that show only that they run and find their results right. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { main } from './dispatch.ts'
import { limitBars } from './micro/limit.ts'
import { spinCeiling } from './nexmark/ceiling.ts'
import { segmentDataset } from './nexmark/segments.ts'

let lines: string[] = []
let folder = ''

beforeEach(() => {
  lines = []
  folder = mkdtempSync(join(tmpdir(), 'tidemill-commands-test-'))
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

async function objectsOf(command: string): Promise<readonly object[]> {
  await main(command.split(' '))
  return lines.map((line) => JSON.parse(line))
}

test('nexmark correct', async () => {
  const [one, ...more] = await objectsOf(
    'nexmark correct --queries q1 --profile S4 --workers 2 --json',
  )
  expect(one).toMatchObject({ query: 'q1', parallelism: 2, valid: true })
  expect(more).toEqual([])
}, 120_000)

test('nexmark recover, by its other name', async () => {
  const objects = await objectsOf('nexmark recover --queries q5 --g 1 --ends 1 --json')
  expect(objects.at(-1)).toMatchObject({ wrong: 0 })
}, 120_000)

test('nexmark speed', async () => {
  const sizes = '--events 5000 --cpu-seconds 0.05 --repetitions 1 --checkpoint-ms 5'
  const objects = await objectsOf(`nexmark speed --queries q5 ${sizes} --json`)
  expect(objects).toHaveLength(4)
  const [loop, tidemill] = objects as { rows: number; outputRows: number; checksum: number }[]
  expect(loop?.outputRows).toBeGreaterThan(0)
  expect([tidemill?.outputRows, tidemill?.checksum]).toEqual([loop?.outputRows, loop?.checksum])
}, 120_000)

test('nexmark scale', async () => {
  const sizes = '--events 20000 --repetitions 1 --checkpoint-ms 200 --by cpu'
  const objects = await objectsOf(`nexmark scale --queries q17 ${sizes} --json`)
  expect(objects).toHaveLength(3)
  for (const one of objects.slice(1)) expect(one).toMatchObject({ metric: 'P4', digestRight: true })
}, 120_000)

test('nexmark peer writes a report', async () => {
  const path = join(folder, 'reports', 'peer')
  const sizes = '--dataset D2 --queries q0 --systems tidemill,loop --repetitions 1'
  expect(await main(`nexmark peer ${sizes} --checkpoint-ms 50 --report ${path}`.split(' '))).toBe(0)
  const runs = readFileSync(`${path}.jsonl`, 'utf8').trim().split('\n')
  expect(runs.map((line) => (JSON.parse(line) as { system: string }).system)).toEqual([
    'tidemill',
    'loop',
  ])
  const table = readFileSync(`${path}.md`, 'utf8')
  expect(table).toContain('| geometric mean |')
  expect(table).not.toContain(folder)
}, 120_000)

test('bar 19 is measured or says why not', async () => {
  for (const one of await limitBars(segmentDataset(50_000))) {
    if (one.skipped === undefined) expect(one.measured).toBeGreaterThan(0)
    else expect(one).toMatchObject({ measured: null, holds: null })
  }
}, 120_000)

test('two processes do at most twice the work of one', async () => {
  expect(await spinCeiling(2, 100)).toBeGreaterThan(0)
}, 30_000)
