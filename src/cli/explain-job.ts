/** The plan of a job for a person, with the functions that keep rows from being read where they lie. */
import { columnsOf } from '../frame/fields.ts'
import { explainText } from '../graph/explain.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'

export function explainJob(plan: Plan): string {
  const whole = plan.nodes.flatMap((node) => (readsStructs(plan, node) ? wholeRows(node) : []))
  if (whole.length === 0) return explainText(plan)
  return [
    explainText(plan),
    '',
    'takes plain rows instead of views of their fields:',
    ...whole,
  ].join('\n')
}

/** Only rows with declared fields come as views; anything else is passed as it is. */
function readsStructs(plan: Plan, node: PlanNode): boolean {
  const input = plan.nodes[node.inputs[0]?.node ?? -1]
  return input?.schema?.type.kind === 'struct'
}

function wholeRows(node: PlanNode): readonly string[] {
  const fn = rowFunction(node)
  const reason = fn === undefined ? undefined : columnsOf(fn).reason
  return reason === undefined
    ? []
    : [`  ${node.kind} ${node.name ?? `#${node.id}`}: its function ${reason}`]
}

function rowFunction(node: PlanNode): ((row: never, context: never) => unknown) | undefined {
  switch (node.kind) {
    case 'map':
    case 'filter':
    case 'flat-map':
    case 'try':
    case 'key-by':
      return node.fn
    case 'event-time':
      return node.timestamp
    case 'process':
      return node.definition.onRecord
    default:
      return undefined
  }
}
