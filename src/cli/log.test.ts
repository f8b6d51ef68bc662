import { closeSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { partitionOfKey } from '../connectors/log/log-sink.ts'
import { logSink } from '../connectors/log/log-topic.ts'
import { createNodeEnv } from '../platform/node.ts'
import { int, int64, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { contextOf } from '../testing/conformance/sink-life.ts'
import { runHere } from './program-here.test-support.ts'
import { lastObject, type ProgramEnd, ProgramFolder } from './program.test-support.ts'

const folder = new ProgramFolder()
afterAll(() => folder.remove())

const log = (command: string, topic: string, ...more: readonly string[]) =>
  ['log', command, topic, '--dir', 'log', ...more] as const

const run = (...argv: readonly string[]): Promise<ProgramEnd> => runHere(folder.path, ...argv)

/** As from standard input, but from a file. */
function runOn(input: string | Uint8Array, ...argv: readonly string[]): Promise<ProgramEnd> {
  writeFileSync(join(folder.path, 'input'), input)
  return run(...argv, '--file', 'input')
}

function objects(text: string): readonly unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('create, append, read, describe and verify a topic', async () => {
  const created = await run(
    ...log('create', 'orders', '--partitions', '2', '--retain-time', '7d', '--json'),
  )
  expect(created).toMatchObject({ exitCode: 0, stderr: '' })
  expect(lastObject(created)).toMatchObject({
    name: 'orders',
    partitions: 2,
    retention: { ageMs: 604_800_000 },
  })
  expect(await run(...log('create', 'orders'))).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^TM1201/),
  })

  const rows = [
    { id: 'a', n: 1 },
    { id: 'b', n: 2 },
    { id: 'a', n: 3 },
    { id: 7, n: 4 },
  ].map((row) => JSON.stringify(row))
  const appended = await runOn(
    `${rows.join('\r\n')}\n`,
    ...log('append', 'orders', '--key', 'id', '--json'),
  )
  expect(lastObject(appended)).toMatchObject({ topic: 'orders', records: 4 })

  const read = await run(...log('read', 'orders', '--json'))
  const records = objects(read.stdout) as readonly {
    partition: number
    key: string
    value: string
  }[]
  expect(records.map(({ value }) => value).sort()).toEqual([...rows].sort())
  const ofA = records.filter(({ key }) => key === 'a')
  expect(ofA.map(({ value }) => value)).toEqual([rows[0], rows[2]])
  expect(new Set(ofA.map(({ partition }) => partition)).size).toBe(1)

  // What read prints, append takes: the copy is the same but for its place.
  await run(...log('create', 'copy'))
  expect(await runOn(read.stdout, ...log('append', 'copy', '--records'))).toMatchObject({
    exitCode: 0,
  })
  const copy = objects((await run(...log('read', 'copy', '--json'))).stdout) as readonly object[]
  expect(copy).toEqual(records.map((record, offset) => ({ ...record, partition: 0, offset })))

  const described = lastObject(await run(...log('describe', 'copy', '--json')))
  expect(described).toMatchObject({
    name: 'copy',
    partitionInfo: [{ startOffset: 0, endOffset: 4, clean: true }],
  })
  const verified = await run(...log('verify', 'copy', '--json'))
  expect(verified.exitCode).toBe(0)
  expect(lastObject(verified)).toMatchObject({ intact: true, records: 4 })
  flipByte('copy')
  const damaged = await run(...log('verify', 'copy', '--json'))
  expect(damaged.exitCode).toBe(3)
  expect(lastObject(damaged)).toMatchObject({ intact: false })
  expect(damaged.stdout).toContain('the checksum of the batch does not match')
  expect(await run(...log('read', 'copy'))).toMatchObject({
    exitCode: 3,
    stderr: expect.stringMatching(/^TM120[67]/),
  })
})

/** In the middle of the first batch. */
function flipByte(topic: string): void {
  const path = join(folder.path, 'log', topic)
  const file =
    readdirSync(path, { recursive: true })
      .map(String)
      .find((name) => name.endsWith('.log')) ?? ''
  const opened = openSync(join(path, file), 'r+')
  writeSync(opened, new Uint8Array([0x5a]), 0, 1, 200)
  closeSync(opened)
}

test('rows that a job wrote with a schema are printed, and append takes them', async () => {
  const env = createNodeEnv({ logLevel: 'error' })
  const reading = struct('reading', {
    id: field(1, int),
    name: field(2, text),
    big: field(3, int64),
  })
  const write = async (topic: string, count: number): Promise<void> => {
    const sink = logSink({
      directory: join(folder.path, 'log'),
      topic,
      value: reading,
      partitions: 1,
    })
    const writer = await sink.open(contextOf(env, { fresh: true }))
    await writer.recover([])
    for (let id = 0; id < count; id++)
      writer.write({ id, name: `n${id}`, big: BigInt(id) }, id === 1 ? Number.NaN : 1_000 * id)
    await writer.commit(1, await writer.prepare(1))
    await writer.close()
  }
  await write('frames', 300)
  const some = await run(...log('read', 'frames', '--from', '255', '--limit', '2', '--json'))
  expect(some.stderr).toBe('')
  expect(objects(some.stdout)).toEqual(
    [255, 256].map((id) => ({
      partition: 0,
      offset: id,
      timestamp: 1_000 * id,
      key: null,
      value: `{"id":${id},"name":"n${id}","big":"${id}"}`,
    })),
  )
  const all = await run(...log('read', 'frames', '--json'))
  expect(objects(all.stdout)).toHaveLength(300)
  expect(objects(all.stdout)[1]).not.toHaveProperty('timestamp')
  const shown = await run(...log('read', 'frames', '--limit', '1'))
  expect(shown.stdout).toBe('0:0\t1970-01-01T00:00:00.000Z\t-\t{"id":0,"name":"n0","big":"0"}\n')
  await run(...log('create', 'frames-copy'))
  expect(await runOn(all.stdout, ...log('append', 'frames-copy', '--records'))).toMatchObject({
    exitCode: 0,
  })

  // Topics of before have no schema beside them: their frames are told, not shown.
  await write('old', 3)
  const home = join(folder.path, 'log', 'old')
  for (const name of readdirSync(home).filter((one) => one.startsWith('schema-')))
    rmSync(join(home, name))
  expect((await run(...log('read', 'old'))).stdout).toMatch(
    /^0:0 {2}3 rows in a frame of \d+ bytes\n$/,
  )
})

test('text lines, bad lines, ranges and limits', async () => {
  await run(...log('create', 'lines'))
  const lines = Array.from({ length: 1_200 }, (_, i) => `line ${i}`)
  expect(await folder.runOn(lines.join('\n'), ...log('append', 'lines'))).toMatchObject({
    stdout: 'lines: appended 1200 records; partition 0 up to offset 1200\n',
  })
  const { stdout } = await run(...log('read', 'lines', '--from', '1000', '--limit', '2'))
  expect(stdout.split('\n').map((line) => line.split('\t').slice(-1)[0])).toEqual([
    'line 1000',
    'line 1001',
    '',
  ])
  const bad = await runOn(
    '{"id":1}\n{"other":2}\n{"id":3}\n',
    ...log('append', 'lines', '--key', 'id', '--json'),
  )
  expect(bad.exitCode).toBe(1)
  expect(lastObject(bad)).toMatchObject({
    error: { code: 'TM1219', details: { line: 2, appended: 1 } },
  })
  const utf16 = await runOn(new Uint8Array([0xff, 0xfe, 0x41, 0x0a]), ...log('append', 'lines'))
  expect(utf16).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^TM1219/) })
})

test.each([
  ['an unknown topic', ['log', 'read', 'nothing', '--dir', 'log'], 'TM1200', 2],
  ['no directory', ['log', 'read', 'lines'], 'TM2001', 2],
  ['a bad offset', ['log', 'read', 'lines', '--dir', 'log', '--from', 'now'], 'TM2001', 2],
  ['a missing file', ['log', 'append', 'lines', '--dir', 'log', '--file', 'nowhere'], 'TM2012', 2],
  [
    'two ways to find a key',
    ['log', 'append', 'lines', '--dir', 'log', '--key', 'a', '--records'],
    'TM2001',
    2,
  ],
])('%s is a usage error', async (_, argv, code, exitCode) => {
  expect(await run(...argv)).toMatchObject({
    exitCode,
    stderr: expect.stringMatching(new RegExp(`^${code} `)),
  })
})

test('follow prints what comes until it is interrupted; a second writer is kept out', async () => {
  await run(...log('create', 'live'))
  const reader = folder.start(...log('read', 'live', '--follow', '--json'))
  const writer = folder.start(...log('append', 'live'))
  writer.child.stdin?.write('first\n')
  await reader.saw('first')
  expect(await run(...log('append', 'live'))).toMatchObject({
    exitCode: 4,
    stderr: expect.stringMatching(/^TM1204/),
  })
  writer.child.stdin?.end('second\n')
  await reader.saw('second')
  reader.child.kill('SIGINT')
  expect(await reader.end).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await writer.end).toMatchObject({ exitCode: 0 })
})

test('a reader that has enough ends the command quietly', async () => {
  await run(...log('create', 'long'))
  await runOn(`${'x'.repeat(80)}\n`.repeat(20_000), ...log('append', 'long'))
  const bin = fileURLToPath(new URL('../../bin/tidemill.js', import.meta.url))
  const shell = spawn(
    'sh',
    ['-c', `'${process.execPath}' '${bin}' log read long --dir log | head -n 1`],
    { cwd: folder.path },
  )
  let stderr = ''
  let stdout = ''
  shell.stderr.on('data', (text) => (stderr += text))
  shell.stdout.on('data', (text) => (stdout += text))
  await new Promise((resolve) => shell.on('close', resolve))
  expect(stdout.split('\n')).toHaveLength(2)
  expect(stderr).toBe('')
})

test('a line that is not UTF-8 is named, and what comes before it is appended', async () => {
  await run(...log('create', 'bytes'))
  const input = Buffer.concat([Buffer.from('one\n\n'), Buffer.from([0xff]), Buffer.from('\nfour')])
  const end = await runOn(input, ...log('append', 'bytes', '--json'))
  expect(end.exitCode).toBe(1)
  expect(end.stderr).not.toContain('    at ')
  expect(lastObject(end)).toMatchObject({
    error: { code: 'TM1219', details: { line: 3, appended: 2 } },
  })
  const values = objects((await run(...log('read', 'bytes', '--json'))).stdout)
  expect(values).toMatchObject([{ value: 'one' }, { value: '' }])
})

test('an offset that no partition reaches is a mistake of the command, not damage', async () => {
  await run(...log('create', 'short', '--partitions', '2'))
  await runOn('a\nb\n', ...log('append', 'short', '--partition', '1'))
  const from1 = await run(...log('read', 'short', '--from', '1', '--json'))
  expect(objects(from1.stdout)).toMatchObject([{ partition: 1, offset: 1, value: 'b' }])
  for (const more of [
    ['--from', '9'],
    ['--from', '1', '--partition', '0'],
  ]) {
    expect(await run(...log('read', 'short', ...more))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('partition 0 ends at offset 0'),
    })
  }
})

test('a key goes to the partition that a job gives it: texts, numbers and booleans', async () => {
  await run(...log('create', 'keyed', '--partitions', '5'))
  const keys = ['a', '7', 7, 42, -3, 0.5, 1e21, true, false, '😀']
  const input = keys.map((k) => JSON.stringify({ k })).join('\n')
  expect((await runOn(input, ...log('append', 'keyed', '--key', 'k'))).exitCode).toBe(0)
  const read = objects((await run(...log('read', 'keyed', '--json'))).stdout) as readonly {
    partition: number
    value: string
  }[]
  expect(read).toHaveLength(keys.length)
  for (const { partition, value } of read)
    expect([value, partition]).toEqual([value, partitionOfKey(JSON.parse(value).k, 5)])
})

test('a key that is no text leaves the value readable, and is taken back', async () => {
  await run(...log('create', 'binary-key'))
  const line = { key: '20c01c', keyEncoding: 'hex', value: '{"id":7}' }
  expect(
    (await runOn(JSON.stringify(line), ...log('append', 'binary-key', '--records'))).exitCode,
  ).toBe(0)
  const read = await run(...log('read', 'binary-key', '--json'))
  expect(objects(read.stdout)).toMatchObject([line])
  expect((await run(...log('read', 'binary-key'))).stdout).toContain('\t0x20c01c\t{"id":7}')
})
