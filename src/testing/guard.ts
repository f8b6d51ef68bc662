/**
 * Catches user functions that look at the real clock or draw real randomness (R7): a replayed run would see other
 * values. The global `Date` and `Math.random` are replaced only while a guarded function runs, which is synchronous, so
 * nobody else ever meets the replacements.
 */
import { TidemillError } from '../base/errors.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import { testingErrors } from './errors.ts'

const realDate = globalThis.Date
const realRandom = Math.random

export class UserCodeGuard {
  /** The first use, kept because a policy such as `skip` may swallow what was thrown. */
  violation: TidemillError | undefined
  readonly #date: DateConstructor
  readonly #random: () => number
  #operator: () => string = () => 'unknown'

  constructor() {
    const caught = (what: string, instead: string): never => this.#caught(what, instead)
    this.#date = new Proxy(realDate, {
      get: (target, name, receiver) =>
        name === 'now'
          ? () => caught('Date.now()', 'ctx.now()')
          : Reflect.get(target, name, receiver),
      construct: (target, args, newTarget) =>
        args.length === 0
          ? caught('new Date()', 'new Date(ctx.now())')
          : Reflect.construct(target, args, newTarget),
      apply: () => caught('Date()', 'ctx.now()'),
    })
    this.#random = () => caught('Math.random()', 'ctx.random()')
  }

  /** Runs `fn` under guard; `operator` names the step whose function is running, should it be caught. */
  run<Result>(operator: () => string, fn: () => Result): Result {
    if (globalThis.Date === this.#date) return fn()
    this.#operator = operator
    globalThis.Date = this.#date
    Math.random = this.#random
    try {
      return fn()
    } finally {
      globalThis.Date = realDate
      Math.random = realRandom
    }
  }

  #caught(what: string, instead: string): never {
    const operator = this.#operator()
    const error = new TidemillError(testingErrors.unreproducible, {
      message: `step "${operator}" calls ${what}; use ${instead}`,
      details: { operator },
    })
    this.violation ??= error
    throw error
  }
}

/** The same plan with every user function under guard. */
export function guardedPlan(plan: Plan, guard: UserCodeGuard): Plan {
  const nodes = plan.nodes.map((node) => guardedNode(node, plan, guard))
  return { ...plan, nodes }
}

function guardedNode(node: PlanNode, plan: Plan, guard: UserCodeGuard): PlanNode {
  const operator = (): string => stepName(plan, node)
  const wrap =
    <Args extends readonly unknown[], Result>(fn: (...args: Args) => Result) =>
    (...args: Args): Result =>
      guard.run(operator, () => fn(...args))
  switch (node.kind) {
    case 'map':
    case 'try':
      return { ...node, fn: wrap(node.fn) }
    case 'filter':
      return { ...node, fn: wrap(node.fn) }
    case 'flat-map':
      // The iterable may be a generator, whose body runs while it is consumed.
      return { ...node, fn: wrap((row: unknown) => [...node.fn(row)]) }
    case 'key-by':
      return { ...node, fn: wrap(node.fn) }
    case 'partition':
      return node.fn === undefined ? node : { ...node, fn: wrap(node.fn) }
    case 'event-time':
      return { ...node, timestamp: wrap(node.timestamp) }
    case 'keyed-reduce':
      return { ...node, reduce: wrap(node.reduce) }
    case 'process': {
      const { definition } = node
      const onTimer = Object.fromEntries(
        Object.entries(definition.onTimer).map(([name, fn]) => [name, wrap(fn)]),
      )
      return {
        ...node,
        definition: { ...definition, onRecord: wrap(definition.onRecord), onTimer },
      }
    }
    default:
      return node
  }
}

/** How messages call a step: its name, or what it is and what it follows. */
export function stepName(plan: Plan, node: PlanNode): string {
  if (node.name !== undefined) return node.name
  const from = plan.nodes[node.inputs[0]?.node ?? -1]
  return from === undefined ? node.kind : `${node.kind} after ${stepName(plan, from)}`
}
