/** F05 and user failures: what a job does when a life has failed, on a simulated disk. */
import { describe, expect, test } from 'vitest'
import { DiskError, type Env } from '../base/env.ts'
import { isTidemillError, TidemillError } from '../base/errors.ts'
import { milliseconds } from '../base/time.ts'
import { checkpointErrors } from '../checkpoint/errors.ts'
import { wrapStorageError } from '../checkpoint/state-directory.ts'
import { connectorErrors, outputError } from '../connectors/errors.ts'
import { fileSink } from '../connectors/file-sink/file-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { inlineExecutor } from '../execution.ts'
import type { JobResult } from '../graph/executor.ts'
import { pipelineOn } from '../stream/pipeline.ts'

import { createWorld, type World } from '../testing/world/world.ts'
import { afterFailure, isDiskFull } from './after-failure.ts'
import { runtimeErrors } from './errors.ts'

const rows = Array.from({ length: 200 }, (_, i) => ({ i }))

function run(env: Env, onRow: (i: number) => void = () => {}): Promise<JobResult> {
  const app = pipelineOn(inlineExecutor(() => env))('failing')
  app
    .from('rows', memorySource(rows))
    .map((row) => {
      onRow(row.i)
      return row
    })
    .to('out', fileSink({ directory: '/out' }))
  return app.run({ state: '/state', checkpointInterval: milliseconds(50) })
}

/** Rows that a reader of the output sees. */
async function published(world: World): Promise<number[]> {
  const decoder = new TextDecoder()
  const files = world.disk.files().filter(({ path }) => path.endsWith('.jsonl'))
  const lines = files.flatMap(({ path }) =>
    decoder.decode(world.disk.read(path)).split('\n').filter(Boolean),
  )
  return lines.map((line) => (JSON.parse(line) as { i: number }).i).sort((a, b) => a - b)
}

const all = rows.map(({ i }) => i)
const waiting = (world: World): readonly string[] =>
  world.logs.map(({ message }) => message).filter((message) => message.includes('disk is full'))

describe('F05: a full disk', () => {
  test.each([
    ['where the state directory is claimed', 'state/', ['open', 'pwrite', 'mkdir'] as const],
    ['where results are written', 'out', ['pwrite'] as const],
    ['where results are shown', 'out', ['rename', 'link'] as const],
  ])('%s: the job waits, says so, and goes on when there is room', async (_, path, call) => {
    for (const errno of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      const world = createWorld({ seed: 1 })
      const full = world.disk.inject({
        path,
        call,
        times: Infinity,
        effect: { kind: 'fail', errno },
      })
      const life = world.start((env) => run(env))
      // Longer than three lives take, and than a person needs to notice.
      await world.runUntil(() => life.ended !== undefined || world.nowMs > 60_000)
      expect(life.ended).toBeUndefined()
      expect(waiting(world).length).toBeGreaterThan(4)
      expect(waiting(world).length).toBeLessThan(30)
      expect(await published(world)).toEqual([])

      full.remove()
      const freedMs = world.nowMs
      const end = await life.end()
      expect(end).toMatchObject({ kind: 'done', value: { status: 'finished' } })
      expect(world.nowMs - freedMs).toBeLessThan(15_000)
      expect(await published(world)).toEqual(all)
    }
  })

  test('of a real size: nothing is lost or doubled when the disk grows', async () => {
    const world = createWorld({ seed: 2 })
    world.disk.capacityBytes = 1_500
    const life = world.start((env) => run(env))
    await world.runUntil(() => life.ended !== undefined || world.nowMs > 30_000)
    expect(life.ended).toBeUndefined()
    world.disk.capacityBytes = Number.POSITIVE_INFINITY
    expect(await life.end()).toMatchObject({ kind: 'done', value: { status: 'finished' } })
    expect(await published(world)).toEqual(all)
  })

  test('is recognised in whatever wraps it, also as text from a subtask', () => {
    const disk = new DiskError('ENOSPC', '/x', 'pwrite failed')
    expect(isDiskFull(wrapStorageError(disk, 'opening /x'))).toBe(true)
    expect(isDiskFull(outputError(disk, 'write', {}))).toBe(true)
    const reported = new TidemillError(checkpointErrors.commitFailed, {
      details: { code: connectorErrors.outputDiskFull.code },
    })
    expect(isDiskFull(reported)).toBe(true)
    expect(isDiskFull(new DiskError('EIO', '/x', 'pwrite failed'))).toBe(false)
    expect(isDiskFull(new Error('ENOSPC'))).toBe(false)
    // What user code throws is its own business.
    const user = new TidemillError(runtimeErrors.userFunction, { cause: disk })
    expect(isDiskFull(user)).toBe(false)
  })
})

describe('B17: the same record ends the job again', () => {
  async function outcome(onRow: (i: number, time: number) => void): Promise<{
    readonly times: number
    readonly code: string | undefined
    readonly kind: string
  }> {
    const world = createWorld({ seed: 3 })
    let times = 0
    const life = world.start((env) =>
      run(env, (i) => {
        if (i === 0) times++
        onRow(i, times)
      }),
    )
    const end = await life.end()
    const code = end.kind === 'failed' && isTidemillError(end.error) ? end.error.code : undefined
    return { times, code, kind: end.kind }
  }

  test('a function that throws at the same record again is not called a third time', async () => {
    const end = await outcome((i, time) => {
      if (i === 5) throw new Error(`no ${time}`)
    })
    expect(end).toEqual({ times: 2, code: 'TM1901', kind: 'failed' })
  })

  test('a function that threw once goes on in the next life', async () => {
    const end = await outcome((i, time) => {
      if (i === 5 && time === 1) throw new Error('not now')
    })
    expect(end).toEqual({ times: 2, code: undefined, kind: 'done' })
  })

  test('other records get their lives, up to three in a row', async () => {
    const end = await outcome((i, time) => {
      if (i === 5 + time) throw new Error('another one')
    })
    expect(end).toEqual({ times: 3, code: 'TM1901', kind: 'failed' })
  })

  test('what the input would show again ends the job at once', () => {
    const error = new TidemillError(runtimeErrors.undecodable)
    const life = { failures: 1, fullDisks: 0, error }
    expect(afterFailure(life, undefined, 3)).toEqual({ kind: 'give-up' })
    const worker = { ...life, error: new TidemillError(runtimeErrors.worker) }
    expect(afterFailure(worker, undefined, 3)).toMatchObject({ kind: 'retry', waitMs: 100 })
    expect(afterFailure({ ...worker, failures: 3 }, worker, 3)).toEqual({ kind: 'give-up' })
  })
})
