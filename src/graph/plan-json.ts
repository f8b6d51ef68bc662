/**
 * The plan without its functions, as plain data: what `explain --json` prints and what a checkpoint keeps, so that a
 * later program can be compared with it. Connector settings are as their makers describe them, without secrets.
 *
 * Where a row or an accumulator has no schema it travels in the self-describing codec: `selfDescribing` says what.
 */
import { expressionOf } from '../expression/function.ts'
import { printExpression } from '../expression/print.ts'
import { onePhaseReason } from './two-phase.ts'
import type { AggregateSpec } from './aggregate.ts'
import type {
  ErrorPolicies,
  Parallelism,
  Partitioning,
  Plan,
  PlanNode,
  WindowDefinition,
} from './plan.ts'
import type { StateDefinition, TimerKind } from './process.ts'
import { needsKey } from './roles.ts'

export interface PlanJson {
  readonly version: 1
  readonly job: string
  readonly fingerprint: string
  readonly maxParallelism: number
  readonly onError: ErrorPolicies
  readonly nodes: readonly NodeJson[]
}

export interface NodeJson {
  readonly id: number
  readonly kind: PlanNode['kind']
  readonly name: string | null
  readonly was: string | null
  readonly inputs: readonly { readonly node: number; readonly output: string }[]
  /** Hash and name of the row's schema; `null` when rows describe themselves. */
  readonly schema: SchemaJson | null
  /** What of this step is stored or sent without a schema; empty when nothing is. */
  readonly selfDescribing: readonly string[]
  readonly detail: NodeDetailJson
}

export interface SchemaJson {
  readonly name: string
  readonly hash: string
}

/** What is special about one kind of step. Fields that do not apply are absent. */
export interface NodeDetailJson {
  readonly connector?: string
  readonly describe?: Readonly<Record<string, string | number | boolean>>
  readonly bounded?: boolean
  readonly guarantee?: string
  readonly rejects?: boolean
  readonly onError?: string
  readonly maxOutOfOrdernessMs?: number
  readonly maxFutureMs?: number
  readonly notAfterMs?: number
  readonly idleAfterMs?: number
  readonly alignmentGroup?: string
  readonly maxDriftMs?: number
  readonly state?: Readonly<Record<string, StateJson>>
  readonly timers?: Readonly<Record<string, TimerKind>>
  readonly outputs?: readonly string[]
  readonly aggregates?: Readonly<Record<string, string>>
  readonly window?: WindowDefinition
  readonly allowedLatenessMs?: number
  readonly closeAfterQuietMs?: number
  readonly emit?: string
  readonly dropLate?: string
  /** What the step computes, when it is an expression. */
  readonly expression?: string
  readonly partitioning?: Partitioning
  readonly partitions?: number
  readonly parallelism?: number
  /** Why a window or running aggregate of several subtasks gets rows instead of partial results; absent where it gets partial results. */
  readonly onePhase?: string
}

export interface StateJson {
  readonly kind: StateDefinition['kind']
  readonly schemas: readonly SchemaJson[]
  readonly ttlMs?: number
  readonly was?: string
}

/** The plan as data that survives `JSON.stringify`. */
export function planJson(plan: Plan): PlanJson {
  return {
    version: 1,
    job: plan.job,
    fingerprint: plan.fingerprint,
    maxParallelism: plan.options.maxParallelism,
    onError: plan.options.onError,
    nodes: plan.nodes.map((node) => nodeJson(plan, node)),
  }
}

function nodeJson(plan: Plan, node: PlanNode): NodeJson {
  return {
    id: node.id,
    kind: node.kind,
    name: node.name ?? null,
    was: node.was ?? null,
    inputs: node.inputs.map((input) => ({ node: input.node, output: input.output })),
    schema: node.schema === undefined ? null : schemaJson(node.schema),
    selfDescribing: selfDescribing(plan, node),
    detail: { ...detailJson(plan, node), ...expressionJson(node) },
  }
}

function detailJson(plan: Plan, node: PlanNode): NodeDetailJson {
  switch (node.kind) {
    case 'source':
      return {
        connector: node.source.connector,
        describe: { ...node.source.describe },
        bounded: node.source.bounded,
        rejects: node.rejects,
        ...(node.onError === undefined ? {} : { onError: node.onError }),
      }
    case 'sink':
      return {
        connector: node.sink.connector,
        describe: { ...node.sink.describe },
        guarantee: node.sink.guarantee,
        ...parallelismJson(node),
      }
    case 'key-by':
      return parallelismJson(node)
    case 'partition':
      return {
        partitioning: node.how,
        ...(node.partitions === undefined ? {} : { partitions: node.partitions }),
        ...parallelismJson(node),
      }
    case 'try':
      return { rejects: node.rejects }
    case 'event-time':
      return {
        maxOutOfOrdernessMs: node.maxOutOfOrderness,
        idleAfterMs: node.idleAfter,
        ...(node.maxFuture === undefined ? {} : { maxFutureMs: node.maxFuture }),
        ...(node.notAfter === undefined ? {} : { notAfterMs: node.notAfter }),
        ...(node.alignment === undefined
          ? {}
          : { alignmentGroup: node.alignment.group, maxDriftMs: node.alignment.maxDrift }),
        rejects: node.rejects,
        ...(node.onError === undefined ? {} : { onError: node.onError }),
      }
    case 'process':
      return {
        state: mapValues(node.definition.state, stateJson),
        timers: { ...node.definition.timers },
        ...(node.definition.outputs === undefined ? {} : { outputs: [...node.definition.outputs] }),
        ...(node.definition.onError === undefined ? {} : { onError: node.definition.onError }),
      }
    case 'keyed-aggregate': {
      const onePhase = onePhaseReason(plan, node)
      return {
        aggregates: aggregatesJson(node.aggregates),
        emit: node.emit,
        ...(onePhase === undefined ? {} : { onePhase }),
      }
    }
    case 'window': {
      const onePhase = onePhaseReason(plan, node)
      return {
        window: { ...node.window },
        allowedLatenessMs: node.allowedLatenessMs,
        closeAfterQuietMs: node.closeAfterQuietMs,
        emit: node.emit,
        aggregates: aggregatesJson(node.aggregates),
        ...(node.dropLate === undefined ? {} : { dropLate: node.dropLate }),
        ...(onePhase === undefined ? {} : { onePhase }),
      }
    }
    default:
      return {}
  }
}

function expressionJson(node: PlanNode): { readonly expression?: string } {
  const fn = 'fn' in node ? node.fn : node.kind === 'event-time' ? node.timestamp : undefined
  const expression = expressionOf(fn)
  return expression === undefined ? {} : { expression: printExpression(expression) }
}

function parallelismJson({ parallelism }: { readonly parallelism?: Parallelism }): {
  readonly parallelism?: number
} {
  return parallelism === undefined ? {} : { parallelism }
}

function aggregatesJson(spec: AggregateSpec): Readonly<Record<string, string>> {
  return mapValues(spec, (one) => {
    if (one.kind === 'custom') return one.label
    return one.where === undefined ? one.kind : `${one.kind} where …`
  })
}

function stateJson(state: StateDefinition): StateJson {
  const { ttl, was } = state.options
  return {
    kind: state.kind,
    schemas: schemasOf(state).map(schemaJson),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(was === undefined ? {} : { was }),
  }
}

function schemasOf(state: StateDefinition): readonly SchemaLike[] {
  switch (state.kind) {
    case 'value':
    case 'reducing':
      return [state.value]
    case 'list':
      return [state.item]
    case 'map':
    case 'sorted-map':
      return [state.key, state.value]
    case 'aggregating':
      return [state.accumulator]
  }
}

interface SchemaLike {
  readonly hash: string
  readonly type: { readonly kind: string; readonly name?: string }
}

function schemaJson(schema: SchemaLike): SchemaJson {
  return { name: schema.type.name ?? schema.type.kind, hash: schema.hash }
}

/** What a step sends to other threads or keeps in snapshots without a schema to encode it. */
function selfDescribing(plan: Plan, node: PlanNode): readonly string[] {
  const what: string[] = []
  if (node.kind === 'key-by' && node.schema === undefined) what.push('rows')
  if (node.kind === 'window' || node.kind === 'keyed-aggregate') {
    for (const [name, one] of Object.entries(node.aggregates)) {
      if (one.kind === 'custom' && one.accumulator === undefined) what.push(`accumulator ${name}`)
    }
  }
  if (node.kind === 'keyed-reduce' && node.value === undefined) what.push('value')
  // Rows buffered for their key cross from the exchange into the snapshot of in-flight data as they came.
  if (needsKey(node)) {
    const keyed = plan.nodes[node.inputs[0]?.node ?? -1]
    if (keyed !== undefined && keyed.schema === undefined) what.push('rows in flight')
  }
  return what
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  fn: (value: From) => To,
): Readonly<Record<string, To>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, fn(value)]))
}
