/**
 * A chain: everything between the sources of a subtask and its sinks that needs no exchange, as a handful of functions.
 * `codegen/emit-chain.ts` generates them, `interpret-chain.ts` composes them from closures; both have this shape and
 * the same meaning, and a property test holds them equal.
 */
import type { RowBatch } from '../exchange/contract.ts'
import type { Frame } from '../frame/frame.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import type { Emit, Operator } from '../operators/contract.ts'
import type { AccumulatorTable } from '../window/accumulator-table.ts'
import type { AggregateKernel } from '../window/kernel.ts'
import type { SinkWriter } from '../connectors/contract.ts'
import type { Key } from '../schema/types.ts'
import type { LocalPhase } from '../window/local-phase.ts'
import type { EventTimeOrigin } from './event-time.ts'
import { type Stages, stagesOf } from './stages.ts'

/** Counters of a node: `counters[id * countersPerNode + which]`, cumulative over the life of the state. */
export const countersPerNode = 4
/** Rows that arrived. Kept for sinks and stateful steps; elsewhere it follows from upstream. */
export const countIn = 0
/** Rows of the main output. */
export const countOut = 1
/** Rows that left by `rejected` or `late`. */
export const countAside = 2
/** Rows dropped by policy `skip` or stored by policy `dead-letter`. */
export const countDropped = 3

export interface CounterLayout {
  readonly size: number
  /** Index of the counter of rows that leave by this output. */
  readonly output: (node: PlanNode, output: string) => number
}

/** Four counters per node, and one more for each further output of a step that declares several. */
export function counterLayout(plan: Plan): CounterLayout {
  const extra = new Map<string, number>()
  let size = plan.nodes.length * countersPerNode
  for (const node of plan.nodes) {
    if (node.kind !== 'process') continue
    for (const output of node.definition.outputs ?? []) extra.set(edgeKey(node.id, output), size++)
  }
  return {
    size,
    output: (node, output) =>
      extra.get(edgeKey(node.id, output)) ??
      node.id * countersPerNode +
        (output === 'late' || output === 'rejected' ? countAside : countOut),
  }
}

/** A stateful step as the chain feeds it. */
export interface KeyedOperator extends Operator {
  record(key: Key, row: unknown, timestampMs: number): void
  /** Of a step that keeps accumulators. */
  readonly kernel?: AggregateKernel
  /** Where they are by key: then `record` is `takes`, a look-up, an addition and, with `afterAdd`, `added`. */
  readonly table?: AccumulatorTable
  readonly afterAdd?: boolean
  takes?(timestampMs: number): boolean
  tooLate?(row: unknown, timestampMs: number): void
  added?(key: Key, slot: number, timestampMs: number): void
}

/** Which row of its batch a source is giving away; -1 behind steps that keep state, whose rows have no one origin. */
export interface RowPlace {
  index: number
}

/** What happens to rows that cannot go on. Called off the hot path. */
export interface ChainHooks {
  /** Kept up to date by the chain when somebody may ask for a position: a store per row, which other jobs do not pay. */
  readonly row?: RowPlace | undefined
  /** Where the row at hand came from, as its source tells it; empty when it is not known. */
  position?(): string
  /**
   * The job-wide policy for a user function that threw: returns when the row is dropped, throws to stop the job. `lost`
   * is the node whose count of rows it is missing from, when that is not `node`.
   */
  userError(node: PlanNode, row: unknown, error: unknown, lost?: PlanNode): void
  /** A row without usable event time: as above. */
  badTime(node: PlanNode, row: unknown, value: unknown): void
  /** Throws what is wrong with a key that is not allowed. */
  badKey(node: PlanNode, row: unknown, key: unknown): never
  /** Wraps what escaped from node `node` while row `index` of the batch was processed, and throws it. */
  failed(node: PlanNode | undefined, error: unknown, index: number): never
}

export interface ChainParts {
  readonly plan: Plan
  readonly counters: Float64Array
  readonly operators: ReadonlyMap<number, KeyedOperator>
  readonly origins: ReadonlyMap<number, EventTimeOrigin>
  readonly sinks: ReadonlyMap<number, SinkWriter<unknown>>
  readonly hooks: ChainHooks
  /** Rows are collected at event-time steps and replayed in order at the end. */
  readonly batch: boolean
  /** Batch mode: where each event-time step collects its rows. */
  readonly collected?: ReadonlyMap<number, BatchRows>
  readonly exchanges: ChainExchanges
}

/** Where a chain leaves the subtask and comes back. */
export interface ChainExchanges {
  readonly stages: Stages
  /** By exchange. */
  readonly outputs: ReadonlyMap<number, ChainOutput>
  readonly inputs: ReadonlyMap<number, ChainInput>
}

/** The sending side of an exchange, as the chain uses it. */
export interface ChainOutput {
  /** Rows may be lazy views: only known fields are read. */
  readonly views: boolean
  /** To the owner of a key, or of the partition with this number. */
  send(key: Key, row: unknown, timestampMs: number): void
  /** To whom the exchange chooses. */
  forward(row: unknown, timestampMs: number): void
  /** Takes rows first, when the window behind the exchange is aggregated in two phases. */
  readonly local: LocalPhase | undefined
}

/** The receiving side. */
export interface ChainInput {
  /** Event time behind the exchange; `undefined` for untimed streams and in batch mode, where rows carry ranks instead. */
  readonly origin: EventTimeOrigin | undefined
  /** Batch mode, where rows are not collected: the outputs of the stage, which pass on the rank of each row. */
  readonly ranked?: readonly { rank: number }[]
  /** Batch mode: takes the rows instead of the steps, which get them in order at the end. */
  readonly collect?: (key: Key | undefined, row: unknown, timestampMs: number, rank: number) => void
}

export const noExchanges: ChainExchanges = {
  stages: stagesOf({ nodes: [] }, 1),
  outputs: new Map(),
  inputs: new Map(),
}

/** Rows that came through an exchange. */
export interface ExchangeRoot {
  batch(rows: RowBatch, from: number, to: number): void
  /** Batch mode: one collected row. */
  deliver(key: Key | undefined, row: unknown, timestampMs: number): void
}

/** The compiled entry of one source. */
export interface ChainRoot {
  rows(rows: readonly unknown[], from: number, to: number): void
  frame(frame: Frame, from: number, to: number): void
  /** A record that the source could not decode, for sources whose rejects are an output. */
  rejected: Emit | undefined
}

export interface Chain {
  readonly roots: ReadonlyMap<number, ChainRoot>
  /** Batch mode: delivers a collected row of an event-time step to the steps after it. */
  readonly replay: ReadonlyMap<number, Emit>
  /** By exchange. */
  readonly exchanges: ReadonlyMap<number, ExchangeRoot>
  /** The node whose function ran last; for errors that escape outside of a batch (timers). */
  current(): PlanNode | undefined
}

/** A row that could not be processed, as the `rejected` output carries it. */
export interface RejectedRow {
  readonly input: unknown
  readonly operator: string
  readonly attempt: number
  readonly position: string
  readonly error: { readonly code: string; readonly message: string }
}

/** Who reads an output: nodes in the order in which the program attached them. */
export type Consumers = ReadonlyMap<string, readonly PlanNode[]>

export function consumersOf(plan: Plan): Consumers {
  const consumers = new Map<string, PlanNode[]>()
  for (const node of plan.nodes) {
    for (const input of node.inputs) {
      const key = edgeKey(input.node, input.output)
      const known = consumers.get(key)
      if (known) known.push(node)
      else consumers.set(key, [node])
    }
  }
  return consumers
}

export function edgeKey(node: number, output: string): string {
  return `${node}:${output}`
}

/** Rows collected by one event-time step in batch mode. */
export interface BatchRows {
  readonly rows: unknown[]
  readonly times: number[]
}
