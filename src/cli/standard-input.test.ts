import { afterEach, beforeEach, expect, test } from 'vitest'
import { lastObject, ProgramFolder } from './program.test-support.ts'

let folder: ProgramFolder
beforeEach(() => {
  folder = new ProgramFolder()
})
afterEach(() => folder.remove())

const linesJob = `
import { fileSink, lines, param, pipeline } from 'tidemill'
const app = pipeline('piped')
app.from('input', lines(param('input', '-')))
  .map((line) => { if (line === process.env['BAD']) throw new Error('planted'); return { line } })
  .to('out', fileSink({ directory: 'out' }))
await app.run({ state: 'state' })
`
const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('')

const rows = (): readonly string[] =>
  folder.lines('out', 'out').map((line) => JSON.parse(line).line)

test('lines of a pipe are rows, whichever thread reads them', async () => {
  folder.file('job.ts', linesJob)
  const end = await folder.runOn(numbered(0, 5_000), 'run', 'job.ts', '--json', '--workers', '2')
  expect([end.exitCode, end.stderr]).toEqual([0, ''])
  expect(rows()).toHaveLength(5_000)
})

test('a job that was stopped goes on when the same input comes again, and refuses another', async () => {
  folder.file('job.ts', linesJob)
  const first = folder.start('run', 'job.ts', '--progress', 'json', '--checkpoint-interval', '50ms')
  first.child.stdin?.write(numbered(0, 100))
  // Rows come out while the producer is silent and the pipe is open.
  await first.saw('"recordsWritten":100')
  first.child.kill('SIGTERM')
  expect((await first.end).exitCode).toBe(0)
  expect(rows()).toHaveLength(100)

  const other = await folder.runOn(numbered(1_000, 1_200), 'run', 'job.ts', '--json')
  expect([other.exitCode, lastObject(other)['error']]).toMatchObject([3, { code: 'TM1703' }])
  const shorter = await folder.runOn(numbered(0, 50), 'run', 'job.ts', '--json')
  expect([shorter.exitCode, lastObject(shorter)['error']]).toMatchObject([3, { code: 'TM1702' }])

  const again = await folder.runOn(numbered(0, 200), 'run', 'job.ts', '--json')
  expect([again.exitCode, again.stderr]).toEqual([0, ''])
  expect([...rows()].sort()).toEqual(numbered(0, 200).trimEnd().split('\n').sort())
}, 30_000)

test('a failed life has no second one, and the failure itself is what is told', async () => {
  folder.file('job.ts', linesJob.replace("process.env['BAD']", "'line 70'"))
  const end = await folder.runOn(numbered(0, 100), 'run', 'job.ts', '--json')
  expect([end.exitCode, lastObject(end)['error']]).toMatchObject([
    1,
    { code: 'TM1901', details: { record: expect.stringContaining('-:71') } },
  ])
})

test('the columns of a CSV come from the first line of the pipe', async () => {
  folder.file(
    'csv.ts',
    `import { csv, fileSink, pipeline } from 'tidemill'
     const app = pipeline('table')
     app.from('input', csv({ path: '-' })).to('out', fileSink({ directory: 'out' }))
     await app.run({ state: 'state' })`,
  )
  const end = await folder.runOn('a,b\n1,2\n3,4\n', 'run', 'csv.ts')
  expect([end.exitCode, folder.lines('out', 'out')]).toEqual([
    0,
    ['{"a":"1","b":"2"}', '{"a":"3","b":"4"}'],
  ])
})

test('two sources cannot both have it', async () => {
  folder.file(
    'two.ts',
    `import { discard, lines, pipeline } from 'tidemill'
     const app = pipeline('two')
     app.from('one', lines('-')).to('first', discard())
     app.from('other', lines('-')).to('second', discard())
     await app.run({ state: 'state' })`,
  )
  const end = await folder.runOn(numbered(0, 10), 'run', 'two.ts', '--json')
  expect([end.exitCode, lastObject(end)['error']]).toMatchObject([1, { code: 'TM1719' }])
})
