/**
 * One sentence on what limits a job, from two pictures of its subtasks. Looked for in this order: a thread that says
 * nothing, a sink that everybody waits for, partitions that wait for slower ones while nobody is busy, a key that is much of the
 * input, the busiest steps.
 */
import type { SliceActivity } from './activity.ts'
import type { AlignmentWait, SlowestPartition } from './alignment.ts'
import { slowestOf } from './progress.ts'

export interface SubtaskLoad {
  readonly subtask: number
  /** Since the subtask was last heard. */
  readonly silentMs: number
  /** The stage that runs now, when that is known. */
  readonly stage: number | undefined
  /** What a silent subtask does not come back from, read off its stack. */
  readonly where?: string | undefined
  /** Partitions with rows that wait for others because of `alignment`. */
  readonly waiting?: readonly AlignmentWait[] | undefined
  /** The partitions of this subtask that others may wait for. */
  readonly slowest?: readonly SlowestPartition[] | undefined
  readonly now: SliceActivity
  /** An earlier picture; the beginning of its life when absent. */
  readonly before: SliceActivity | undefined
}

export interface Shares {
  readonly busy: number
  readonly idle: number
  readonly backPressured: number
  /** Share of the time waited for each sink. */
  readonly sinks: Readonly<Record<string, number>>
  readonly stages: readonly number[]
}

/** Progress comes five times per second; long calls of user code are normal up to this. */
export const hangMs = 1_000
/** Below that a job has time to spare. */
const notable = 0.5
/** A key with so much of the rows keeps one subtask from sharing them. */
const hot = 0.3

export function sharesOf({ now, before }: Pick<SubtaskLoad, 'now' | 'before'>): Shares {
  const passedMs = Math.max(1, now.aliveMs - (before?.aliveMs ?? 0))
  const share = (to: number, from: number | undefined): number =>
    Math.min(1, Math.max(0, (to - (from ?? 0)) / passedMs))
  const idle = share(now.idleMs, before?.idleMs)
  const sinks = Object.fromEntries(
    Object.entries(now.sinkMs).map(([name, ms]) => [name, share(ms, before?.sinkMs[name])]),
  )
  const inSinks = Object.values(sinks).reduce((sum, one) => sum + one, 0)
  const backPressured = Math.min(1, share(now.blockedMs, before?.blockedMs) + inSinks)
  return {
    idle,
    backPressured,
    busy: Math.max(0, 1 - idle - backPressured),
    sinks,
    stages: now.stageMs.map((ms, stage) => share(ms, before?.stageMs[stage])),
  }
}

export function bottleneckOf(loads: readonly SubtaskLoad[]): string {
  const longest = loads.toSorted((a, b) => b.silentMs - a.silentMs)
  for (const { subtask, silentMs, stage, where, now } of longest) {
    const from = where ?? (stage === undefined ? undefined : stepsText(now, stage))
    if (silentMs >= hangMs && from !== undefined) return hangText(subtask, silentMs, from)
  }
  const known = loads.map((load) => ({ ...load, shares: sharesOf(load) }))
  const busiest = known.toSorted((a, b) => b.shares.busy - a.shares.busy)[0]
  if (busiest === undefined) return 'no subtask has said anything yet'
  const slowSink = known
    .flatMap(({ shares }) => Object.entries(shares.sinks))
    .toSorted(([, a], [, b]) => b - a)[0]
  const { subtask, shares, now } = busiest
  if (slowSink !== undefined && slowSink[1] >= notable && slowSink[1] >= shares.busy)
    return `sink "${slowSink[0]}" is slow: ${percent(slowSink[1])} of the time is spent waiting for it`
  if (shares.busy < notable) {
    const [wait] = loads
      .flatMap(({ waiting }) => waiting ?? [])
      .toSorted((a, b) => (b.aheadMs ?? 0) - (a.aheadMs ?? 0))
    return wait === undefined
      ? 'nothing is at its limit: the job waits for input'
      : waitText(wait, slowestOf(loads.flatMap(({ slowest }) => slowest ?? [])))
  }
  const [key] = now.hotKeys
  if (loads.length > 1 && key !== undefined && key.share >= hot)
    return `key ${JSON.stringify(key.key)} is hot: about ${percent(key.share)} of the rows of subtask ${subtask}, which is ${percent(shares.busy)} busy`
  const stage = shares.stages.indexOf(Math.max(...shares.stages))
  if ((shares.stages[stage] ?? 0) < shares.busy / 2)
    return `subtask ${subtask} is ${percent(shares.busy)} busy, mostly outside of the steps: reading, exchanging, checkpoints`
  return `subtask ${subtask} is ${percent(shares.busy)} busy in ${stepsText(now, stage)}`
}

function waitText(
  { partition, group, aheadMs }: AlignmentWait,
  slowest: readonly SlowestPartition[],
): string {
  const ahead = aheadMs === undefined ? 'is ahead' : `is ${(aheadMs / 1000).toFixed(1)} s ahead`
  // Pictures of subtasks are of different moments: it may have come from somewhere else meanwhile.
  const other = slowest.find((one) => one.group === group && one.partition !== partition)
  return `partition ${partition} ${ahead} in event time and waits for ${other?.partition ?? 'the others'} (alignment group ${group})`
}

export function hangText(subtask: number, silentMs: number, from: string): string {
  return `subtask ${subtask} has not come back for ${(silentMs / 1000).toFixed(1)} s from ${from}`
}

/** The steps between two exchanges run as one function: which of them it is cannot be told from outside. */
export function stepsText({ stageSteps }: SliceActivity, stage: number): string {
  const steps = stageSteps[stage] ?? []
  return steps.length === 1 ? `${steps[0]}` : `stage ${stage}, one of: ${steps.join(', ')}`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
