/** A function that takes milliseconds per row, behind an exchange: the thread has other work to do meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { seconds } from '../base/time.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { inlineExecutor } from '../execution.ts'
import { createNodeEnv } from '../platform/node.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { Stage } from './stage.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'slow-function-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const allRows = 600
const rowMs = 2

describe('a slow function behind an exchange', () => {
  it('gives other work of the thread its turn within a message', async () => {
    const sink = memorySink<number>()
    let calls = 0
    const app = pipelineOn(inlineExecutor(() => env))('slow')
    app
      .from('rows', memorySource(Array.from({ length: allRows }, (_, n) => n)))
      .rebalance()
      .map((n) => {
        calls++
        const until = performance.now() + rowMs
        while (performance.now() < until);
        return n
      })
      .to('out', sink)
    const state = mkdtempSync(join(folder, 'state-'))
    const job = await app.start({ state, workers: 2, checkpointInterval: seconds(60) })
    let most = 0
    for (let before = calls; calls < allRows; before = calls) {
      await env.tasks.yield()
      most = Math.max(most, calls - before)
    }
    expect((await job.finished).status).toBe('finished')
    // 16 rows at first and 8 then, in each of two subtasks; a message holds up to 256.
    expect(most).toBeLessThan(80)
    expect((sink.records as number[]).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: allRows }, (_, n) => n),
    )
  })
})

describe('rows per call', () => {
  it('follow what a row costs', () => {
    const stage = new Stage(1)
    const seen = [stage.rowsPerCall]
    for (const msPerRow of [50, 50, 0.01, 0.01, 0.01]) {
      stage.took(stage.rowsPerCall, stage.rowsPerCall * msPerRow)
      seen.push(stage.rowsPerCall)
    }
    expect(seen).toEqual([16, 1, 1, 2, 4, 8])
    for (let i = 0; i < 20; i++) stage.took(stage.rowsPerCall, 0)
    expect(stage.rowsPerCall).toBe(1024)
    // A message that was shorter says little.
    const short = new Stage(1)
    short.took(3, 0)
    expect(short.rowsPerCall).toBe(16)
  })
})
