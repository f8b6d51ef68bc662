import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from './program-here.test-support.ts'
import { lastObject, numbersJob, ProgramFolder } from './program.test-support.ts'

const folder = new ProgramFolder()
beforeAll(() => {
  folder.file('numbers.ts', numbersJob)
})
afterAll(() => folder.remove())

describe('tidemill run', () => {
  test('ends with one object; again it says that it is finished; other parameters are refused', async () => {
    const run = (...more: readonly string[]) =>
      folder.run('run', 'numbers.ts', '--param', 'count=300', '--state', 'once', ...more)
    const first = await run('--json')
    expect(first).toMatchObject({ exitCode: 0, stderr: '' })
    expect(lastObject(first)).toMatchObject({
      job: 'numbers',
      status: 'finished',
      recordsRead: 300,
      recordsWritten: 300,
      recordsLate: 0,
      recordsRejected: 0,
      ledger: { sources: [{ name: 'numbers', read: 300 }] },
    })
    const again = await run()
    expect(again).toMatchObject({ exitCode: 0, stdout: '' })
    expect(again.stderr).toContain('already finished')
    const other = await run('--param', 'rate=5', '--json')
    expect(other.exitCode).toBe(2)
    expect(lastObject(other)).toMatchObject({ status: 'failed', error: { code: 'TM1507' } })
    expect(other.stderr).toContain('--accept-params')
    expect(await run('--param', 'rate=5', '--accept-params')).toMatchObject({ exitCode: 0 })
    expect(folder.lines('out', 'out')).toHaveLength(300)
  })

  test.each([
    ['nothing', [], 'TM2001'],
    ['an unknown option', ['numbers.ts', '--fast'], 'TM2001'],
    ['an unknown mode', ['numbers.ts', '--mode', 'both'], 'TM2001'],
    ['a bare number as interval', ['numbers.ts', '--checkpoint-interval', '5'], 'TM2001'],
    ['a parameter without value', ['numbers.ts', '--param', 'count'], 'TM2001'],
    ['a missing module', ['nowhere.ts'], 'TM2002'],
  ])('exits with 2 for %s', async (_, argv, code) => {
    const end = await runHere(folder.path, 'run', ...argv)
    expect(end.exitCode).toBe(2)
    expect(end.stderr).toMatch(new RegExp(`^${code} \\(user\\)`))
    expect(end.stderr).toContain('to do')
  })
})

describe('a job module that', () => {
  test.each([
    ['does not compile', 'import { from', 'TM2003', 1],
    ['builds nothing', 'export const nothing = 1', 'TM2004', 1],
    ['throws', 'throw new Error("planted")', 'TM2005', 1],
    ['misses a parameter', "import { param } from 'tidemill'\nparam('input')", 'TM1355', 2],
    ['imports what is not there', "import 'no-such-package-here'", 'TM2003', 1],
  ])('%s is told by code, with the file', async (_, text, code, exitCode) => {
    const name = folder.file(`${code}-${exitCode}.ts`, text)
    const end = await folder.run('run', name, '--json')
    expect(end.exitCode).toBe(exitCode)
    expect(lastObject(end)).toMatchObject({
      status: 'failed',
      error: { code, details: { file: name } },
    })
  })

  test('fails at a record names code and cause, and exits with 1', async () => {
    const name = folder.file(
      'throwing.ts',
      numbersJob.replace(
        ').to(',
        ').map((row) => { if (row.n === 7) throw new Error("seven"); return row }).to(',
      ),
    )
    const end = await folder.run(
      'run',
      name,
      '--state',
      'throwing',
      '--param',
      'output=throwing-out',
      '--json',
    )
    expect(end.exitCode).toBe(1)
    expect(lastObject(end)).toMatchObject({
      error: { code: 'TM1901', message: expect.stringContaining('seven') },
    })
    // Frames of the user and of the engine lead to sources, although both ran merged.
    expect(end.stderr).toMatch(/throwing\.ts:\d+:\d+\)/)
    expect(end.stderr).toMatch(/src[\\/]runtime[\\/]slice\.ts:\d+:\d+\)/)
  })
})

test('an import for its effect alone runs, also in a project that declares itself free of effects', async () => {
  const project = new ProgramFolder()
  try {
    project.file('package.json', '{"name":"planted","type":"module","sideEffects":false}')
    project.file('effect.ts', "process.env['PLANTED'] = 'set by an import'\n")
    project.file(
      'job.ts',
      `import './effect.ts'\n${numbersJob.replace('({ n })', "({ n, mark: process.env['PLANTED'] })")}`,
    )
    const end = await project.run('run', 'job.ts', '--param', 'count=1')
    expect([end.stderr.includes('finished'), end.exitCode]).toEqual([true, 0])
    expect(project.lines('out', 'out')).toEqual(['{"n":0,"mark":"set by an import"}'])
  } finally {
    project.remove()
  }
})
