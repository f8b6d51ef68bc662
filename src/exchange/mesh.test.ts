import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test, vi } from 'vitest'
import { createMeshMemory, openMesh } from './mesh.ts'
import type { ThreadReport, ThreadTask } from './mesh-thread.test-support.ts'

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

afterEach(() => vi.restoreAllMocks())

test('rings shrink when there are many, and no further than two frames', () => {
  expect(createMeshMemory({ exchanges: 1, subtasks: 2 }).ringBytes).toBe(1 << 20)
  expect(createMeshMemory({ exchanges: 4, subtasks: 6 }).ringBytes).toBe(1 << 18)
  expect(createMeshMemory({ exchanges: 1, subtasks: 2, ringBytes: 1024 }).ringBytes).toBe(1024)
})

test('each exchange and pair has its own channel, one to itself included', async () => {
  const memory = createMeshMemory({ exchanges: 2, subtasks: 2, ringBytes: 1024 })
  const [a, b] = [openMesh(memory, 0), openMesh(memory, 1)]
  a.writer(0, 1).write(bytes(1))
  a.writer(1, 1).write(bytes(2))
  b.writer(0, 0).write(bytes(3))
  a.writer(0, 0).write(bytes(4))
  expect(b.reader(0, 0).read()).toEqual(bytes(1))
  expect(b.reader(1, 0).read()).toEqual(bytes(2))
  expect(b.reader(0, 1).read()).toBeUndefined()
  expect(a.reader(0, 1).read()).toEqual(bytes(3))
  expect(a.reader(0, 0).read()).toEqual(bytes(4))
  expect(() => a.reader(0, 2)).toThrow(/invariant/)
  a.close()
  b.close()
})

/** Waits for the next news of a subtask; there must be some. */
function newsOf(links: ReturnType<typeof openMesh>): () => Promise<void> {
  let count = 0
  let wake = (): void => {}
  links.onNews(() => {
    count++
    wake()
  })
  return async () => {
    if (count === 0)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    count = 0
  }
}

test('news wakes a reader that found nothing, a writer that was refused, and its own queue', async () => {
  const memory = createMeshMemory({ exchanges: 1, subtasks: 2, ringBytes: 64 })
  const [a, b] = [openMesh(memory, 0), openMesh(memory, 1)]
  const [newsOfA, newsOfB] = [newsOf(a), newsOf(b)]
  await newsOfA()
  await newsOfB()
  const reader = b.reader(0, 0)
  const writer = a.writer(0, 1)
  for (let round = 0; round < 3; round++) {
    expect(reader.read()).toBeUndefined()
    writer.write(bytes(round))
    await newsOfB()
    expect(reader.read()).toEqual(bytes(round))
    while (writer.write(bytes(7, 7)));
    while (reader.read() !== undefined);
    await newsOfA()
    expect(a.reader(0, 0).read()).toBeUndefined()
    a.writer(0, 0).write(bytes(1))
    await newsOfA()
    expect(a.reader(0, 0).read()).toEqual(bytes(1))
    await Promise.resolve()
  }
  a.close()
  b.close()
})

test('nobody is notified while nobody waits', async () => {
  const memory = createMeshMemory({ exchanges: 1, subtasks: 2, ringBytes: 1024 })
  const [a, b] = [openMesh(memory, 0), openMesh(memory, 1)]
  const notify = vi.spyOn(Atomics, 'notify')
  for (let i = 0; i < 5; i++) a.writer(0, 1).write(bytes(i))
  expect(notify).not.toHaveBeenCalled()
  const reader = b.reader(0, 0)
  while (reader.read() !== undefined);
  for (let i = 0; i < 5; i++) a.writer(0, 1).write(bytes(i))
  expect(notify).toHaveBeenCalledTimes(1)
  a.close()
  b.close()
})

test('a message larger than the ring passes without the caller doing more than read and wait', async () => {
  const memory = createMeshMemory({ exchanges: 1, subtasks: 2, ringBytes: 256 })
  const [a, b] = [openMesh(memory, 0), openMesh(memory, 1)]
  const large = Uint8Array.from({ length: 10_000 }, (_, i) => i & 0xff)
  a.onNews(() => {})
  const news = newsOf(b)
  expect(a.writer(0, 1).write(large)).toBe(true)
  let read = b.reader(0, 0).read()
  while (read === undefined) {
    await news()
    read = b.reader(0, 0).read()
  }
  expect(read).toEqual(large)
  a.close()
  b.close()
})

test('rows between real threads arrive once and in order, through tiny rings', async () => {
  const source = await build({
    entryPoints: [fileURLToPath(new URL('./mesh-thread.test-support.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
  })
  const code = source.outputFiles[0]!.text
  const url = new URL(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)
  const memory = createMeshMemory({ exchanges: 1, subtasks: 2, ringBytes: 4096 })
  const rows = 20_000
  const reports = await Promise.all(
    [0, 1].map(
      (subtask) =>
        new Promise<ThreadReport>((resolve, reject) => {
          const workerData: ThreadTask = { memory, subtask, rows }
          const worker = new Worker(url, { workerData })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
  for (const { problems } of reports) expect(problems).toEqual([])
  expect(reports[0]!.received + reports[1]!.received).toBe(2 * rows)
  expect(Math.min(...reports.map((one) => one.received))).toBeGreaterThan(rows / 2)
}, 60_000)
