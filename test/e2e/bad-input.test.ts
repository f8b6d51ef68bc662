import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { committedLines, type ProgramEnd, runArguments, runProgram } from './program.ts'

interface BadRun {
  readonly end: ProgramEnd
  readonly sinks: Readonly<Record<string, readonly unknown[]>>
  readonly input: string
}

async function runOn(
  content: string | Buffer,
  params: Readonly<Record<string, string>> = {},
): Promise<BadRun> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bad-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const input = join(folder, 'rows.jsonl')
  writeFileSync(input, content)
  const output = join(folder, 'output')
  const end = await runProgram(
    runArguments({
      job: 'test/e2e/jobs/bad-input.ts',
      state: join(folder, 'state'),
      params: { input, output, ...params },
    }),
  )
  const sinks = Object.entries(committedLines(output)).map(
    ([sink, lines]) => [sink, lines.map((line) => JSON.parse(line))] as const,
  )
  return { end, sinks: Object.fromEntries(sinks), input }
}

const good = (id: number): string => `{"id":${id}}`
const deep = `{"id":3,"key":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
const huge = `{"id":4,"key":"${'x'.repeat(3 << 20)}"}`

const badLines: readonly (readonly [what: string, line: string | Buffer, code: string])[] = [
  ['a byte that is not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'TM1711'],
  ['a line of 3 MiB', huge, 'TM1710'],
  ['JSON nested 100,000 deep', deep, 'TM1712'],
  ['a torn line', '{"id":5,"ke', 'TM1713'],
]

test('lines that cannot be read are set aside with place and code; all others count', async () => {
  const parts = badLines.flatMap(([, line], i) => [good(i), '\n', line, '\n'])
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const { end, sinks, input } = await runOn(content)
  expect([end.stderr, end.exitCode]).toEqual(['', 0])
  expect(sinks['counts']).toEqual([{ key: 'string:all', count: badLines.length }])
  const refused = badLines.map(([, , code], i) =>
    expect.objectContaining({ code, place: expect.stringContaining(`${input}:${2 * i + 2}`) }),
  )
  expect(sinks['undecodable']).toHaveLength(refused.length)
  expect(sinks['undecodable']).toEqual(expect.arrayContaining(refused))
  expect(end.summary['recordsRejected']).toBe(badLines.length)
})

test.each(badLines)('the policy fail names file and line: %s', async (_, line, code) => {
  const content = Buffer.concat(
    [good(1), '\n', line, '\n', good(2), '\n'].map((part) => Buffer.from(part)),
  )
  const { end, input } = await runOn(content, { policy: 'fail' })
  expect(end.exitCode).toBe(1)
  expect(end.stderr).toContain(code)
  expect(end.stderr).toContain(input)
  expect(end.stderr).toMatch(/:2\b/)
  // The record may be megabytes; the message is for people.
  expect(end.stderr.length).toBeLessThan(20_000)
})

test('times that are no times are set aside and move no watermark', async () => {
  const rows = [
    { id: 1, at: 1_000 },
    { id: 2, at: 1e300 },
    { id: 3, at: 'NaN' },
    { id: 4, at: '1e400' },
    { id: 5, at: 9e15 },
    { id: 6, at: -1e300 },
    { id: 7, at: 2_000 },
    { id: 8, at: -5_000 },
  ]
  const { end, sinks } = await runOn(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  expect([end.stderr, end.exitCode]).toEqual(['', 0])
  expect(new Set(sinks['untimed']?.map((row) => (row as { id: number }).id))).toEqual(
    new Set([2, 3, 4, 5, 6]),
  )
  // Had an absurd time moved the watermark, row 7 would be late as well. Row 8 is: a minute before 1970 was over.
  expect(sinks['late']).toEqual([{ id: 8 }])
  expect(sinks['counts']).toEqual([{ key: 'string:all', count: 2 }])
})

test('1, "1", true and 1n are four keys; 0 and -0 are one', async () => {
  const keys = [1, '1', true, '1n', 0, '-0', 1, '__proto__', 'constructor', 'constructor']
  const content = keys.map((key, id) => `${JSON.stringify({ id, key })}\n`).join('')
  const { end, sinks } = await runOn(content, { key: 'value' })
  expect([end.stderr, end.exitCode]).toEqual(['', 0])
  const counts = Object.fromEntries(
    (sinks['counts'] as { key: string; count: number }[]).map(({ key, count }) => [key, count]),
  )
  expect(counts).toEqual({
    'number:1': 2,
    'string:1': 1,
    'boolean:true': 1,
    'bigint:1': 1,
    'number:0': 2,
    'string:__proto__': 1,
    'string:constructor': 2,
  })
})

test.each([
  ['NaN', '"NaN"'],
  ['null', 'null'],
  ['an object', '{"a":1}'],
  ['a lone surrogate', '"\\ud800"'],
])('a key that is %s fails the job and names step and record', async (_, key) => {
  const { end, input } = await runOn(
    `${good(0).replace('}', ',"key":"k"}')}\n{"id":1,"key":${key}}\n`,
    { key: 'value' },
  )
  expect(end.exitCode).toBe(1)
  expect(end.stderr).toMatch(/TM1903|TM1042/)
  expect(end.stderr).toContain('operator')
  expect(end.stderr).toContain(`${input}:2`)
})

test.each([
  ['an empty file', '', 0],
  ['a file of blank lines', '\n\n\n', 0],
  ['one row without a line break', good(1), 1],
])('%s is input like any other', async (_, content, count) => {
  const { end, sinks } = await runOn(content)
  expect([end.stderr, end.exitCode, end.summary['status']]).toEqual(['', 0, 'finished'])
  expect(end.summary['recordsRead']).toBe(count)
  expect(sinks['counts'] ?? []).toHaveLength(count)
})
