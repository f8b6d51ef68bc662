import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { committed, projectRoot, runProgram } from '../run-example.test-support.ts'
import { flightsFile } from './flight.ts'
import { naiveWorstAirports } from './naive.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flights-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const rows = 20_000

function run(job: string, state: string, ...params: readonly string[]) {
  const all = [`log=${join(folder, 'log')}`, ...params].flatMap((param) => ['--param', param])
  return runProgram([
    'run',
    `examples/flights/${job}`,
    '--state',
    join(folder, state),
    '--json',
    ...all,
  ])
}

test('replay and ranking give what a plain loop over the recording gives', async () => {
  const replay = await run('replay.job.ts', 'replay', `rows=${rows}`, 'rate=1000000')
  expect(replay.exitCode).toBe(0)
  expect(JSON.parse(replay.stdout)).toMatchObject({ recordsRead: rows, recordsWritten: rows })
  const output = join(folder, 'out')
  const ranking = await run('job.ts', 'ranking', `output=${output}`, 'until=end')
  expect(ranking.exitCode).toBe(0)
  const expected = await naiveWorstAirports(join(projectRoot, flightsFile), rows, 'end')
  expect(JSON.parse(ranking.stdout)).toMatchObject({
    recordsRead: rows,
    recordsWritten: expected.length,
  })
  expect(committed(output)['worst-airports']).toEqual(expected)
  expect(expected.length).toBeGreaterThan(300)
})
