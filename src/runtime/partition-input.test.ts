import { expect, test } from 'vitest'
import type { PartitionReader, SourceBatch } from '../connectors/contract.ts'
import { PartitionInput } from './partition.ts'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A reader whose reads and waits settle when the test says so. */
function heldReader() {
  const calls: string[] = []
  let settle: (batch: SourceBatch<unknown> | 'idle' | 'end') => void = () => {}
  let fail: (error: unknown) => void = () => {}
  let waited: () => void = () => {}
  const reader: PartitionReader<unknown> = {
    poll() {
      calls.push('poll')
      return undefined
    },
    read() {
      calls.push('read')
      return new Promise((resolve, reject) => {
        settle = resolve
        fail = reject
      })
    },
    wait() {
      calls.push('wait')
      return new Promise((resolve) => {
        waited = resolve
      })
    },
    position() {
      calls.push('position')
      return new Uint8Array(0)
    },
    close() {
      calls.push('close')
      return Promise.resolve()
    },
  }
  return {
    reader,
    calls,
    settle: (batch: 'idle' | 'end') => settle(batch),
    fail: () => fail(new Error('closed')),
    waited: () => waited(),
  }
}

function inputOf(reader: PartitionReader<unknown>): { input: PartitionInput; wakes: () => number } {
  let wakes = 0
  const input = new PartitionInput({ id: 0, name: 'rows' }, '0', 0, reader, undefined, () => {
    wakes++
  })
  return { input, wakes: () => wakes }
}

test.each(['idle', 'end', 'failure'] as const)(
  'a closed partition asks its reader nothing when a read ends late: %s',
  async (end) => {
    const held = heldReader()
    const { input, wakes } = inputOf(held.reader)
    input.request()
    await input.close()
    if (end === 'failure') held.fail()
    else held.settle(end)
    await tick()
    expect(held.calls).toEqual(['poll', 'read', 'close'])
    expect(wakes()).toBe(0)
  },
)

test('a closed partition reads no more when a wait ends late', async () => {
  const held = heldReader()
  const { input } = inputOf(held.reader)
  input.request()
  held.settle('idle')
  await tick()
  await input.close()
  held.waited()
  await tick()
  expect(held.calls).toEqual(['poll', 'read', 'position', 'wait', 'close'])
})
