/** Which results of a key function can be used: keys, or numbers of partitions. */
import type { PlanNode } from '../graph/plan.ts'
import { checkKey } from '../schema/key.ts'

/** Says of a key what is wrong with it, `undefined` when nothing is. */
export function keyCheck(node: PlanNode): (key: unknown) => string | undefined {
  if (node.kind !== 'partition' || node.partitions === undefined) return checkKey
  const { partitions } = node
  return (key) =>
    Number.isInteger(key) && (key as number) >= 0 && (key as number) < partitions
      ? undefined
      : `is no partition, which are the whole numbers from 0 to ${partitions - 1}`
}
