import { describe, expect, test } from 'vitest'
import type { Env } from '../../base/env.ts'
import { seconds, timestamp } from '../../base/time.ts'
import type { Late, Letter, Rejected } from '../../graph/letters.ts'
import { contextOf } from '../../testing/conformance/sink-life.ts'
import { sinkConformance } from '../../testing/conformance/sink.ts'
import { createWorld } from '../../testing/world/world.ts'
import { deadLetters } from '../dead-letters.ts'
import { codeOf } from '../file/files.test-support.ts'
import { listDeadLetters, replayDeadLetters } from './store.ts'

const rejected = (input: unknown): Rejected<unknown> => ({
  operator: 'price',
  input,
  position: 'orders.csv:17',
  attempt: 1,
  error: { code: 'TM1901', message: 'no price' },
})

sinkConformance<Letter>(
  { describe, test },
  {
    name: 'deadLetters',
    make: () => deadLetters({ directory: '/dead' }),
    row: (i) => rejected(`row ${i}`),
    published: async (env) =>
      (await listDeadLetters(env, '/dead/rows')).map((letter) => rejected(letter.raw)),
    seeds: 15,
  },
)

async function write(env: Env, letters: readonly Letter[]): Promise<void> {
  const writer = await deadLetters().open(
    contextOf(env, { name: 'dead', fresh: true, stateDirectory: '/state' }),
  )
  await writer.recover([])
  for (const letter of letters) writer.write(letter, 5)
  await writer.commit(1, await writer.prepare(1))
  await writer.close()
}

describe('dead letters', () => {
  test('keep records as they came, also those that have no form', async () => {
    const late: Late<unknown> = {
      operator: 'window',
      record: { id: 1n, x: Number.NaN },
      timestamp: timestamp(7),
      lateBy: seconds(2),
    }
    const end = await createWorld({ seed: 1 }).run(async (env) => {
      await write(env, [
        rejected('a,"b'),
        rejected(new Uint8Array([0, 255])),
        rejected({ a: 1 }),
        rejected(undefined),
        rejected(Number.NaN),
        late,
      ])
      return listDeadLetters(env, '/state/dead-letters/dead')
    })
    if (end.kind !== 'done') throw new Error(end.kind)
    expect(end.value.map((letter) => letter.raw)).toEqual([
      'a,"b',
      new Uint8Array([0, 255]),
      { row: { a: 1 } },
      { row: null },
      { row: 'NaN' },
      { row: { id: '1', x: null } },
    ])
    expect(end.value[0]).toMatchObject({
      operator: 'price',
      kind: 'rejected',
      position: 'orders.csv:17',
      code: 'TM1901',
      message: 'no price',
      attempt: 1,
      timestamp: 5,
      replayed: false,
    })
    expect(end.value[5]).toMatchObject({
      operator: 'window',
      kind: 'late',
      code: 'late',
      message: '2000 ms late',
      timestamp: 7,
    })
  })

  test('are replayed once, in order, and only marked when that worked', async () => {
    const end = await createWorld({ seed: 1 }).run(async (env) => {
      const directory = '/state/dead-letters/dead'
      await write(env, [rejected('a'), rejected('b'), rejected('c')])
      const handed: unknown[] = []
      const deliver = async (letters: readonly { raw: unknown }[]): Promise<void> => {
        handed.push(letters.map((letter) => letter.raw))
      }
      const failed = await codeOf(
        replayDeadLetters(env, directory, { deliver: () => Promise.reject('no') }),
      )
      await replayDeadLetters(env, directory, { deliver, select: (letter) => letter.raw === 'b' })
      await replayDeadLetters(env, directory, { deliver })
      await replayDeadLetters(env, directory, { deliver })
      return {
        failed,
        handed,
        marks: (await listDeadLetters(env, directory)).map((letter) => letter.replayed),
      }
    })
    expect(end).toMatchObject({
      value: { failed: 'no', handed: [['b'], ['a', 'c']], marks: [true, true, true] },
    })
  })

  test('need a directory, and say which line is damaged', async () => {
    const end = await createWorld({ seed: 1 }).run(async (env) => {
      const { stateDirectory: _, ...context } = contextOf(env)
      const nowhere = await codeOf(Promise.resolve().then(() => deadLetters().open(context)))
      await write(env, [rejected('a')])
      const directory = '/state/dead-letters/dead'
      const [name] = await env.disk.list(directory)
      const file = await env.disk.open(`${directory}/${name}`, 'write')
      await file.pwrite(new Uint8Array([0x21]), 3)
      return [nowhere, await codeOf(listDeadLetters(env, directory))]
    })
    expect(end).toMatchObject({ value: ['TM1741', 'TM1740'] })
  })
})
