/** The plan of a job for a person, with the fields it reads and the functions that keep rows from being read where they lie. */
import { columnsOf } from '../frame/fields.ts'
import { explainText } from '../graph/explain.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import { fieldsRead } from '../runtime/projection.ts'

export function explainJob(plan: Plan): string {
  const whole = plan.nodes.flatMap((node) => (readsStructs(plan, node) ? wholeRows(node) : []))
  return [
    explainText(plan),
    ...section(
      'reads of its source:',
      plan.nodes.flatMap((node) => fieldsOfSource(plan, node)),
    ),
    ...section('takes plain rows instead of views of their fields:', whole),
  ].join('\n')
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines]
}

/** Sources that know the fields of their rows may leave out those that nobody reads. */
function fieldsOfSource(plan: Plan, node: PlanNode): readonly string[] {
  if (node.kind !== 'source') return []
  const kind = node.source.schema?.type.kind
  if (kind !== 'struct' && kind !== 'variant') return []
  const fields = fieldsRead(plan, node)
  const text =
    fields === undefined ? 'whole rows' : fields.length === 0 ? 'no field' : fields.join(', ')
  return [`  ${node.name}: ${text}`]
}

/** Only rows with declared fields come as views; anything else is passed as it is. */
function readsStructs(plan: Plan, node: PlanNode): boolean {
  const input = plan.nodes[node.inputs[0]?.node ?? -1]
  return input?.schema?.type.kind === 'struct'
}

function wholeRows(node: PlanNode): readonly string[] {
  const fn = rowFunction(node)
  const use = fn === undefined ? undefined : columnsOf(fn)
  const reason = use?.fields && use.captured ? 'reads its row in an inner function' : use?.reason
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
    case 'partition':
      return node.fn
    case 'event-time':
      return node.timestamp
    case 'process':
      return node.definition.onRecord
    default:
      return undefined
  }
}
