/** F14 for topics: retention goes its own way, and a job that stayed behind is told. */
import { describe, expect, test } from 'vitest'
import type { Env } from '../../base/env.ts'
import { inlineExecutor } from '../../execution.ts'
import type { JobResult } from '../../graph/executor.ts'
import { openLog } from '../../log/log.ts'
import { recordsBatch } from '../../log/records.ts'
import { json } from '../../schema/json.ts'
import { pipelineOn } from '../../stream/pipeline.ts'
import { createWorld, type World } from '../../testing/world/world.ts'
import { fileSink } from '../file-sink/file-sink.ts'
import { logSource } from './log-topic.ts'

const directory = '/log'
const encoder = new TextEncoder()

async function append(env: Env, from: number, to: number): Promise<number> {
  const log = openLog({ env, directory })
  await log.ensureTopic('t', { segmentBytes: 4096, retention: { bytes: 10_000 } })
  const writer = await log.openWriter('t', 0)
  for (let i = from; i < to; i++) {
    const value = encoder.encode(JSON.stringify({ i, filling: 'x'.repeat(50) }))
    await writer.append(recordsBatch([{ key: null, value, timestamp: i }]))
  }
  await writer.runRetention()
  const start = writer.startOffset
  await log.close()
  return start
}

/** Reads for ever, so it has to be stopped. */
function run(env: Env, onGap?: 'skip', stop?: AbortSignal): Promise<JobResult> {
  const app = pipelineOn(inlineExecutor(() => env))('behind')
  app
    .from(
      'in',
      logSource<{ i: number }>({
        directory,
        topic: 't',
        value: json<{ i: number }>(),
        ...(onGap ? { onGap } : {}),
      }),
    )
    .map(({ i }) => ({ i }))
    .to('out', fileSink({ directory: '/out' }))
  return app.run({ state: '/state', ...(stop ? { signal: stop } : {}) })
}

function published(world: World): readonly number[] {
  const decoder = new TextDecoder()
  return world.disk
    .files()
    .filter(({ path }) => path.endsWith('.jsonl'))
    .flatMap(({ path }) => decoder.decode(world.disk.read(path)).split('\n').filter(Boolean))
    .map((line) => (JSON.parse(line) as { i: number }).i)
    .sort((a, b) => a - b)
}

const upTo = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

/** A job that has committed offset 20 and was away while the topic went on; the result is where the topic begins now. */
async function stayBehind(world: World): Promise<number> {
  const first = await world.run(async (env) => {
    await append(env, 0, 20)
    const stop = new AbortController()
    env.clock.timer(500, () => stop.abort())
    return run(env, undefined, stop.signal)
  })
  expect(first).toMatchObject({ kind: 'done', value: { status: 'stopped' } })
  expect(published(world)).toEqual(upTo(0, 20))
  const end = await world.run((env) => append(env, 20, 600))
  if (end.kind !== 'done') throw new Error(end.kind)
  // A committed position keeps nothing: the topic's owner has said how much is kept.
  expect(end.value).toBeGreaterThan(100)
  return end.value
}

describe('F14: a job whose next record retention has removed', () => {
  test('stops at once with TM1208, names the range, and changes nothing', async () => {
    const world = createWorld({ seed: 1 })
    const start = await stayBehind(world)
    const end = await world.run((env) => run(env))
    expect(end).toMatchObject({
      kind: 'failed',
      error: {
        code: 'TM1208',
        kind: 'fatal',
        details: { topic: 't', partition: 0, from: 20, to: start - 1 },
      },
    })
    expect(world.logs.filter(({ message }) => message.includes('starts again'))).toEqual([])
    expect(published(world)).toEqual(upTo(0, 20))
  })

  test('goes on after it with onGap: skip, and says what it skips', async () => {
    const world = createWorld({ seed: 2 })
    const start = await stayBehind(world)
    const end = await world.run((env) => {
      const stop = new AbortController()
      env.clock.timer(2_000, () => stop.abort())
      return run(env, 'skip', stop.signal)
    })
    expect(end).toMatchObject({ kind: 'done', value: { status: 'stopped' } })
    expect(published(world)).toEqual([...upTo(0, 20), ...upTo(start, 600)])
    const told = world.logs.filter(({ fields }) => fields['code'] === 'TM1208')
    expect(told).toMatchObject([{ fields: { topic: 't', from: 20, to: start - 1 } }])
  })
})
