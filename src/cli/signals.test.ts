import { afterAll, beforeAll, expect, test } from 'vitest'
import { lastObject, numbersJob, ProgramFolder } from './program.test-support.ts'

const folder = new ProgramFolder()
beforeAll(() => {
  folder.file('numbers.ts', numbersJob)
})
afterAll(() => folder.remove())

test('SIGTERM takes a final checkpoint, a second process is kept out, and a restart goes on', async () => {
  const argv = [
    'run',
    'numbers.ts',
    '--state',
    'state',
    '--param',
    'count=3000',
    '--param',
    'rate=350',
    '--json',
  ] as const
  const first = folder.start(...argv, '--progress', 'json')
  await first.saw('"epoch":1')
  const intruder = await folder.run(...argv)
  expect(intruder.exitCode).toBe(4)
  expect(lastObject(intruder)).toMatchObject({ status: 'failed', error: { code: 'TM1500' } })
  expect(intruder.stderr).toContain(String(first.child.pid))
  first.child.kill('SIGTERM')
  const stopped = await first.end
  expect(stopped.exitCode).toBe(0)
  const { status, recordsWritten } = lastObject(stopped)
  expect(status).toBe('stopped')
  expect(folder.lines('out', 'out')).toHaveLength(Number(recordsWritten))
  expect(recordsWritten).toBeLessThan(3_000)
  const second = await folder.run(...argv)
  expect(lastObject(second)).toMatchObject({
    status: 'finished',
    recordsRead: 3_000,
    recordsWritten: 3_000,
  })
  const numbers = folder.lines('out', 'out').map((line) => JSON.parse(line).n)
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, n) => n))
})

test('a second signal ends the process at once', async () => {
  // The thread that runs user code hangs, so a final checkpoint cannot come.
  const name = folder.file(
    'hanging.ts',
    numbersJob.replace(').to(', ').map((row) => { console.error("hanging"); for (;;) {} }).to('),
  )
  const running = folder.start(
    'run',
    name,
    '--state',
    'hanging',
    '--param',
    'output=hanging-out',
    '--progress',
    'json',
  )
  await running.saw('hanging')
  running.child.kill('SIGTERM')
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(running.child.exitCode).toBeNull()
  running.child.kill('SIGTERM')
  expect((await running.end).exitCode).toBe(143)
})
