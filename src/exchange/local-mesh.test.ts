import { expect, test } from 'vitest'
import { createLocalMesh } from './local-mesh.ts'

function world(queueBytes?: number) {
  const tasks: (() => void)[] = []
  const mesh = createLocalMesh({
    exchanges: 2,
    subtasks: 2,
    later: (fn) => tasks.push(fn),
    ...(queueBytes === undefined ? {} : { queueBytes }),
  })
  const run = (): number => {
    const count = tasks.length
    for (const task of tasks.splice(0)) task()
    return count
  }
  return { mesh, run }
}

test('every exchange and pair has its own queue, first in first out', () => {
  const { mesh } = world()
  const [a, b] = [mesh.links(0), mesh.links(1)]
  a.writer(0, 1).write(new Uint8Array([1]))
  a.writer(0, 1).write(new Uint8Array([2]))
  a.writer(1, 1).write(new Uint8Array([3]))
  a.writer(0, 0).write(new Uint8Array([4]))
  expect(b.reader(0, 1).read()).toBeUndefined()
  expect(b.reader(0, 0).read()).toEqual(new Uint8Array([1]))
  expect(b.reader(0, 0).read()).toEqual(new Uint8Array([2]))
  expect(b.reader(0, 0).read()).toBeUndefined()
  expect(b.reader(1, 0).read()).toEqual(new Uint8Array([3]))
  expect(a.reader(0, 0).read()).toEqual(new Uint8Array([4]))
  expect(() => a.writer(2, 0)).toThrow(/TM1000|invariant/)
})

test('what is read is a copy', () => {
  const { mesh } = world()
  const bytes = Buffer.from([1, 2])
  mesh.links(0).writer(0, 0).write(bytes)
  bytes[0] = 9
  const read = mesh.links(0).reader(0, 0).read()!
  expect([read.byteOffset, read.buffer.byteLength, ...read]).toEqual([0, 2, 1, 2])
})

test('a full queue refuses, and room is news to the writer', () => {
  const { mesh, run } = world(10)
  const [a, b] = [mesh.links(0), mesh.links(1)]
  let news = ''
  a.onNews(() => {
    news += 'a'
  })
  const writer = a.writer(0, 1)
  expect(writer.write(new Uint8Array(30))).toBe(true)
  expect(writer.fill).toBe(1)
  expect(writer.write(new Uint8Array(1))).toBe(false)
  run()
  expect(news).toBe('')
  // What came before the callback is told afterwards.
  b.onNews(() => {
    news += 'b'
  })
  expect(news).toBe('')
  run()
  expect(news).toBe('b')
  expect(b.reader(0, 0).read()).toHaveLength(30)
  expect(news).toBe('b')
  run()
  expect(news).toBe('ba')
  expect(writer.write(new Uint8Array(8))).toBe(true)
  expect(writer.fill).toBe(0.8)
})

test('news is told once per turn, and not after close', () => {
  const { mesh, run } = world()
  const [a, b] = [mesh.links(0), mesh.links(1)]
  let news = 0
  b.onNews(() => news++)
  for (let i = 0; i < 5; i++) a.writer(0, 1).write(new Uint8Array(1))
  expect(run()).toBe(1)
  expect(news).toBe(1)
  a.writer(0, 1).write(new Uint8Array(1))
  b.close()
  run()
  expect(news).toBe(1)
})
