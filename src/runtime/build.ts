/** Makes the stateful parts of one subtask from a plan: operators, event-time steps and the clocks between them. */
import type { Env } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import type { ProcessingClock } from '../operators/contract.ts'
import { ProcessOperator } from '../operators/process.ts'
import { UserRandom } from '../operators/random.ts'
import { ownDynamic } from '../schema/dynamic.ts'
import type { KeyGroupRange } from '../state/contract.ts'
import { openKeyedStore } from '../state/keyed-store.ts'
import { KeyedAggregateOperator } from '../window/keyed-aggregate.ts'
import type { LocalPhase } from '../window/local-phase.ts'
import { PaneWindowOperator } from '../window/pane-window.ts'
import { ProcessingWindowOperator } from '../window/processing-window.ts'
import { SessionWindowOperator } from '../window/session-window.ts'
import type { ChainHooks, KeyedOperator } from './chain.ts'
import { type ClockInput, type Downstream, EventTimeOrigin, MergedClock } from './event-time.ts'
import { runtimeErrors } from './errors.ts'
import { localPhaseOf } from './partials.ts'
import { collectsInBatch, type ExchangeEdge, type Stages } from './stages.ts'

export interface BuildOptions {
  readonly plan: Plan
  readonly env: Env
  /** Key groups of the subtask. */
  readonly range: KeyGroupRange
  /** Those of one step, when steps are spread over different numbers of subtasks. */
  readonly rangeOf?: (step: PlanNode) => KeyGroupRange
  readonly processing: ProcessingClock
  readonly hooks: Pick<ChainHooks, 'userError'>
  readonly batch: boolean
  readonly stages: Stages
}

export interface BuiltParts {
  /** By node id, in topological order. */
  readonly operators: ReadonlyMap<number, KeyedOperator>
  readonly origins: ReadonlyMap<number, EventTimeOrigin>
  /** Event-time steps that each source reaches through stateless steps only, by source node id. */
  readonly originsOfSource: ReadonlyMap<number, readonly EventTimeOrigin[]>
  /** Event-time steps that rows reach from an exchange through stateless steps only, by its id. */
  readonly originsOfExchange: ReadonlyMap<number, readonly EventTimeOrigin[]>
  /** Event-time steps behind a stateful step: one channel, which ends with the input. */
  readonly inner: readonly EventTimeOrigin[]
  /** Event time behind each exchange of a timed stream, by its id; the channels are the sending subtasks. */
  readonly exchangeOrigins: ReadonlyMap<number, EventTimeOrigin>
  /** The clock in front of each exchange, by its id. */
  readonly exchangeClocks: ReadonlyMap<number, MergedClock>
  /** What adds rows up in front of an exchange, by its id. */
  readonly locals: ReadonlyMap<number, LocalPhase>
  /** How many event-time steps lie upstream of each event-time step; batch mode replays in this order. */
  readonly depth: ReadonlyMap<number, number>
}

export function buildParts(options: BuildOptions): BuiltParts {
  const { plan, stages } = options
  const origins = new Map<number, EventTimeOrigin>()
  const operators = new Map<number, KeyedOperator>()
  /** Event-time steps whose watermark reaches a node. */
  const reaching = new Map<number, readonly ClockInput[]>()
  const depth = new Map<number, number>()
  const clocks = new Map<number, MergedClock>()
  const exchangeOrigins = new Map<number, EventTimeOrigin>()
  const exchangeClocks = new Map<number, MergedClock>()
  const locals = new Map<number, LocalPhase>()
  /** Behind an exchange a step hears the sending subtasks; in batch mode they give it all rows to sort. */
  const across = (edge: ExchangeEdge, inputs: readonly ClockInput[]): readonly ClockInput[] => {
    const clock = new MergedClock(inputs)
    exchangeClocks.set(edge.id, clock)
    const local = options.batch ? undefined : localPhaseOf(plan, edge, clock)
    if (local !== undefined) locals.set(edge.id, local)
    if (inputs.length === 0) return []
    const collects = options.batch && collectsInBatch(edge)
    const origin = new EventTimeOrigin(edge.node, -1, collects)
    exchangeOrigins.set(edge.id, origin)
    return [{ origin, delayMs: 0 }]
  }
  for (const node of plan.nodes) {
    const upstream = merged(
      node.inputs.flatMap((input) => {
        const inputs = reaching.get(input.node) ?? []
        const edge = stages.inFrontOf(input, node.id)
        return edge === undefined ? inputs : across(edge, inputs)
      }),
    )
    const behind = stages.behind(node.id)
    if (behind !== undefined) {
      reaching.set(node.id, across(behind, upstream))
      continue
    }
    if (node.kind === 'event-time') {
      // With exchanges it is they who collect the rows of batch mode.
      const collects = options.batch && stages.exchanges.length === 0
      const { maxOutOfOrderness, notAfter } = node
      const maxFuture = readsSource(plan, node) ? node.maxFuture : undefined
      const origin = new EventTimeOrigin(node.id, maxOutOfOrderness, collects, {
        maxFuture,
        notAfter,
      })
      origins.set(node.id, origin)
      reaching.set(node.id, [{ origin, delayMs: 0 }])
      depth.set(node.id, Math.max(-1, ...upstream.map(({ origin: o }) => depth.get(o.id) ?? 0)) + 1)
      continue
    }
    const waits = resultDelayMs(node, options.batch)
    reaching.set(
      node.id,
      waits === 0 ? upstream : upstream.map((one) => ({ ...one, delayMs: one.delayMs + waits })),
    )
    const clock = new MergedClock(upstream)
    const operator = makeOperator(node, clock, options)
    if (operator === undefined) continue
    operators.set(node.id, operator)
    clocks.set(node.id, clock)
  }
  const downstream: (Downstream & { readonly id: number })[] = []
  for (const [id, operator] of operators) downstream.push({ id, operator, clock: clocks.get(id)! })
  for (const { id, node } of stages.exchanges)
    downstream.push({
      id: node,
      operator: locals.get(id) ?? sends,
      clock: exchangeClocks.get(id)!,
    })
  downstream.sort((a, b) => a.id - b.id)
  for (const origin of [...origins.values(), ...exchangeOrigins.values()])
    origin.attach(downstream.filter(({ clock }) => clock.hears(origin)))
  const fed = channels(plan, origins, stages)
  return { operators, origins, ...fed, exchangeOrigins, exchangeClocks, locals, depth }
}

/**
 * When a store took a row is known up to the first step that may give it to another subtask: by the plan and not by the
 * number of subtasks, so that results do not depend on that.
 */
function readsSource(plan: Plan, node: PlanNode): boolean {
  return node.inputs.every((input) => {
    const before = plan.nodes[input.node]
    if (before === undefined || !passesOn.has(before.kind)) return before?.kind === 'source'
    return readsSource(plan, before)
  })
}

const passesOn: ReadonlySet<PlanNode['kind']> = new Set([
  'map',
  'filter',
  'flat-map',
  'try',
  'union',
  'event-time',
] as const)

/** An exchange fires nothing itself: rows carry the watermark before them to whoever does. Partials leave when due. */
const sends: Downstream['operator'] = {
  nextDue: () => Number.POSITIVE_INFINITY,
  advance: () => {},
}

/** Which event-time steps see the partitions of which source, or the senders of which exchange. */
function channels(
  plan: Plan,
  origins: ReadonlyMap<number, EventTimeOrigin>,
  stages: Stages,
): Pick<BuiltParts, 'originsOfSource' | 'originsOfExchange' | 'inner'> {
  /** Sources and exchanges from which rows of a node come without meeting state. */
  const feeds = new Map<number, readonly Feed[]>()
  const originsOfSource = new Map<number, EventTimeOrigin[]>()
  const originsOfExchange = new Map<number, EventTimeOrigin[]>()
  const inner: EventTimeOrigin[] = []
  for (const node of plan.nodes) {
    if (node.kind === 'source') {
      feeds.set(node.id, [{ source: node.id }])
      originsOfSource.set(node.id, [])
      continue
    }
    const stateless =
      node.kind !== 'process' && node.kind !== 'window' && !node.kind.startsWith('keyed-')
    const from = stateless
      ? node.inputs.flatMap((input) => {
          const edge = stages.inFrontOf(input, node.id)
          return edge === undefined ? (feeds.get(input.node) ?? []) : [{ exchange: edge.id }]
        })
      : []
    const behind = stages.behind(node.id)
    feeds.set(node.id, behind === undefined ? from : [{ exchange: behind.id }])
    const origin = origins.get(node.id)
    if (origin === undefined) continue
    for (const { source, exchange } of from) {
      if (source !== undefined) addOnce(originsOfSource, source, origin)
      if (exchange !== undefined) addOnce(originsOfExchange, exchange, origin)
    }
    if (from.length === 0) inner.push(origin)
  }
  return { originsOfSource, originsOfExchange, inner }
}

interface Feed {
  readonly source?: number
  readonly exchange?: number
}

function addOnce(to: Map<number, EventTimeOrigin[]>, key: number, origin: EventTimeOrigin): void {
  const known = to.get(key)
  if (known === undefined) to.set(key, [origin])
  else if (!known.includes(origin)) known.push(origin)
}

function makeOperator(
  node: PlanNode,
  clock: MergedClock,
  options: BuildOptions,
): KeyedOperator | undefined {
  const { processing, env } = options
  const range = options.rangeOf?.(node) ?? options.range
  switch (node.kind) {
    case 'process':
      return new ProcessOperator({
        name: node.name,
        definition: node.definition,
        store: openKeyedStore({
          operator: node.name,
          states: node.definition.state,
          timers: node.definition.timers,
          range,
          processingTimeNow: () => processing.nowMs(),
        }),
        clock,
        processing,
        random: new UserRandom(seedOf(env, node.name)),
        onError: node.definition.onError ?? options.plan.options.onError.user,
        undone: (row, error) => options.hooks.userError(node, row, error),
      })
    case 'keyed-aggregate':
      return new KeyedAggregateOperator({
        name: node.name,
        aggregates: node.aggregates,
        emit: node.emit,
        range,
      })
    case 'keyed-reduce':
      return reduceOperator(node, range)
    case 'window': {
      const { window } = node
      const common = { name: node.name, aggregates: node.aggregates, range }
      if (window.kind === 'session') {
        const { allowedLatenessMs, emit } = node
        return new SessionWindowOperator({
          ...common,
          gapMs: window.gapMs,
          allowedLatenessMs,
          emit,
          batch: options.batch,
          clock,
        })
      }
      if (window.time === 'processing-time') {
        return new ProcessingWindowOperator({
          ...common,
          sizeMs: window.sizeMs,
          offsetMs: window.offsetMs,
          processing,
        })
      }
      const { allowedLatenessMs, emit, closeAfterQuietMs } = node
      return new PaneWindowOperator({
        ...common,
        window,
        allowedLatenessMs,
        emit,
        closeAfterQuietMs,
        clock,
        processing,
      })
    }
    default:
      return undefined
  }
}

/** A reduce is a running aggregate of one value, emitted as it is. */
function reduceOperator(
  node: PlanNode & { readonly kind: 'keyed-reduce' },
  range: KeyGroupRange,
): KeyedOperator {
  const own = node.value ? (value: unknown) => node.value?.own(value) : ownDynamic
  const add = (previous: unknown, row: unknown): unknown =>
    own(previous === undefined ? row : node.reduce(previous, row))
  const value = {
    kind: 'custom',
    label: 'reduce',
    create: () => undefined,
    add: add as (accumulator: never, row: never) => unknown,
    merge: (() => {
      throw new TidemillError(runtimeErrors.planMismatch, {
        message: `step "${node.name}" cannot be merged`,
      })
    }) as (left: never, right: never) => unknown,
    result: (accumulator: never): unknown => accumulator,
    accumulator: node.value,
    decomposable: false,
  } as const
  return new KeyedAggregateOperator({
    name: node.name,
    aggregates: { value },
    emit: 'every-change',
    range,
    select: (row) => (row as { readonly value: unknown }).value,
  })
}

function seedOf(env: Env, name: string): Uint32Array {
  const random = env.random.stream(`user:${name}`)
  return Uint32Array.of(random.u32(), random.u32(), random.u32())
}

/** Each origin once, with its longest delay. */
function merged(inputs: readonly ClockInput[]): readonly ClockInput[] {
  const longest = new Map<EventTimeOrigin, number>()
  for (const { origin, delayMs } of inputs) {
    longest.set(origin, Math.max(delayMs, longest.get(origin) ?? 0))
  }
  return [...longest].map(([origin, delayMs]) => ({ origin, delayMs }))
}

/** By how much the results of a step may be older than its watermark: a window that waits for late rows gives them late. */
function resultDelayMs(node: PlanNode, batch: boolean): number {
  if (node.kind !== 'window') return 0
  // In batch mode a session closes one millisecond after its last one, see session-window.ts.
  return node.allowedLatenessMs + (batch && node.window.kind === 'session' ? 1 : 0)
}
