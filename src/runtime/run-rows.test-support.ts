/** Runs a plan over rows in memory, without disk and checkpoints: what tests of chains and windows need. */
import { forbidCodeGeneration } from '../base/codegen.ts'
import type { Sink, Source } from '../connectors/contract.ts'
import type { Plan } from '../graph/plan.ts'
import { timestampMax } from '../base/time.ts'
import { createSeededRandom } from '../platform/random.ts'
import type { Env } from '../base/env.ts'
import { createFrameBuilder } from '../frame/create-builder.ts'
import type { Frame } from '../frame/frame.ts'
import { layoutOf } from '../frame/layout.ts'
import type { Schema } from '../schema/types.ts'
import { buildParts } from './build.ts'
import { type BatchRows, counterLayout, noExchanges } from './chain.ts'
import { compileChain } from './compile-chain.ts'
import { FailurePolicies } from './failures.ts'
import { replayInOrder } from './replay.ts'
import { stagesOf } from './stages.ts'

/** A source that only plans can see: rows are pushed by {@link runRows}. */
export function rowsSource<Row>(): Source<Row> {
  return {
    role: 'source',
    connector: 'rows',
    describe: {},
    schema: undefined,
    bounded: true,
    open: () => Promise.reject(new Error('rows are pushed by the test')),
  }
}

export function nullSink<Row>(): Sink<Row> {
  return {
    role: 'sink',
    connector: 'rows',
    describe: {},
    guarantee: 'at-least-once',
    acceptsViews: false,
    open: () => Promise.reject(new Error('rows are collected by the test')),
  }
}

export interface RunRowsOptions {
  readonly mode?: 'stream' | 'batch'
  readonly interpreted?: boolean
  /** Rows arrive in frames of this schema instead of as plain objects. */
  readonly frames?: Schema<never>
  /** Rows per call of the chain; results may not depend on it. */
  readonly batchRows?: number
  /** Replaces every stateful step by one restored from its snapshot after so many rows. */
  readonly restoreAfter?: number
}

/** Rows of each sink, in order. The rows of several sources are given by source name. */
export async function runRows(
  plan: Plan,
  rows: readonly unknown[],
  options: RunRowsOptions = {},
): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const batch = options.mode === 'batch'
  const outputs: Record<string, unknown[]> = {}
  let life = start(plan, outputs, batch, options.interpreted === true)
  const step = options.batchRows ?? 7
  for (let from = 0; from < rows.length; from += step) {
    const to = Math.min(from + step, rows.length)
    for (const root of life.chain.roots.values()) {
      if (options.frames === undefined) root.rows(rows, from, to)
      else root.frame(frameOf(options.frames, rows.slice(from, to)), 0, to - from)
    }
    if (
      options.restoreAfter !== undefined &&
      from <= options.restoreAfter &&
      to > options.restoreAfter &&
      !batch
    ) {
      life = restart(plan, outputs, life, options.interpreted === true)
    }
  }
  if (batch) {
    const depths = [...new Set(life.parts.depth.values())].sort((a, b) => a - b)
    for (const depth of depths) {
      const origins = [...life.parts.origins.values()].filter(
        (o) => life.parts.depth.get(o.id) === depth,
      )
      await replayInOrder(origins, life.collected, life.chain.replay, async () => {})
    }
  }
  for (const origins of life.parts.originsOfSource.values())
    for (const origin of origins) origin.end('rows')
  for (const origin of life.parts.inner) origin.end('input')
  for (const operator of life.parts.operators.values()) {
    operator.advance(timestampMax)
    operator.finish()
  }
  return outputs
}

function frameOf(schema: Schema<never>, rows: readonly unknown[]): Frame {
  const builder = createFrameBuilder(layoutOf(schema))
  for (const row of rows) builder.append(row)
  return builder.build()
}

type Life = ReturnType<typeof start>

function start(
  plan: Plan,
  outputs: Record<string, unknown[]>,
  batch: boolean,
  interpreted: boolean,
) {
  const counters = new Float64Array(counterLayout(plan).size)
  const hooks = new FailurePolicies(plan, counters)
  hooks.locate = (index) => `rows:${index}`
  if (hooks.needsDeadLetters) {
    const letters = outputs['dead letters'] ?? []
    outputs['dead letters'] = letters
    hooks.deadLetters = { write: (letter: unknown) => letters.push(letter) } as never
  }
  const range = { first: 0, end: plan.options.maxParallelism, total: plan.options.maxParallelism }
  const random = createSeededRandom(1)
  forbidCodeGeneration(interpreted)
  try {
    const parts = buildParts({
      plan,
      env: { random } as unknown as Env,
      range,
      processing: { nowMs: () => 0, schedule: () => {} },
      hooks,
      batch,
      stages: stagesOf(plan, 1),
    })
    const collected = new Map<number, BatchRows>()
    if (batch) for (const id of parts.origins.keys()) collected.set(id, { rows: [], times: [] })
    const sinks = new Map(
      plan.nodes.flatMap((node) => {
        if (node.kind !== 'sink') return []
        const into = outputs[node.name] ?? []
        outputs[node.name] = into
        return [[node.id, { write: (row: unknown) => into.push(row) } as never]]
      }),
    )
    const chain = compileChain({
      plan,
      counters,
      operators: parts.operators,
      origins: parts.origins,
      sinks,
      hooks,
      batch,
      collected,
      exchanges: noExchanges,
    })
    for (const origins of parts.originsOfSource.values()) {
      for (const origin of origins) {
        origin.open('rows')
        origin.select('rows')
      }
    }
    for (const origin of parts.inner) {
      origin.open('input')
      origin.select('input')
    }
    return { parts, chain, collected }
  } finally {
    forbidCodeGeneration(false)
  }
}

function restart(
  plan: Plan,
  outputs: Record<string, unknown[]>,
  old: Life,
  interpreted: boolean,
): Life {
  for (const operator of old.parts.operators.values()) operator.flushEpoch()
  const next = start(plan, outputs, false, interpreted)
  for (const [id, operator] of old.parts.operators) {
    const frozen = operator.freeze()
    for (let blocks = frozen.next(100); blocks !== undefined; blocks = frozen.next(100)) {
      for (const block of blocks) next.parts.operators.get(id)?.restore(block)
    }
    next.parts.operators.get(id)?.finishRestore()
  }
  for (const [id, origin] of old.parts.origins)
    next.parts.origins.get(id)?.restoreWatermarks([origin.storedWatermarks()])
  for (const origins of next.parts.originsOfSource.values()) {
    for (const origin of origins) origin.select('rows')
  }
  return next
}
