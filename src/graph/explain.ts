/** The plan as a tree for a person: one line per step under the step it reads, with names, state, schemas and costs. */
import type { Plan } from './plan.ts'
import { type NodeJson, type PlanJson, planJson, type StateJson } from './plan-json.ts'

/** Several lines, the first about the job. Steps with several inputs are drawn under the first one and named by the others. */
export function explainText(plan: Plan): string {
  const data = planJson(plan)
  const lines = [
    `${data.job}  ${data.nodes.length} steps, fingerprint ${data.fingerprint}, ${data.maxParallelism} key groups`,
  ]
  for (const node of data.nodes) {
    if (node.inputs.length === 0) drawNode(data, node, '', '', undefined, lines)
  }
  if (data.nodes.some((node) => node.selfDescribing.length > 0)) {
    lines.push(
      '',
      '* has no schema and travels in the self-describing codec: larger and slower than declared fields',
    )
  }
  return lines.join('\n')
}

function drawNode(
  plan: PlanJson,
  node: NodeJson,
  lead: string,
  rest: string,
  output: string | undefined,
  lines: string[],
): void {
  const via = output === undefined || output === 'out' ? '' : `[${output}] `
  lines.push(`${lead}${via}${headline(node)}`)
  const children = consumersOf(plan, node)
  const bar = children.length > 0 ? '│   ' : '    '
  for (const extra of extraLines(node)) lines.push(`${rest}${bar}${extra}`)
  children.forEach((child, index) => {
    const isLast = index === children.length - 1
    const childLead = `${rest}${isLast ? '└ ' : '├ '}`
    const childRest = `${rest}${isLast ? '  ' : '│ '}`
    if (child.drawn) drawNode(plan, child.node, childLead, childRest, child.output, lines)
    else lines.push(`${childLead}${label(child.node)} (drawn under its first input)`)
  })
}

interface Consumer {
  readonly node: NodeJson
  readonly output: string
  /** False where a step reads this one as a second or later input: it is drawn elsewhere. */
  readonly drawn: boolean
}

function consumersOf(plan: PlanJson, node: NodeJson): readonly Consumer[] {
  const consumers: Consumer[] = []
  for (const reader of plan.nodes) {
    reader.inputs.forEach((input, index) => {
      if (input.node === node.id)
        consumers.push({ node: reader, output: input.output, drawn: index === 0 })
    })
  }
  return consumers
}

/** Kind and name; unnamed steps that are met twice are told apart by their number. */
function label(node: NodeJson): string {
  return node.name === null ? `${node.kind} #${node.id}` : `${node.kind} ${node.name}`
}

function headline(node: NodeJson): string {
  const parts = [
    node.kind === 'union'
      ? label(node)
      : node.name === null
        ? (node.detail.partitioning ?? node.kind)
        : `${node.kind} ${node.name}`,
  ]
  if (node.was !== null) parts.push(`(was ${node.was})`)
  const detail = node.detail
  if (detail.expression !== undefined) parts.push(detail.expression)
  if (detail.connector !== undefined) parts.push(connectorText(node))
  if (detail.window !== undefined) parts.push(windowText(node))
  if (detail.maxOutOfOrdernessMs !== undefined) {
    parts.push(
      `up to ${durationText(detail.maxOutOfOrdernessMs)} out of order, idle after ${durationText(detail.idleAfterMs ?? 0)}`,
    )
  }
  if (detail.maxDriftMs !== undefined) {
    parts.push(
      `at most ${durationText(detail.maxDriftMs)} ahead of group ${detail.alignmentGroup ?? ''}`,
    )
  }
  if (detail.emit !== undefined && detail.window === undefined) parts.push(`emits ${detail.emit}`)
  if (detail.partitions !== undefined) parts.push(`of ${detail.partitions} partitions`)
  if (detail.parallelism !== undefined && detail.partitioning !== 'global')
    parts.push(`on at most ${subtasksText(detail.parallelism)}`)
  if (detail.rejects === true) parts.push('rejects to a stream')
  if (detail.onError !== undefined) parts.push(`on error: ${detail.onError}`)
  if (node.schema !== null) parts.push(`: ${node.schema.name}`)
  if (node.selfDescribing.includes('rows')) parts.push('*')
  return parts.join(' ')
}

function connectorText(node: NodeJson): string {
  const settings = Object.entries(node.detail.describe ?? {}).map(
    ([name, value]) => `${name}=${value}`,
  )
  const parts = [node.detail.connector ?? '', ...settings]
  if (node.detail.guarantee !== undefined) parts.push(node.detail.guarantee)
  if (node.detail.bounded === true) parts.push('bounded')
  return `(${parts.join(', ')})`
}

function windowText(node: NodeJson): string {
  const window = node.detail.window
  if (window === undefined) return ''
  const parts: string[] = []
  if (window.kind === 'session') parts.push(`session with gap ${durationText(window.gapMs)}`)
  else if (window.kind === 'sliding')
    parts.push(`sliding ${durationText(window.sizeMs)} every ${durationText(window.slideMs)}`)
  else parts.push(`tumbling ${durationText(window.sizeMs)}`)
  if (window.time === 'processing-time') parts.push('in processing time')
  if (window.kind !== 'session' && window.offsetMs !== 0)
    parts.push(`offset ${durationText(window.offsetMs)}`)
  const lateness = node.detail.allowedLatenessMs ?? 0
  if (lateness > 0)
    parts.push(
      `${durationText(lateness)} lateness, ${node.detail.emit === 'once' ? 'emits once after it' : 'emits updates'}`,
    )
  const quiet = node.detail.closeAfterQuietMs ?? 0
  if (quiet > 0) parts.push(`closes after ${durationText(quiet)} of quiet`)
  return parts.join(', ')
}

/** One line per state, timer, aggregate and reason for a drop. */
function extraLines(node: NodeJson): readonly string[] {
  const { state, timers, aggregates, outputs, dropLate, onePhase } = node.detail
  const lines: string[] = []
  for (const [name, one] of Object.entries(state ?? {}))
    lines.push(`state ${name}: ${stateText(one)}`)
  for (const [name, kind] of Object.entries(timers ?? {})) lines.push(`timer ${name}: ${kind}`)
  for (const [name, what] of Object.entries(aggregates ?? {})) {
    const mark = node.selfDescribing.includes(`accumulator ${name}`) ? ' *' : ''
    lines.push(`aggregate ${name}: ${what}${mark}`)
  }
  if (node.kind === 'window' || node.kind === 'keyed-aggregate')
    lines.push(onePhase === undefined ? 'two-phase' : `one phase: ${onePhase}`)
  if (node.kind === 'keyed-reduce') {
    lines.push(`value${node.selfDescribing.includes('value') ? ' *' : ''}`)
  }
  if (outputs !== undefined) lines.push(`outputs ${outputs.join(', ')}`)
  if (dropLate !== undefined) lines.push(`drops late records: ${dropLate}`)
  return lines
}

function stateText(state: StateJson): string {
  const schemas = state.schemas.map((schema) => schema.name).join(' → ')
  const ttl = state.ttlMs === undefined ? '' : `, expires after ${durationText(state.ttlMs)}`
  const was = state.was === undefined ? '' : `, was ${state.was}`
  return `${state.kind} of ${schemas}${ttl}${was}`
}

function subtasksText(count: number): string {
  return count === 1 ? '1 subtask' : `${count} subtasks`
}

const units = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const

/** `90 s`, `5 min`: the largest unit that leaves no remainder. */
export function durationText(ms: number): string {
  if (ms === 0) return '0 s'
  for (const [unitMs, unit] of units) if (ms % unitMs === 0) return `${ms / unitMs} ${unit}`
  return `${ms} ms`
}
