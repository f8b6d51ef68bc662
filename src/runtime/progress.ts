import type { SliceActivity } from './activity.ts'
import type { AlignmentWait, SlowestPartition } from './alignment.ts'

/** What a subtask is doing, for people; plain data. */
export interface SliceProgress {
  readonly recordsRead: number
  readonly recordsWritten: number
  readonly recordsLate: number
  readonly recordsRejected: number
  readonly watermarkMs: number | undefined
  /** Unread records or bytes of all partitions, where the sources know. */
  readonly lag: number | undefined
  /** Source partitions that hold the watermark back, slowest first. */
  readonly holders: readonly string[]
  /** Source partitions that wait for others because of `alignment`, some of them. */
  readonly waiting: readonly AlignmentWait[]
  /** By group of `alignment`, the partition that others would wait for. */
  readonly slowest: readonly SlowestPartition[]
  /** Of one subtask. */
  readonly activity?: SliceActivity
}

/** The slowest partition of each group. */
export function slowestOf(all: readonly SlowestPartition[]): readonly SlowestPartition[] {
  const sorted = all.toSorted((a, b) => a.watermarkMs - b.watermarkMs)
  return sorted.filter(({ group }, i) => i === sorted.findIndex((one) => one.group === group))
}

/** The job as a whole, from what its subtasks have said; `undefined` until one has. */
export function mergeProgress(
  subtasks: readonly (SliceProgress | undefined)[],
): SliceProgress | undefined {
  const known = subtasks.filter((one) => one !== undefined)
  if (known.length === 0) return undefined
  const sum = (of: (one: SliceProgress) => number): number =>
    known.reduce((total, one) => total + of(one), 0)
  const watermarks = known.flatMap(({ watermarkMs }) => watermarkMs ?? [])
  const slowest = Math.min(...watermarks)
  const lags = known.flatMap(({ lag }) => lag ?? [])
  return {
    recordsRead: sum((one) => one.recordsRead),
    recordsWritten: sum((one) => one.recordsWritten),
    recordsLate: sum((one) => one.recordsLate),
    recordsRejected: sum((one) => one.recordsRejected),
    watermarkMs: watermarks.length === 0 ? undefined : slowest,
    lag: lags.length === 0 ? undefined : lags.reduce((total, lag) => total + lag, 0),
    holders: known.find(({ watermarkMs }) => watermarkMs === slowest)?.holders ?? [],
    waiting: known.flatMap(({ waiting }) => waiting).slice(0, 3),
    slowest: slowestOf(known.flatMap((one) => one.slowest)),
  }
}
