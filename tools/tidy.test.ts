import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repositoryRoot } from './source-files.ts'
import {
  findCommentProblems,
  findCrashPointProblems,
  findErrorCodeProblems,
  findLockProblems,
  findMachineProblems,
  findReadmeProblems,
  findTidyProblems,
  listedCrashPoints,
} from './tidy.ts'

describe('the repository', () => {
  const problems = findTidyProblems()
  it.each(Object.keys(problems))('keeps the rule %s', (rule) => {
    expect(problems[rule]).toEqual([])
  })
})

describe('crash points', () => {
  const caller = (text: string) => [{ path: 'src/log/a.ts', text }]
  const call = "env.host.crashPoint('log.sync.done')"

  it('agree when every listed point is called', () => {
    expect(findCrashPointProblems(['log.sync.done'], [], caller(call))).toEqual([])
    const either = "crashPoint(isLocal ? 'a' : 'b')"
    expect(findCrashPointProblems(['a', 'b'], [], caller(either))).toEqual([])
  })

  it('fail when one is never called, not listed, wrongly pending or unknown', () => {
    expect(findCrashPointProblems(['a', 'log.sync.done'], [], caller(call))).toHaveLength(1)
    expect(findCrashPointProblems([], [], caller(call))).toHaveLength(1)
    const listed = ['log.sync.done']
    expect(findCrashPointProblems(listed, listed, caller(call))).toHaveLength(1)
    expect(findCrashPointProblems([], ['a'], [])).toHaveLength(1)
  })

  it('do not count a call in a test', () => {
    const inTest = [{ path: 'src/log/a.test.ts', text: call }]
    expect(findCrashPointProblems(['log.sync.done'], [], inTest)).toHaveLength(1)
  })

  it('are read from the array in the source', () => {
    const text = "export const crashPoints = ['a', 'b'] as const"
    expect(listedCrashPoints({ path: 'src/base/env.ts', text })).toEqual(['a', 'b'])
  })
})

describe('error codes', () => {
  const catalogue = (path: string, ...codes: string[]) => ({
    path,
    text: `export const e = defineErrors({${codes.map((c, i) => `n${i}: { code: '${c}' }`).join()}})`,
  })
  const page = (code: string) => ({ path: `docs/errors/${code}.md`, text: `# ${code}: torn tail` })

  it('agree with their pages', () => {
    const files = [catalogue('src/log/errors.ts', 'TM1200', 'TM1299')]
    expect(findErrorCodeProblems(files, [page('TM1200'), page('TM1299')])).toEqual([])
  })

  it('fail when doubled, out of range, without a page, or when a page has no code or title', () => {
    const files = [catalogue('src/log/errors.ts', 'TM1200')]
    const twice = [catalogue('src/log/errors.ts', 'TM1200', 'TM1200')]
    expect(findErrorCodeProblems(twice, [page('TM1200')])).toHaveLength(1)
    const outside = [catalogue('src/time/errors.ts', 'TM1200')]
    expect(findErrorCodeProblems(outside, [page('TM1200')])).toHaveLength(1)
    expect(findErrorCodeProblems(files, [])).toHaveLength(1)
    expect(findErrorCodeProblems(files, [page('TM1200'), page('TM1201')])).toHaveLength(1)
    const untitled = { path: 'docs/errors/TM1200.md', text: 'torn tail' }
    expect(findErrorCodeProblems(files, [untitled])).toHaveLength(1)
  })
})

describe('small rules', () => {
  it('want a README of one screen in every folder', () => {
    const readme = { path: 'src/log/README.md', text: '# log\n' }
    expect(findReadmeProblems(['log'], [readme])).toEqual([])
    expect(findReadmeProblems(['log', 'time'], [readme])).toEqual(['src/time: no README.md'])
    const long = { ...readme, text: '\n'.repeat(100) }
    expect(findReadmeProblems(['log'], [long])).toHaveLength(1)
  })

  it('want a plan behind a mark and a reason behind an exception', () => {
    const lines = [
      `// FIX${'ME'} later`,
      `// TO${'DO'}: later`,
      `// TO${'DO'}(#12): widen when the log is shared`,
      `// biome-${'ignore'} lint/style/x: because`,
      `// biome-${'ignore'} lint/style/x: the array has one shape, measured in benchmarks/micro`,
      `// @ts-${'ignore'}`,
    ]
    const problems = findCommentProblems([{ path: 'src/a.ts', text: lines.join('\n') }])
    expect(problems.map((problem) => problem.split(': ')[0])).toEqual([
      'src/a.ts:1',
      'src/a.ts:2',
      'src/a.ts:4',
      'src/a.ts:6',
    ])
  })

  it('want a lock file that runs on the oldest Node and names no host', () => {
    const lock = (entry: object) =>
      JSON.stringify({
        packages: { 'node_modules/x': { version: '1.0.0', integrity: 'sha512-x', ...entry } },
      })
    expect(findLockProblems(lock({ engines: { node: '>=20' } }))).toEqual([])
    expect(findLockProblems(lock({ engines: { node: '>=20.20 || >=22' } }))).toHaveLength(1)
    expect(findLockProblems(lock({ integrity: undefined }))).toHaveLength(1)
    const optionalDependencies = { '@x/cli-linux-arm64-musl': '1.0.0' }
    expect(findLockProblems(lock({ optionalDependencies }))).toHaveLength(1)
    expect(findLockProblems(lock({ resolved: 'https://host/x.tgz' }))).toHaveLength(1)
  })

  it('want no place of one machine in a file', () => {
    const text = ['cd /', 'home/ada/tidemill'].join('')
    expect(findMachineProblems([{ path: 'a.md', text }])).toHaveLength(1)
    const host = ['registry', 'example', 'org'].join('.')
    expect(findMachineProblems([{ path: 'a.md', text: host }])).toHaveLength(1)
    expect(findMachineProblems([{ path: 'a.md', text: 'under /var/lib/tidemill' }])).toEqual([])
  })
})

describe('the linter', () => {
  // The promise rules are in Biome's nursery: an upgrade may rename or drop them without a sound.
  it('still finds a lost promise, a default export and a timer in the engine', () => {
    const folder = mkdtempSync(join(tmpdir(), 'planted-'))
    try {
      const config = join(repositoryRoot, 'biome.json')
      copyFileSync(config, join(folder, 'biome.json'))
      execFileSync('git', ['init', '-q'], { cwd: folder })
      const source = join(folder, 'src', 'log')
      mkdirSync(source, { recursive: true })
      const text = [
        'async function save(): Promise<void> {}',
        'export function start(): void {',
        '  save()',
        '  setTimeout(start, 1)',
        '}',
        'export const kept = [1].filter(async () => true)',
        'export default start',
        '',
      ].join('\n')
      writeFileSync(join(source, 'planted.ts'), text)
      const require = createRequire(import.meta.url)
      const biome = require.resolve('@biomejs/biome/bin/biome')
      const run = spawnSync(process.execPath, [biome, 'lint', '--max-diagnostics=50'], {
        cwd: folder,
        encoding: 'utf8',
      })
      const output = run.stdout + run.stderr
      expect(run.status).not.toBe(0)
      for (const rule of [
        'nursery/noFloatingPromises',
        'nursery/noMisusedPromises',
        'style/noDefaultExport',
        'style/noRestrictedGlobals',
      ]) {
        expect(output).toContain(rule)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
