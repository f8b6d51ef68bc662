/**
 * Checks a plan, computes its fingerprint and freezes it. One law holds for records: every output of every step is
 * taken by another step, or the program says in words why it is given up. Nothing is dropped by forgetting it.
 */
import { type ErrorDefinition, TidemillError } from '../base/errors.ts'
import { graphErrors } from './errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import { checkFieldName, checkName, foldName, quote } from './names.ts'
import { checkParallelism } from './parallelism.ts'
import type { Input, Plan, PlanDraft, PlanNode } from './plan.ts'
import { describeNode, nameRole, needsKey, outputsOf } from './roles.ts'

/** A frozen plan from a draft. Throws TM1300 to TM1314 for the first thing that is wrong, in the order of the steps. */
export function finishPlan(draft: PlanDraft): Plan {
  checkName(draft.job, 'the pipeline')
  checkNames(draft.nodes)
  checkInputs(draft.nodes)
  for (const node of draft.nodes) checkParallelism(node, draft.options.maxParallelism)
  checkTime(draft.nodes)
  checkAlignment(draft.nodes)
  if (!draft.nodes.some((node) => node.kind === 'sink')) {
    throw problem(graphErrors.noSink, `pipeline ${quote(draft.job)}`)
  }
  checkConsumers(draft.nodes)
  const fingerprint = fingerprintOf(draft)
  return Object.freeze({
    job: draft.job,
    nodes: Object.freeze(draft.nodes.map(freezeNode)),
    options: Object.freeze({
      ...draft.options,
      onError: Object.freeze({ ...draft.options.onError }),
    }),
    fingerprint,
  })
}

function problem(definition: ErrorDefinition, message: string, node?: PlanNode): TidemillError {
  const details: Record<string, string> = {}
  if (node?.name !== undefined) details['operator'] = node.name
  if (node?.at !== undefined) details['at'] = node.at
  return new TidemillError(definition, { message, details })
}

function checkNames(nodes: readonly PlanNode[]): void {
  const seen = new Map<string, PlanNode>()
  const former = new Map<string, PlanNode>()
  for (const node of nodes) {
    const role = nameRole(node)
    if (role === undefined) continue
    checkName(node.name, describeNode(node))
    const slot = `${role} ${foldName(node.name)}`
    const other = seen.get(slot)
    if (other !== undefined) {
      throw problem(
        graphErrors.nameRepeated,
        `${describeNode(node)} and ${describeNode(other)}`,
        node,
      )
    }
    seen.set(slot, node)
    checkFields(node, node.name)
  }
  for (const node of nodes) {
    const role = nameRole(node)
    if (role === undefined || node.was === undefined) continue
    checkName(node.was, `the former ${role}`)
    const slot = `${role} ${foldName(node.was)}`
    const living = seen.get(slot)
    const rival = former.get(slot)
    if (living !== undefined) {
      throw problem(
        graphErrors.renameInvalid,
        `${describeNode(node)} was ${quote(node.was)}, but ${describeNode(living)} still exists`,
        node,
      )
    }
    if (rival !== undefined) {
      throw problem(
        graphErrors.renameInvalid,
        `${describeNode(node)} and ${describeNode(rival)} both were ${quote(node.was)}`,
        node,
      )
    }
    former.set(slot, node)
  }
}

/** Names inside a step: states, timers, outputs, aggregates. */
function checkFields(node: PlanNode, owner: string): void {
  if (node.kind === 'process') {
    const { state, timers, outputs } = node.definition
    // Timers are readable as table "<step>".timers, so no state may be called that.
    for (const name of Object.keys(state)) checkFieldName(name, 'state', owner, ['timers'])
    for (const name of Object.keys(timers)) checkFieldName(name, 'timer', owner)
    for (const name of outputs ?? []) checkFieldName(name, 'output', owner)
  } else if (node.kind === 'window' || node.kind === 'keyed-aggregate') {
    const taken = node.kind === 'window' ? ['key', 'window'] : ['key']
    const names = Object.keys(node.aggregates)
    if (names.length === 0) {
      throw problem(
        graphErrors.optionInvalid,
        `${describeNode(node)} computes nothing: name at least one aggregate`,
        node,
      )
    }
    for (const name of names) checkFieldName(name, 'aggregate', owner, taken)
  }
}

function checkInputs(nodes: readonly PlanNode[]): void {
  nodes.forEach((node, position) => {
    if (node.id !== position) {
      throw problem(graphErrors.inputUnknown, `step ${position} calls itself ${node.id}`, node)
    }
    const wanted = inputCounts(node)
    if (node.inputs.length < wanted.min || node.inputs.length > wanted.max) {
      throw problem(
        graphErrors.inputUnknown,
        `${describeNode(node)} has ${node.inputs.length} inputs`,
        node,
      )
    }
    for (const input of node.inputs) {
      const from = input.node < position ? nodes[input.node] : undefined
      if (from === undefined) {
        throw problem(
          graphErrors.inputUnknown,
          `${describeNode(node)} reads step ${input.node}, which does not come before it`,
          node,
        )
      }
      if (!outputsOf(from).includes(input.output)) throw missingOutput(node, from, input)
      if (needsKey(node) && from.kind !== 'key-by') {
        throw problem(
          graphErrors.notKeyed,
          `${describeNode(node)} follows ${describeNode(from)}`,
          node,
        )
      }
      if (from.kind === 'key-by' && !needsKey(node)) {
        throw problem(
          graphErrors.inputUnknown,
          `${describeNode(node)} reads a keyed stream, which only keyed steps can`,
          node,
        )
      }
    }
  })
}

function inputCounts(node: PlanNode): { readonly min: number; readonly max: number } {
  if (node.kind === 'source') return { min: 0, max: 0 }
  if (node.kind === 'union') return { min: 2, max: Number.POSITIVE_INFINITY }
  return { min: 1, max: 1 }
}

/** An output that is not there: given up by the program, or never declared. */
function missingOutput(node: PlanNode, from: PlanNode, input: Input): TidemillError {
  if (input.output === 'late' && from.kind === 'window' && from.dropLate !== undefined) {
    return problem(
      graphErrors.outcomeContradicted,
      `${describeNode(from)} drops late records, and ${describeNode(node)} reads them`,
      from,
    )
  }
  if (input.output === 'rejected' && 'rejects' in from) {
    return problem(
      graphErrors.outcomeContradicted,
      `${describeNode(from)} stops the job at a rejected record, and ${describeNode(node)} reads them`,
      from,
    )
  }
  return problem(
    graphErrors.inputUnknown,
    `${describeNode(node)} reads ${quote(input.output)} of ${describeNode(from)}, which has only ${outputsOf(from).join(', ')}`,
    node,
  )
}

/** Event time flows from `withEventTime` down; a union has it when all its inputs do. */
function checkTime(nodes: readonly PlanNode[]): void {
  const timed: boolean[] = []
  for (const node of nodes) {
    const inputTimed =
      node.inputs.length > 0 &&
      node.inputs.every((input) => timed[input.node] === true && !isSetAside(nodes, input))
    if (node.kind === 'window' && node.window.time === 'event-time' && !inputTimed) {
      throw problem(graphErrors.noEventTime, describeNode(node), node)
    }
    if (node.kind === 'process' && !inputTimed) {
      const timer = Object.entries(node.definition.timers).find(([, kind]) => kind === 'event-time')
      if (timer !== undefined) {
        throw problem(
          graphErrors.noEventTime,
          `timer ${quote(timer[0])} of ${describeNode(node)}`,
          node,
        )
      }
    }
    timed.push(node.kind === 'event-time' ? true : resultTimed(node, inputTimed))
  }
}

/**
 * Partitions wait where they are read, so a step that aligns them must see them: nothing between it and its sources may mix
 * them. A source is in one group, else two of its partitions could wait for each other, each in another one.
 */
function checkAlignment(nodes: readonly PlanNode[]): void {
  const mixed: boolean[] = []
  const sources: (readonly number[])[] = []
  const groupOf = new Map<number, string>()
  for (const node of nodes) {
    const behind = node.inputs.some((input) => mixed[input.node] === true)
    const from =
      node.kind === 'source' ? [node.id] : node.inputs.flatMap((input) => sources[input.node] ?? [])
    if (node.kind === 'event-time' && node.alignment !== undefined) {
      if (behind) {
        throw problem(
          graphErrors.optionInvalid,
          `alignment of ${describeNode(node)} has no partitions to align: rows changed hands before it. Give times in front of keyBy, of rebalance and its like, and of steps with state`,
          node,
        )
      }
      const { group } = node.alignment
      for (const source of from) {
        const other = groupOf.get(source) ?? group
        if (other !== group) {
          throw problem(
            graphErrors.optionInvalid,
            `alignment of ${describeNode(node)} puts ${describeNode(nodes[source]!)} into group ${quote(group)}, and it is in ${quote(other)} already: a source is in one group`,
            node,
          )
        }
        groupOf.set(source, group)
      }
    }
    mixed.push(behind || mixes(node))
    sources.push([...new Set(from)])
  }
}

function mixes({ kind }: PlanNode): boolean {
  return (
    kind === 'partition' ||
    kind === 'key-by' ||
    kind === 'process' ||
    kind === 'window' ||
    kind.startsWith('keyed-')
  )
}

/** Late and rejected records have no event time that a step could use: the watermark does not wait for them. */
function isSetAside(nodes: readonly PlanNode[], input: Input): boolean {
  return (
    nodes[input.node]?.kind !== 'process' &&
    (input.output === 'late' || input.output === 'rejected')
  )
}

function resultTimed(node: PlanNode, inputTimed: boolean): boolean {
  // Results of processing-time windows have no event time, whatever came in.
  return inputTimed && !(node.kind === 'window' && node.window.time === 'processing-time')
}

function checkConsumers(nodes: readonly PlanNode[]): void {
  const taken = new Set<string>()
  for (const node of nodes)
    for (const input of node.inputs) taken.add(`${input.node} ${input.output}`)
  for (const node of nodes) {
    for (const output of outputsOf(node)) {
      if (taken.has(`${node.id} ${output}`)) continue
      if (node.kind === 'window' && output === 'late')
        throw problem(graphErrors.lateUnused, describeNode(node), node)
      if (node.kind !== 'process' && output === 'rejected') {
        throw problem(graphErrors.rejectedUnused, describeNode(node), node)
      }
      const which = output === 'out' ? '' : `output ${quote(output)} of `
      throw problem(graphErrors.deadEnd, `${which}${describeNode(node)}`, node)
    }
  }
}

/** Freezes what the plan owns; descriptors of sources and sinks and schemas belong to whoever made them. */
function freezeNode(node: PlanNode): PlanNode {
  const inputs = Object.freeze(node.inputs.map((input) => Object.freeze({ ...input })))
  switch (node.kind) {
    case 'process':
      return Object.freeze({ ...node, inputs, definition: freezeRecord(node.definition) })
    case 'window':
      return Object.freeze({
        ...node,
        inputs,
        window: Object.freeze({ ...node.window }),
        aggregates: freezeRecord(node.aggregates),
      })
    case 'keyed-aggregate':
      return Object.freeze({ ...node, inputs, aggregates: freezeRecord(node.aggregates) })
    default:
      return Object.freeze({ ...node, inputs })
  }
}

/** A frozen copy, two levels deep; plain records and lists inside are frozen copies too, other values are kept. */
function freezeRecord<Value extends object>(record: Value, depth = 2): Value {
  const copy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(record)) {
    if (Array.isArray(value)) copy[name] = Object.freeze([...value])
    else if (depth > 0 && isPlain(value)) copy[name] = freezeRecord(value, depth - 1)
    else copy[name] = value
  }
  return Object.freeze(copy) as Value // the same fields with the same values
}

/** A record literal that is not a schema or codec: those are shared and belong to their makers. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || 'encode' in value) return false
  return Object.getPrototypeOf(value) === Object.prototype
}
