/** Thousands of small partitions: what is done for each of them must not grow with their number. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lines, memorySink, pipeline, seconds, timestamp, tumbling } from '../../src/index.ts'

const fileCount = 2_000

/** Ten times what it takes; it took four times that when each end was told again and again. */
const msMax = 20_000

test.each(['stream', 'batch'] as const)(
  '%s: a file each',
  async (mode) => {
    const folder = mkdtempSync(join(tmpdir(), 'tidemill-many-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    mkdirSync(join(folder, 'in'))
    const paths = Array.from({ length: fileCount }, (_, i) => join(folder, 'in', `${i}.txt`))
    for (const [i, path] of paths.entries()) writeFileSync(path, `${i}\n${i + 1}\n`)

    const counts = memorySink<{ readonly count: number }>()
    const app = pipeline('many')
    app
      .from('times', lines(paths))
      .withEventTime({
        timestamp: (line) => timestamp(Number(line)),
        maxOutOfOrderness: seconds(9),
      })
      .keyBy(() => 'all')
      .window(tumbling(seconds(1)))
      .count('counts')
      .dropLate('nothing is')
      .to('counts', counts)
    await app.run({ mode, state: join(folder, 'state') })
    expect(counts.records.map((row) => row.count)).toEqual([1_999, 2_000, 1])
  },
  msMax,
)
