import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runExample } from '../run-example.test-support.ts'
import { naiveHotItems } from './naive.test-support.ts'
import { hotItemsSample } from './sample.ts'

const job = 'examples/hot-items/job.ts'
const sample = 'examples/hot-items/sample.csv'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hot-items-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('hot items of the sample', () => {
  test('the sample is what its generator makes', () => {
    expect(readFileSync(sample, 'utf8')).toBe(hotItemsSample())
  })

  test('stream: the naive answer, with late and rejected rows', async () => {
    const run = await runExample({ job, input: [sample], mode: 'stream' })
    const expected = naiveHotItems([{ file: sample, text: hotItemsSample() }], 'stream')
    expect(run.sinks).toEqual(expected)
    expect(expected.late.length).toBeGreaterThan(0)
    expect(expected.rejected).toHaveLength(6)
    expect(run).toMatchObject({
      exitCode: 0,
      summary: {
        status: 'finished',
        recordsRead: 1812,
        recordsLate: expected.late.length,
        recordsRejected: 6,
      },
    })
  })

  test('batch of a gzip file: nothing is late', async () => {
    const file = write('sample.csv.gz', gzipSync(hotItemsSample()))
    const run = await runExample({ job, input: [file], mode: 'batch' })
    const expected = naiveHotItems([{ file, text: hotItemsSample() }], 'batch')
    expect(run.sinks).toEqual(expected)
    expect(expected.late).toEqual([])
  })
})

describe('hot items of odd input', () => {
  test.each(['stream', 'batch'] as const)(
    '%s: line ends, ties, bounds, empty files',
    async (mode) => {
      const noon = Date.UTC(2024, 0, 1, 12) / 1000
      const text = [
        // Ties go to the smaller item, also with more digits.
        `1,1000,1,pv,${noon}`,
        `1,999,1,pv,${noon}`,
        `1,5,1,pv,${noon}`,
        `1,70,1,pv,${noon}`,
        // Moves time though it is no view; the next one is exactly ten seconds behind, on time.
        `1,5,1,cart,${noon + 4_000}`,
        `2,5,1,pv,${noon + 3_990}`,
        `2,5,1,pv,${noon + 299}`,
        `2,5,1,pv,${noon + 300}`,
        `1,5,1,pv,${Date.UTC(2000, 0, 1) / 1000 - 1}`,
        '1,5,1,pv,99999999999999',
        '1,5,1,,1704110400',
        '1.5,5,1,pv,1704110400',
        `9007199254740993,5,1,pv,${noon + 4_001}`,
        ' ',
        `7,8,1,buy,${noon + 4_001}`,
      ].join('\r\n')
      const files = [
        write('odd.csv', `${text}\r\n`),
        write('empty.csv', ''),
        write('line-end.csv', '\n'),
      ]
      const run = await runExample({ job, input: files, mode })
      const expected = naiveHotItems(
        files.map((file) => ({ file, text: readFileSync(file, 'utf8') })),
        'batch',
      )
      expect(run).toMatchObject({ exitCode: 0, sinks: expected })
      expect(expected.rejected).toHaveLength(7)
    },
  )

  test('lines that are no text or far too long are rejected, and the others count', async () => {
    const file = write(
      'bytes.csv',
      Buffer.concat([
        Buffer.from('1,5,1,pv,1704110400\n1,5,1,p'),
        Buffer.from([0xff, 0x0a]),
        Buffer.from(`${'9'.repeat(1_100_000)}\n1,5,1,pv,1704110400\n`),
      ]),
    )
    const { exitCode, sinks } = await runExample({ job, input: [file], mode: 'stream' })
    const rejected = (sinks['rejected'] ?? []).map((line) => JSON.parse(line))
    expect(exitCode).toBe(0)
    expect(rejected).toMatchObject([
      { file, line: 2, raw: '1,5,1,p\uFFFD' },
      { file, line: 3, raw: '9'.repeat(1024) },
    ])
    expect(sinks['hot-items']?.map((line) => JSON.parse(line).count)).toEqual(Array(12).fill(2))
  })
})
