/** Which outputs a stateful step has. */
import type { PlanNode } from '../graph/plan.ts'

/** In a fixed order; `out` stands for the main output. */
export function outputNames(node: PlanNode): readonly string[] {
  if (node.kind === 'process') return node.definition.outputs ?? ['out']
  if (node.kind === 'window') return ['out', 'late']
  return ['out']
}
