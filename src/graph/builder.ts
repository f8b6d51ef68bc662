/**
 * Collects the steps of one program and turns them into a frozen plan.
 *
 * A step refers only to steps that were added before it, so the list is in topological order by construction. What a
 * program says later about an earlier step - `.orFail()`, `.dropLate(…)` - replaces that step's entry; `finish` may be
 * called any number of times and always returns a plan of its own.
 */
import { assert } from '../base/assert.ts'
import { TidemillError } from '../base/errors.ts'
import { graphErrors } from './errors.ts'
import { callerLocation } from './location.ts'
import { checkName, foldName, quote } from './names.ts'
import { finishPlan } from './finish.ts'
import { checkParallelism } from './parallelism.ts'
import type { ErrorPolicies, Plan, PlanNode, PlanOptions } from './plan.ts'
import { describeNode, nameRole } from './roles.ts'

type WithoutPlace<Node> = Node extends PlanNode ? Omit<Node, 'id' | 'at'> : never

/** A step as the program gives it; the builder adds where it stands and where it was written. */
export type NodeDraft = WithoutPlace<PlanNode>

/** What a program may say about the job as a whole. */
export interface PlanSettings {
  readonly onError?: Partial<ErrorPolicies>
  readonly maxParallelism?: number
}

/** Largest number of key groups: a group's number must fit 16 bits with room for marks. */
export const maxParallelismLimit = 32_768
export const defaultMaxParallelism = 128

const policies = {
  decode: ['fail', 'skip', 'dead-letter'],
  user: ['fail', 'skip', 'dead-letter'],
  time: ['fail', 'skip', 'dead-letter'],
  sink: ['fail', 'pause'],
} as const

export class PlanBuilder {
  readonly job: string
  readonly options: PlanOptions
  readonly #nodes: PlanNode[] = []
  /** Folded names by role, so that a repeated name fails at the line that repeats it. */
  readonly #names = new Map<string, PlanNode>()

  constructor(job: string, settings: PlanSettings = {}) {
    checkName(job, 'the pipeline')
    this.job = job
    this.options = planOptions(settings)
  }

  /** Adds a step and returns its position. Throws TM1300 to TM1303 for a name that cannot be used. */
  add(draft: NodeDraft): number {
    const id = this.#nodes.length
    const node = { ...draft, id, at: callerLocation() } as PlanNode // the omitted fields are back
    checkParallelism(node, this.options.maxParallelism)
    const role = nameRole(node)
    if (role !== undefined) {
      checkName(node.name, describeNode(node))
      const slot = `${role} ${foldName(node.name ?? '')}`
      const other = this.#names.get(slot)
      if (other !== undefined) throw repeatedName(node, other)
      this.#names.set(slot, node)
    }
    this.#nodes.push(node)
    return id
  }

  /** The step with this position. */
  node(id: number): PlanNode {
    const node = this.#nodes[id]
    assert(node !== undefined, 'a stream refers to a step that its builder does not have')
    return node
  }

  /** `orFail()`: rejected records of this step stop the job instead of leaving by `rejected`. */
  failOnReject(id: number): void {
    const node = this.node(id)
    if (node.kind === 'try') this.#nodes[id] = { ...node, rejects: false }
    else if (node.kind === 'source') this.#nodes[id] = { ...node, rejects: false, onError: 'fail' }
    else if (node.kind === 'event-time')
      this.#nodes[id] = { ...node, rejects: false, onError: 'fail' }
    else assert(false, `a ${node.kind} step rejects nothing`)
  }

  /** `dropLate(reason)`: late records of this window are counted and dropped. */
  dropLate(id: number, reason: string): void {
    const node = this.node(id)
    assert(node.kind === 'window', `a ${node.kind} step has no late records`)
    if (typeof reason !== 'string' || reason.trim() === '') {
      throw new TidemillError(graphErrors.optionInvalid, {
        message: `dropLate of ${quote(node.name)} needs a reason in words: it is shown beside the count of dropped records`,
        details: { operator: node.name },
      })
    }
    this.#nodes[id] = { ...node, dropLate: reason }
  }

  /** The plan so far, checked and frozen. Throws the first thing that is wrong with it. */
  finish(): Plan {
    return finishPlan({ job: this.job, nodes: this.#nodes, options: this.options })
  }
}

/** The error for two names of one role that are equal or differ only in case. */
function repeatedName(node: PlanNode, other: PlanNode): TidemillError {
  const before = other.at === undefined ? '' : `, first at ${other.at}`
  return new TidemillError(graphErrors.nameRepeated, {
    message: `${describeNode(node)} and ${describeNode(other)}${before}`,
    details: { operator: node.name ?? '' },
  })
}

function planOptions(settings: PlanSettings): PlanOptions {
  const maxParallelism = settings.maxParallelism ?? defaultMaxParallelism
  const isPower = Number.isInteger(maxParallelism) && (maxParallelism & (maxParallelism - 1)) === 0
  if (!isPower || maxParallelism < 1 || maxParallelism > maxParallelismLimit) {
    throw new TidemillError(graphErrors.optionInvalid, {
      message: `maxParallelism is ${maxParallelism}, expected a power of two from 1 to ${maxParallelismLimit}`,
    })
  }
  const given = settings.onError ?? {}
  for (const [name, value] of Object.entries(given)) {
    const allowed: readonly string[] | undefined = Object.hasOwn(policies, name)
      ? policies[name as keyof typeof policies]
      : undefined
    if (allowed === undefined) {
      throw new TidemillError(graphErrors.optionInvalid, {
        message: `onError has no ${quote(name)}, only ${Object.keys(policies).join(', ')}`,
      })
    }
    if (value !== undefined && !allowed.includes(value)) {
      throw new TidemillError(graphErrors.optionInvalid, {
        message: `onError.${name} is ${quote(String(value))}, expected ${allowed.join(' or ')}`,
      })
    }
  }
  return Object.freeze({
    onError: Object.freeze({
      decode: given.decode ?? 'fail',
      user: given.user ?? 'fail',
      time: given.time ?? 'fail',
      sink: given.sink ?? 'fail',
    }),
    maxParallelism,
  })
}
