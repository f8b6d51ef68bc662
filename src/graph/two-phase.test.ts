/** Which windows and running aggregates are aggregated in two phases, and why the others are not. */
import { describe, expect, it } from 'vitest'
import { milliseconds, seconds, timestamp } from '../base/time.ts'
import { memorySink } from '../connectors/memory/memory-sink.ts'
import { memorySource } from '../connectors/memory/memory-source.ts'
import { aggregate, count, countDistinct, mean, quantile, sum } from '../stream/aggregates.ts'
import { pipelineOn } from '../stream/pipeline.ts'
import { session, sliding, tumbling, tumblingProcessingTime } from '../stream/window-assigners.ts'
import type { KeyedAggregateNode, WindowNode } from './plan.ts'
import { onePhaseReason, twoPhaseStep } from './two-phase.ts'

interface Row {
  readonly t: number
  readonly n: number
}

function program() {
  const app = pipelineOn(undefined)('phases')
  const timed = app.from('rows', memorySource<Row>([])).withEventTime({
    timestamp: (row) => timestamp(row.t),
    maxOutOfOrderness: seconds(1),
  })
  const keyed = () => timed.keyBy((row) => row.n)
  const reason = 'not of interest'
  const size = tumbling(seconds(1))
  const all = { rows: count() }
  const sums = { total: sum((row: Row) => row.n), average: mean((row: Row) => row.n) }
  const sink = () => memorySink<unknown>()
  keyed().window(size).aggregate('tumbled', sums).dropLate(reason).to('1', sink())
  const slide = sliding(seconds(2), seconds(1))
  keyed().window(slide).aggregate('slid', all).dropLate(reason).to('2', sink())
  const patient = keyed().window(size).allowedLateness(milliseconds(5))
  patient.emitOnce().aggregate('patient', all).dropLate(reason).to('3', sink())
  const updating = keyed().window(size).allowedLateness(milliseconds(5))
  updating.aggregate('updates', all).dropLate(reason).changes().to('4', sink())
  const distinct = { kinds: countDistinct((row: Row) => row.n) }
  keyed().window(size).aggregate('distinct', distinct).dropLate(reason).to('5', sink())
  keyed()
    .window(session(seconds(1)))
    .aggregate('sessions', all)
    .dropLate(reason)
    .to('6', sink())
  keyed()
    .window(tumblingProcessingTime(seconds(1)))
    .aggregate('clock', all)
    .to('7', sink())
  const shared = keyed()
  shared.window(size).aggregate('first', all).dropLate(reason).to('8', sink())
  shared.window(size).aggregate('second', all).dropLate(reason).to('9', sink())
  const longest = {
    create: () => 0,
    add: (most: number, row: Row) => Math.max(most, row.n),
    merge: Math.max,
    result: (most: number) => most,
  }
  const longer = { most: aggregate(longest) }
  const declared = {
    most: aggregate({ ...longest, decomposable: true }),
    p50: quantile((row: Row) => row.n, 0.5),
  }
  keyed().window(size).aggregate('custom', longer).dropLate(reason).to('13', sink())
  keyed().window(size).aggregate('declared', declared).dropLate(reason).to('14', sink())
  keyed().aggregate('totals', all, { emit: 'latest' }).to('10', sink())
  keyed().aggregate('changes', all).to('11', sink())
  keyed().aggregate('kinds', distinct, { emit: 'latest' }).to('12', sink())
  return app.plan()
}

describe('two phases', () => {
  it('are for windows on slices and latest totals, whose aggregates do not depend on the grouping of rows', () => {
    const plan = program()
    const steps = plan.nodes.filter(
      (node): node is WindowNode | KeyedAggregateNode =>
        node.kind === 'window' || node.kind === 'keyed-aggregate',
    )
    expect(steps.map((node) => [node.name, onePhaseReason(plan, node)])).toEqual([
      ['tumbled', undefined],
      ['slid', undefined],
      ['patient', undefined],
      ['updates', 'emits updates'],
      ['distinct', 'kinds needs all rows'],
      ['sessions', 'a session is not made of slices'],
      ['clock', 'processing time'],
      ['first', 'other steps read the same keyed rows'],
      ['second', 'other steps read the same keyed rows'],
      ['custom', 'most is not declared decomposable'],
      ['declared', undefined],
      ['totals', undefined],
      ['changes', 'emits every change'],
      ['kinds', 'kinds needs all rows'],
    ])
    for (const node of steps) {
      const taken = twoPhaseStep(plan, node.inputs[0]?.node ?? -1)
      expect(taken?.name).toBe(onePhaseReason(plan, node) === undefined ? node.name : undefined)
    }
  })
})
