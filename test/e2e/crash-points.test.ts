import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crashPoints } from '../../src/base/env.ts'
import { CrashPointRuns, crashedElsewhere, differences, pointsOfJobs } from './crash-points.ts'
import { projectRoot } from './program.ts'

let runs: CrashPointRuns

beforeAll(async () => {
  runs = await CrashPointRuns.open(4_000)
}, 120_000)

afterAll(() => runs.close())

// One of each part of a commit; `npm run test:kill-points` goes through all.
test.each([
  'log.append.half',
  'op.capture',
  'op.slice.write',
  'coord.manifest.publish',
  'coord.notify.before',
  'sink.commit.sent',
  'recover.recommit',
] as const)(
  'a process killed at %s leaves what the next one needs',
  async (point) => {
    expect(await runs.run(point, 1)).toMatchObject({ reached: true, problems: [] })
  },
  120_000,
)

test('every crash point is one of jobs, or crashes in a simulated machine', () => {
  const faults = readFileSync(join(projectRoot, 'src/log/faults.test.ts'), 'utf8')
  for (const point of crashedElsewhere) expect(faults).toContain(`'${point}'`)
  expect([...pointsOfJobs, ...crashedElsewhere].sort()).toEqual([...crashPoints].sort())
})

test('a lost row, a repeated one and another one are noticed', () => {
  const right = { files: ['a', 'b'], topic: ['a'] }
  expect(differences(right, right)).toEqual([])
  expect(differences({ ...right, files: ['a'] }, right)).toHaveLength(1)
  expect(differences({ ...right, topic: ['a', 'a'] }, right)).toHaveLength(1)
  expect(differences({ files: ['a', 'c'], topic: [] }, right)).toHaveLength(2)
})
