/**
 * Whether a program may continue from a snapshot: the plan must have the same fingerprint, the key space the same size,
 * and the parameters the same values unless somebody accepted the change. And the restore itself: which blocks of
 * which objects a subtask reads.
 */
import { type ErrorDefinition, TidemillError } from '../base/errors.ts'
import type { KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { openDataObject } from './data-reader.ts'
import { checkpointErrors } from './errors.ts'
import type { Manifest, StoredPlan } from './manifest.ts'
import { snapshotName } from './names.ts'
import { compareText } from './order.ts'
import { objectsOf } from './state-directory.ts'
import type { CheckpointStorage } from './storage.ts'

/** What a program brings to a restore. */
export interface RestoreTarget {
  readonly plan: StoredPlan
  /** The fingerprint before the renames that the program declares; state with it fits as well. */
  readonly formerFingerprint?: string
  readonly parameters: Readonly<Record<string, string>>
  readonly maxParallelism: number
  /** True for `--accept-params`. */
  readonly acceptParameters?: boolean
}

export type RestoreProblem =
  | { readonly kind: 'plan'; readonly changes: readonly PlanChange[] }
  | { readonly kind: 'parameters'; readonly changes: readonly ParameterChange[] }
  | { readonly kind: 'max-parallelism'; readonly stored: number; readonly given: number }

export interface PlanChange {
  readonly change: 'added' | 'removed' | 'changed'
  /** `window "hot"`, or `node 3 (map)` for a step without name. */
  readonly node: string
  /** For `changed`: the fields that differ, e.g. `window.sizeMs`. */
  readonly fields: readonly string[]
}

export interface ParameterChange {
  readonly name: string
  readonly stored: string | undefined
  readonly given: string | undefined
}

/** Everything that speaks against the restore; empty when nothing does. */
export function compareForRestore(
  manifest: Manifest,
  target: RestoreTarget,
): readonly RestoreProblem[] {
  const problems: RestoreProblem[] = []
  // First: it is part of the fingerprint too, and a list of steps would not show it.
  if (manifest.maxParallelism !== target.maxParallelism) {
    problems.push({
      kind: 'max-parallelism',
      stored: manifest.maxParallelism,
      given: target.maxParallelism,
    })
  }
  const fits = [target.plan.fingerprint, target.formerFingerprint].includes(
    manifest.plan.fingerprint,
  )
  if (!fits) {
    problems.push({ kind: 'plan', changes: comparePlans(manifest.plan.json, target.plan.json) })
  }
  const parameters = compareParameters(manifest.parameters, target.parameters)
  if (parameters.length > 0 && target.acceptParameters !== true) {
    problems.push({ kind: 'parameters', changes: parameters })
  }
  return problems
}

/** Throws the first problem as TM1506, TM1513 or TM1507. */
export function assertRestorable(manifest: Manifest, target: RestoreTarget): void {
  const [problem] = compareForRestore(manifest, target)
  if (problem !== undefined) throw restoreError(manifest, target, problem)
}

export function restoreError(
  manifest: Manifest,
  target: RestoreTarget,
  problem: RestoreProblem,
): TidemillError {
  const snapshot = snapshotName(manifest)
  const make = (
    definition: ErrorDefinition,
    message: string,
    details: Record<string, string | number>,
  ): TidemillError =>
    new TidemillError(definition, { message: `checkpoint ${snapshot}: ${message}`, details })
  switch (problem.kind) {
    case 'plan': {
      const listed =
        problem.changes.map(formatChange).join('; ') ||
        'the steps are the same, their description is not'
      return make(checkpointErrors.planChanged, listed, {
        stored: manifest.plan.fingerprint,
        given: target.plan.fingerprint,
      })
    }
    case 'max-parallelism': {
      const { stored, given } = problem
      return make(
        checkpointErrors.maxParallelismChanged,
        `${stored} is stored, ${given} was given`,
        { stored, given },
      )
    }
    case 'parameters': {
      const listed = problem.changes.map(
        ({ name, stored, given }) => `${name} was ${quoted(stored)} and is ${quoted(given)}`,
      )
      return make(checkpointErrors.parametersChanged, listed.join('; '), {})
    }
  }
}

function formatChange({ change, node, fields }: PlanChange): string {
  return change === 'changed' ? `${node} changed (${fields.join(', ')})` : `${node} was ${change}`
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'absent' : JSON.stringify(value)
}

function compareParameters(
  stored: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): readonly ParameterChange[] {
  const before = new Map(Object.entries(stored))
  const after = new Map(Object.entries(given))
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort(compareText)
    .map((name) => ({ name, stored: before.get(name), given: after.get(name) }))
    .filter((change) => change.stored !== change.given)
}

/**
 * Compares two plans in their JSON form, without knowing more of it than `nodes`, and `name`, `was` and `kind` of a
 * node. Named nodes are matched by name, the others by kind and order; fields that are only places (`id`, `at`) and
 * the numbers in `inputs` are left out, because they shift with every inserted step.
 */
export function comparePlans(stored: string, given: string): readonly PlanChange[] {
  const before = planNodes(stored)
  const after = planNodes(given)
  const changes: PlanChange[] = []
  for (const [key, node] of after) {
    const was = typeof node['was'] === 'string' ? `name ${node['was']}` : undefined
    const old = before.get(key) ?? (was === undefined ? undefined : before.get(was))
    if (old === undefined) {
      changes.push({ change: 'added', node: describeNode(node), fields: [] })
      continue
    }
    before.delete(before.has(key) ? key : was!)
    const fields = differences(old, node, '').filter((field) => !ignored.has(field))
    if (fields.length > 0) changes.push({ change: 'changed', node: describeNode(node), fields })
  }
  for (const node of before.values())
    changes.push({ change: 'removed', node: describeNode(node), fields: [] })
  return changes
}

const ignored: ReadonlySet<string> = new Set(['id', 'at', 'was', 'inputs', 'name'])

type PlanNodeJson = Readonly<Record<string, unknown>>

function planNodes(json: string): Map<string, PlanNodeJson> {
  const plan = parseRecord(json)
  const nodes = Array.isArray(plan?.['nodes']) ? (plan['nodes'] as readonly unknown[]) : []
  const result = new Map<string, PlanNodeJson>()
  const counts = new Map<string, number>()
  for (const node of nodes) {
    if (!isRecord(node)) continue
    const kind = String(node['kind'])
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    result.set(typeof node['name'] === 'string' ? `name ${node['name']}` : `${kind} ${count}`, node)
  }
  return result
}

function parseRecord(json: string): PlanNodeJson | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isRecord(value) ? value : undefined
  } catch {
    // A plan that cannot be read only makes the message poorer: the fingerprints have already decided.
    return undefined
  }
}

function describeNode(node: PlanNodeJson): string {
  const kind = String(node['kind'])
  return typeof node['name'] === 'string'
    ? `${kind} ${JSON.stringify(node['name'])}`
    : `a ${kind} step`
}

/** Paths of the fields that differ, at most two levels deep. */
function differences(left: PlanNodeJson, right: PlanNodeJson, path: string): readonly string[] {
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort(compareText)
  return names.flatMap((name) => {
    const a = left[name]
    const b = right[name]
    if (JSON.stringify(a) === JSON.stringify(b)) return []
    if (path === '' && isRecord(a) && isRecord(b)) return differences(a, b, `${name}.`)
    return [`${path}${name}`]
  })
}

function isRecord(value: unknown): value is PlanNodeJson {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Which blocks of a snapshot one subtask of the new life reads. */
export interface RestoreSelection {
  /** Keyed blocks of these key groups. */
  readonly keyGroups: KeyGroupRange
  /** Blocks without key group: decides by the subtask that wrote them. */
  readonly unkeyed: (writer: number) => boolean
  /** Default: all. */
  readonly operator?: (operator: string) => boolean
}

/**
 * Reads what a subtask needs from every object of the snapshot, in the order of writing, verifying each block: of each
 * writer the objects that its last one builds on, the oldest first, and of those the operators that need them. The
 * bytes are valid during the call of `visit` only; an asynchronous one is awaited. Errors are TM1502 to TM1504.
 */
export async function restoreBlocks(
  storage: CheckpointStorage,
  manifest: Manifest,
  selection: RestoreSelection,
  visit: (operator: string, block: SnapshotBlock, writer: number) => void | Promise<void>,
): Promise<void> {
  const { keyGroups, unkeyed, operator } = selection
  for (const { subtask, ref, identity, operators } of objectsOf(manifest)) {
    const reader = await openDataObject(storage, ref, identity)
    try {
      await reader.read(
        (block) =>
          (operators?.includes(block.operator) ?? true) &&
          (operator?.(block.operator) ?? true) &&
          (block.keyGroup < 0
            ? unkeyed(subtask)
            : block.keyGroup >= keyGroups.first && block.keyGroup < keyGroups.end),
        (name, block) => visit(name, block, subtask),
      )
    } finally {
      await reader.close()
    }
  }
}
