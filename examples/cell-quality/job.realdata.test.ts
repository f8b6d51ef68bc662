import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { realData, runExample } from '../run-example.test-support.ts'
import { naiveCellQuality } from './naive.test-support.ts'

const job = 'examples/cell-quality/job.ts'
const zipped = join(realData, 'cell-kpi.csv.gz')
const skipped = existsSync(zipped) ? undefined : `${zipped} is absent`

describe.skipIf(skipped !== undefined)(
  `cell quality of a real network${skipped ? ` (skipped: ${skipped})` : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'cell-quality-real-'))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))
    const text = skipped === undefined ? gunzipSync(readFileSync(zipped)).toString('utf8') : ''
    const expected = naiveCellQuality([{ file: zipped, text }])

    test('batch of one file gives the naive answer', async () => {
      const run = await runExample({ job, input: [zipped], mode: 'batch' })
      expect(run.exitCode).toBe(0)
      expect(run.sinks).toEqual({ ...expected, 'late-cell-minute': [], 'late-coverage-hole': [] })
      expect(expected.rejected).toHaveLength(176)
      expect(expected['coverage-hole'].length).toBeGreaterThan(0)
    })

    test.each(['stream', 'batch'] as const)(
      '%s of a file per trace gives the same',
      async (mode) => {
        const run = await runExample({ job, input: filePerTrace(), mode })
        expect(run.exitCode).toBe(0)
        expect(run.sinks['cell-minute']).toEqual(expected['cell-minute'])
        expect(run.sinks['coverage-hole']).toEqual(expected['coverage-hole'])
        expect(run.sinks['rejected']).toHaveLength(176)
        expect([run.sinks['late-cell-minute'], run.sinks['late-coverage-hole']]).toEqual([[], []])
      },
    )

    function filePerTrace(): readonly string[] {
      const [header = '', ...rows] = text.trimEnd().split('\n')
      const traces = new Map<string, string[]>()
      for (const row of rows) {
        const trace = row.slice(0, row.indexOf(','))
        const list = traces.get(trace) ?? [header]
        list.push(row)
        traces.set(trace, list)
      }
      return [...traces.values()].map((lines, i) => {
        const path = join(folder, `${i}.csv`)
        writeFileSync(path, `${lines.join('\n')}\n`)
        return path
      })
    }
  },
)
