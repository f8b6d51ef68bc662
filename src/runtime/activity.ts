/**
 * Where the time of a subtask goes, measured per batch and never per row. Times are cumulative; whoever wants a share of
 * the last seconds takes the difference of two pictures.
 *
 * While a stage runs its number stands in a cell of shared memory: a thread in an endless loop says nothing any more,
 * and the main thread can still read where it is.
 */
import type { Plan } from '../graph/plan.ts'
import { HotKeys, type HotKey } from './hot-keys.ts'
import type { Stages } from './stages.ts'

export interface SliceActivity {
  readonly aliveMs: number
  /** Waiting for something to do. */
  readonly idleMs: number
  /** Nothing to do before a full sink has written, by name. */
  readonly sinkMs: Readonly<Record<string, number>>
  /** Nothing to do before a receiver has room. */
  readonly blockedMs: number
  /** In the steps of each stage. */
  readonly stageMs: readonly number[]
  /** Steps of each stage that may take long, for people. */
  readonly stageSteps: readonly (readonly string[])[]
  /** How full the ways to this subtask are, by sender and exchange; 0 to 1. */
  readonly fills: readonly {
    readonly exchange: number
    readonly from: number
    readonly fill: number
  }[]
  readonly rowsIn: number
  readonly rowsOut: number
  readonly bytesOut: number
  /** Keys held by each stateful step. */
  readonly keys: Readonly<Record<string, number>>
  /** Most frequent keys of what came through exchanges, by sample. */
  readonly hotKeys: readonly HotKey[]
}

/** In the cell: no stage runs. */
export const nowhere = -1

export class ActivityMeter {
  idleMs = 0
  blockedMs = 0
  readonly sinkMs: Record<string, number> = {}
  readonly stageMs: number[]
  readonly hotKeys = new HotKeys()
  readonly #cell: Int32Array

  constructor(stages: number, cell: Int32Array | undefined) {
    this.stageMs = Array.from({ length: stages }, () => 0)
    this.#cell = cell ?? new Int32Array(1)
    this.#cell[0] = nowhere
  }

  enter(stage: number): void {
    Atomics.store(this.#cell, 0, stage)
  }

  leave(stage: number, spentMs: number): void {
    Atomics.store(this.#cell, 0, nowhere)
    this.stageMs[stage] = (this.stageMs[stage] ?? 0) + spentMs
  }

  waitedForSink(name: string, ms: number): void {
    this.sinkMs[name] = (this.sinkMs[name] ?? 0) + ms
  }
}

/** Per stage the steps that run code of the user or keep state: with one stage, all of the job's. */
export function stepsOfStages(plan: Plan, stages: Stages): readonly (readonly string[])[] {
  const steps: string[][] = []
  for (const node of plan.nodes) {
    if (node.kind === 'source' || node.kind === 'union') continue
    const stage = stages.stageOf[node.id] ?? 0
    const named = node.name === undefined ? '' : ` "${node.name}"`
    const at = node.at === undefined ? '' : ` at ${node.at}`
    steps[stage] ??= []
    steps[stage].push(`${node.kind}${named || at}`)
  }
  return Array.from(steps, (list) => list ?? [])
}
