import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Frame } from '../frame/frame.ts'
import { createFrameBuilder } from '../frame/create-builder.ts'
import { layoutOf } from '../frame/layout.ts'
import { int } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import { contextOf } from '../testing/conformance/sink-life.ts'
import { sourceConformance } from '../testing/conformance/source.ts'
import { createWorld } from '../testing/world/world.ts'
import { discard, forEach, stdout } from './at-least-once.ts'
import { datagen } from './datagen.ts'
import { installNodeFileClients } from './file/client.ts'
import { csv } from './file/csv.ts'
import { codeOf, scratchDirectory } from './file/files.test-support.ts'
import { jsonLines } from './file/json-lines.ts'
import { lines } from './file/lines.ts'
import { memorySink } from './memory/memory-sink.ts'
import { memoryFrames, memorySource } from './memory/memory-source.ts'
import { nodeEnv, readAll } from './read-all.test-support.ts'

const scratch = scratchDirectory()
beforeAll(() => installNodeFileClients())
const row = struct('row', { n: field(1, int) })

function frames(count: number): Frame[] {
  const builder = createFrameBuilder(layoutOf(row))
  return Array.from({ length: count }, (_, i) => {
    builder.append({ n: 2 * i })
    builder.append({ n: 2 * i + 1 })
    return builder.build()
  })
}

const small = { chunkBytes: 50, batchRowsMax: 3 }
const text = Array.from({ length: 60 }, (_, i) => (i % 9 === 4 ? 'not a row' : `{"n":${i}}`)).join(
  '\n',
)
const suites = {
  lines: () => lines(scratch.write('l.txt', text), small),
  'lines of gzip': () => lines(scratch.write('l.gz', gzipSync(text)), small),
  jsonLines: () => jsonLines(scratch.write('j.jsonl', text), row, small),
  csv: () =>
    csv({
      path: scratch.write('c.csv', `n\n${text.replaceAll(/\{"n":|\}/g, '')}`),
      schema: row,
      ...small,
    }),
  memorySource: () =>
    memorySource(
      Array.from({ length: 2500 }, (_, i) => ({ i })),
      { partitions: 3 },
    ),
  memoryFrames: () => memoryFrames([frames(5), frames(2)], { schema: row }),
  datagen: () => datagen({ row: (n) => ({ n }), count: 3000, partitions: 2 }),
}
for (const [name, make] of Object.entries(suites))
  sourceConformance({ describe, test }, { name, env: nodeEnv, make })

test('datagen keeps its rate on the clock of the host and refuses batch mode without an end', async () => {
  const end = await createWorld({ seed: 1 }).run(async (env) => {
    const handle = await datagen({ row: (n) => n, ratePerSec: 100 }).open({
      env,
      name: 'd',
      fields: undefined,
      mode: 'stream',
    })
    const reader = await handle.reader('0', undefined)
    let count = 0
    const start = env.clock.monoMs()
    while (env.clock.monoMs() - start < 2000) {
      const batch = await reader.read()
      if (typeof batch === 'object' && batch.kind === 'rows') count += batch.rows.length
      else await reader.wait(200)
    }
    return count
  })
  expect(end.kind === 'done' && Math.abs(end.value - 200) <= 2).toBe(true)
  expect(await codeOf(readAll(datagen({ row: (n) => n })))).toBe('TM1709')
  expect(() => datagen({ row: (n) => n, ratePerSec: 0 })).toThrow('ratePerSec')
  // From JavaScript, where no type says so.
  expect(() => datagen(JSON.parse('{"count":1}') as Parameters<typeof datagen>[0])).toThrow('`row`')
})

test('memorySource refuses a position beyond its rows (F14)', async () => {
  const { positions } = await readAll(memorySource([1, 2, 3]))
  expect(await codeOf(readAll(memorySource([1]), { partition: '0', from: positions[0]! }))).toBe(
    'TM1702',
  )
})

test('memorySink shows committed rows, and finishes or drops prepared ones', async () => {
  const out = memorySink<number>()
  const writer = await out.open(contextOf(nodeEnv))
  for (const n of [1, 2]) writer.write(n, Number.NaN)
  const first = writer.prepare(1)
  writer.write(3, Number.NaN)
  expect([out.records, out.pending]).toEqual([[], [1, 2, 3]])
  await writer.prepare(2)
  await writer.close()
  const again = await out.open(contextOf(nodeEnv, { generation: 2 }))
  for (let i = 0; i < 2; i++) await again.recover([{ epoch: 1, prepared: await first }])
  expect([out.records, out.pending]).toEqual([[1, 2], []])
})

test('stdout is prepared when all of an epoch is out, also what a pending flush has taken', async () => {
  const written: string[] = []
  const ends: (() => void)[] = []
  const host = {
    writeOut: (text: string) =>
      new Promise<void>((resolve) => {
        ends.push(() => {
          written.push(text)
          resolve()
        })
      }),
  }
  const env = { ...nodeEnv, host: { ...nodeEnv.host, ...host } }
  const writer = await stdout().open(contextOf(env))
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  writer.write('a', Number.NaN)
  const flushing = writer.flush()
  let prepared = false
  const preparing = writer.prepare(1).then(() => {
    prepared = true
  })
  writer.write('b', Number.NaN)
  const later = writer.flush()
  await turn()
  expect(prepared).toBe(false)
  ends[0]?.()
  await Promise.all([flushing, preparing])
  await turn()
  ends[1]?.()
  await later
  expect(written).toEqual(['a\n', 'b\n'])
})

test('stdout prints, forEach calls, discard counts', async () => {
  const world = createWorld({ seed: 1 })
  const called: unknown[] = []
  await world.run(async (env) => {
    for (const sink of [stdout(), forEach((one, at) => called.push([one, at])), discard()]) {
      const writer = await sink.open(contextOf(env))
      writer.write('text', 5)
      writer.write({ a: -0 }, Number.NaN)
      expect((await writer.prepare(1)).length).toBe(0)
      expect(writer.counts().received).toBe(2)
    }
    const failing = await forEach(() => {
      throw new Error('no')
    }).open(contextOf(env))
    expect(() => failing.write(1, 0)).toThrow('the function of a sink threw: no')
  })
  expect(world.output).toBe('text\n{"a":0}\n')
  expect(called).toEqual([
    ['text', 5],
    [{ a: -0 }, Number.NaN],
  ])
})
