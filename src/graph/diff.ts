/**
 * Compares two plans by the names under which they store something, e.g. the plan inside a checkpoint with the plan
 * of a new program. Steps without a name keep nothing and do not appear.
 */
import type { NodeJson, PlanJson } from './plan-json.ts'
import type { NameRole } from './roles.ts'

export interface PlanDifference {
  readonly kind: 'kept' | 'added' | 'removed' | 'changed' | 'renamed'
  readonly role: NameRole
  /** The name in the new plan, or in the old one for `removed`. */
  readonly name: string
  /** The name in the old plan, for `renamed`. */
  readonly was: string | undefined
  /** What differs, e.g. `window`, `state seen`; empty when nothing that is stored does. */
  readonly changes: readonly string[]
}

/** One entry per name: the new plan's in its order, then the old plan's that are gone. */
export function diffPlans(before: PlanJson, after: PlanJson): readonly PlanDifference[] {
  const old = namedNodes(before)
  const differences: PlanDifference[] = []
  for (const [slot, node] of namedNodes(after)) {
    const role = roleOf(node)
    const name = node.name ?? ''
    const direct = old.get(slot)
    const formerSlot = node.was === null ? undefined : `${role} ${node.was}`
    const former =
      direct === undefined && formerSlot !== undefined ? old.get(formerSlot) : undefined
    const match = direct ?? former
    if (match === undefined) {
      differences.push({ kind: 'added', role, name, was: undefined, changes: [] })
      continue
    }
    old.delete(direct === undefined ? (formerSlot ?? slot) : slot)
    const changes = changesOf(match, node)
    if (former !== undefined)
      differences.push({ kind: 'renamed', role, name, was: former.name ?? '', changes })
    else
      differences.push({
        kind: changes.length > 0 ? 'changed' : 'kept',
        role,
        name,
        was: undefined,
        changes,
      })
  }
  for (const node of old.values()) {
    differences.push({
      kind: 'removed',
      role: roleOf(node),
      name: node.name ?? '',
      was: undefined,
      changes: [],
    })
  }
  return differences
}

function namedNodes(plan: PlanJson): Map<string, NodeJson> {
  const nodes = new Map<string, NodeJson>()
  for (const node of plan.nodes)
    if (node.name !== null) nodes.set(`${roleOf(node)} ${node.name}`, node)
  return nodes
}

function roleOf(node: NodeJson): NameRole {
  return node.kind === 'source' || node.kind === 'sink' ? node.kind : 'step'
}

function changesOf(before: NodeJson, after: NodeJson): readonly string[] {
  const changes: string[] = []
  if (before.kind !== after.kind) changes.push(`kind ${before.kind} to ${after.kind}`)
  if (before.schema?.hash !== after.schema?.hash) changes.push('row schema')
  const old = before.detail
  const now = after.detail
  if (old.connector !== now.connector) changes.push('connector')
  if (differ(old.window, now.window)) changes.push('window')
  if (old.allowedLatenessMs !== now.allowedLatenessMs) changes.push('allowed lateness')
  if (old.emit !== now.emit) changes.push('emit')
  if (differ(old.outputs, now.outputs)) changes.push('outputs')
  addEntryChanges(changes, 'state', old.state, now.state)
  addEntryChanges(changes, 'timer', old.timers, now.timers)
  addEntryChanges(changes, 'aggregate', old.aggregates, now.aggregates)
  return changes
}

function addEntryChanges(
  changes: string[],
  what: string,
  before: Readonly<Record<string, unknown>> = {},
  after: Readonly<Record<string, unknown>> = {},
): void {
  for (const name of Object.keys(after)) {
    if (!Object.hasOwn(before, name)) changes.push(`${what} ${name} added`)
    else if (differ(before[name], after[name])) changes.push(`${what} ${name}`)
  }
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) changes.push(`${what} ${name} removed`)
  }
}

/** Both sides come from `planJson`, so equal data has its fields in the same order. */
function differ(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) !== JSON.stringify(after)
}
