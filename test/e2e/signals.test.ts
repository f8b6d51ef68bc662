import { expect, test } from 'vitest'
import {
  committedSnapshots,
  counts,
  expectedCounts,
  idsUpTo,
  placeWithRows,
  runHurt,
  startHurt,
} from './rows.test-support.ts'

const rows = 40_000
/** A pause per so many rows: slow enough that a signal finds the job in the middle, on any machine. */
const pace = 3

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends the job with a final checkpoint, and a second start goes on from there',
  async (signal) => {
    using place = placeWithRows(rows)
    const first = startHurt(place, { pace })
    await committedSnapshots(place, 1)
    first.child.kill(signal)
    const stopped = await first.ended
    expect(stopped.stderr).not.toContain('TM')
    expect([stopped.exitCode, stopped.summary['status']]).toEqual([0, 'stopped'])
    const read = Number(stopped.summary['recordsRead'])
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(rows)
    // The final checkpoint holds everything that was read: results of exactly these rows are visible.
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(read)))

    const second = await runHurt(place)
    expect([second.exitCode, second.summary['status']]).toEqual([0, 'finished'])
    expect(second.summary['recordsRead']).toBe(rows)
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
  },
)

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)(
  'user code in an endless loop: the first %s waits, the second ends at once with %i',
  async (signal, exitCode) => {
    using place = placeWithRows(100)
    const program = startHurt(place, { hurt: 'loop@50' })
    await program.said('in an endless loop')
    program.child.kill(signal)
    // The main thread has taken the signal although the worker answers nothing.
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(program.child.exitCode).toBeNull()
    const askedMs = performance.now()
    program.child.kill(signal)
    expect((await program.ended).exitCode).toBe(exitCode)
    expect(performance.now() - askedMs).toBeLessThan(3_000)

    const healthy = await runHurt(place)
    expect(healthy.exitCode).toBe(0)
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(100)))
  },
)

test('a second start on the same state is refused and names the owner, which is not disturbed', async () => {
  using place = placeWithRows(rows)
  const owner = startHurt(place, { pace })
  await committedSnapshots(place, 1)
  const second = await runHurt(place)
  expect(second.exitCode).toBe(4)
  expect(second.stderr).toContain('TM1500')
  expect(second.stderr).toContain(String(owner.child.pid))
  expect(second.stderr).toContain(place.state)
  owner.child.kill('SIGTERM')
  expect((await owner.ended).exitCode).toBe(0)
  expect((await runHurt(place)).exitCode).toBe(0)
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
})

test('two starts at the same moment: one runs, the other is refused', async () => {
  using place = placeWithRows(rows)
  const both = await Promise.all([runHurt(place, { pace: 100 }), runHurt(place, { pace: 100 })])
  expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 4])
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
})

test('rows that take a millisecond each do not hold up checkpoints, nor the end', async () => {
  using place = placeWithRows(rows)
  const slow = startHurt(place, { pace: 1 })
  await committedSnapshots(place, 2)
  const askedMs = performance.now()
  slow.child.kill('SIGTERM')
  const stopped = await slow.ended
  expect([stopped.exitCode, stopped.summary['status']]).toEqual([0, 'stopped'])
  // A batch of the source is 4,096 rows: four seconds for each write of a checkpoint, if they waited for batches.
  expect(performance.now() - askedMs).toBeLessThan(15_000)
  expect(Number(stopped.summary['recordsRead'])).toBeLessThan(rows)
})
