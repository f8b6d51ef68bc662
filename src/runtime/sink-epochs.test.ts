/** What sinks have prepared, over epochs whose attempts fail. */
import { describe, expect, it } from 'vitest'
import type { Env } from '../base/env.ts'
import type { SinkWriter } from '../connectors/contract.ts'
import { lettersStage, SinkEpochs } from './sink-epochs.ts'

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
    const sinks = new SinkEpochs(env, 'fail', { failed: () => {}, signal: () => {} })
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

describe('a full sink', () => {
  it('holds the stage that feeds it until its flush is done; that of dead letters holds all', async () => {
    const signals: string[] = []
    const sinks = new SinkEpochs(env, 'fail', {
      failed: (error) => signals.push(String(error)),
      signal: () => signals.push('room'),
    })
    let end = (): void => {}
    let full = true
    let flushes = 0
    const writer: Partial<SinkWriter<unknown>> = {
      get full() {
        return full
      },
      flush() {
        flushes++
        return new Promise((resolve) => {
          end = resolve
        })
      },
    }
    sinks.add('out', undefined, 1, writer as SinkWriter<unknown>)
    expect([sinks.holder(0), sinks.holder(1)]).toEqual([undefined, 'out'])
    sinks.relieve()
    full = false
    sinks.relieve()
    expect([flushes, sinks.holder(1)]).toEqual([1, 'out'])
    const room = sinks.room()
    end()
    await room
    expect([sinks.holder(1), signals]).toEqual([undefined, ['room']])
    sinks.add('dead-letters', undefined, lettersStage, { full: true } as SinkWriter<unknown>)
    expect([sinks.holder(0), sinks.holder(1)]).toEqual(['dead-letters', 'dead-letters'])
  })

  it('that fails says so, and nobody else hears of it', async () => {
    const failed: unknown[] = []
    const sinks = new SinkEpochs(env, 'fail', {
      failed: (error) => failed.push(error),
      signal: () => {},
    })
    const error = new Error('broken pipe')
    const writer: Partial<SinkWriter<unknown>> = { full: true, flush: () => Promise.reject(error) }
    sinks.add('out', undefined, 0, writer as SinkWriter<unknown>)
    await sinks.room()
    expect(failed).toEqual([error])
  })
})
