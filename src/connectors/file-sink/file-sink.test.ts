import { describe, expect, test } from 'vitest'
import { readWhole } from '../../base/disk-io.ts'
import type { Env } from '../../base/env.ts'
import { contextOf } from '../../testing/conformance/sink-life.ts'
import { sinkConformance } from '../../testing/conformance/sink.ts'
import { createWorld } from '../../testing/world/world.ts'
import type { Sink } from '../contract.ts'
import { codeOf } from '../file/files.test-support.ts'
import { fileSink } from './file-sink.ts'

async function texts(env: Env, directory: string, extension: string): Promise<string[]> {
  const names = (await env.disk.list(directory)).filter((name) => name.endsWith(extension))
  const decoder = new TextDecoder()
  return Promise.all(
    names.map(async (name) => decoder.decode(await readWhole(env.disk, `${directory}/${name}`))),
  )
}

async function published(env: Env): Promise<{ i: number; text: string }[]> {
  const lines = (await texts(env, '/out/rows', '.jsonl')).join('').split('\n')
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { i: number; text: string })
}

sinkConformance(
  { describe, test },
  {
    name: 'fileSink, jsonl',
    make: () => fileSink({ directory: '/out', rollBytes: 50 }),
    row: (i) => ({ i, text: 'x'.repeat(i % 7) }),
    published,
  },
)

async function write(
  sink: Sink<unknown>,
  rows: readonly unknown[],
  world = createWorld({ seed: 1 }),
  extension = '.jsonl',
) {
  const end = await world.run(async (env) => {
    const writer = await sink.open(contextOf(env, { fresh: true }))
    await writer.recover([])
    for (const row of rows) writer.write(row, Number.NaN)
    await writer.commit(1, await writer.prepare(1))
    await writer.close()
    return texts(env, '/out/rows', extension)
  })
  if (end.kind === 'failed') throw end.error
  return end.kind === 'done' ? end.value : [end.kind]
}

describe('fileSink', () => {
  test('prints JSON without losses (B08)', async () => {
    const odd = {
      map: new Map([['__proto__', 1]]),
      set: new Set([1]),
      bytes: new Uint8Array([1, 2]),
      none: undefined,
      zero: -0,
      null: null,
      deep: [{ 0: 1 }],
      lone: '\ud800',
    }
    expect(await write(fileSink({ directory: '/out' }), [odd, 'text', [1], null, {}])).toEqual([
      '{"map":{"__proto__":1},"set":[1],"bytes":"AQI=","zero":0,"null":null,"deep":[{"0":1}],"lone":"\\ud800"}\n"text"\n[1]\nnull\n{}\n',
    ])
    const many = fileSink({
      directory: '/out',
      nonFinite: 'null',
      bigint: 'text',
      columns: ['b', 'a', 'constructor'],
    })
    expect(await write(many, [{ a: Number.NaN, b: 2n ** 70n, c: 1 }])).toEqual([
      '{"b":"1180591620717411303424","a":null}\n',
    ])
    expect(await write(fileSink({ directory: '/out', bigint: 'number' }), [{ b: [1n] }])).toEqual([
      '{"b":[1]}\n',
    ])
  })

  test('refuses what has no form and names the field', async () => {
    const refused = async (row: unknown) =>
      write(fileSink({ directory: '/out' }), [row]).then(String, (error: Error) => error.message)
    expect(await refused({ a: { b: [1, Number.POSITIVE_INFINITY] } })).toContain(
      'a.b[1] is Infinity',
    )
    expect(await refused({ a: 1n })).toContain('a is the bigint 1')
    expect(await refused(undefined)).toContain('the row is undefined')
    // What an asynchronous function in a step leaves behind: it would be an empty object.
    expect(await refused(Promise.resolve(1))).toContain('a promise')
    expect(await refused({ user: Promise.resolve(1) })).toContain('user is a promise')
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    expect(await refused(loop)).toContain('containing itself')
  })

  test('prints CSV by the book', async () => {
    const sink = fileSink({ directory: '/out', format: 'csv', columns: ['a', 'b', 'c'] })
    const rows = [
      { a: 'x,"y"\nz', b: -0, c: true },
      { a: undefined, b: 1n, c: { d: 1 } },
      { a: new Date(0), b: new Uint8Array([1, 2]), c: ['x'] },
    ]
    expect(await write(sink, rows, undefined, '.csv')).toEqual([
      'a,b,c\n"x,""y""\nz",0,true\n,1,"{""d"":1}"\n1970-01-01T00:00:00.000Z,AQI=,"[""x""]"\n',
    ])
    await expect(write(sink, [{ a: '\ud800' }])).rejects.toThrow('surrogate')
    await expect(write(sink, [{ b: Number.NaN }])).rejects.toThrow('b is NaN')
  })

  test('never replaces a file, and reports one that was lost or changed', async () => {
    const world = createWorld({ seed: 1 })
    const end = await world.run(async (env) => {
      const sink = fileSink({ directory: '/out' })
      const writer = await sink.open(contextOf(env, { fresh: true }))
      await writer.recover([])
      writer.write({ i: 1 }, Number.NaN)
      const prepared = await writer.prepare(1)
      await writer.commit(1, prepared)
      const [name] = await env.disk.list('/out/rows')
      const file = await env.disk.open(`/out/rows/${name}`, 'write')
      await file.pwrite(new Uint8Array([33]), 0)
      const clash = await codeOf(writer.commit(1, prepared))
      const again = await sink.open(contextOf(env, { generation: 2 }))
      const changed = await codeOf(again.recover([{ epoch: 1, prepared }]))
      await env.disk.unlink(`/out/rows/${name}`)
      const third = await sink.open(contextOf(env, { generation: 3 }))
      return [
        clash,
        changed,
        await codeOf(third.recover([{ epoch: 1, prepared }])),
        await codeOf(third.flush()),
      ]
    })
    expect(end).toMatchObject({ kind: 'done', value: ['TM1731', 'TM1732', 'TM1732', 'TM1732'] })
  })

  test('stops at a full disk and at a failed sync, with the reason', async () => {
    for (const [call, errno, code] of [
      ['pwrite', 'ENOSPC', 'TM1733'],
      ['fdatasync', 'EIO', 'TM1734'],
    ] as const) {
      const world = createWorld({ seed: 1 })
      world.disk.inject({ call, effect: { kind: 'fail', errno } })
      expect(await codeOf(write(fileSink({ directory: '/out' }), [{ i: 1 }], world))).toBe(code)
    }
  })

  test('wrong options and names are refused', async () => {
    expect(() => fileSink({ directory: '' })).toThrow('directory')
    expect(() => fileSink({ directory: '/out', format: 'csv' })).toThrow('columns')
    const world = createWorld({ seed: 1 })
    const end = await world.run((env) =>
      codeOf(
        Promise.resolve().then(() =>
          fileSink({ directory: '/out' }).open(contextOf(env, { name: '../x' })),
        ),
      ),
    )
    expect(end).toMatchObject({ value: 'TM1742' })
  })
})
