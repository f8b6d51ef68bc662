/** Which bounds of parallelism a plan accepts. Checked where they are given, so that the stack points at the line. */
import { TidemillError } from '../base/errors.ts'
import { graphErrors } from './errors.ts'
import type { PlanNode } from './plan.ts'
import { describeNode } from './roles.ts'

/** Throws TM1313 for a bound that no number of subtasks can keep, and for partitions that are no number of partitions. */
export function checkParallelism(node: PlanNode, maxParallelism: number): void {
  if (node.kind !== 'partition' && node.kind !== 'key-by' && node.kind !== 'sink') return
  const { parallelism } = node
  if (parallelism !== undefined && !isCount(parallelism, maxParallelism)) {
    throw invalid(
      node,
      `parallelism of ${describeNode(node)} is ${String(parallelism)}, expected a whole number from 1 to ${maxParallelism}, the number of key groups`,
    )
  }
  if (node.kind !== 'partition') return
  const { partitions } = node
  if (partitions !== undefined && !isCount(partitions, partitionsMax)) {
    throw invalid(
      node,
      `partitions of ${describeNode(node)} is ${String(partitions)}, expected a whole number from 1 to ${partitionsMax}`,
    )
  }
}

const partitionsMax = 2 ** 31 - 1

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most
}

function invalid(node: PlanNode, message: string): TidemillError {
  return new TidemillError(graphErrors.optionInvalid, {
    message,
    details: {
      ...(node.name === undefined ? {} : { operator: node.name }),
      ...(node.at === undefined ? {} : { at: node.at }),
    },
  })
}
