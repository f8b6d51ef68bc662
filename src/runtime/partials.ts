/** The second phase of a window behind an exchange: partial accumulators of the senders are added to those of the keys. */
import { assert, present } from '../base/assert.ts'
import type { RowBatch } from '../exchange/contract.ts'
import { partialFields } from '../exchange/exchange-writer.ts'
import { twoPhaseWindow } from '../graph/two-phase.ts'
import type { EventClock } from '../operators/contract.ts'
import type { Plan } from '../graph/plan.ts'
import { LocalAggregate } from '../window/local-aggregate.ts'
import { PaneWindowOperator } from '../window/pane-window.ts'
import type { BuiltParts } from './build.ts'
import { countersPerNode, countIn } from './chain.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { ExchangeEdge } from './stages.ts'

/** The first phase in front of an exchange, where the window behind it allows one. */
export function localAggregateOf(
  plan: Plan,
  edge: ExchangeEdge,
  clock: EventClock,
): LocalAggregate | undefined {
  const node = edge.kind === 'hash' ? twoPhaseWindow(plan, edge.node) : undefined
  if (node === undefined) return undefined
  const { window, allowedLatenessMs, aggregates } = node
  return new LocalAggregate({ window, allowedLatenessMs, aggregates, clock })
}

export class PartialInput {
  readonly #operator: PaneWindowOperator
  readonly #origin: EventTimeOrigin
  readonly #received: number
  readonly #counters: Float64Array
  readonly #fields: readonly string[]
  readonly #words: Float64Array

  constructor(
    operator: PaneWindowOperator,
    origin: EventTimeOrigin,
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
      if (mark > origin.max) {
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
    const node = edge.kind === 'hash' ? twoPhaseWindow(plan, edge.node) : undefined
    if (node === undefined) continue
    const operator = present(built.operators.get(node.id), 'the window behind an exchange')
    assert(operator instanceof PaneWindowOperator, 'partials are for windows on slices')
    const origin = present(built.exchangeOrigins.get(edge.id), 'event time behind an exchange')
    inputs.set(edge.id, new PartialInput(operator, origin, node.id, counters))
  }
  return inputs
}
