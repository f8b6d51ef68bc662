/** What sinks have prepared, over epochs whose attempts fail. */
import { describe, expect, it } from 'vitest'
import type { Env } from '../base/env.ts'
import type { SinkWriter } from '../connectors/contract.ts'
import { SinkEpochs } from './sink-epochs.ts'

/** A sink whose preparations end when the test says so. */
function slowSink() {
  const ends: (() => void)[] = []
  const writer: Partial<SinkWriter<unknown>> = {
    full: false,
    prepare: (epoch) =>
      new Promise((resolve) => {
        ends.push(() => resolve(Uint8Array.of(epoch)))
      }),
  }
  return { writer: writer as SinkWriter<unknown>, ends }
}

const env = { host: { crashPoint: () => {} } } as unknown as Env

describe('output that an attempt is still preparing when it fails', () => {
  it('belongs to the next epoch, which waits for it', async () => {
    const sinks = new SinkEpochs(env, 'fail')
    const { writer, ends } = slowSink()
    sinks.add('out', undefined, 0, writer)
    const first = sinks.prepare(1, 0)
    let second = false
    const next = sinks.prepare(2, 0).then(() => {
      second = true
    })
    ends[1]?.()
    await new Promise((resolve) => setImmediate(resolve))
    expect(second).toBe(false)
    ends[0]?.()
    await Promise.all([first, next])
    expect(sinks.preparations().map(({ epoch }) => epoch)).toEqual([1, 2])
  })
})
