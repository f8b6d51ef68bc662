/** Which key groups a subtask owns, as a whole and of one step. */
import type { Plan, PlanNode } from '../graph/plan.ts'
import type { KeyGroupRange } from '../state/contract.ts'
import type { Stages } from './stages.ts'

/** Subtask i of n owns `[floor(total * i / n), floor(total * (i + 1) / n))`; subtasks from n on own nothing. */
export function keyRange(total: number, subtask: number, subtasks: number): KeyGroupRange {
  const bound = (i: number): number => Math.floor((total * Math.min(i, subtasks)) / subtasks)
  return { first: bound(subtask), end: bound(subtask + 1), total }
}

/** The key groups of a keyed step: those that the exchange in front of it gives to the subtask. */
export function rangeOfStep(
  plan: Plan,
  stages: Stages,
  node: PlanNode,
  subtask: number,
): KeyGroupRange {
  const keyBy = node.inputs[0]?.node ?? -1
  const owners = stages.behind(keyBy)?.owners ?? stages.subtasks
  return keyRange(plan.options.maxParallelism, subtask, owners)
}

/** All key groups of which the subtask may have state in some step, and those between. */
export function widestRange(plan: Plan, stages: Stages, subtask: number): KeyGroupRange {
  const total = plan.options.maxParallelism
  const owned = plan.nodes
    .filter((node) => node.kind === 'key-by')
    .map((node) => keyRange(total, subtask, stages.behind(node.id)?.owners ?? stages.subtasks))
    .filter(({ first, end }) => first < end)
  return {
    first: Math.min(total, ...owned.map(({ first }) => first)),
    end: Math.max(0, ...owned.map(({ end }) => end)),
    total,
  }
}
