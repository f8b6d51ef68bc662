/**
 * The last part of docs/guide/getting-started.md, done for real: the job of that page is killed with SIGKILL while it
 * runs, again and again, and what it leaves is compared with a run that nobody disturbed.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { extractAttachments } from '../../tools/doctest.ts'
import { repositoryRoot } from '../../tools/source-files.ts'

const page = 'docs/guide/getting-started.md'
const program = join(repositoryRoot, 'bin', 'tidemill.js')
const killsWanted = 3
const rows = 300_000

interface Run {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

describe('the guide', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemill-guide-'))
    const text = readFileSync(join(repositoryRoot, page), 'utf8')
    for (const file of extractAttachments({ path: page, text }))
      writeFileSync(join(folder, file.name), file.text)
    writeFileSync(join(folder, 'large.csv'), manyVisits())
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** Runs the page's job; `killWhen` is asked every few milliseconds whether the process has to die now. */
  function run(name: string, input: string, killWhen: () => boolean = () => false): Promise<Run> {
    const argv = ['run', 'visits.ts', '--state', `state-${name}`, '--checkpoint-interval', '50ms']
    const params = ['--param', `input=${input}`, '--param', `output=out-${name}`]
    const child = spawn(process.execPath, [program, ...argv, ...params], { cwd: folder })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const watch = setInterval(() => {
      if (killWhen()) child.kill('SIGKILL')
    }, 5)
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exitCode, signal) => {
        clearInterval(watch)
        resolve({ exitCode, signal, stderr })
      })
    })
  }

  function committed(name: string, sink: string): readonly string[] {
    const directory = join(folder, `out-${name}`, sink)
    const names = existsSync(directory) ? readdirSync(directory) : []
    return names
      .filter((file) => file.endsWith('.jsonl'))
      .flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n').slice(0, -1))
      .sort()
  }

  test('the small input gives what the page says', async () => {
    const end = await run('small', 'visits.csv')
    expect(end, end.stderr).toMatchObject({ exitCode: 0 })
    expect(committed('small', 'visits').map((line) => JSON.parse(line).count)).toEqual([3, 1, 1])
    expect(committed('small', 'late').map((line) => JSON.parse(line).user)).toEqual(['joe'])
  })

  test('killed again and again, it loses nothing and doubles nothing', {
    timeout: 120_000,
  }, async () => {
    const calm = await run('calm', 'large.csv')
    expect(calm, calm.stderr).toMatchObject({ exitCode: 0 })

    let kills = 0
    let seen: readonly string[] = []
    for (let life = 0; ; life++) {
      expect(life).toBeLessThan(50)
      const before = seen.length
      // Let each life commit something first, so that every kill costs work.
      const end = await run('killed', 'large.csv', () => {
        return kills < killsWanted && committed('killed', 'visits').length > before
      })
      const now = committed('killed', 'visits')
      // Whoever read the output meanwhile must not find it changed: this is a multiset that only grows.
      expect(isWithin(seen, now)).toBe(true)
      seen = now
      if (end.signal === 'SIGKILL') {
        kills++
        await sleep(10)
        continue
      }
      expect(end, end.stderr).toMatchObject({ exitCode: 0 })
      break
    }
    expect(kills).toBe(killsWanted)
    expect(seen).toEqual(committed('calm', 'visits'))
    expect(committed('killed', 'late')).toEqual(committed('calm', 'late'))
    expect(seen.length).toBeGreaterThan(1_000)
  })
})

/** Both sorted. */
function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0
  for (const line of whole) if (line === part[at]) at++
  return at === part.length
}

/** Visits about 300 ms apart, out of order by up to 35 s, so that some are late. */
function manyVisits(): string {
  let state = 1
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const start = Date.UTC(2026, 0, 5)
  const lines = ['at,user,page']
  for (let i = 0; i < rows; i++) {
    const behind = random(100) === 0 ? random(90_000) : random(20_000)
    const at = new Date(start + i * 300 - behind).toISOString()
    lines.push(`${at},user${random(1000)},/page${random(20)}`)
  }
  return `${lines.join('\n')}\n`
}
