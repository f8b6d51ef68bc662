import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nearestCodes } from './explain.ts'
import { runHere } from './program-here.test-support.ts'
import { lastObject, ProgramFolder } from './program.test-support.ts'

const folder = new ProgramFolder()
afterAll(() => folder.remove())

const run = (...argv: readonly string[]) => runHere(folder.path, ...argv)

const job = `
import { deadLetters, fileSink, lines, param, pipeline } from 'tidemill'
const app = pipeline('parity')
const numbers = app.from('numbers', lines('numbers.txt')).try('parse', (line) => {
  if (!/^\\d+$/.test(line)) throw new Error('not a number')
  return Number(line)
})
numbers.rejected.to('refused', deadLetters())
numbers.results.keyBy((n) => n % 2).count('parity').to('out', fileSink({ directory: param('output', 'out') }))
await app.run()
`

beforeAll(async () => {
  folder.file('parity.ts', job)
  folder.file('numbers.txt', '1\n2\nthree\n4\nf\u0007ve\n')
  const end = await folder.run('run', 'parity.ts', '--state', 'state', '--json')
  expect(lastObject(end)).toMatchObject({ status: 'finished', recordsRead: 5, recordsRejected: 2 })
})

describe('tidemill snapshot', () => {
  test('inspect prints the newest snapshot, or the one that is named', async () => {
    const summary = lastObject(await run('snapshot', 'inspect', 'state', '--json'))
    expect(summary).toMatchObject({
      job: 'parity',
      finished: true,
      ledger: { total: { sources: [{ read: 5 }] } },
    })
    const text = await run('snapshot', 'inspect', `state#${summary['snapshot']}`)
    expect(text.exitCode).toBe(0)
    expect(text.stdout).toContain('source numbers: read 5')
    expect(text.stdout).toContain('parity')
  })

  test('what is not there is a usage error', async () => {
    expect(await run('snapshot', 'inspect', 'state#newest')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^TM2001/),
    })
    expect(await run('snapshot', 'check', 'nowhere')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^TM1516/),
    })
  })

  test('check finds a damaged file and exits with 3', async () => {
    expect(await run('snapshot', 'check', 'state')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('intact'),
    })
    const from = join(folder.path, 'state', 'checkpoints')
    const to = join(folder.path, 'damaged')
    mkdirSync(to)
    for (const name of readdirSync(from)) {
      const bytes = readFileSync(join(from, name))
      if (name.endsWith('.data')) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff
      writeFileSync(join(to, name), bytes)
    }
    const json = await run('snapshot', 'check', 'damaged', '--json')
    expect(json.exitCode).toBe(3)
    expect(lastObject(json)).toMatchObject({ intact: false })
    expect(await run('snapshot', 'check', 'damaged')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/^TM2010/),
    })
  })
})

describe('tidemill dead', () => {
  test('list shows letters without control characters; replay hands them over once', async () => {
    const list = await run('dead', 'list', 'refused', '--state', 'state')
    expect(list.stdout).toContain('not a number')
    expect(list.stdout).toContain('f\\x07ve')
    expect(list.stdout).toContain('refused: 2 dead letters, 0 of them replayed')
    expect(await run('dead', 'replay', 'refused', '--state', 'state')).toMatchObject({
      exitCode: 0,
      stdout: 'three\nf\u0007ve\n',
    })
    expect(await run('dead', 'replay', 'refused', '--state', 'state')).toMatchObject({
      exitCode: 0,
      stdout: '',
    })
    const names = await run('dead', 'list', '--state', 'state', '--json')
    expect(lastObject(names)).toEqual({ name: 'refused', letters: 2, replayed: 2 })
  })

  test('replay can append to a topic', async () => {
    await run('log', 'create', 'again', '--dir', 'log')
    const id = JSON.parse(
      (await run('dead', 'list', 'refused', '--all', '--state', 'state', '--json')).stdout.split(
        '\n',
      )[0] ?? '',
    ).id
    const replay = await run(
      'dead',
      'replay',
      'refused',
      '--id',
      id,
      '--topic',
      'again',
      '--dir',
      'log',
      '--state',
      'state',
      '--json',
    )
    expect(lastObject(replay)).toEqual({ name: 'refused', topic: 'again', replayed: 1 })
    expect(lastObject(await run('log', 'read', 'again', '--dir', 'log', '--json'))).toMatchObject({
      value: 'three',
    })
  })

  test('an unknown name tells those that exist', async () => {
    expect(await run('dead', 'list', '--state', 'stat')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('stat does not exist'),
    })
    const end = await run('dead', 'list', 'others', '--state', 'state')
    expect(end).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^TM2013/) })
    expect(end.stderr).toContain('refused')
  })
})

describe('tidemill explain', () => {
  test('prints the page of a code', async () => {
    const text = await run('explain', 'tm1507')
    expect(text).toMatchObject({ exitCode: 0, stderr: '' })
    expect(text.stdout).toMatch(/^TM1507: .*\n\nWhat happened\n {2}/)
    for (const line of text.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect(lastObject(await run('explain', 'TM1507', '--json'))).toMatchObject({
      code: 'TM1507',
      sections: [{ heading: 'What happened' }, { heading: 'Why' }, { heading: 'What to do' }],
    })
  })

  test('an unknown code tells the nearest ones', async () => {
    const end = await run('explain', 'TM1570')
    expect(end).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^TM2007/) })
    expect(nearestCodes('TM1570', ['TM1200', 'TM1507', 'TM1500', 'TM1571', 'TM2001'])).toEqual([
      'TM1571',
      'TM1500',
      'TM1507',
      'TM1200',
      'TM2001',
    ])
  })

  test('prints the plan of a job as text and JSON', async () => {
    const text = await folder.run('explain', 'parity.ts')
    expect(text.exitCode).toBe(0)
    expect(text.stdout).toContain('sink refused (deadLetters')
    expect(lastObject(await folder.run('explain', 'parity.ts', '--json'))).toMatchObject({
      version: 1,
      job: 'parity',
    })
    expect(await run('explain', 'nowhere.ts')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^TM2002/),
    })
  })
})
