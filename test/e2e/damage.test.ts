/**
 * Bits flipped in what a job left behind: in its checkpoints, ownership records and topics. Each flip is either refused
 * with the file's name or harmless - the results are those of an intact directory. A different result is never allowed.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { formatError, isTidemillError } from '../../src/base/errors.ts'
import { openLog } from '../../src/log/log.ts'
import { printRecords } from '../../src/log/text-records.ts'
import { createNodeEnv } from '../../src/platform/node.ts'
import {
  fileSink,
  int,
  json,
  lines,
  milliseconds,
  timestamp,
  logSink,
  pipeline,
  seconds,
  struct,
  text,
  field,
} from '../../src/index.ts'
import { committedLines, filesBelow, runProgram } from './program.ts'
import { expectedCounts, idsUpTo, keyCount, rowsText } from './rows.test-support.ts'

const env = createNodeEnv({ logLevel: 'error' })
const rows = 1_000
const root = mkdtempSync(join(tmpdir(), 'tidemill-damage-'))
const input = join(root, 'rows.csv')
/** Stopped in the middle: a start has to read all that the state consists of. */
const stopped = join(root, 'stopped')
const counted = struct('counted', { key: field(1, text), count: field(2, int) })

afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Counts rows per key into files and into a topic, below `folder`. */
async function count(folder: string, signal?: AbortSignal): Promise<void> {
  const app = pipeline('damage')
  let seen = 0
  const results = app
    .from('rows', lines(input, { batchRowsMax: 20 }))
    .map((line) => {
      seen++
      if (stopNow !== undefined && seen % 4 === 0) pause()
      if (seen === rows / 5) stopNow?.abort()
      return { key: line.split(',')[1] ?? '', at: timestamp(Number(line.split(',')[0]) * 1_000) }
    })
    .withEventTime({ timestamp: (row) => row.at, maxOutOfOrderness: seconds(1) })
    .keyBy((row) => row.key)
    .count('rows-of-key')
    .map(({ key, count }) => ({ key, count }), { row: counted })
  results.to('counts', fileSink({ directory: join(folder, 'output') }))
  results.to(
    'topic',
    logSink({
      directory: join(folder, 'log'),
      topic: 'counts',
      value: json(counted),
      partitions: 2,
    }),
  )
  await app.run({
    state: join(folder, 'state'),
    checkpointInterval: milliseconds(200),
    ...(signal ? { signal } : {}),
  })
}

let stopNow: AbortController | undefined

/** So that a signal to stop comes before the end. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4)
}

beforeAll(async () => {
  writeFileSync(input, rowsText(0, rows))
  stopNow = new AbortController()
  await count(stopped, stopNow.signal)
  stopNow = undefined
  const partial = committedLines(join(stopped, 'output'))['counts'] ?? []
  expect(partial.length).toBeGreaterThan(0)
  expect(partial.length).toBeLessThan(rows)
})

interface Flip {
  readonly file: string
  readonly byte: number
  readonly bit: number
}

/** `wanted` places, spread evenly over the files and, inside them, over their bytes; always the first and the last. */
function places(files: readonly string[], wanted: number): readonly Flip[] {
  const each = Math.ceil(wanted / files.length)
  return files.flatMap((file) => {
    const { length } = readFileSync(file)
    const count = Math.min(each, length)
    return Array.from({ length: count }, (_, i) => ({
      file,
      byte: count === 1 ? 0 : Math.round((i * (length - 1)) / (count - 1)),
      bit: (i * 5 + length) % 8,
    }))
  })
}

function flip({ file, byte, bit }: Flip): void {
  const bytes = readFileSync(file)
  bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit)
  writeFileSync(file, bytes)
}

/** What is wrong with a refusal: it must say which file, or the place and epoch in it. */
function misses(error: unknown, { file }: Flip): string | undefined {
  if (!isTidemillError(error)) return `no coded error: ${String(error)}`
  if (error.kind !== 'fatal' && error.kind !== 'user')
    return `${error.code} is ${error.kind}, not fatal`
  const told = formatError(error)
  return told.includes(basename(file)) ? undefined : `the file is not named: ${told}`
}

/** Four at a time: most of the time a start waits for the disk. */
async function each(
  flips: readonly Flip[],
  run: (flip: Flip, n: number) => Promise<void>,
): Promise<void> {
  const queue = [...flips.entries()]
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      await run(next[1], next[0])
  }
  await Promise.all([lane(), lane(), lane(), lane()])
}

describe('a checkpoint with one wrong bit', () => {
  test('is refused with the file, or the results are right', async () => {
    const files = filesBelow(join(stopped, 'state')).map((path) => relative(stopped, path))
    const flips = places(
      files.map((path) => join(stopped, path)),
      100,
    )
    // Damage in an older checkpoint is reported there and does no harm.
    const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const outcomes = { refused: 0, harmless: 0 }
    const wrong: string[] = []
    await each(flips, async ({ file, byte, bit }, n) => {
      const folder = join(root, `state-${n}`)
      cpSync(stopped, folder, { recursive: true })
      const damaged = { file: join(folder, relative(stopped, file)), byte, bit }
      flip(damaged)
      const place = `${relative(stopped, file)} byte ${byte} bit ${bit}`
      try {
        await count(folder)
        const lines = committedLines(join(folder, 'output'))['counts']
        const same = JSON.stringify(lines) === JSON.stringify(expectedCounts(idsUpTo(rows)))
        if (same) outcomes.harmless++
        else wrong.push(`${place}: other results`)
      } catch (error) {
        const problem = misses(error, damaged)
        if (problem === undefined) outcomes.refused++
        else wrong.push(`${place}: ${problem}`)
      }
      rmSync(folder, { recursive: true, force: true })
    })
    told.mockRestore()
    expect(wrong).toEqual([])
    expect(flips.length).toBeGreaterThanOrEqual(80)
    expect(outcomes.refused).toBeGreaterThan(flips.length / 4)
  })

  test.each(['manifest', 'data'])('stops the program with exit code 3: %s', async (ending) => {
    const folder = join(root, `program-${ending}`)
    mkdirSync(folder)
    cpSync(stopped, folder, { recursive: true })
    const newest =
      filesBelow(join(folder, 'state', 'checkpoints'))
        .filter((path) => path.endsWith(ending))
        .at(-1) ?? ''
    flip({ file: newest, byte: readFileSync(newest).length >> 1, bit: 3 })
    const { exitCode, stdout } = await runProgram([
      'snapshot',
      'check',
      join(folder, 'state'),
      '--json',
    ])
    expect(exitCode).toBe(3)
    expect(stdout).toContain(basename(newest))
  })
})

describe('a topic with one wrong bit', () => {
  async function readAll(directory: string): Promise<string[]> {
    const log = openLog({ env, directory })
    const values: string[] = []
    try {
      for (let partition = 0; partition < 2; partition++) {
        const reader = await log.openReader('counts', partition)
        for (
          let batches = await reader.read();
          batches !== undefined;
          batches = await reader.read()
        )
          for (const record of batches.flatMap((batch) => printRecords(batch)))
            values.push(`${partition}:${record.offset} ${record.value}`)
      }
      return values
    } finally {
      await log.close()
    }
  }

  test('is refused by readers with the file, or they read the same', async () => {
    const directory = join(stopped, 'log')
    const intact = await readAll(directory)
    expect(intact.length).toBeGreaterThan(keyCount)
    const flips = places(filesBelow(directory), 100)
    const wrong: string[] = []
    let refused = 0
    await each(flips, async ({ file, byte, bit }, n) => {
      const copy = join(root, `log-${n}`)
      cpSync(directory, copy, { recursive: true })
      const damaged = { file: join(copy, relative(directory, file)), byte, bit }
      flip(damaged)
      const place = `${relative(directory, file)} byte ${byte} bit ${bit}`
      try {
        const values = await readAll(copy)
        if (JSON.stringify(values) !== JSON.stringify(intact))
          wrong.push(`${place}: ${values.length} other records`)
      } catch (error) {
        const problem = misses(error, damaged)
        if (problem === undefined) refused++
        else wrong.push(`${place}: ${problem}`)
      }
      rmSync(copy, { recursive: true, force: true })
    })
    expect(wrong).toEqual([])
    expect(refused).toBeGreaterThan(10)
  })
})
