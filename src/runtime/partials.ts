/** The second phase behind an exchange: partial accumulators of the senders are added to those of the keys. */
import { assert, present } from '../base/assert.ts'
import type { RowBatch } from '../exchange/contract.ts'
import { partialFields } from '../exchange/partial-row.ts'
import { twoPhaseStep } from '../graph/two-phase.ts'
import type { EventClock } from '../operators/contract.ts'
import type { Plan } from '../graph/plan.ts'
import { KeyedAggregateOperator } from '../window/keyed-aggregate.ts'
import { LocalAggregate } from '../window/local-aggregate.ts'
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

type TakesPartials = PaneWindowOperator | KeyedAggregateOperator

export class PartialInput {
  readonly #operator: TakesPartials
  /** Event time behind the exchange, when there is any. */
  readonly #origin: EventTimeOrigin | undefined
  readonly #received: number
  readonly #counters: Float64Array
  readonly #fields: readonly string[]
  readonly #words: Float64Array

  constructor(
    operator: TakesPartials,
    origin: EventTimeOrigin | undefined,
    node: number,
    counters: Float64Array,
  ) {
    this.#operator = operator
    this.#origin = origin
    this.#received = node * countersPerNode + countIn
    this.#counters = counters
    const { stride } = operator.kernel
    this.#fields = partialFields(stride).slice(1)
    this.#words = new Float64Array(stride)
  }

  /** Adds all of them, and gives back how many rows each stood for. */
  take(batch: RowBatch): Float64Array<ArrayBuffer> {
    const { length, frame, keys, times, marks } = batch
    const origin = this.#origin
    const rows = new Float64Array(length)
    const words = this.#words
    const fields = this.#fields
    for (let i = 0; i < length; i++) {
      const mark = marks[i]!
      if (origin !== undefined && mark > origin.max) {
        if (mark >= origin.gate) origin.fireAt(mark)
        else origin.max = mark
      }
      // `as`: the form of every partial.
      const partial = (
        frame === undefined ? batch.rows?.[i] : frame.layout.plain(frame, i)
      ) as Readonly<Record<string, number>>
      for (let k = 0; k < fields.length; k++) words[k] = partial[fields[k]!]!
      const taken = this.#operator.addPartial(keys[i]!, times[i]!, words)
      assert(taken, 'a partial aggregate came after its window had fired', { start: times[i]! })
      rows[i] = partial['n']!
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
    inputs.set(edge.id, new PartialInput(operator, origin, node.id, counters))
  }
  return inputs
}
