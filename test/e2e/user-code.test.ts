import { describe, expect, test } from 'vitest'
import { filesBelow } from './program.ts'
import { readFileSync } from 'node:fs'
import { counts, expectedCounts, idsUpTo, placeWithRows, runHurt } from './rows.test-support.ts'

const rows = 5_000
const bad = 3_333

describe('a user function throws at one record', () => {
  test('fail: the job tries once more, gives up, and names step, place, record and code', async () => {
    using place = placeWithRows(rows)
    const { exitCode, stderr, stdout } = await runHurt(place, { hurt: `throw@${bad}` })
    expect(exitCode).toBe(1)
    const { error } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
    expect(error.code).toBe('TM1901')
    expect(error.details.operator).toMatch(/^map at .*hurt\.ts:\d+/)
    expect(error.details.at).toMatch(/hurt\.ts:\d+/)
    expect(error.details.record).toContain(`rows.csv:${bad + 1}`)
    expect(stderr).toContain('the row is not to my liking')
    // Where it was thrown, in the user's source and not in the bundle.
    expect(stderr).toMatch(/at hurt \(.*test\/e2e\/jobs\/hurt\.ts:\d+:\d+\)/)
    expect(stderr.match(/starts again/g)).toHaveLength(1)
    // Nothing that follows an uncommitted epoch is visible, and what is visible is right.
    const visible = counts(place)
    expect(expectedCounts(idsUpTo(rows))).toEqual(expect.arrayContaining([...visible]))

    const healthy = await runHurt(place)
    expect(healthy.exitCode).toBe(0)
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
  })

  test('skip: everything else is counted', async () => {
    using place = placeWithRows(rows)
    const { exitCode, summary } = await runHurt(place, {
      hurt: `throw@${bad}`,
      params: { policy: 'skip' },
    })
    expect([exitCode, summary['recordsRejected']]).toEqual([0, 1])
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows, bad)))
  })

  test('dead-letter: the record is kept with its reason', async () => {
    using place = placeWithRows(rows)
    const { exitCode, summary } = await runHurt(place, {
      hurt: `throw@${bad}`,
      params: { policy: 'dead-letter' },
    })
    expect([exitCode, summary['recordsRejected']]).toEqual([0, 1])
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows, bad)))
    const letters = filesBelow(`${place.state}/dead-letters`).filter((path) =>
      path.endsWith('.jsonl'),
    )
    const kept = letters.map((path) => readFileSync(path, 'utf8')).join('')
    expect(kept.trimEnd().split('\n')).toHaveLength(1)
    expect(kept).toContain(`${bad},k${bad % 7}`)
    expect(kept).toContain('the row is not to my liking')
    // A step without a name goes by its place in the program.
    const { operator, position } = JSON.parse(kept) as { operator: string; position: string }
    expect(position).toBe(`${place.input}:${bad + 1}`)
    expect(operator).toMatch(/^map at .*test\/e2e\/jobs\/hurt\.ts:\d+:\d+$/)
  })
})

// NODE_OPTIONS reach the worker; a small heap makes exhaustion quick.
const smallHeap = { NODE_OPTIONS: '--max-old-space-size=96' }

describe('user code ends its thread', () => {
  test.each([
    ['throw-null', 'TM1901', 'null', {}, 1],
    ['stack', 'TM1901', 'call stack', {}, 1],
    ['exit', 'TM1909', 'exit code 3', {}, 2],
    ['memory', 'TM1909', 'out of memory', smallHeap, 2],
  ])(
    '%s: the process survives, tries again a few times and says %s',
    async (hurt, code, words, env, again) => {
      using place = placeWithRows(rows)
      const { exitCode, signal, stderr } = await runHurt(place, { hurt: `${hurt}@${bad}`, env })
      expect([exitCode, signal]).toEqual([1, null])
      expect(stderr).toContain(code)
      expect(stderr).toContain(words)
      expect(stderr.match(/starts again/g)).toHaveLength(again)

      const healthy = await runHurt(place)
      expect(healthy.exitCode).toBe(0)
      expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
    },
  )
})
