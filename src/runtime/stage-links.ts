/** Puts the stages of a subtask together: steps, event-time steps, and the channels between subtasks. */
import type { Clock } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { timestampMin } from '../base/time.ts'
import type { SubtaskLinks } from '../exchange/contract.ts'
import { nameOf } from '../graph/roles.ts'
import type { Plan } from '../graph/plan.ts'
import type { BuiltParts } from './build.ts'
import type { ChainExchanges, ChainInput, ChainOutput } from './chain.ts'
import { ChannelInput } from './channel-input.ts'
import { CollectedRows } from './collected-rows.ts'
import { runtimeErrors } from './errors.ts'
import { ExchangeOutput } from './exchange-output.ts'
import { PacedWriter } from './paced-writer.ts'
import { fieldsReadBehind } from './projection.ts'
import { Stage } from './stage.ts'
import { collectsInBatch, type ExchangeEdge, isInFront, peersOf, type Stages } from './stages.ts'

export interface StageLinkOptions {
  readonly plan: Plan
  readonly subtask: number
  readonly subtasks: number
  readonly batch: boolean
  readonly stages: Stages
  readonly parts: BuiltParts
  readonly links: SubtaskLinks | undefined
  readonly clock: Pick<Clock, 'monoMs'>
}

export function connectStages(options: StageLinkOptions): readonly Stage[] {
  const { parts, stages } = options
  const made = Array.from({ length: stages.count }, (_, id) => new Stage(id))
  const at = (node: number): Stage => made[stages.stageOf[node] ?? 0] ?? made[0]!
  // A keyed step belongs to the stage behind its `keyBy`.
  for (const [id, operator] of parts.operators) at(id).operators.push(operator)
  for (const [id, origin] of parts.origins) at(id).origins.push(origin)
  for (const origin of parts.inner) at(origin.id).inner.push(origin)
  for (const edge of stages.exchanges) connect(edge, made[edge.from]!, made[edge.to]!, options)
  return made
}

function connect(edge: ExchangeEdge, from: Stage, to: Stage, options: StageLinkOptions): void {
  const { plan, subtask, subtasks, batch, parts, links } = options
  const clock = parts.exchangeClocks.get(edge.id)
  if (links === undefined || clock === undefined) {
    throw new TidemillError(runtimeErrors.planMismatch, {
      message: 'several subtasks have no way to each other',
    })
  }
  const peers = peersOf(edge, subtask, subtasks)
  const node = plan.nodes[edge.node]
  const fields = isInFront(edge) ? undefined : fieldsReadBehind(plan, edge.node)
  const targets = peers.map((peer) => {
    const writer = links.writer(edge.id, peer)
    if (batch) return writer
    // Nothing is committed before the end of batch mode, so no barrier waits for what is on its way.
    const paced = new PacedWriter(writer, options.clock)
    from.ways.push(paced)
    return paced
  })
  from.outputs.push(
    new ExchangeOutput({
      edge,
      clock,
      batch,
      subtask,
      fields,
      partitioning: node?.kind === 'sink' ? node.sink.partitioning : undefined,
      maxParallelism: plan.options.maxParallelism,
      targets,
      where: fed(plan, edge),
      local: parts.locals.get(edge.id),
      floorMs: () => parts.exchangeOrigins.get(edge.id)?.floor ?? timestampMin,
    }),
  )
  const inputs = peers.map(
    (peer) => new ChannelInput(edge, peer, links.reader(edge.id, peer), fields),
  )
  to.inputs.push(...inputs)
  const origin = parts.exchangeOrigins.get(edge.id)
  if (origin === undefined) return
  for (const input of inputs) origin.open(input.channel)
  if (batch && collectsInBatch(edge))
    to.collected.set(edge.id, new CollectedRows(origin, edge.kind === 'hash' ? [] : to.outputs))
}

/** How event-time steps behind an exchange call one of its channels; stored with their watermarks. */
export function senderChannel({ edge, from }: ChannelInput): string {
  return `exchange-${edge.id}/subtask-${from}`
}

/** What the generated chain needs to know of the exchanges. */
export function chainExchanges(
  stages: Stages,
  parts: BuiltParts,
  made: readonly Stage[],
  batch: boolean,
): ChainExchanges {
  const outputs = new Map<number, ChainOutput>()
  const inputs = new Map<number, ChainInput>()
  for (const stage of made) {
    for (const output of stage.outputs) outputs.set(output.edge.id, output)
  }
  for (const { id, to } of stages.exchanges) {
    const collected = made[to]?.collected.get(id)
    if (!batch) inputs.set(id, { origin: parts.exchangeOrigins.get(id) })
    else if (collected === undefined)
      inputs.set(id, { origin: undefined, ranked: made[to]?.outputs ?? [] })
    else
      inputs.set(id, {
        origin: undefined,
        collect: (key, row, time, rank) => collected.add(key, row, time, rank),
      })
  }
  return { stages, outputs, inputs }
}

/** The steps that an exchange feeds, for messages. */
function fed(plan: Plan, edge: ExchangeEdge): string {
  const names = plan.nodes
    .filter((node) =>
      isInFront(edge)
        ? node.id === edge.node
        : node.inputs.some((input) => input.node === edge.node),
    )
    .map(nameOf)
  return names.join(', ')
}
