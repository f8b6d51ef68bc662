/**
 * How a plan is cut into stages when several subtasks run it. Where rows change hands there is an exchange, and the steps
 * between exchanges are a stage: what one thread runs as one chain and what a barrier passes as a whole.
 *
 * An exchange lies *behind* a step whose rows go to other subtasks - `keyBy`, and the partition steps - and feeds all
 * steps that follow it; or it lies *in front of* one step:
 *
 *  - a union of streams from different stages, which begins a stage of its own, fed by exchanges that stay inside the
 *    subtask (`forward`): a barrier must find all its inputs aligned too;
 *  - a sink that wants rows in the subtask that owns their partition (`owner`), or that fewer subtasks write (`narrow`).
 *
 * With one subtask everything is one stage and there is no exchange. Otherwise the exchanges are the same for any number
 * of subtasks, since channels are made before that number is known to everybody.
 */
import type { Input, Parallelism, Partitioning, Plan, PlanNode } from '../graph/plan.ts'

/** `hash`: behind `keyBy`; rows travel with their keys. */
export type ExchangeKind = 'hash' | Partitioning | InFront
type InFront = 'forward' | 'owner' | 'narrow'

export interface ExchangeEdge {
  /** Position in `stages.exchanges`; names its channels. */
  readonly id: number
  readonly kind: ExchangeKind
  /** The step that it lies behind, or the one in front of which it lies. */
  readonly node: number
  /** What is sent. */
  readonly input: Input
  /** Stage that sends. */
  readonly from: number
  /** Stage that receives. */
  readonly to: number
  /** So many subtasks, the first ones, are given rows. */
  readonly owners: number
}

export interface Stages {
  readonly exchanges: readonly ExchangeEdge[]
  /** Number of stages. Every exchange leads from a lower to a higher one. */
  readonly count: number
  /** Stage of each node, by id. */
  readonly stageOf: readonly number[]
  readonly subtasks: number
  /** The exchange behind a step. */
  behind(node: number): ExchangeEdge | undefined
  /** The exchange on the edge from an output to a step. */
  inFrontOf(input: Input, node: number): ExchangeEdge | undefined
  /** The exchange of which a step is the node, whichever side it lies on; of a union the first. */
  of(node: number): ExchangeEdge | undefined
}

export function stagesOf(plan: Pick<Plan, 'nodes'>, subtasks: number): Stages {
  const exchanges: ExchangeEdge[] = []
  const stageOf: number[] = []
  const behind = new Map<number, ExchangeEdge>()
  let count = 1
  const stage = (id: number): number => behind.get(id)?.to ?? stageOf[id] ?? 0
  const add = (
    edge: Omit<ExchangeEdge, 'id' | 'owners'>,
    parallelism?: Parallelism,
  ): ExchangeEdge => {
    const made = {
      ...edge,
      id: exchanges.length,
      owners: Math.min(parallelism ?? subtasks, subtasks),
    }
    exchanges.push(made)
    return made
  }
  for (const node of plan.nodes) {
    const [first] = node.inputs
    if (subtasks === 1 || first === undefined) {
      stageOf[node.id] = 0
      continue
    }
    const inputs = node.inputs.map((input) => stage(input.node))
    const kind = inFrontKind(node, inputs)
    const own = kind === undefined ? (inputs[0] ?? 0) : count++
    stageOf[node.id] = own
    if (kind !== undefined) {
      node.inputs.forEach((input, index) => {
        const edge = { kind, node: node.id, input, from: inputs[index] ?? 0, to: own }
        add(edge, node.kind === 'sink' ? node.parallelism : undefined)
      })
    }
    if (node.kind === 'key-by' || node.kind === 'partition') {
      const spread: ExchangeKind = node.kind === 'key-by' ? 'hash' : node.how
      const edge = { kind: spread, node: node.id, input: first, from: own, to: count++ }
      behind.set(node.id, add(edge, node.parallelism))
    }
  }
  return {
    exchanges,
    count,
    stageOf,
    subtasks,
    behind: (node) => behind.get(node),
    inFrontOf: (input, node) =>
      exchanges.find(
        (edge) =>
          isInFront(edge) &&
          edge.node === node &&
          edge.input.node === input.node &&
          edge.input.output === input.output,
      ),
    of: (node) => exchanges.find((edge) => edge.node === node),
  }
}

export function isInFront({ kind }: ExchangeEdge): boolean {
  return kind === 'forward' || kind === 'owner' || kind === 'narrow'
}

/**
 * In batch mode the rows of a timed stream wait behind the exchange until all have come and go on in order of time: where
 * somebody may care for that order. Behind `rebalance` nobody can, and `forward` leads to further exchanges or to nobody.
 */
export function collectsInBatch({ kind }: ExchangeEdge): boolean {
  return kind !== 'forward' && kind !== 'rebalance'
}

/** The subtasks that a subtask sends to and hears from. */
export function peersOf(
  { kind }: ExchangeEdge,
  subtask: number,
  subtasks: number,
): readonly number[] {
  return kind === 'forward' ? [subtask] : Array.from({ length: subtasks }, (_, peer) => peer)
}

function inFrontKind(node: PlanNode, inputs: readonly number[]): InFront | undefined {
  if (inputs.some((one) => one !== inputs[0])) return 'forward'
  if (node.kind !== 'sink') return undefined
  if (node.sink.partitioning !== undefined) return 'owner'
  return node.parallelism === undefined ? undefined : 'narrow'
}
