/** The second phase behind an exchange: partial accumulators of the senders are added to those of the keys. */
import { assert, present } from '../base/assert.ts'
import type { RowBatch } from '../exchange/contract.ts'
import { type PartialForm, PartialReader } from '../exchange/partial-row.ts'
import { twoPhaseStep } from '../graph/two-phase.ts'
import type { EventClock } from '../operators/contract.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import { KeyedAggregateOperator } from '../window/keyed-aggregate.ts'
import { LocalAggregate } from '../window/local-aggregate.ts'
import type { AggregateKernel } from '../window/kernel.ts'
import type { LocalPhase } from '../window/local-phase.ts'
import { LocalTotals } from '../window/local-totals.ts'
import { PaneWindowOperator } from '../window/pane-window.ts'
import type { BuiltParts } from './build.ts'
import { countersPerNode, countIn } from './chain.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { ExchangeEdge } from './stages.ts'

/** The first phase in front of an exchange, where the step behind it allows one. */
export function localPhaseOf(
  plan: Plan,
  edge: ExchangeEdge,
  clock: EventClock,
): LocalPhase | undefined {
  const node = edge.kind === 'hash' ? twoPhaseStep(plan, edge.node) : undefined
  if (node === undefined) return undefined
  if (node.kind === 'keyed-aggregate') return new LocalTotals({ aggregates: node.aggregates })
  const { window, allowedLatenessMs, aggregates } = node
  return new LocalAggregate({ window, allowedLatenessMs, aggregates, clock })
}

/** What partials of these aggregates are made of: so many of the kernel's numbers, and all that are none. */
export function partialForm({ custom }: AggregateKernel, numbers: number): PartialForm {
  return { numbers, objects: custom.map((one) => one.accumulator) }
}

type TakesPartials = PaneWindowOperator | KeyedAggregateOperator

export class PartialInput {
  readonly #operator: TakesPartials
  /** Event time behind the exchange, when there is any. */
  readonly #origin: EventTimeOrigin | undefined
  readonly #received: number
  readonly #counters: Float64Array
  readonly #reader: PartialReader
  readonly #step: PlanNode
  /** The step whose functions run, while accumulators are merged; undefined while windows fire. */
  merging: PlanNode | undefined

  constructor(
    operator: TakesPartials,
    origin: EventTimeOrigin | undefined,
    step: PlanNode,
    counters: Float64Array,
  ) {
    this.#operator = operator
    this.#origin = origin
    this.#step = step
    this.#received = step.id * countersPerNode + countIn
    this.#counters = counters
    this.#reader = new PartialReader(partialForm(operator.kernel, operator.kernel.numbers))
  }

  /** Adds all of them, and gives back how many rows each stood for. */
  take(batch: RowBatch): Float64Array<ArrayBuffer> {
    const { length, frame, keys, times, marks } = batch
    const origin = this.#origin
    const rows = new Float64Array(length)
    const reader = this.#reader
    for (let i = 0; i < length; i++) {
      const mark = marks[i]!
      this.merging = undefined
      if (origin !== undefined && mark > origin.max) {
        if (mark >= origin.gate) origin.fireAt(mark)
        else origin.max = mark
      }
      this.merging = this.#step
      rows[i] = reader.read(frame === undefined ? batch.rows?.[i] : frame.layout.plain(frame, i))
      const taken = this.#operator.addPartial(keys[i]!, times[i]!, reader.words, reader.objects)
      assert(taken, 'a partial aggregate came after its window had fired', { start: times[i]! })
      this.#counters[this.#received]! += rows[i]!
    }
    return rows
  }
}

/** By exchange, for those that carry partials. */
export function partialInputs(
  plan: Plan,
  exchanges: readonly ExchangeEdge[],
  built: Pick<BuiltParts, 'operators' | 'exchangeOrigins'>,
  counters: Float64Array,
): ReadonlyMap<number, PartialInput> {
  const inputs = new Map<number, PartialInput>()
  for (const edge of exchanges) {
    const node = edge.kind === 'hash' ? twoPhaseStep(plan, edge.node) : undefined
    if (node === undefined) continue
    const operator = present(built.operators.get(node.id), 'the step behind an exchange')
    assert(
      operator instanceof PaneWindowOperator || operator instanceof KeyedAggregateOperator,
      'partials are for windows on slices and running aggregates',
    )
    const origin = built.exchangeOrigins.get(edge.id)
    inputs.set(edge.id, new PartialInput(operator, origin, node, counters))
  }
  return inputs
}
