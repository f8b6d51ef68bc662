import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runExample } from '../run-example.test-support.ts'
import { naiveCellQuality } from './naive.test-support.ts'
import { cellQualitySample, header } from './sample.ts'

const job = 'examples/cell-quality/job.ts'
const sample = 'examples/cell-quality/sample.csv'
const nothingLate = { 'late-cell-minute': [], 'late-coverage-hole': [] }

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cell-quality-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function read(file: string): { file: string; text: string } {
  return { file, text: readFileSync(file, 'utf8') }
}

describe('cell quality of the sample', () => {
  const expected = naiveCellQuality([read(sample)])

  test('the sample is what its generator makes', () => {
    expect(readFileSync(sample, 'utf8')).toBe(
      `${[header, ...cellQualitySample().flat()].join('\n')}\n`,
    )
    expect(expected['coverage-hole']).toHaveLength(2)
  })

  test('batch of one file gives the naive answer', async () => {
    const run = await runExample({ job, input: [sample], mode: 'batch' })
    expect(run).toMatchObject({ exitCode: 0, sinks: { ...expected, ...nothingLate } })
  })

  test.each(['stream', 'batch'] as const)('%s of a file per trace gives the same', async (mode) => {
    const files = cellQualitySample().map((rows, i) => {
      const text = `${[...(i === 1 ? [] : [header]), ...rows].join('\n')}\n`
      return i === 2 ? write(`${i}.csv.gz`, gzipSync(text)) : write(`${i}.csv`, text)
    })
    const run = await runExample({ job, input: files, mode })
    const { 'cell-minute': minutes, 'coverage-hole': holes, ...rest } = run.sinks
    expect({ 'cell-minute': minutes, 'coverage-hole': holes }).toEqual({
      'cell-minute': expected['cell-minute'],
      'coverage-hole': expected['coverage-hole'],
    })
    expect(rest).toMatchObject(nothingLate)
    expect(rest['rejected']).toHaveLength(expected.rejected.length)
  })
})

describe('cell quality of odd input', () => {
  /** Seconds of the day and RSRP; other columns as given. */
  const row = (
    trace: string,
    second: number,
    rsrp: string,
    other: Readonly<Record<number, string>> = {},
  ): string => {
    const time = new Date(Date.UTC(2020, 1, 1) + second * 1000)
      .toISOString()
      .slice(11, 19)
      .replaceAll(':', '.')
    const values =
      `${trace},2020.02.01_${time},0,0,0,B,1,LTE,${rsrp},-9,2.5,8,-,1,1,D,-,-,-,-,-,1,AA,9C,1,-,-`.split(
        ',',
      )
    for (const [index, value] of Object.entries(other)) values[Number(index)] = value
    return values.join(',')
  }
  const weak = (trace: string, ...seconds: readonly number[]): readonly string[] =>
    seconds.map((s) => row(trace, s, '-111'))

  test.each(['stream', 'batch'] as const)(
    '%s: bounds of episodes, bad rows, line ends',
    async (mode) => {
      const text = [
        header,
        // A gap of exactly 5 s goes on, and 10 s are enough; -110 ends an episode.
        ...weak('gap-5', 0, 5, 10),
        row('gap-5', 11, '-110'),
        ...weak('gap-5', 12, 13),
        // 6 s are a gap: two runs of 5 s each.
        ...weak('gap-6', 60, 65, 71, 76),
        // The rows between have no RSRP, so they do not close the gap either way.
        ...weak('dash', 120, 124),
        row('dash', 126, '-'),
        ...weak('dash', 129, 133),
        row('dash', 134, '-', { 22: '-' }),
        // Same second: what comes first in the file comes first. Ends with the input, 20 s long.
        ...weak('ties', 200),
        row('ties', 200, '-100'),
        ...weak('ties', 200, 205, 210, 215, 220),
        ...weak('single', 230),
        // Two rows in the wrong order, and an episode that begins with a row without a node.
        row('swap', 240, '-120', { 22: '-' }),
        ...weak('swap', 245, 244, 250),
        row('junk', 260, 'strong'),
        row('junk', 260, '-90', { 10: '1e' }),
        row('junk', 260, '-90', { 1: '2020.02.30_00.00.00' }),
        row('junk', 261, '-90', { 0: '' }),
        row('null', 262, '-', { 10: '-', 21: '9' }),
        row('zero', 263, '-0', { 10: '-0.00001', 21: '8' }),
        'a,b',
        '',
        row('torn', 270, '-99').slice(0, 60),
      ].join('\r\n')
      const files = [
        write('odd.csv', text),
        write('empty.csv', ''),
        write('header.csv', `${header}\n`),
      ]
      const run = await runExample({ job, input: files, mode })
      const expected = naiveCellQuality(files.map(read))
      expect(run).toMatchObject({ exitCode: 0, sinks: { ...expected, ...nothingLate } })
      expect(expected['coverage-hole'].map((line) => JSON.parse(line).trace)).toEqual([
        'dash',
        'gap-5',
        'swap',
        'ties',
      ])
      expect(expected.rejected).toHaveLength(9)
      expect(
        expected['cell-minute'].some((line) =>
          line.includes('"rsrpMean":null,"rsrpMin":null,"snrMean":null'),
        ),
      ).toBe(true)
      expect(JSON.stringify(run.sinks)).not.toMatch(/:-0[,}]/)
    },
  )

  test('values in quotes are read without them', async () => {
    const plain = write('plain.csv', [...weak('q', 0, 5, 10), row('q', 11, '-100')].join('\n'))
    const quoted = write(
      'quoted.csv',
      readFileSync(plain, 'utf8').replaceAll('q,', '"q",').replaceAll(',AA,', ',"AA",'),
    )
    const sinks = async (file: string) =>
      (await runExample({ job, input: [file], mode: 'stream' })).sinks
    expect(await sinks(quoted)).toEqual(await sinks(plain))
  })

  test('a line that is no text is rejected, and the others count', async () => {
    const text = [row('a', 0, '-90'), row('?', 1, '-90'), row('a', 2, '-90')].join('\n')
    const bytes = Buffer.from(text)
    bytes[bytes.indexOf('?')] = 0xff
    const file = write('bytes.csv', bytes)
    const { exitCode, sinks } = await runExample({ job, input: [file], mode: 'stream' })
    expect(exitCode).toBe(0)
    expect(sinks['rejected']?.map((line) => JSON.parse(line))).toMatchObject([
      { file, line: 2, raw: row('\uFFFD', 1, '-90') },
    ])
    expect(sinks['cell-minute']?.map((line) => JSON.parse(line).samples)).toEqual([2])
  })

  test('stream: what the watermark has passed is reported as late', async () => {
    const file = write(
      'late.csv',
      [...weak('a', 100, 105), row('a', 300, '-90'), ...weak('a', 294, 295)].join('\n'),
    )
    const { sinks } = await runExample({ job, input: [file], mode: 'stream' })
    expect(sinks['late-coverage-hole']?.map((line) => JSON.parse(line))).toMatchObject([
      { file, line: 4, lateByMs: 999 },
    ])
  })
})
