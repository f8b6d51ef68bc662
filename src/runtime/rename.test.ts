/** Renames: state goes on under the new names, and a program that is another one is refused. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { inlineExecutor } from '../execution.ts'
import { createNodeEnv } from '../platform/node.ts'
import { int, text } from '../schema/scalars.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { valueState } from '../stream/state.ts'

const env = createNodeEnv({ logLevel: 'error' })
const folder = mkdtempSync(join(tmpdir(), 'rename-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Names {
  readonly step: string
  readonly stepWas?: string
  readonly state: string
  readonly stateWas?: string
}

async function run(names: Names, state: string, from?: string): Promise<readonly number[]> {
  const sink = memorySink<number>()
  const app = pipelineOn(inlineExecutor(() => env))('renames')
  app
    .from('rows', memorySource(Array.from({ length: 100 }, (_, i) => ({ k: String(i % 3) }))))
    .keyBy((r) => r.k)
    .process(names.step, {
      ...(names.stepWas === undefined ? {} : { was: names.stepWas }),
      state: {
        [names.state]: valueState(int, {
          initial: 0,
          ...(names.stateWas === undefined ? {} : { was: names.stateWas }),
        }),
        unused: valueState(text),
      },
      output: int,
      onRecord(_, ctx) {
        const seen = ctx.state[names.state] as { get(): number; set(n: number): void }
        seen.set(seen.get() + 1)
        ctx.emit(seen.get())
      },
    })
    .to('out', sink)
  const job = await app.start({ state, ...(from === undefined ? {} : { from }) })
  await job.finished
  return sink.records
}

describe('a renamed step', () => {
  it('keeps its state when the program says what it was called', async () => {
    const state = join(folder, 'state')
    const first = await run({ step: 'count', state: 'seen' }, state)
    expect(Math.max(...first)).toBe(34)
    const renamed = { step: 'counter', stepWas: 'count', state: 'visits', stateWas: 'seen' }
    // The input is used up: the renamed program is accepted and has nothing to do.
    expect(await run(renamed, state)).toEqual([])
  })

  it('is another step otherwise', async () => {
    const state = join(folder, 'other')
    await run({ step: 'count', state: 'seen' }, state)
    const error = await run({ step: 'counter', state: 'seen' }, state).catch((e: unknown) => e)
    expect(isTidemillError(error) && error.code).toBe('TM1506')
  })

  it('starts from a snapshot elsewhere, and refuses one that is not there', async () => {
    const state = join(folder, 'first')
    await run({ step: 'count', state: 'seen' }, state)
    expect(await run({ step: 'count', state: 'seen' }, join(folder, 'second'), state)).toEqual([])
    const error = await run(
      { step: 'count', state: 'seen' },
      join(folder, 'third'),
      join(folder, 'none'),
    ).catch((e: unknown) => e)
    expect(isTidemillError(error) && error.code).toBe('TM1516')
  })
})
