/** An endless loop wherever user code runs: the main thread answers at once and says what does not come back. */
import { afterAll, describe, expect, test } from 'vitest'
import { lastObject, ProgramFolder, type RunningProgram } from './program.test-support.ts'

const folder = new ProgramFolder()
afterAll(() => folder.remove())

/** `spin` comes back in the first second after the module was loaded, and never later. */
const head = `
import { aggregate, datagen, discard, int, milliseconds, pipeline, sum, timestamp, tumbling, valueState } from 'tidemill'
const bornMs = Date.now()
const app = pipeline('hangs')
function spin() { while (Date.now() - bornMs > 1_000); }
const rows = app.from('numbers', datagen({ row: (n) => ({ n }), ratePerSec: 1000, partitions: 2 }))
`
const timed = `rows.withEventTime({
  timestamp: ({ n }) => timestamp(1_700_000_000_000 + n), maxOutOfOrderness: milliseconds(0),
}).keyBy(({ n }) => n % 100)`

const spinning = / spin \(\S+\.ts:5:\d+\)$/

const timers = (kind: 'event-time' | 'processing-time'): string => `.process('alarms', {
    state: { n: valueState(int, { initial: 0 }) }, timers: { wake: '${kind}' }, output: int,
    onRecord(row, ctx) { ctx.timers.wake.setAfter(milliseconds(20)) },
    onTimer: { wake(ctx) { spin() } },
  }).to('out', discard())`

const windowed = (how: string): string => `${timed}.window(tumbling(milliseconds(50))).${how}`

const places: readonly (readonly [string, string, RegExp])[] = [
  [
    'a map',
    `rows.map((row) => { spin(); return row }).to('out', discard())`,
    /from map at \S+:8:6,/,
  ],
  [
    'a key',
    `rows.keyBy((row) => { spin(); return row.n }).count('c').to('out', discard())`,
    /from key-by at \S+:8:6,|from keyBy at \S+:8:6,/,
  ],
  [
    'a record of a process step',
    `rows.keyBy((row) => row.n % 10).process('kept', {
    state: { n: valueState(int, { initial: 0 }) }, output: int,
    onRecord(row, ctx) { spin(); ctx.emit(row.n) } }).to('out', discard())`,
    /process step "kept",/,
  ],
  ['an event-time timer', `${timed}${timers('event-time')}`, /process step "alarms",/],
  ['a processing-time timer', `${timed}${timers('processing-time')}`, /process step "alarms",/],
  [
    'an argument of an aggregate',
    windowed(
      `aggregate('sums', { all: sum((row) => { spin(); return row.n }) }).dropLate('none').to('out', discard())`,
    ),
    /window step "sums",/,
  ],
  [
    'the result of a window',
    windowed(`aggregate('own', { all: aggregate({
      create: () => 0, add: (sum, row) => sum + row.n, merge: (a, b) => a + b, result: (sum) => { spin(); return sum } }, int) })
    .dropLate('none').to('out', discard())`),
    /window step "own",/,
  ],
  [
    'a step behind a window',
    windowed(`aggregate('fine', { all: sum((row) => row.n) })
    .dropLate('none').map((row) => { spin(); return row }).to('out', discard())`),
    /from map at \S+,/,
  ],
  [
    'a sink',
    `rows.to('out', { ...discard(), connector: 'own', open: async () => ({
      write() { spin() }, full: false, flush: async () => {}, prepare: async () => new Uint8Array(0), commit: async () => {},
      recover: async () => {}, close: async () => {}, counts: () => ({ received: 0, skipped: 0, deadLettered: 0 }) }) })`,
    /sink "out",/,
  ],
  [
    'the start of a sink',
    `rows.to('out', { ...discard(), connector: 'own', open: async () => { for (;;) ; } })`,
    /open \(\S+:8:/,
  ],
  [
    'a source',
    `rows.to('numbers', discard())
    app.from('own', datagen({ row: (n) => { spin(); return n }, ratePerSec: 1000 })).to('out', discard())`,
    /from spin/,
  ],
]

async function bottleneck(running: RunningProgram, state: string, named: RegExp): Promise<string> {
  let text = ''
  for (let i = 0; i < 40 && !named.test(text) && running.child.exitCode === null; i++) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    const askedMs = performance.now()
    const answer = await folder.run('status', '--state', state, '--json')
    if (answer.exitCode !== 0) continue
    expect(performance.now() - askedMs).toBeLessThan(5_000)
    text = String(lastObject(answer)['bottleneck'])
  }
  return running.child.exitCode === null ? text : (await running.end).stderr
}

describe('an endless loop is named', () => {
  // Every other one with two workers.
  test.concurrent.each(places.map((place, n) => [1 + (n % 2), ...place] as const))(
    'with %i workers in %s',
    async (workers, name, steps, named) => {
      const id = name.replaceAll(' ', '-')
      folder.file(`${id}.ts`, `${head}\n${steps}\nawait app.run()\n`)
      const running = folder.start('run', `${id}.ts`, '--state', id, '--workers', String(workers))
      try {
        const text = await bottleneck(running, id, named)
        expect(text).toMatch(named)
        expect(text).toMatch(/^subtask \d has not come back for \d+\.\d s from /)
        if (!name.includes('start')) expect(text).toMatch(spinning)
      } finally {
        running.child.kill('SIGKILL')
        await running.end
      }
    },
    60_000,
  )
})

test('at the end of the input', async () => {
  folder.file(
    'end.ts',
    `
import { discard, int, memorySource, milliseconds, pipeline, timestamp, valueState } from 'tidemill'
const app = pipeline('ends')
app.from('numbers', memorySource([1, 2, 3]))
  .withEventTime({ timestamp: (n) => timestamp(n), maxOutOfOrderness: milliseconds(0) })
  .keyBy((n) => n)
  .process('last', {
    state: { n: valueState(int, { initial: 0 }) }, timers: { end: 'event-time' }, output: int,
    onRecord(n, ctx) { ctx.timers.end.setAt(timestamp(1_000)) },
    onTimer: { end() { for (;;) ; } } })
  .to('out', discard())
await app.run()
`,
  )
  const running = folder.start('run', 'end.ts', '--state', 'end')
  const named = /process step "last", in end \(end\.ts:10:/
  try {
    expect(await bottleneck(running, 'end', named)).toMatch(named)
  } finally {
    running.child.kill('SIGKILL')
    await running.end
  }
}, 60_000)

test('while the module is loaded: there is no job to ask yet, the program says it', async () => {
  folder.file(
    'top.ts',
    `
import { pipeline } from 'tidemill'
function compute() { for (;;) ; }
compute()
await pipeline('never').run()
`,
  )
  const running = folder.start('run', 'top.ts', '--state', 'top')
  try {
    await running.saw('the job module has not come back for a while from compute (top.ts:3:')
  } finally {
    running.child.kill('SIGKILL')
    await running.end
  }
}, 60_000)

test('a long call that ends is named and harmless: the job goes on', async () => {
  folder.file(
    'long.ts',
    `
import { datagen, fileSink, pipeline } from 'tidemill'
const app = pipeline('long')
function wait() { const end = Date.now() + 4_000; while (Date.now() < end); }
app.from('numbers', datagen({ row: (n) => ({ n }), count: 2_000 }))
  .map((row) => { if (row.n === 1_000) wait(); return row })
  .to('out', fileSink({ directory: 'long-out' }))
await app.run()
`,
  )
  const running = folder.start('run', 'long.ts', '--state', 'long')
  const named = /from map at \S+, in wait \(long\.ts:4:/
  expect(await bottleneck(running, 'long', named)).toMatch(named)
  const { exitCode, stderr } = await running.end
  expect([exitCode, stderr.includes('starts again')]).toEqual([0, false])
  expect(folder.lines('long-out', 'out')).toHaveLength(2_000)
}, 60_000)
