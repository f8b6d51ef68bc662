/**
 * How a job is doing, on standard error: one line that is written over on a terminal, or JSON lines for a program that
 * supervises the job. Neither where standard error is no terminal and nobody asked.
 */
import pc from 'picocolors'
import type { Env } from '../base/env.ts'
import type { RunningJob } from '../runtime/job.ts'

export type ProgressForm = 'line' | 'json' | 'none'

const refreshMs = 500

/** One line of `--progress json`. */
export interface ProgressReport {
  readonly recordsRead: number
  readonly recordsWritten: number
  readonly recordsLate: number
  readonly recordsRejected: number
  /** Absent while nothing was read, and for jobs without event time. */
  readonly watermark?: string
  /** Unread records or bytes, where the sources know. */
  readonly lag?: number
  /** Partitions that hold the watermark back, slowest first. */
  readonly heldBackBy: readonly string[]
  /** The last committed epoch, and how long ago in this life. */
  readonly epoch?: number
  readonly checkpointAgeMs?: number
  readonly recordsPerSec: number
}

/** Starts reporting; the returned function ends it and leaves a clean line. */
export function startProgress(
  env: Env,
  job: Pick<RunningJob, 'status'>,
  form: ProgressForm | undefined,
): () => void {
  const shown = form ?? (process.stderr.isTTY === true ? 'line' : 'none')
  if (shown === 'none') return () => {}
  const measure = meter(env, job)
  const timer = setInterval(() => {
    const report = measure()
    if (report === undefined) return
    if (shown === 'json') process.stderr.write(`${JSON.stringify({ progress: report })}\n`)
    else process.stderr.write(`\r\x1b[2K${lineOf(report)}`)
  }, refreshMs)
  timer.unref()
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    clearInterval(timer)
    if (shown === 'line') process.stderr.write('\r\x1b[2K')
  }
}

/** Reports since the previous call; `undefined` until the job has said something. */
function meter(env: Env, job: Pick<RunningJob, 'status'>): () => ProgressReport | undefined {
  let before: { readonly atMs: number; readonly read: number } | undefined
  return () => {
    const { driver, progress } = job.status()
    if (progress === undefined) return undefined
    const atMs = env.clock.monoMs()
    const read = progress.recordsRead
    // What an earlier life read is no speed of this one, and a restart goes back.
    const isFirst = before === undefined || read < before.read
    const passedMs = atMs - (before?.atMs ?? atMs)
    const recordsPerSec =
      isFirst || passedMs <= 0 ? 0 : ((read - (before?.read ?? 0)) * 1000) / passedMs
    before = { atMs, read }
    const watermark = watermarkText(progress.watermarkMs)
    const { committed, committedAtMs } = driver ?? {}
    return {
      recordsRead: read,
      recordsWritten: progress.recordsWritten,
      recordsLate: progress.recordsLate,
      recordsRejected: progress.recordsRejected,
      ...(watermark === undefined ? {} : { watermark }),
      ...(progress.lag === undefined ? {} : { lag: progress.lag }),
      heldBackBy: progress.holders,
      ...(committed === undefined ? {} : { epoch: committed.epoch }),
      ...(committedAtMs === undefined ? {} : { checkpointAgeMs: Math.round(atMs - committedAtMs) }),
      recordsPerSec: Math.round(recordsPerSec),
    }
  }
}

function lineOf(report: ProgressReport): string {
  const { recordsPerSec, recordsRead, recordsWritten, watermark, lag, checkpointAgeMs } = report
  const age =
    checkpointAgeMs === undefined ? 'none yet' : `${(checkpointAgeMs / 1000).toFixed(1)} s ago`
  return [
    `${pc.bold(compact(recordsPerSec))} records/s`,
    `${compact(recordsRead)} read`,
    `${compact(recordsWritten)} written`,
    `watermark ${watermark ?? 'waiting'}`,
    ...(lag === undefined ? [] : [`lag ${compact(lag)}`]),
    `checkpoint ${age}`,
  ].join(pc.dim(' | '))
}

/** Beyond the dates are the start and the end of time. */
const datesMaxMs = 8.64e15

function watermarkText(ms: number | undefined): string | undefined {
  if (ms === undefined || ms < -datesMaxMs) return undefined
  return ms > datesMaxMs ? 'end of input' : new Date(ms).toISOString().slice(0, 19)
}

function compact(count: number): string {
  if (count < 10_000) return String(Math.round(count))
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)}k`
  return `${(count / 1_000_000).toFixed(2)}M`
}
