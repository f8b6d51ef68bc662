/** Worker threads that end or hang: the process goes on, and its results are those of an undisturbed run. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  counts,
  expectedCounts,
  idsUpTo,
  type Place,
  placeWithFiles,
  runHurt,
  startHurt,
} from './rows.test-support.ts'
import type { StartedProgram } from './program.ts'

const rows = 12_000
const files = 4
/** In the third file, which the first worker reads when there is one or two, and the third of three. */
const bad = 8_000

interface Hurt {
  readonly hurt: string
  readonly workers: number
  readonly env?: Readonly<Record<string, string>>
}

/** Every hurt happens in one life. Slow enough that there are checkpoints before it. */
function startHurtOnce(place: Place, { hurt, workers, env }: Hurt): StartedProgram {
  const once = join(place.folder, 'done')
  mkdirSync(once, { recursive: true })
  return startHurt(place, {
    hurt,
    pace: 6,
    more: ['--workers', String(workers), '--progress', 'json'],
    env: { HURT_ONCE: once, ...env },
  })
}

const smallHeap = { NODE_OPTIONS: '--max-old-space-size=96' }

describe.each([1, 3])('with %i workers', (workers) => {
  test.each([
    ['exit', 'exit code 3', {}],
    ['memory', 'out of memory', smallHeap],
    ['timer', 'thrown where nobody catches', {}],
  ])('a thread ends by %s: the job goes on in a new life', async (what, words, env) => {
    using place = placeWithFiles(rows, files)
    const { ended } = startHurtOnce(place, { hurt: `${what}@${bad}`, workers, env })
    const { exitCode, stderr, summary } = await ended
    expect(stderr.match(/starts again/g)).toHaveLength(1)
    expect(stderr).toContain('TM1909')
    expect(stderr).toContain(words)
    expect([exitCode, summary['status'], summary['recordsRead']]).toEqual([0, 'finished', rows])
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
  })
})

test('one thread ends while another is in an endless loop: both are gone in the next life', async () => {
  using place = placeWithFiles(rows, files)
  const { ended } = startHurtOnce(place, { hurt: `loop@10,exit@5900`, workers: 3 })
  const { exitCode, stderr } = await ended
  expect(stderr).toContain('in an endless loop')
  expect(stderr.match(/starts again/g)).toHaveLength(1)
  expect(exitCode).toBe(0)
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
})

test('an endless loop alone: progress is told, and one SIGTERM ends the process in bounded time', async () => {
  using place = placeWithFiles(rows, files)
  const { child, ended, said } = startHurtOnce(place, { hurt: `loop@${bad}`, workers: 2 })
  await said('in an endless loop')
  const askedMs = performance.now()
  child.kill('SIGTERM')
  const { exitCode, stderr } = await ended
  expect(performance.now() - askedMs).toBeLessThan(20_000)
  expect(exitCode).toBe(1)
  expect(stderr).toContain('TM1910')
  expect(stderr).toContain('worker thread 0 has not answered')
  // The main thread reported all the time.
  const later = stderr.slice(stderr.indexOf('a second signal stops at once'))
  expect(later.match(/"recordsRead":/g)?.length).toBeGreaterThan(2)

  expect((await runHurt(place, { more: ['--workers', '3'] })).exitCode).toBe(0)
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
})

test('a thread that ends before it has work is noticed too', async () => {
  using place = placeWithFiles(rows, files)
  const { ended } = startHurt(place, { env: { HURT_LOADED: '1' } })
  const { exitCode, stderr } = await ended
  expect([exitCode, stderr.match(/starts again/g)?.length]).toEqual([1, 2])
  expect(stderr).toContain('TM1909')
})
