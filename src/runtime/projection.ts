/**
 * Which fields of a source's rows does the program read? Everything that a row meets before it is replaced by another
 * value or leaves the chain counts: a source that decodes fields one by one need not decode others.
 *
 * A field set is known only while every function on the way reads named fields (`../frame/fields.ts`). Whoever takes a
 * row as a whole ends that: a sink, a reduce, a function that spreads its row, and everything that keeps a record which
 * failed - dead letters, outputs `rejected` and `late`.
 */
import { columnsOf } from '../frame/fields.ts'
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Plan, PlanNode, SourceNode } from '../graph/plan.ts'
import { type Consumers, consumersOf, edgeKey } from './chain.ts'

/** The fields that are read of rows of `source`, sorted; undefined when rows are needed as a whole. */
export function fieldsRead(plan: Plan, source: SourceNode): readonly string[] | undefined {
  const reading = new Reading(plan)
  return reading.follow(source.id) ? [...reading.fields].sort() : undefined
}

/** The same of rows that come out of a step, for instance behind a `keyBy`. */
export function fieldsReadBehind(plan: Plan, node: number): readonly string[] | undefined {
  const reading = new Reading(plan)
  return reading.follow(node) ? [...reading.fields].sort() : undefined
}

type RowFunction = (...args: never[]) => unknown

class Reading {
  readonly fields: Set<string> = new Set()
  readonly #plan: Plan
  readonly #consumers: Consumers
  readonly #followed: Set<number> = new Set()

  constructor(plan: Plan) {
    this.#plan = plan
    this.#consumers = consumersOf(plan)
  }

  /** Adds what is read of rows that leave by the main output of a node; false when somebody takes whole rows. */
  follow(id: number): boolean {
    if (this.#followed.has(id)) return true
    this.#followed.add(id)
    return this.#readers(id, 'out').every((node) => this.#node(node))
  }

  #node(node: PlanNode): boolean {
    const { onError } = this.#plan.options
    switch (node.kind) {
      case 'map':
      case 'flat-map':
        return onError.user !== 'dead-letter' && this.#read(node.fn)
      case 'filter':
        return onError.user !== 'dead-letter' && this.#read(node.fn) && this.follow(node.id)
      case 'try':
        return this.#readers(node.id, 'rejected').length === 0 && this.#read(node.fn)
      case 'event-time': {
        const keeps = node.rejects
          ? this.#readers(node.id, 'rejected').length > 0
          : (node.onError ?? onError.time) === 'dead-letter'
        return !keeps && this.#read(node.timestamp) && this.follow(node.id)
      }
      case 'union':
        return this.follow(node.id)
      case 'key-by':
        return this.#read(node.fn) && this.follow(node.id)
      case 'partition':
        return (node.fn === undefined || this.#read(node.fn)) && this.follow(node.id)
      case 'process':
        return (
          (node.definition.onError ?? onError.user) !== 'dead-letter' &&
          this.#read(node.definition.onRecord)
        )
      case 'window':
        return this.#readers(node.id, 'late').length === 0 && this.#aggregates(node.aggregates)
      case 'keyed-aggregate':
        return this.#aggregates(node.aggregates)
      default:
        return false
    }
  }

  #aggregates(spec: AggregateSpec): boolean {
    return Object.values(spec).every((one) => {
      if (one.kind === 'custom') return this.#read(one.add, 1)
      const test = one.where === undefined || this.#read(one.where)
      return test && (!('of' in one) || this.#read(one.of))
    })
  }

  #read(fn: RowFunction, parameter: number = 0): boolean {
    const { fields } = columnsOf(fn, parameter)
    if (fields === undefined) return false
    for (const field of fields) this.fields.add(field)
    return true
  }

  #readers(id: number, output: string): readonly PlanNode[] {
    return this.#consumers.get(edgeKey(id, output)) ?? []
  }
}
