/**
 * The fingerprint of a plan: equal for two builds of one program, different when what is stored could differ.
 *
 * In: the job's name, every step's kind, inputs, name and row schema, window definitions, lateness, aggregates, state
 * and timer declarations, outputs, kinds of connectors, the number of key groups.
 * Out: functions and their text, parameters, paths and other settings of connectors, error policies, former names,
 * reasons for drops, tuning of watermarks (out-of-orderness, idleness, quiet time), how rows are partitioned and among how
 * many subtasks: state fits all of these.
 */
import type { AggregateSpec } from './aggregate.ts'
import type { PlanDraft, PlanNode } from './plan.ts'
import type { ProcessDefinition, StateDefinition } from './process.ts'

type Part = string | number | boolean | null | readonly Part[]

/** 16 hex digits. */
export function fingerprintOf(plan: PlanDraft): string {
  return hashOf(plan, (now) => now)
}

/**
 * The fingerprint that the plan had before its renames (`was`): state with either fingerprint fits. Equal to the
 * fingerprint when nothing was renamed.
 */
export function formerFingerprintOf(plan: PlanDraft): string {
  return hashOf(plan, (now, former) => former ?? now)
}

/** Chooses between the present and the former name of a step or state. */
type Naming = (now: string, former: string | undefined) => string

function hashOf(plan: PlanDraft, naming: Naming): string {
  const nodes = plan.nodes.map((node) => nodePart(node, naming))
  const parts: Part = ['plan-1', plan.job, plan.options.maxParallelism, nodes]
  return fnv1a64(JSON.stringify(parts))
}

function nodePart(node: PlanNode, naming: Naming): Part {
  const inputs = node.inputs.map((input): Part => [input.node, input.output])
  const name = node.name === undefined ? null : naming(node.name, node.was)
  return [node.kind, name, inputs, node.schema?.hash ?? null, detailPart(node, naming)]
}

function detailPart(node: PlanNode, naming: Naming): Part {
  switch (node.kind) {
    case 'source':
      return [node.source.connector, node.rejects]
    case 'sink':
      return [node.sink.connector, node.sink.guarantee]
    case 'try':
    case 'event-time':
      return node.rejects
    case 'process':
      return processPart(node.definition, naming)
    case 'keyed-aggregate':
      return [node.emit, aggregatesPart(node.aggregates)]
    case 'keyed-reduce':
      return node.value?.hash ?? null
    case 'window':
      return [windowPart(node), node.allowedLatenessMs, node.emit, aggregatesPart(node.aggregates)]
    default:
      return null
  }
}

function windowPart(node: PlanNode & { kind: 'window' }): Part {
  const window = node.window
  switch (window.kind) {
    case 'tumbling':
      return [window.kind, window.time, window.sizeMs, window.offsetMs]
    case 'sliding':
      return [window.kind, window.time, window.sizeMs, window.slideMs, window.offsetMs]
    case 'session':
      return [window.kind, window.time, window.gapMs]
  }
}

/** Aggregates in the order of the result's fields, which is also the order of their accumulators. */
function aggregatesPart(spec: AggregateSpec): Part {
  return Object.entries(spec).map(([name, one]): Part => {
    if (one.kind === 'custom') return [name, one.kind, one.label, one.accumulator?.hash ?? null]
    return [name, one.kind, one.where !== undefined]
  })
}

function processPart(definition: ProcessDefinition, naming: Naming): Part {
  const states = Object.entries(definition.state)
    .map(([name, state]): [string, Part] => [naming(name, state.options.was), statePart(state)])
    .sort(([left], [right]) => (left < right ? -1 : 1))
  const timers = sortedEntries(definition.timers).map(([name, kind]): Part => [name, kind])
  const codecs = sortedEntries(definition.outputCodecs).map(([name, codec]): Part => {
    const hash = 'hash' in codec && typeof codec.hash === 'string' ? codec.hash : null
    return [name, codec.contentType, hash]
  })
  return [states, timers, definition.outputs ?? null, codecs]
}

function statePart(state: StateDefinition): Part {
  const ttl = state.options.ttl ?? null
  switch (state.kind) {
    case 'value':
      return [state.kind, state.value.hash, ttl]
    case 'list':
      return [state.kind, state.item.hash, ttl]
    case 'map':
    case 'sorted-map':
      return [state.kind, state.key.hash, state.value.hash, ttl]
    case 'reducing':
      return [state.kind, state.value.hash, ttl]
    case 'aggregating':
      return [state.kind, state.accumulator.hash, ttl]
  }
}

/** Order of declaration does not matter where things are stored by name. */
function sortedEntries<Value>(record: Readonly<Record<string, Value>>): [string, Value][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

const fnvOffset = 0xcbf29ce484222325n
const fnvPrime = 0x100000001b3n

/** FNV-1a with 64 bits over the UTF-8 form: small, portable, and its result is stored, so it can never change. */
export function fnv1a64(text: string): string {
  let hash = fnvOffset
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * fnvPrime)
  }
  return hash.toString(16).padStart(16, '0')
}
