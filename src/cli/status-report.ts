/** What `tidemill status` shows, out of what a running job knows of itself. */
import type { SliceActivity } from '../runtime/activity.ts'
import { bottleneckOf, sharesOf, stepsText, type SubtaskLoad } from '../runtime/bottleneck.ts'
import type { RunningJob } from '../runtime/job.ts'

export type StatusReport = ReturnType<typeof statusReport>

export function statusReport(
  job: string,
  { driver, progress, subtasks = [] }: ReturnType<RunningJob['status']>,
  before: readonly (SliceActivity | undefined)[] | undefined,
  nowMs: number,
  heldMs?: number,
) {
  const loads: SubtaskLoad[] = []
  const known = subtasks.map(({ progress: own, silentMs, stage }, subtask) => {
    const now = own?.activity
    if (now === undefined) return { subtask, silentMs: Math.round(silentMs) }
    const earlier = before?.[subtask]
    // A later life of the job begins anew.
    const load = {
      subtask,
      silentMs,
      stage,
      now,
      before: earlier && earlier.aliveMs < now.aliveMs ? earlier : undefined,
    }
    loads.push(load)
    const { busy, idle, backPressured } = sharesOf(load)
    return {
      subtask,
      busy: round(busy),
      idle: round(idle),
      backPressured: round(backPressured),
      silentMs: Math.round(silentMs),
      ...(stage === undefined ? {} : { runs: stepsText(now, stage) }),
      recordsRead: own?.recordsRead,
      recordsWritten: own?.recordsWritten,
      exchange: { rowsIn: now.rowsIn, rowsOut: now.rowsOut, bytesOut: now.bytesOut },
      queues: now.fills.map((one) => ({ ...one, fill: round(one.fill) })),
      watermarkMs: own?.watermarkMs,
      heldBackBy: own?.holders,
      keys: now.keys,
      hotKeys: now.hotKeys.map((one) => ({ ...one, share: round(one.share) })),
    }
  })
  return {
    job,
    status: driver?.phase ?? 'starting',
    workers: subtasks.length,
    epoch: driver?.committed?.epoch,
    checkpointAgeMs:
      driver?.committedAtMs === undefined ? undefined : Math.round(nowMs - driver.committedAtMs),
    checkpointDurationMs: driver?.durationMs,
    watermarkMs: progress?.watermarkMs,
    heldBackBy: progress?.holders,
    heldBackForMs: heldMs,
    bottleneck: bottleneckOf(loads),
    subtasks: known,
  }
}

function round(share: number): number {
  return Math.round(share * 1000) / 1000
}
