/**
 * Which keyed steps are aggregated in two phases when several subtasks run the plan: each sender adds its rows to partial
 * accumulators and ships those, so that a frequent key costs its owner one row per sender and slice of time, or per sender
 * and a tenth of a second without windows, instead of all its rows.
 *
 * The result must not depend on how rows are grouped, which is true of counts, of sums of whole numbers (checked for
 * every row), of least and greatest values, of means of whole numbers, and of custom aggregates that say so.
 */
import type { AggregateDefinition } from './aggregate.ts'
import type { KeyedAggregateNode, Plan, PlanNode, WindowNode } from './plan.ts'

/** A window that takes slices of time: tumbling or sliding, by event time. */
export type SlicedWindowNode = WindowNode & {
  readonly window: { readonly kind: 'tumbling' | 'sliding' }
}

/** The step behind a `keyBy` that takes partial accumulators. */
export function twoPhaseStep(
  plan: Pick<Plan, 'nodes'>,
  keyBy: number,
): SlicedWindowNode | KeyedAggregateNode | undefined {
  const steps = plan.nodes.filter((node) => node.inputs.some((input) => input.node === keyBy))
  const [step] = steps
  if (step === undefined || steps.length > 1) return undefined
  if (step.kind !== 'window' && step.kind !== 'keyed-aggregate') return undefined
  // `as`: of the kinds of windows only sessions have no slices, and they give a reason.
  return onePhaseReason(plan, step) === undefined
    ? (step as SlicedWindowNode | KeyedAggregateNode)
    : undefined
}

/** Why a step gets rows instead of partial accumulators; undefined when it does not. */
export function onePhaseReason(
  plan: Pick<Plan, 'nodes'>,
  node: WindowNode | KeyedAggregateNode,
): string | undefined {
  const reason = node.kind === 'window' ? windowReason(node) : runningReason(node)
  if (reason !== undefined) return reason
  for (const [name, one] of Object.entries(node.aggregates)) {
    const whole = wholeReason(one)
    if (whole !== undefined) return `${name} ${whole}`
  }
  const keyBy = node.inputs[0]?.node
  const reads = (other: PlanNode): boolean => other.inputs.some((input) => input.node === keyBy)
  if (plan.nodes.filter(reads).length > 1) return 'other steps read the same keyed rows'
  return undefined
}

function windowReason({ window, emit, closeAfterQuietMs }: WindowNode): string | undefined {
  if (window.kind === 'session') return 'a session is not made of slices'
  if (window.time === 'processing-time') return 'processing time'
  if (emit === 'updates') return 'emits updates'
  return closeAfterQuietMs > 0 ? 'closes after quiet' : undefined
}

/** Every row has a result of its own, unless only the last one of an epoch is asked for. */
function runningReason({ emit }: KeyedAggregateNode): string | undefined {
  return emit === 'latest' ? undefined : 'emits every change'
}

function wholeReason(one: AggregateDefinition): string | undefined {
  if (one.kind === 'count-distinct') return 'needs all rows'
  return one.kind === 'custom' && !one.decomposable ? 'is not declared decomposable' : undefined
}
