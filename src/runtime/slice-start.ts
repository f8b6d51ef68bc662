/**
 * The start of a slice: sinks are opened and finish or undo what the restored snapshot knows of, state is loaded, readers
 * open at their positions, event time stands where it stood.
 */
import { TidemillError } from '../base/errors.ts'
import { timestampMin } from '../base/time.ts'
import { hasRowsInFlight, type SubtaskSnapshot } from '../checkpoint/manifest.ts'
import { restoreBlocks } from '../checkpoint/restore.ts'
import { assert } from '../base/assert.ts'
import type { Sink, SinkWriter } from '../connectors/contract.ts'
import type { SourceNode } from '../graph/plan.ts'
import { Arrival } from './arrival.ts'
import { compileChain } from './compile-chain.ts'
import { runtimeErrors } from './errors.ts'
import { widestRange } from './key-ranges.ts'
import { PartitionInput } from './partition.ts'
import { fieldsRead } from './projection.ts'
import { lettersStage } from './sink-epochs.ts'
import type { SliceParts } from './slice-parts.ts'
import { chainExchanges, senderChannel } from './stage-links.ts'

export async function openSlice(slice: SliceParts): Promise<void> {
  const { env, links, mode } = slice.options
  const snapshots = slice.options.manifest?.subtasks ?? []
  await openSinks(slice)
  slice.chain = compileChain({
    plan: slice.plan,
    counters: slice.counters,
    operators: slice.built.operators,
    origins: slice.built.origins,
    sinks: slice.writers,
    hooks: slice.policies,
    batch: mode === 'batch',
    collected: slice.collected,
    exchanges: chainExchanges(slice.cuts, slice.built, slice.stages, mode === 'batch'),
  })
  if (slice.options.arriving === true) slice.arrival = new Arrival(slice)
  const { arrival } = slice
  await restoreState(slice)
  for (const node of arrival === undefined ? slice.plan.nodes : [])
    if (node.kind === 'source') await openSource(slice, node, snapshots)
  env.host.crashPoint('recover.positions')
  for (const origin of slice.built.inner) {
    origin.open('input')
    origin.select('input')
  }
  openSenders(slice)
  if (arrival === undefined) restoreTime(slice, snapshots)
  else arrival.begin()
  links?.onNews(() => slice.signal())
  // A subtask without partitions says with its first message that nothing will come.
  for (const stage of slice.stages) {
    if (stage.id > 0 || slice.inputs.length > 0) for (const output of stage.outputs) output.greet()
  }
}

export async function openSinks(slice: SliceParts): Promise<void> {
  const { env } = slice.options
  for (const node of slice.plan.nodes) {
    if (node.kind !== 'sink') continue
    const stage = slice.cuts.stageOf[node.id] ?? 0
    const subtasks = slice.cuts.of(node.id)?.owners ?? slice.options.subtasks
    // The exchange in front of the sink gives rows to the first subtasks only.
    if (slice.options.subtask >= subtasks) continue
    const writer = await openSink(slice, node.name, node.was, stage, node.sink, subtasks)
    slice.writers.set(node.id, writer)
  }
  for (const output of slice.stages.flatMap((stage) => stage.outputs)) {
    if (output.partitioning !== undefined)
      output.usePartitions(await output.partitioning.count({ env: slice.env }))
  }
  const { deadLetters } = slice.options
  if (slice.policies.needsDeadLetters && deadLetters !== undefined) {
    slice.policies.deadLetters = await openSink(
      slice,
      'dead-letters',
      undefined,
      lettersStage,
      deadLetters as Sink<unknown>,
    )
  }
  const snapshots = slice.options.manifest?.subtasks ?? []
  await slice.sinks.recover(snapshots.flatMap((snapshot) => snapshot.sinks))
  env.host.crashPoint('recover.abort')
}

async function openSink(
  slice: SliceParts,
  name: string,
  was: string | undefined,
  stage: number,
  sink: Sink<unknown>,
  subtasks: number = slice.options.subtasks,
): Promise<SinkWriter<unknown>> {
  const writer = await sink.open({
    env: slice.env,
    name,
    job: slice.plan.job,
    subtask: slice.options.subtask,
    subtasks,
    generation: slice.options.generation,
    fresh: slice.options.manifest === undefined,
    stateDirectory: slice.options.stateDirectory,
  })
  slice.sinks.add(name, was, stage, writer)
  return writer
}

async function restoreState(slice: SliceParts): Promise<void> {
  const { arrival } = slice
  const { manifest, storage, subtask } = slice.options
  if (manifest === undefined) return
  assert(
    arrival !== undefined || !hasRowsInFlight(manifest),
    'rows in flight arrive before a job goes on',
  )
  const byName = new Map(
    [...slice.built.operators.values()].map((operator) => [operator.name, operator]),
  )
  for (const node of slice.plan.nodes) {
    const operator = slice.built.operators.get(node.id)
    if (operator && node.was !== undefined && !byName.has(node.was)) byName.set(node.was, operator)
  }
  const keyGroups = widestRange(slice.plan, slice.cuts, subtask)
  const unkeyed = (writer: number): boolean => arrival === undefined || writer === subtask
  await restoreBlocks(storage, manifest, { keyGroups, unkeyed }, (name, block, writer) => {
    if (arrival?.take(block)) return
    const operator = byName.get(name)
    if (operator === undefined) {
      throw new TidemillError(runtimeErrors.planMismatch, {
        message: `the snapshot holds state of step "${name}", which the program does not have`,
        details: { operator: name },
      })
    }
    operator.restore(block, { writer, own: writer === subtask })
  })
  for (const operator of slice.built.operators.values()) operator.finishRestore()
  slice.env.host.crashPoint('recover.load')
}

async function openSource(
  slice: SliceParts,
  node: SourceNode,
  snapshots: readonly SubtaskSnapshot[],
): Promise<void> {
  if (slice.options.mode === 'batch' && !node.source.bounded && node.source.endsInBatch !== true) {
    throw new TidemillError(runtimeErrors.notBounded, {
      message: `source "${node.name}" never ends`,
    })
  }
  const handle = await node.source.open({
    env: slice.env,
    name: node.name,
    fields: fieldsRead(slice.plan, node),
    mode: slice.options.mode,
  })
  slice.handles.set(node.id, handle)
  const names = new Set([node.name, node.was])
  const positions = new Map(
    snapshots
      .flatMap((s) => s.positions)
      .filter((p) => names.has(p.source))
      .map(({ partition, position }) => [partition, position]),
  )
  const partitions = await handle.partitions()
  if (slice.options.subtask === 0) warnOfLost(slice, node, positions, new Set(partitions))
  for (const [index, partition] of partitions.entries()) {
    if (index % slice.options.subtasks !== slice.options.subtask) continue
    const position = positions.get(partition)
    const reader = await handle.reader(partition, position)
    const input = new PartitionInput(node, partition, index, reader, position, () => slice.signal())
    slice.inputs.push(input)
    for (const origin of slice.built.originsOfSource.get(node.id) ?? []) origin.open(input.channel)
  }
}

const lostShownMax = 5

/** Who leaves a file out that was not read to its end should know of it; who renames one should, too. */
function warnOfLost(
  { env }: SliceParts,
  { name }: SourceNode,
  before: ReadonlyMap<string, unknown>,
  now: ReadonlySet<string>,
): void {
  const lost = [...before.keys()].filter((partition) => !now.has(partition))
  if (lost.length === 0) return
  env.host.log('warn', 'partitions are left out: what was not read of them is not read any more', {
    source: name,
    count: lost.length,
    partitions: lost.slice(0, lostShownMax).join(', '),
  })
}

/** Event-time steps behind an exchange take its senders for partitions. */
function openSenders(slice: SliceParts): void {
  for (const input of slice.stages.flatMap((stage) => stage.inputs)) {
    for (const origin of slice.built.originsOfExchange.get(input.edge.id) ?? [])
      origin.open(senderChannel(input))
  }
}

/** Watermarks of partitions as they were; behind an exchange, what all senders had reached. */
function restoreTime(slice: SliceParts, snapshots: readonly SubtaskSnapshot[]): void {
  for (const origin of slice.built.origins.values()) {
    if (slice.options.subtasks > 1) origin.seal()
    const stored = snapshots.map((s) => s.watermarks.filter((w) => w.node === origin.id))
    origin.restoreWatermarks(stored)
  }
  for (const { id } of slice.cuts.exchanges) {
    const floor = slice.built.exchangeClocks.get(id)?.floor() ?? timestampMin
    slice.built.exchangeOrigins.get(id)?.raiseFloor(floor)
  }
}
