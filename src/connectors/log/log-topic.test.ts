import { describe, expect, test } from 'vitest'
import type { Env } from '../../base/env.ts'
import { openLog } from '../../log/log.ts'
import { recordsBatch } from '../../log/records.ts'
import { json } from '../../schema/json.ts'
import { int, text } from '../../schema/scalars.ts'
import { field, struct } from '../../schema/struct.ts'
import { contextOf } from '../../testing/conformance/sink-life.ts'
import { sinkConformance } from '../../testing/conformance/sink.ts'
import { createWorld } from '../../testing/world/world.ts'
import type { Sink, Source } from '../contract.ts'
import { codeOf } from '../file/files.test-support.ts'
import { logSink, logSource } from './log-topic.ts'
import type { LogSinkOptions } from './options.ts'

interface Row {
  readonly i: number
  readonly text: string
}
const row = struct('row', { i: field(1, int), text: field(2, text) })
const make = (i: number): Row => ({ i, text: 'x'.repeat(i % 7) })

async function readTopic(env: Env, source: Source<Row>): Promise<Row[]> {
  const handle = await source.open({ env, name: 'in', fields: undefined, mode: 'batch' })
  const rows: Row[] = []
  for (const partition of await handle.partitions()) {
    let reader = await handle.reader(partition, undefined)
    for (let batch = await reader.read(); batch !== 'end'; batch = await reader.read()) {
      if (batch === 'idle') {
        await reader.wait(5)
        continue
      }
      if (batch.kind === 'rows') rows.push(...batch.rows)
      else for (let i = 0; i < batch.frame.length; i++) rows.push(batch.frame.row(i) as Row)
      const position = reader.position()
      await reader.close()
      reader = await handle.reader(partition, position)
    }
    await reader.close()
  }
  await handle.close()
  return rows
}

async function published(env: Env, value: LogSinkOptions<Row>['value']): Promise<Row[]> {
  const exists = (await env.disk.stat('/log/rows/topic.meta')) !== undefined
  if (!exists) return []
  return readTopic(env, logSource({ directory: '/log', topic: 'rows', value }))
}

for (const [name, over] of [
  ['frames', { value: row }],
  ['keyed records', { value: json<Row>(row), key: () => 'k' }],
] as const) {
  sinkConformance<Row>(
    { describe, test },
    {
      name: `logSink, ${name}`,
      make: () => logSink<Row>({ directory: '/log', topic: 'rows', partitions: 2, ...over }),
      row: make,
      published: (env) => published(env, over.value).then((rows) => rows.sort((a, b) => a.i - b.i)),
      seeds: 6,
    },
  )
}

async function write(
  env: Env,
  sink: Sink<Row>,
  rows: readonly Row[],
  generation = 1,
): Promise<void> {
  const writer = await sink.open(contextOf(env, { fresh: generation === 1, generation }))
  await writer.recover([])
  for (const one of rows) writer.write(one, one.i * 10)
  await writer.commit(generation, await writer.prepare(generation))
  await writer.close()
}

const inWorld = async <Result>(run: (env: Env) => Promise<Result>): Promise<Result> => {
  const end = await createWorld({ seed: 3 }).run(run)
  if (end.kind === 'failed') throw end.error
  if (end.kind !== 'done') throw new Error(end.kind)
  return end.value
}

describe('log topics', () => {
  const options = { directory: '/log', topic: 'rows', value: row }

  test('carry event time, positions in the middle of a frame, and lag', async () => {
    await inWorld(async (env) => {
      await write(
        env,
        logSink({ ...options, partitions: 1 }),
        Array.from({ length: 600 }, (_, i) => make(i)),
      )
      const handle = await logSource({ ...options, until: 'end' }).open({
        env,
        name: 'in',
        fields: undefined,
        mode: 'stream',
      })
      const reader = await handle.reader('0', undefined)
      const first = await reader.read()
      if (typeof first === 'string' || first.kind !== 'frame')
        throw new Error('a frame was expected')
      expect([first.frame.length, first.frame.timestampAt(3), first.locate(3)]).toEqual([
        256,
        30,
        'rows[0]@3',
      ])
      expect(await reader.lag?.()).toBeGreaterThanOrEqual(344)
      const log = openLog({ env, directory: '/log' })
      const { id } = await log.topic('rows')
      const position = new Uint8Array([1, 32, ...new TextEncoder().encode(id), 100])
      const middle = await (await handle.reader('0', position)).read()
      if (typeof middle === 'string' || middle.kind !== 'rows')
        throw new Error('rows were expected')
      expect([
        middle.rows.length,
        middle.rows[0],
        middle.timestamps?.[0],
        middle.locate(0),
      ]).toEqual([156, make(100), 1000, 'rows[0]@100'])
      await handle.close()
      await log.close()
    })
  })

  test('reject what does not decode, and deletions, with their offset', async () => {
    await inWorld(async (env) => {
      const log = openLog({ env, directory: '/log' })
      await log.createTopic('rows')
      const writer = await log.openWriter('rows', 0)
      const bytes = (value: string) => new TextEncoder().encode(value)
      await writer.append(
        recordsBatch([
          { key: null, value: bytes('{"i":1,"text":"a"}'), timestamp: 1 },
          { key: null, value: bytes('{"i":'), timestamp: 2 },
          { key: bytes('k'), value: null, timestamp: 3 },
          { key: null, value: bytes('{"i":2,"text":"b"}'), timestamp: 4 },
        ]),
      )
      await log.close()
      const handle = await logSource({ ...options, value: json<Row>(row) }).open({
        env,
        name: 'in',
        fields: undefined,
        mode: 'batch',
      })
      const batch = await (await handle.reader('0', undefined)).read()
      if (typeof batch === 'string' || batch.kind !== 'rows') throw new Error('rows were expected')
      expect(batch.rows).toEqual([
        { i: 1, text: 'a' },
        { i: 2, text: 'b' },
      ])
      expect(batch.rejected).toMatchObject([
        {
          source: 'rows[0]',
          position: 1,
          beforeRow: 1,
          raw: bytes('{"i":'),
          error: { code: 'TM1020' },
        },
        { position: 2, beforeRow: 1 },
      ])
      expect(batch.locate(1)).toBe('rows[0]@3')
      await handle.close()

      const binary = await logSource({ ...options, value: row }).open({
        env,
        name: 'in',
        fields: undefined,
        mode: 'batch',
      })
      const refused = await (await binary.reader('0', undefined)).read()
      if (typeof refused === 'string' || refused.kind !== 'rows') throw new Error('rows expected')
      expect(refused.rejected[0]?.error).toMatchObject({
        code: 'TM1010',
        message: expect.stringContaining('JSON text, which `value: json(…)` reads'),
      })
      await binary.close()
    })
  })

  test('show nothing of an open transaction, and go on when it is decided', async () => {
    await inWorld(async (env) => {
      const sink = await logSink({ ...options, partitions: 1 }).open(
        contextOf(env, { fresh: true }),
      )
      await sink.recover([])
      const handle = await logSource(options).open({
        env,
        name: 'in',
        fields: undefined,
        mode: 'stream',
      })
      const reader = await handle.reader('0', undefined)
      sink.write(make(1), Number.NaN)
      const prepared = await sink.prepare(1)
      expect(await reader.read()).toBe('idle')
      await sink.commit(1, prepared)
      await reader.wait(20)
      const batch = await reader.read()
      expect(typeof batch === 'object' && batch.kind === 'frame' && batch.frame.row(0)).toEqual(
        make(1),
      )
      expect(await reader.read()).toBe('idle')
      await handle.close()
      await sink.close()
    })
  })

  test('are unknown, created anew, or too narrow: each has its error', async () => {
    await inWorld(async (env) => {
      const context = { env, name: 'in', fields: undefined, mode: 'batch' } as const
      expect(await codeOf(logSource(options).open(context))).toBe('TM1200')
      expect(await codeOf(logSink(options).open(contextOf(env)))).toBe('TM1200')
      await write(env, logSink({ ...options, partitions: 1 }), [make(0)])
      expect(await codeOf(logSink(options).open(contextOf(env, { subtasks: 2 })))).toBe('TM1704')
      const handle = await logSource(options).open(context)
      const other = new Uint8Array([1, 2, 0x61, 0x62, 0])
      expect(await codeOf(handle.reader('0', other))).toBe('TM1703')
      expect(await codeOf(handle.reader('0', new Uint8Array([7])))).toBe('TM1708')
      await handle.close()
    })
  })
})
