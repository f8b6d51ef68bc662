import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { stackOfThread } from './node-thread-stack.ts'

const workers: Worker[] = []
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()))
})

function thread(text: string): Worker {
  const worker = new Worker(text, { eval: true })
  workers.push(worker)
  return worker
}

const heard = (worker: Worker): Promise<unknown> =>
  new Promise((resolve) => worker.once('message', resolve))

const ask = (): string => 'typeof secret === "number" ? secret : undefined'

test('a thread in an endless loop is read and goes on', async () => {
  const rounds = new Int32Array(new SharedArrayBuffer(8))
  const worker = thread(`
    const { parentPort } = require('node:worker_threads')
    parentPort.once('message', function begin(rounds) { spin(rounds) })
    function spin(rounds) { const secret = 41; for (;;) { Atomics.add(rounds, 0, 1); if (rounds[1] === 1) break }
      parentPort.postMessage('over ' + secret) }`)
  worker.postMessage(rounds)
  await expect.poll(() => rounds[0]).toBeGreaterThan(0)
  for (let time = 0; time < 3; time++) {
    const frames = await stackOfThread({ threadId: worker.threadId, ask, waitMs: 5_000 })
    expect(frames?.slice(0, 2).map((one) => [one.functionName, one.answer])).toEqual([
      ['spin', 41],
      ['begin', undefined],
    ])
    const before = rounds[0]
    await expect.poll(() => rounds[0]).not.toBe(before)
  }
  const over = heard(worker)
  rounds[1] = 1
  expect(await over).toBe('over 41')
})

test('a thread that waits for work is left alone, and works when it has some', async () => {
  const worker = thread(`
    const { parentPort } = require('node:worker_threads')
    parentPort.on('message', (n) => parentPort.postMessage(n + 1))`)
  worker.postMessage(1)
  await heard(worker)
  expect(await stackOfThread({ threadId: worker.threadId, ask, waitMs: 200 })).toBeUndefined()
  for (let n = 5; n < 8; n++) {
    const answer = heard(worker)
    worker.postMessage(n)
    expect(await answer).toBe(n + 1)
  }
})

test('a thread that waits for shared memory is read and waits on', async () => {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const worker = thread(`
    const { parentPort } = require('node:worker_threads')
    parentPort.once('message', function block(cell) {
      parentPort.postMessage('waits')
      parentPort.postMessage(Atomics.wait(cell, 0, 0))
    })`)
  const waits = heard(worker)
  worker.postMessage(cell)
  await waits
  const frames = await stackOfThread({ threadId: worker.threadId, ask, waitMs: 5_000 })
  expect(frames?.map((one) => one.functionName)).toContain('block')
  const back = heard(worker)
  Atomics.store(cell, 0, 1)
  await expect.poll(() => Atomics.notify(cell, 0)).toBe(1)
  expect(await back).toBe('ok')
})

test('a thread in a call of the system has no stack to read, and goes on when it comes back', async () => {
  const worker = thread(`
    const { parentPort } = require('node:worker_threads')
    const { execFileSync } = require('node:child_process')
    parentPort.postMessage('calls')
    execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 1000)'])
    parentPort.postMessage('back')`)
  await heard(worker)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await stackOfThread({ threadId: worker.threadId, ask, waitMs: 300 })).toBeUndefined()
  expect(await heard(worker)).toBe('back')
})

test('of several threads the right one is read, also when earlier ones are gone', async () => {
  const spinner = (name: string): Worker =>
    thread(`
    const { parentPort } = require('node:worker_threads')
    parentPort.postMessage('spins')
    function ${name}() { for (;;) ; }
    setImmediate(${name})`)
  const gone = spinner('gone')
  await heard(gone)
  const others: [string, Worker][] = []
  for (const name of ['first', 'second', 'third', 'fourth']) {
    const worker = spinner(name)
    await heard(worker)
    others.push([name, worker])
    if (name === 'second') await gone.terminate()
  }
  for (const [name, { threadId }] of others) {
    const frames = await stackOfThread({ threadId, ask, waitMs: 10_000 })
    expect(frames?.[0]?.functionName).toBe(name)
  }
})

test('of a thread that is gone nothing is read', async () => {
  expect(await stackOfThread({ threadId: 99_999, ask, waitMs: 200 })).toBeUndefined()
})
