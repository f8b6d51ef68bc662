/** A pipeline compiled as the runtime compiles it, without disk and checkpoints: the bare chain of its steps. */
import type { Sink, SinkWriter } from '../../src/connectors/contract.ts'
import { counterLayout, noExchanges } from '../../src/runtime/chain.ts'
import { buildParts } from '../../src/runtime/build.ts'
import { compileChain } from '../../src/runtime/compile-chain.ts'
import { FailurePolicies } from '../../src/runtime/failures.ts'
import { stagesOf } from '../../src/runtime/stages.ts'
import type { Frame } from '../../src/frame/frame.ts'
import type { Plan } from '../../src/graph/plan.ts'
import { createNodeEnv } from '../../src/platform/node.ts'
import { pipelineOn } from '../../src/stream/pipeline.ts'
import type { Stream } from '../../src/stream/types.ts'
import type { Source } from '../../src/connectors/contract.ts'
import { timestampMax } from '../../src/base/time.ts'

/** As many as the runtime gives a chain at a time. */
export const ROWS_PER_CALL = 1_024

export interface RunnableChain<Row> {
  rows(rows: readonly Row[]): void
  frames(frames: readonly Frame[]): void
  /** The end of the input: everything still open fires. */
  end(): void
}

/** `build` ends the stream in `sink()`; what arrives there goes to `write`. */
export function chainOf<Row, Out>(
  build: (rows: Stream<Row>, sink: Sink<Out>) => void,
  write: (row: Out, timestampMs: number) => void,
): RunnableChain<Row> {
  const plan = planOf(build)
  const counters = new Float64Array(counterLayout(plan).size)
  const hooks = new FailurePolicies(plan, counters)
  const total = plan.options.maxParallelism
  const parts = buildParts({
    plan,
    env: createNodeEnv({ logLevel: 'error' }),
    range: { first: 0, end: total, total },
    processing: { nowMs: () => 0, schedule: () => {} },
    hooks,
    batch: false,
    stages: stagesOf(plan, 1),
  })
  // `as`: the chain only ever calls `write`.
  const writer = { write } as unknown as SinkWriter<unknown>
  const sinks = new Map(
    plan.nodes.flatMap((node) => (node.kind === 'sink' ? [[node.id, writer] as const] : [])),
  )
  const { operators, origins } = parts
  const chain = compileChain({
    plan,
    counters,
    operators,
    origins,
    sinks,
    hooks,
    batch: false,
    exchanges: noExchanges,
  })
  for (const reached of parts.originsOfSource.values()) {
    for (const origin of reached) {
      origin.open('rows')
      origin.select('rows')
    }
  }
  const root = [...chain.roots.values()][0]
  return {
    rows: (rows) => {
      for (let from = 0; from < rows.length; from += ROWS_PER_CALL)
        root?.rows(rows, from, Math.min(from + ROWS_PER_CALL, rows.length))
    },
    frames: (frames) => {
      for (const frame of frames) root?.frame(frame, 0, frame.length)
    },
    end: () => {
      for (const reached of parts.originsOfSource.values())
        for (const origin of reached) origin.end('rows')
      for (const operator of operators.values()) {
        operator.advance(timestampMax)
        operator.finish()
      }
    },
  }
}

function planOf<Row, Out>(build: (rows: Stream<Row>, sink: Sink<Out>) => void): Plan {
  let plan: Plan | undefined
  const taken = new Error('the plan is all that is wanted')
  const app = pipelineOn({
    run: (made) => {
      plan = made
      return Promise.reject(taken)
    },
    start: () => Promise.reject(taken),
  })('micro')
  const unopened = (): Promise<never> => Promise.reject(new Error('rows are pushed'))
  const source: Source<Row> = {
    role: 'source',
    connector: 'micro',
    describe: {},
    schema: undefined,
    bounded: true,
    open: unopened,
  }
  const sink: Sink<Out> = {
    role: 'sink',
    connector: 'micro',
    describe: {},
    guarantee: 'at-least-once',
    open: unopened,
  }
  build(app.from('rows', source), sink)
  app.run().catch(() => {})
  if (plan === undefined) throw new Error('the executor was not given a plan')
  return plan
}
