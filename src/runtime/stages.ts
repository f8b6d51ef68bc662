/**
 * How a plan is cut into stages when several subtasks run it. Rows reach a keyed step in the subtask that owns their
 * key, so the edge behind every `keyBy` is an exchange, and the steps between exchanges are a stage: what one thread
 * runs as one chain and what a barrier passes as a whole.
 *
 * A union of streams from different stages begins a stage of its own, fed by exchanges that stay inside the subtask
 * (`forward`): a barrier must find all its inputs aligned too.
 *
 * With one subtask everything is one stage and there is no exchange.
 */
import type { Input, Plan, PlanNode } from '../graph/plan.ts'

export interface ExchangeEdge {
  /** Position in `stages.exchanges`; names its channels. */
  readonly id: number
  readonly kind: 'hash' | 'forward'
  /** `hash`: the `keyBy` step. `forward`: the union that is fed. */
  readonly node: number
  /** What is sent. */
  readonly input: Input
  /** Stage that sends. */
  readonly from: number
  /** Stage that receives. */
  readonly to: number
}

export interface Stages {
  readonly exchanges: readonly ExchangeEdge[]
  /** Number of stages. Every exchange leads from a lower to a higher one. */
  readonly count: number
  /** Stage of each node, by id. */
  readonly stageOf: readonly number[]
  /** The exchange behind a `keyBy` step. */
  hashOf(keyBy: number): ExchangeEdge | undefined
  /** The exchange on the edge from an output to a union. */
  forwardOf(input: Input, union: number): ExchangeEdge | undefined
}

export function stagesOf(plan: Pick<Plan, 'nodes'>, subtasks: number): Stages {
  const exchanges: ExchangeEdge[] = []
  const stageOf: number[] = []
  const behind = new Map<number, ExchangeEdge>()
  let count = 1
  const stage = (id: number): number => behind.get(id)?.to ?? stageOf[id] ?? 0
  for (const node of plan.nodes) {
    const [first] = node.inputs
    if (subtasks === 1 || first === undefined) {
      stageOf[node.id] = 0
      continue
    }
    const inputs = node.inputs.map((input) => stage(input.node))
    const mixed = inputs.some((one) => one !== inputs[0])
    stageOf[node.id] = mixed ? count++ : (inputs[0] ?? 0)
    const own = stageOf[node.id] ?? 0
    if (mixed) {
      node.inputs.forEach((input, index) => {
        const from = inputs[index] ?? 0
        exchanges.push({
          id: exchanges.length,
          kind: 'forward',
          node: node.id,
          input,
          from,
          to: own,
        })
      })
    }
    if (node.kind === 'key-by') {
      const id = exchanges.length
      const edge: ExchangeEdge = {
        id,
        kind: 'hash',
        node: node.id,
        input: first,
        from: own,
        to: count++,
      }
      exchanges.push(edge)
      behind.set(node.id, edge)
    }
  }
  return {
    exchanges,
    count,
    stageOf,
    hashOf: (keyBy) => behind.get(keyBy),
    forwardOf: (input, union) =>
      exchanges.find(
        (edge) =>
          edge.kind === 'forward' &&
          edge.node === union &&
          edge.input.node === input.node &&
          edge.input.output === input.output,
      ),
  }
}

/** Nodes of one stage, in topological order. */
export function nodesOf(plan: Plan, stages: Stages, stage: number): readonly PlanNode[] {
  return plan.nodes.filter((node) => stages.stageOf[node.id] === stage)
}
