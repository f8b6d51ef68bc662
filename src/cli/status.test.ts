import { afterAll, expect, test } from 'vitest'
import { lastObject, ProgramFolder, type RunningProgram } from './program.test-support.ts'

const folder = new ProgramFolder()
afterAll(() => folder.remove())

const job = (name: string, steps: string): string => `
import { datagen, fileSink, pipeline } from 'tidemill'
const app = pipeline('asked')
app.from('numbers', datagen({ row: (n) => ({ n }), ratePerSec: 100000 }))${steps}
  .to('out', fileSink({ directory: '${name}-out' }))
await app.run()
`

async function bottleneck(name: string, wanted: RegExp): Promise<string> {
  let text = ''
  for (let i = 0; i < 20 && !wanted.test(text); i++) {
    await new Promise((resolve) => setTimeout(resolve, 500))
    const answer = await folder.run('status', '--state', name, '--json')
    if (answer.exitCode === 0) text = String(lastObject(answer)['bottleneck'])
  }
  return text
}

async function kill({ child, end }: RunningProgram): Promise<void> {
  child.kill('SIGKILL')
  await end
}

test('an endless loop is named while it runs; nobody answers once the process is gone', async () => {
  folder.file(
    'loop.ts',
    job('loop', '.map((row) => { if (row.n === 100_000) for (;;) {} return row })'),
  )
  const running = folder.start('run', 'loop.ts', '--state', 'loop')
  try {
    const wanted = /has not come back for .* s from .*map/
    expect(await bottleneck('loop', wanted)).toMatch(wanted)
  } finally {
    await kill(running)
  }
  const gone = await folder.run('status', '--state', 'loop', '--json')
  expect(lastObject(gone)).toMatchObject({ error: { code: 'TM2014' } })
}, 30_000)

test('a slow step is named', async () => {
  folder.file(
    'slow.ts',
    job(
      'slow',
      '.map((row) => { const end = Date.now() + 2; while (Date.now() < end); return row })',
    ),
  )
  const running = folder.start('run', 'slow.ts', '--state', 'slow')
  try {
    const wanted = /busy in .*map/
    expect(await bottleneck('slow', wanted)).toMatch(wanted)
  } finally {
    await kill(running)
  }
}, 30_000)
