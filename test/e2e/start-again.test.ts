import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { StartedProgram } from './program.ts'
import {
  committedSnapshots,
  counts,
  expectedCounts,
  idsUpTo,
  type Place,
  placeWithRows,
  rowsText,
  runHurt,
  startHurt,
} from './rows.test-support.ts'

const rows = 40_000
const pace = 3
const isRoot = process.getuid?.() === 0

/** Leaves a job that was stopped in the middle. */
async function stopInTheMiddle(place: Place): Promise<void> {
  const first = startHurt(place, { pace })
  await committedSnapshots(place, 1)
  first.child.kill('SIGTERM')
  expect((await first.ended).summary['status']).toBe('stopped')
}

test('a finished job that is started again says so and touches nothing', async () => {
  using place = placeWithRows(100)
  expect((await runHurt(place)).exitCode).toBe(0)
  const again = await runHurt(place)
  expect([again.exitCode, again.summary['status']]).toEqual([0, 'already-finished'])
  expect(again.summary['recordsRead']).toBe(100)
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(100)))
})

test('other parameters are refused with their names, and taken with --accept-params', async () => {
  using place = placeWithRows(rows)
  await stopInTheMiddle(place)
  const renamed = join(place.folder, 'renamed.csv')
  const other = { params: { policy: 'skip' } }
  writeFileSync(renamed, readFileSync(place.input))
  const refused = await runHurt(place, other)
  expect(refused.exitCode).toBe(2)
  expect(refused.stderr).toContain('TM1507')
  expect(refused.stderr).toContain('policy')
  const taken = await runHurt(place, { ...other, more: ['--accept-params'] })
  expect(taken.exitCode).toBe(0)
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
})

test('a file that is not named any more is left with a warning, and a new one is read', async () => {
  using place = placeWithRows(rows)
  await stopInTheMiddle(place)
  const next = join(place.folder, 'next.csv')
  const before = counts(place).length
  writeFileSync(next, rowsText(rows, rows + 10))
  const end = await runHurt(place, { params: { input: next }, more: ['--accept-params'] })
  expect(end.exitCode).toBe(0)
  expect(end.stderr).toMatch(/"partitions":"[^"]*rows\.csv".*partitions are left out/)
  expect(counts(place)).toHaveLength(before + 10)
})

test('fresh state and a filled output are refused with the remedy; nothing in the output changes', async () => {
  using place = placeWithRows(100)
  expect((await runHurt(place)).exitCode).toBe(0)
  rmSync(place.state, { recursive: true })
  const refused = await runHurt(place)
  expect(refused.exitCode).not.toBe(0)
  expect(refused.stderr).toContain('TM1730')
  expect(refused.stderr).toContain(place.output)
  expect(refused.stderr).toContain('to do')
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(100)))
})

test('an input file that does not exist is named', async () => {
  using place = placeWithRows(1)
  const missing = join(place.folder, 'nowhere.csv')
  const { exitCode, stderr } = await runHurt(place, { params: { input: missing } })
  expect(exitCode).not.toBe(0)
  expect(stderr).toContain('TM1700')
  expect(stderr).toContain(missing)
})

test.each([
  ['cut short', () => rowsText(0, 10), 'TM1702'],
  ['other content', () => rowsText(1, rows + 1).replaceAll('k', 'j'), 'TM1703'],
])('an input file that was replaced between two runs is refused: %s', async (_, text, code) => {
  using place = placeWithRows(rows)
  await stopInTheMiddle(place)
  const before = counts(place)
  writeFileSync(place.input, text())
  const { exitCode, stderr } = await runHurt(place)
  expect(exitCode).toBe(3)
  expect(stderr).toContain(code)
  expect(stderr).toContain(place.input)
  expect(counts(place)).toEqual(before)
})

test('an input file that has grown since the stop is read to its new end', async () => {
  using place = placeWithRows(rows)
  await stopInTheMiddle(place)
  appendFileSync(place.input, rowsText(rows, rows + 500))
  expect((await runHurt(place)).exitCode).toBe(0)
  expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows + 500)))
})

test('an output directory that cannot be written is named', async () => {
  using place = placeWithRows(10)
  // A file where the directory should be stops root too, who may write everywhere.
  writeFileSync(place.output, 'in the way')
  const { exitCode, stderr } = await runHurt(place)
  expect(exitCode).toBe(1)
  expect(stderr).toContain('TM1734')
  expect(stderr).toContain(place.output)
})

test.skipIf(isRoot)('without the right to write, the output directory is named', async () => {
  using place = placeWithRows(10)
  mkdirSync(place.output)
  chmodSync(place.output, 0o500)
  const { exitCode, stderr } = await runHurt(place)
  expect(exitCode).toBe(1)
  expect(stderr).toContain('TM1734')
  expect(stderr).toContain(place.output)
})

const smallDisk = mountable()

/** Why no small file system can be mounted here. */
function mountable(): string | undefined {
  if (process.platform !== 'linux') return 'not Linux'
  if (!isRoot) return 'not root'
  const probe = `/tmp/tidemill-mount-${process.pid}`
  try {
    mkdirSync(probe)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe], { stdio: 'ignore' })
    execFileSync('umount', [probe], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'mount is not allowed'
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

function mountSmall(directory: string, size: string): Disposable {
  mkdirSync(directory, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory])
  return { [Symbol.dispose]: () => void execFileSync('umount', ['-l', directory]) }
}

/** Resolves when the program has said so often that it waits for room. */
async function waits(program: StartedProgram, times: number): Promise<void> {
  let said = ''
  await new Promise<void>((resolve) => {
    program.child.stderr?.on('data', (text) => {
      said += text
      if ((said.match(/the disk is full/g)?.length ?? 0) >= times) resolve()
    })
  })
}

test.skipIf(smallDisk !== undefined)(
  `F05: a full disk under the state: the job says so, waits, and goes on when there is room (${smallDisk ?? 'tmpfs'})`,
  async () => {
    using place = placeWithRows(rows)
    using _disk = mountSmall(place.state, '256k')
    const filler = join(place.state, 'filler')
    try {
      writeFileSync(filler, Buffer.alloc(1 << 20))
    } catch {
      // As much as fits: the disk is full now.
    }
    const program = startHurt(place)
    await waits(program, 4)
    expect(program.child.exitCode).toBe(null)
    rmSync(filler)
    const end = await program.ended
    expect(end.exitCode).toBe(0)
    expect(end.stderr).toContain('ENOSPC')
    expect(end.stderr).toContain(place.state)
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
  },
)

test.skipIf(smallDisk !== undefined)(
  `F05: a full disk under the output: nothing wrong is visible, and the job goes on when there is room (${smallDisk ?? 'tmpfs'})`,
  async () => {
    using place = placeWithRows(rows)
    using _disk = mountSmall(place.output, '300k')
    const program = startHurt(place)
    await waits(program, 4)
    expect(program.child.exitCode).toBe(null)
    const visible = counts(place)
    const allowed = new Set(expectedCounts(idsUpTo(rows)))
    expect(visible.filter((line) => !allowed.has(line))).toEqual([])
    execFileSync('mount', ['-o', 'remount,size=8m', place.output])
    const end = await program.ended
    expect(end.exitCode).toBe(0)
    expect(end.stderr).toContain('TM1733')
    expect(end.stderr).toContain(place.output)
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
  },
)

test.skipIf(smallDisk !== undefined)(
  `F05: a job that waits for room can be stopped (${smallDisk ?? 'tmpfs'})`,
  async () => {
    using place = placeWithRows(rows)
    using _disk = mountSmall(place.output, '300k')
    const program = startHurt(place)
    await waits(program, 3)
    program.child.kill('SIGTERM')
    await program.ended
    execFileSync('mount', ['-o', 'remount,size=8m', place.output])
    const healthy = await runHurt(place)
    expect(healthy.exitCode).toBe(0)
    expect(counts(place)).toEqual(expectedCounts(idsUpTo(rows)))
  },
)
