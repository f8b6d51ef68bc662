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

test('a partition that waits for others is named, also in another thread', async () => {
  const text = `
import { datagen, discard, milliseconds, pipeline, seconds } from 'tidemill'
const app = pipeline('aligned')
// Of the two partitions one is far ahead in event time.
app.from('numbers', datagen({ row: (n) => ({ at: n % 2 === 0 ? n * 1000 : n }), ratePerSec: 1000, partitions: 2 }))
  .withEventTime({
    timestamp: (row) => row.at,
    maxOutOfOrderness: milliseconds(0),
    alignment: { maxDrift: seconds(1) },
  })
  .to('out', discard())
await app.run()
`
  folder.file('aligned.ts', text)
  const running = folder.start('run', 'aligned.ts', '--state', 'aligned', '--workers', '2')
  try {
    const wanted = /^partition numbers\/0 is [\d.]+ s ahead in event time and waits for numbers\/1 /
    expect(await bottleneck('aligned', wanted)).toMatch(wanted)
    const told = lastObject(await folder.run('status', '--state', 'aligned', '--json'))
    expect(told['waitingForOthers']).toEqual([
      {
        partition: 'numbers/0',
        group: 'default',
        aheadMs: expect.any(Number),
        waitsFor: 'numbers/1',
      },
    ])
  } finally {
    await kill(running)
  }
}, 30_000)

/** A sink that takes 200 ms for every 100 rows. */
const slowSink = `{
  role: 'sink', connector: 'slow', describe: {}, guarantee: 'at-least-once',
  open: async () => {
    let waiting = 0, received = 0
    const flush = async () => { await new Promise((done) => setTimeout(done, 200)); waiting = 0 }
    return {
      write() { waiting++; received++ },
      get full() { return waiting >= 100 },
      flush,
      prepare: async () => new Uint8Array(0),
      commit: async () => {}, recover: async () => {}, close: async () => {},
      counts: () => ({ received, skipped: 0, deadLettered: 0 }),
    }
  },
}`

const twoWorkers = (key: string, spinMs: number, sink: string): string => `
import { datagen, discard, int, pipeline, valueState } from 'tidemill'
const spin = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); }
const app = pipeline('limited')
app.from('numbers', datagen({ row: (n) => ({ n }), ratePerSec: 200000, partitions: 4 }))
  .keyBy(({ n }) => ${key})
  .process('count-rows', {
    state: { n: valueState(int, { initial: 0 }) },
    output: int,
    onRecord(row, ctx) { spin(${spinMs}); ctx.state.n.set(ctx.state.n.get() + 1); ctx.emit(ctx.state.n.get()) },
  })
  .to('out', ${sink})
await app.run()
`

test.each([
  ['a slow step', twoWorkers('n % 1000', 0.2, 'discard()'), /busy in .*"count-rows"/],
  [
    'a hot key',
    twoWorkers("n % 10 === 0 ? `k${n % 1000}` : 'everybody'", 0.05, 'discard()'),
    /^key "everybody" is hot/,
  ],
  ['a slow sink', twoWorkers('n % 1000', 0, slowSink), /^sink "out" is slow/],
])(
  'with two workers %s is named',
  async (what, text, wanted) => {
    const name = what.replaceAll(' ', '-')
    folder.file(`${name}.ts`, text)
    const running = folder.start('run', `${name}.ts`, '--state', name, '--workers', '2')
    try {
      expect(await bottleneck(name, wanted)).toMatch(wanted)
    } finally {
      await kill(running)
    }
  },
  60_000,
)
