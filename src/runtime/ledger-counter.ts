/**
 * The ledger of one subtask and life, from the counters of the chain. Both ends of an edge are counted on their own -
 * where rows are made and where they arrive - so that a lost or doubled row shows as an equation that does not hold.
 */
import { assert } from '../base/assert.ts'
import type {
  EdgeEntry,
  Ledger,
  OperatorEntry,
  SinkEntry,
  SourceEntry,
} from '../checkpoint/ledger.ts'
import type { SinkCounts, SinkWriter } from '../connectors/contract.ts'
import type { Plan, PlanNode } from '../graph/plan.ts'
import type { OperatorCounts } from '../operators/contract.ts'
import {
  type BatchRows,
  type CounterLayout,
  counterLayout,
  consumersOf,
  countAside,
  countDropped,
  countersPerNode,
  countIn,
  countOut,
  edgeKey,
  type KeyedOperator,
} from './chain.ts'
import type { Stage } from './stage.ts'
import { isInFront, type Stages } from './stages.ts'

export interface LedgerTotals {
  readonly recordsRead: number
  readonly recordsWritten: number
  readonly recordsLate: number
  readonly recordsRejected: number
}

export interface LedgerParts {
  readonly plan: Plan
  readonly counters: Float64Array
  readonly operators: ReadonlyMap<number, KeyedOperator>
  readonly sinks: ReadonlyMap<number, SinkWriter<unknown>>
  /** Batch mode: rows that wait for their replay. */
  readonly collected: ReadonlyMap<number, BatchRows>
  readonly stages: Stages
  /** Batch mode: rows that wait at the exchange of a step. */
  readonly waiting: (node: number) => number
  /** Rows that an earlier life left in flight, by exchange. */
  readonly restored: ReadonlyMap<number, number>
}

/** What was counted in one stage when a barrier passed it. */
interface Cut {
  readonly counters: Float64Array
  readonly operators: ReadonlyMap<number, OperatorCounts>
  readonly sinks: ReadonlyMap<number, SinkCounts>
  readonly read: ReadonlyMap<number, { readonly rows: number; readonly undecodable: number }>
  /** By exchange. */
  readonly sent: ReadonlyMap<number, number>
  readonly received: ReadonlyMap<number, number>
}

const nothing: ReadonlyMap<number, number> = new Map()

export class LedgerCounter {
  readonly #parts: LedgerParts
  readonly #layout: CounterLayout
  /** Records per source node: decodable ones and the others. */
  readonly #read: Map<number, { rows: number; undecodable: number }> = new Map()

  readonly #cuts: Map<number, Cut> = new Map()
  /** Rows that the stages behind the exchanges had not processed at their cuts, by exchange. */
  #inFlight: ReadonlyMap<number, number> = nothing

  constructor(parts: LedgerParts) {
    this.#parts = parts
    this.#layout = counterLayout(parts.plan)
  }

  read(source: number, rows: number, undecodable: number): void {
    const known = this.#read.get(source)
    if (known === undefined) this.#read.set(source, { rows, undecodable })
    else {
      known.rows += rows
      known.undecodable += undecodable
    }
  }

  /** Keeps the counts of a stage as they are now, for `ledger`. */
  cut({ id, inputs, outputs }: Pick<Stage, 'id' | 'inputs' | 'outputs'>): void {
    const { operators, sinks, stages, counters } = this.#parts
    const here = ([node]: readonly [number, unknown]): boolean => stages.stageOf[node] === id
    const received = new Map<number, number>()
    for (const { edge, rows } of inputs) received.set(edge.id, (received.get(edge.id) ?? 0) + rows)
    this.#cuts.set(id, {
      counters: counters.slice(),
      operators: new Map([...operators].filter(here).map(([id, one]) => [id, one.counts()])),
      sinks: new Map([...sinks].filter(here).map(([id, one]) => [id, one.counts()])),
      read: new Map([...this.#read].map(([id, counts]) => [id, { ...counts }])),
      sent: new Map(outputs.map(({ edge, rowsSent }) => [edge.id, rowsSent])),
      received,
    })
  }

  /** As of the cuts; all stages have been cut, and these rows had not come through their exchange then. */
  ledger(inFlight: ReadonlyMap<number, number> = nothing): Ledger {
    this.#inFlight = inFlight
    const sources: SourceEntry[] = []
    const operators: OperatorEntry[] = []
    const edges: EdgeEntry[] = []
    const sinks: SinkEntry[] = []
    for (const node of this.#parts.plan.nodes) {
      if (node.kind === 'source') sources.push(this.#source(node))
      else if (node.kind === 'sink') sinks.push(this.#sink(node))
      else {
        const entry = this.#operator(node)
        if (entry) operators.push(entry)
      }
      if (node.kind === 'sink' || this.#parts.operators.has(node.id)) edges.push(this.#edge(node))
    }
    edges.push(...this.#exchanges())
    return { sources, operators, edges, buffers: [], sinks }
  }

  /** What was sent by one subtask was received by others, so these add up over all of them. */
  #exchanges(): readonly EdgeEntry[] {
    return this.#parts.stages.exchanges.map(({ id, from, to }) => ({
      name: `exchange ${id}`,
      sent: this.#cuts.get(from)?.sent.get(id) ?? 0,
      received: this.#cuts.get(to)?.received.get(id) ?? 0,
      inFlightBefore: this.#parts.restored.get(id) ?? 0,
      inFlightAfter: this.#inFlight.get(id) ?? 0,
    }))
  }

  /** Rows that were counted on one side of an exchange and not on the other. */
  #between(exchange: number): number {
    return (this.#inFlight.get(exchange) ?? 0) - (this.#parts.restored.get(exchange) ?? 0)
  }

  /** Of those that a step is waiting for behind its `keyBy` or partitioning. */
  #waiting(node: number): number {
    const edge = this.#parts.stages.behind(node)
    return this.#parts.waiting(node) + (edge === undefined ? 0 : this.#between(edge.id))
  }

  totals(): LedgerTotals {
    let recordsRead = 0
    let recordsWritten = 0
    let recordsLate = 0
    let recordsRejected = 0
    for (const { rows, undecodable } of this.#read.values()) recordsRead += rows + undecodable
    for (const node of this.#parts.plan.nodes) {
      if (node.kind === 'sink') recordsWritten += this.#live(node.id, countIn)
      recordsRejected += this.#live(node.id, countDropped)
      if (node.kind === 'window')
        recordsLate += this.#parts.operators.get(node.id)?.counts().late ?? 0
      else recordsRejected += this.#live(node.id, countAside)
    }
    return { recordsRead, recordsWritten, recordsLate, recordsRejected }
  }

  #source(node: PlanNode & { readonly kind: 'source' }): SourceEntry {
    const { rows = 0, undecodable = 0 } = this.#cut(node.id).read.get(node.id) ?? {}
    const dropped = this.#count(node.id, countDropped)
    const deadLetters = this.#parts.plan.options.onError.decode === 'dead-letter'
    return {
      name: node.name,
      read: rows + undecodable,
      emitted: this.#count(node.id, countOut),
      skipped: deadLetters ? 0 : dropped,
      deadLettered: deadLetters ? dropped : 0,
      rejected: this.#count(node.id, countAside),
    }
  }

  #operator(node: PlanNode): OperatorEntry | undefined {
    const counts = this.#cut(node.id).operators.get(node.id)
    const dropped = this.#count(node.id, countDropped)
    if (counts === undefined) {
      if (node.kind === 'try' || node.kind === 'event-time') {
        const rejected = this.#count(node.id, countAside)
        return this.#entry(node, {
          received: this.#arriving(node),
          accepted: this.#count(node.id, countOut),
          dropped,
          rejected,
        })
      }
      if (dropped === 0) return undefined
      const received = this.#arriving(node)
      return this.#entry(node, { received, accepted: received - dropped, dropped, rejected: 0 })
    }
    const received = this.#count(node.id, countIn)
    const { late } = counts
    // A `process` step counts for itself, because it may have a policy of its own.
    const others = node.kind === 'process' ? 0 : dropped
    const stored = this.#parts.plan.options.onError.user === 'dead-letter' ? others : 0
    const skipped = counts.skipped + others - stored
    const deadLettered = counts.deadLettered + stored
    const consumed = node.kind === 'window' && this.#consumed(node.id, 'late')
    return {
      name: node.name ?? '',
      received,
      accepted: received - late - skipped - deadLettered,
      late,
      lateTaken: consumed ? this.#count(node.id, countAside) : 0,
      lateDropped: consumed ? 0 : late,
      skipped,
      deadLettered,
      rejected: 0,
    }
  }

  #entry(
    node: PlanNode,
    counts: {
      readonly received: number
      readonly accepted: number
      readonly dropped: number
      readonly rejected: number
    },
  ): OperatorEntry {
    const { onError } = this.#parts.plan.options
    const deadLetters = (node.kind === 'event-time' ? onError.time : onError.user) === 'dead-letter'
    return {
      name: node.name ?? `${node.kind} ${node.id}`,
      received: counts.received,
      accepted: counts.accepted,
      late: 0,
      lateTaken: 0,
      lateDropped: 0,
      skipped: deadLetters ? 0 : counts.dropped,
      deadLettered: deadLetters ? counts.dropped : 0,
      rejected: counts.rejected,
    }
  }

  #sink(node: PlanNode & { readonly kind: 'sink' }): SinkEntry {
    const counts = this.#cut(node.id).sinks.get(node.id) ?? {
      received: 0,
      skipped: 0,
      deadLettered: 0,
    }
    return {
      name: node.name,
      received: this.#count(node.id, countIn),
      published: counts.received - counts.skipped - counts.deadLettered,
      skipped: counts.skipped,
      deadLettered: counts.deadLettered,
    }
  }

  #edge(node: PlanNode): EdgeEntry {
    return {
      // Steps and sinks may share a name.
      name: `${this.#origin(node)} > ${node.kind === 'sink' ? 'sink ' : ''}${node.name}`,
      sent: this.#arriving(node) - (node.kind === 'sink' ? this.#parts.waiting(node.id) : 0),
      received: this.#count(node.id, countIn),
      inFlightBefore: 0,
      inFlightAfter: 0,
    }
  }

  /** Rows that left the outputs which feed a node. */
  #arriving(node: PlanNode): number {
    let rows = 0
    for (const input of node.inputs) rows += this.#leaving(input.node, input.output)
    for (const edge of this.#parts.stages.exchanges)
      if (edge.node === node.id && isInFront(edge)) rows -= this.#between(edge.id)
    return rows
  }

  #leaving(id: number, output: string): number {
    const node = this.#parts.plan.nodes[id]
    if (node === undefined) return 0
    // A process step names its outputs freely, also `late`.
    if (node.kind !== 'process' && (output === 'late' || output === 'rejected'))
      return this.#count(id, countAside)
    switch (node.kind) {
      case 'map':
        return this.#arriving(node) - this.#count(id, countDropped)
      case 'union':
        return this.#arriving(node)
      case 'key-by':
        return this.#arriving(node) - this.#count(id, countDropped) - this.#waiting(id)
      case 'partition': {
        const copies = node.how === 'broadcast' ? this.#parts.stages.subtasks : 1
        const rows = this.#arriving(node) - this.#count(id, countDropped)
        return rows * copies - this.#waiting(id)
      }
      case 'event-time':
        return this.#count(id, countOut) - (this.#parts.collected.get(id)?.rows.length ?? 0)
      case 'process':
        return this.#cut(id).counters[this.#layout.output(node, output)] ?? 0
      default:
        return this.#count(id, countOut)
    }
  }

  /** The nearest named step upstream. */
  #origin(node: PlanNode): string {
    const names = node.inputs.map((input) => {
      const from = this.#parts.plan.nodes[input.node]
      if (from === undefined) return ''
      const name = from.name ?? this.#origin(from)
      return input.output === 'out' ? name : `${name}.${input.output}`
    })
    return names.join(' + ')
  }

  #consumed(id: number, output: string): boolean {
    return consumersOf(this.#parts.plan).has(edgeKey(id, output))
  }

  #cut(id: number): Cut {
    const cut = this.#cuts.get(this.#parts.stages.stageOf[id] ?? 0)
    assert(cut !== undefined, 'every stage is cut before the ledger is asked for')
    return cut
  }

  #count(id: number, which: number): number {
    return this.#cut(id).counters[id * countersPerNode + which] ?? 0
  }

  #live(id: number, which: number): number {
    return this.#parts.counters[id * countersPerNode + which] ?? 0
  }
}
