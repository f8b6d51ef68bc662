/**
 * What happens to records that cannot be processed, by the policies of the job: `fail` stops at the record and names
 * it, `skip` counts it, `dead-letter` stores it in the same epoch as everything else.
 */
import { isTidemillError, TidemillError } from '../base/errors.ts'
import type { RejectedInput, SinkWriter } from '../connectors/contract.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import { nameOf } from '../graph/roles.ts'
import type { Emit } from '../operators/contract.ts'
import {
  type ChainHooks,
  type countAside,
  countDropped,
  countersPerNode,
  type RowPlace,
} from './chain.ts'
import { runtimeErrors } from './errors.ts'
import { keyCheck } from './key-check.ts'
import { farTime, messageOf, rejectedRow } from './rejected.ts'

export class FailurePolicies implements ChainHooks {
  /** Present when letters may be written about rows: they name the place. */
  readonly row: RowPlace | undefined
  /** The place of a row of the running batch in its source; `undefined` while no source gives rows away. */
  locate: ((index: number) => string) | undefined
  #place: (index: number) => string = () => 'unknown'
  /** Where the policy `dead-letter` stores records. */
  deadLetters: SinkWriter<unknown> | undefined
  readonly #plan: Plan
  readonly #counters: Float64Array
  readonly #stageOf: (node: PlanNode) => number
  /** Stages that a barrier has passed while others wait for it: what they store belongs to the next epoch. */
  readonly #passed: Set<number> = new Set()
  #later: unknown[] = []

  constructor(plan: Plan, counters: Float64Array, stageOf: (node: PlanNode) => number = () => 0) {
    this.#plan = plan
    this.#counters = counters
    this.#stageOf = stageOf
    const tells = this.needsDeadLetters || plan.nodes.some((n) => 'rejects' in n && n.rejects)
    this.row = tells ? { index: -1 } : undefined
  }

  /** Says where row `index` of the current batch came from, for errors. Whoever sets it may set `locate` too. */
  get place(): (index: number) => string {
    return this.#place
  }

  set place(place: (index: number) => string) {
    this.#place = place
    this.locate = undefined
  }

  position(): string {
    const index = this.row?.index ?? -1
    return index < 0 ? '' : (this.locate?.(index) ?? '')
  }

  get needsDeadLetters(): boolean {
    const { decode, user, time } = this.#plan.options.onError
    const steps = this.#plan.nodes.some(
      (n) => n.kind === 'process' && n.definition.onError === 'dead-letter',
    )
    return decode === 'dead-letter' || user === 'dead-letter' || time === 'dead-letter' || steps
  }

  /** A barrier has passed this stage; its dead letters are held until `release`. */
  hold(stage: number): void {
    this.#passed.add(stage)
  }

  /** The barrier has passed everywhere, or is off. */
  release(): void {
    this.#passed.clear()
    const later = this.#later
    this.#later = []
    for (const letter of later) this.deadLetters?.write(letter, Number.NaN)
  }

  userError(node: PlanNode, row: unknown, error: unknown, lost: PlanNode = node): void {
    const policy =
      (node.kind === 'process' ? node.definition.onError : undefined) ??
      this.#plan.options.onError.user
    if (policy === 'fail') throw error
    this.#drop(node, row, error, policy, lost)
  }

  badTime(node: PlanNode, row: unknown, value: unknown): void {
    const message =
      value instanceof Error
        ? value.message
        : (farTime(node, value) ?? `${describe(value)} is not a time`)
    const error = new TidemillError(runtimeErrors.badTime, { message })
    const policy =
      (node.kind === 'event-time' ? node.onError : undefined) ?? this.#plan.options.onError.time
    if (policy === 'fail') throw error
    this.#drop(node, row, error, policy)
  }

  badKey(node: PlanNode, _row: unknown, key: unknown): never {
    const reason = keyCheck(node)(key)
    const numbered = node.kind === 'partition' && node.partitions !== undefined
    throw new TidemillError(runtimeErrors.invalidKey, {
      message: numbered ? `${describe(key)} ${reason}` : (reason ?? describe(key)),
    })
  }

  /** Names the step and the record of what escaped from a batch. */
  failed(node: PlanNode | undefined, error: unknown, index: number): never {
    const operator = node === undefined ? 'unknown' : nameOf(node)
    const details = {
      operator,
      ...(node?.at === undefined ? {} : { at: node.at }),
      record: this.place(index),
    }
    if (isTidemillError(error)) throw error.with(details)
    throw new TidemillError(runtimeErrors.userFunction, {
      message: messageOf(error),
      details,
      cause: error,
    })
  }

  /** A record that the source could not decode. */
  undecodable(source: number, input: RejectedInput, rejected: Emit | undefined): void {
    const node = this.#plan.nodes[source]
    if (node?.kind !== 'source') return
    if (rejected !== undefined) {
      rejected(
        {
          input: input.raw,
          operator: node.name ?? '',
          attempt: 1,
          position: `${input.source}:${input.position}`,
          source: input.source,
          line: input.position,
          error: input.error,
        },
        Number.NaN,
      )
      return
    }
    const policy = node.onError ?? this.#plan.options.onError.decode
    if (policy === 'fail') {
      throw new TidemillError(runtimeErrors.undecodable, {
        message: `${input.source}:${input.position}: ${input.error.message}`,
        details: {
          operator: node.name ?? '',
          file: input.source,
          record: input.position,
          code: input.error.code,
        },
      })
    }
    this.#count(node, countDropped)
    if (policy === 'dead-letter') {
      this.#store(node, {
        input: input.raw,
        operator: node.name ?? '',
        attempt: 1,
        position: `${input.source}:${input.position}`,
        error: input.error,
      })
    }
  }

  #drop(
    node: PlanNode,
    row: unknown,
    error: unknown,
    policy: 'skip' | 'dead-letter',
    lost: PlanNode = node,
  ): void {
    this.#count(lost, countDropped)
    if (policy === 'dead-letter') {
      // A timer is not the row that made time advance.
      const position = row === undefined ? '' : this.position()
      this.#store(lost, rejectedRow(nameOf(node), row, error, position))
    }
  }

  #store(node: PlanNode, letter: unknown): void {
    if (this.#passed.has(this.#stageOf(node))) this.#later.push(letter)
    else this.deadLetters?.write(letter, Number.NaN)
  }

  #count(node: PlanNode, which: typeof countDropped | typeof countAside): void {
    this.#counters[node.id * countersPerNode + which]! += 1
  }
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value)
}
