/** Unaligned checkpoints between worker threads: a job is killed while rows are in flight, and goes on with other workers. */
import { afterAll, expect, test } from 'vitest'
import { lastObject, ProgramFolder } from './program.test-support.ts'

const folder = new ProgramFolder()
afterAll(() => folder.remove())

const rows = 3_000

test('rows in flight arrive before a killed job goes on with another number of workers', async () => {
  folder.file(
    'numbers.jsonl',
    Array.from({ length: rows }, (_, n) => `${JSON.stringify({ key: `k${n % 20}`, n })}\n`).join(
      '',
    ),
  )
  folder.file(
    'slow.ts',
    `
import { readFileSync } from 'node:fs'
import { field, fileSink, int, jsonLines, milliseconds, pipeline, struct, text, valueState } from 'tidemill'
const row = struct('row', { key: field(1, text), n: field(2, int) })
const rowMs = Number(readFileSync('row-ms', 'utf8'))
const app = pipeline('slow')
app.from('numbers', jsonLines('numbers.jsonl', row))
  .keyBy((one) => one.key)
  .process('sums', {
    state: { sum: valueState(int, { initial: 0 }) }, output: struct('sum', { key: field(1, text), n: field(2, int), sum: field(3, int) }),
    onRecord({ key, n }, ctx) {
      const until = Date.now() + rowMs
      while (Date.now() < until) ;
      ctx.state.sum.set(ctx.state.sum.get() + n)
      ctx.emit({ key, n, sum: ctx.state.sum.get() })
    },
  })
  .to('out', fileSink({ directory: 'out' }))
await app.run({ state: 'state', checkpointInterval: milliseconds(200), alignedCheckpointTimeout: milliseconds(100) })
`,
  )
  folder.file('row-ms', '20')
  const running = folder.start('run', 'slow.ts', '--workers', '2')
  let inFlight: readonly { readonly rows: number }[] = []
  for (let i = 0; i < 100 && inFlight.length === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const answer = await folder.run('snapshot', 'inspect', 'state', '--json')
    if (answer.exitCode === 0) inFlight = lastObject(answer)['inFlight'] as typeof inFlight
  }
  running.child.kill('SIGKILL')
  await running.end
  expect(inFlight.reduce((sum, { rows: some }) => sum + some, 0)).toBeGreaterThan(0)
  const before = folder.lines('out', 'out').length
  expect(before).toBeLessThan(rows)
  folder.file('row-ms', '0')
  const { exitCode, stderr } = await folder.run('run', 'slow.ts', '--workers', '3')
  expect([exitCode, stderr.includes('TM')]).toEqual([0, false])
  const sums = new Map<string, number>()
  const seen = folder
    .lines('out', 'out')
    .map((line) => JSON.parse(line) as { key: string; n: number; sum: number })
    .toSorted((a, b) => a.n - b.n)
  expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: rows }, (_, n) => n))
  for (const { key, n, sum } of seen) {
    sums.set(key, (sums.get(key) ?? 0) + n)
    expect(sum).toBe(sums.get(key))
  }
}, 60_000)
