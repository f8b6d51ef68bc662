/** What `tidemill status` shows, out of what a running job knows of itself. */
import type { SliceActivity } from '../runtime/activity.ts'
import {
  bottleneckOf,
  hangText,
  sharesOf,
  stepsText,
  type SubtaskLoad,
} from '../runtime/bottleneck.ts'
import type { RunningJob } from '../runtime/job.ts'
import type { SliceProgress } from '../runtime/progress.ts'

export type StatusReport = ReturnType<typeof statusReport>

interface Seen {
  /** An earlier picture of each subtask. */
  readonly before: readonly (SliceActivity | undefined)[] | undefined
  readonly nowMs: number
  readonly heldMs?: number | undefined
  /** What silent subtasks do not come back from. */
  readonly where?: ReadonlyMap<number, string>
}

export function statusReport(
  job: string,
  { driver, progress, subtasks = [] }: ReturnType<RunningJob['status']>,
  { before, nowMs, heldMs, where }: Seen,
) {
  const loads: SubtaskLoad[] = []
  const known = subtasks.map(({ progress: own, silentMs, stage }, subtask) => {
    const now = own?.activity
    const at = where?.get(subtask)
    if (now === undefined) return { subtask, silentMs: Math.round(silentMs), ...runs(at) }
    const earlier = before?.[subtask]
    // A later life of the job begins anew.
    const load = {
      subtask,
      silentMs,
      stage,
      where: at,
      waiting: own?.waiting,
      slowest: own?.slowest,
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
      ...runs(at ?? (stage === undefined ? undefined : stepsText(now, stage))),
      recordsRead: own?.recordsRead,
      recordsWritten: own?.recordsWritten,
      exchange: { rowsIn: now.rowsIn, rowsOut: now.rowsOut, bytesOut: now.bytesOut },
      queues: now.fills.map((one) => ({ ...one, fill: round(one.fill) })),
      watermarkMs: own?.watermarkMs,
      heldBackBy: own?.holders,
      waitingForOthers: waits(own, progress),
      keys: now.keys,
      hotKeys: now.hotKeys.map((one) => ({ ...one, share: round(one.share) })),
    }
  })
  // One that hangs before its first word has no load.
  const [starting] = subtasks.flatMap(({ progress: own, silentMs }, subtask) => {
    const at = where?.get(subtask)
    return own !== undefined || at === undefined ? [] : [[subtask, silentMs, at] as const]
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
    waitingForOthers: waits(progress, progress),
    bottleneck: starting === undefined ? bottleneckOf(loads) : hangText(...starting),
    subtasks: known,
  }
}

/** Who waits, and for whom. */
function waits(own: SliceProgress | undefined, job: SliceProgress | undefined) {
  return own?.waiting.map((one) => ({
    ...one,
    waitsFor: job?.slowest.find(({ group }) => group === one.group)?.partition,
  }))
}

function round(share: number): number {
  return Math.round(share * 1000) / 1000
}

function runs(what: string | undefined): { readonly runs?: string } {
  return what === undefined ? {} : { runs: what }
}
