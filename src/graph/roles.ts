/** What kinds of steps there are to a reader: which must be named, which outputs each has, how each is called. */
import { unreachable } from '../base/assert.ts'
import { quote } from './names.ts'
import type { OutputName, PlanNode } from './plan.ts'

/**
 * Names are unique inside a role: a sink may carry the name of the step that feeds it, since positions, state and
 * published results are kept apart.
 */
export type NameRole = 'source' | 'step' | 'sink'

/** The role in which a step must have a name, `undefined` for steps that store nothing under a name. */
export function nameRole(node: PlanNode): NameRole | undefined {
  switch (node.kind) {
    case 'source':
      return 'source'
    case 'sink':
      return 'sink'
    case 'try':
    case 'process':
    case 'keyed-aggregate':
    case 'keyed-reduce':
    case 'window':
      return 'step'
    case 'event-time':
      // Named only when it can reject records, which then carry the name.
      return node.name === undefined ? undefined : 'step'
    case 'map':
    case 'filter':
    case 'flat-map':
    case 'union':
    case 'key-by':
    case 'partition':
      return undefined
    default:
      return unreachable(node)
  }
}

/** True for steps whose input must be a `key-by`. */
export function needsKey(node: PlanNode): boolean {
  return (
    node.kind === 'process' ||
    node.kind === 'keyed-aggregate' ||
    node.kind === 'keyed-reduce' ||
    node.kind === 'window'
  )
}

/** The outputs that a step has, main output first. */
export function outputsOf(node: PlanNode): readonly OutputName[] {
  switch (node.kind) {
    case 'sink':
      return []
    case 'source':
    case 'try':
    case 'event-time':
      return node.rejects ? ['out', 'rejected'] : ['out']
    case 'process':
      return node.definition.outputs ?? ['out']
    case 'window':
      return node.window.time === 'event-time' && node.dropLate === undefined
        ? ['out', 'late']
        : ['out']
    default:
      return ['out']
  }
}

const nouns: Readonly<Record<PlanNode['kind'], string>> = {
  source: 'source',
  map: 'map',
  filter: 'filter',
  'flat-map': 'flatMap',
  try: 'try step',
  'event-time': 'withEventTime',
  union: 'union',
  'key-by': 'keyBy',
  partition: 'partition step',
  process: 'process step',
  'keyed-aggregate': 'aggregate step',
  'keyed-reduce': 'reduce step',
  window: 'window step',
  sink: 'sink',
}

/** By what a person finds a step: its name, or `map at src/job.ts:12:4` when it has none. */
export function nameOf(node: PlanNode): string {
  return node.name === undefined || node.name === null ? describeNode(node) : String(node.name)
}

/** `window step "revenue"`, or `map at src/job.ts:12:4` for a step without name. */
export function describeNode(node: PlanNode): string {
  const noun = nouns[node.kind]
  if (node.name !== undefined && node.name !== null) return `${noun} ${quote(String(node.name))}`
  return node.at === undefined ? noun : `${noun} at ${node.at}`
}
