import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { realData, runExample } from '../run-example.test-support.ts'
import { naiveHotItems } from './naive.test-support.ts'

const job = 'examples/hot-items/job.ts'
const zipped = join(realData, 'user-behavior.csv.gz')
const skipped = existsSync(zipped) ? undefined : `${zipped} is absent`

describe.skipIf(skipped !== undefined)(
  `hot items of a real shop${skipped ? ` (skipped: ${skipped})` : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'hot-items-real-'))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))
    const text = skipped === undefined ? gunzipSync(readFileSync(zipped)).toString('utf8') : ''
    const plain = join(folder, 'user-behavior.csv')
    writeFileSync(plain, text)

    test.each([
      ['stream', zipped],
      ['stream', plain],
      ['batch', zipped],
    ] as const)('%s of %s gives the naive answer', async (mode, file) => {
      const run = await runExample({ job, input: [file], mode })
      expect(run.exitCode).toBe(0)
      const expected = naiveHotItems([{ file, text }], mode)
      expect(run.sinks).toEqual(expected)
      // The torn last row is reported; a minute of real time order has no late rows.
      expect(expected.rejected).toHaveLength(1)
      expect(expected['hot-items'].length).toBeGreaterThan(100)
    })
  },
)
