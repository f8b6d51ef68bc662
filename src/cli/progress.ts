/** One line on a terminal that says how a job is doing; nothing where standard error is no terminal. */
import pc from 'picocolors'
import type { Env } from '../base/env.ts'
import type { RunningJob } from '../runtime/job.ts'

const refreshMs = 500

/** Starts the line; the returned function removes it. */
export function startProgress(env: Env, job: Pick<RunningJob, 'status'>): () => void {
  if (process.stderr.isTTY !== true) return () => {}
  let before = { atMs: env.clock.monoMs(), read: 0 }
  let rate = 0
  const timer = setInterval(() => {
    const { driver, progress } = job.status()
    const atMs = env.clock.monoMs()
    const read = progress?.recordsRead ?? 0
    if (read >= before.read && atMs > before.atMs)
      rate = ((read - before.read) * 1000) / (atMs - before.atMs)
    before = { atMs, read }
    const watermarkMs = progress?.watermarkMs
    const checkpoint =
      driver?.committedAtMs === undefined
        ? 'none yet'
        : `${((atMs - driver.committedAtMs) / 1000).toFixed(1)} s ago`
    const parts = [
      `${pc.bold(compact(rate))} records/s`,
      `${compact(read)} read`,
      `${compact(progress?.recordsWritten ?? 0)} written`,
      `watermark ${watermarkText(watermarkMs)}`,
      ...(progress?.lag === undefined ? [] : [`lag ${compact(progress.lag)}`]),
      `checkpoint ${checkpoint}`,
    ]
    process.stderr.write(`\r\x1b[2K${parts.join(pc.dim(' | '))}`)
  }, refreshMs)
  timer.unref()
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    clearInterval(timer)
    process.stderr.write('\r\x1b[2K')
  }
}

function watermarkText(ms: number | undefined): string {
  if (ms === undefined) return 'none'
  const limit = 8.64e15
  if (ms <= -limit) return 'waiting'
  if (ms >= limit) return 'end'
  return new Date(ms).toISOString().slice(0, 19)
}

function compact(count: number): string {
  if (count < 10_000) return String(Math.round(count))
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)}k`
  return `${(count / 1_000_000).toFixed(2)}M`
}
