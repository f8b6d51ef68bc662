/**
 * Answers `tidemill status` from the main thread, which no user code can block: whoever connects to the socket gets one
 * JSON object. Paths of sockets are short, so the socket lies in the system's temporary folder (a named pipe on Windows)
 * and `status.json` in the state directory says where. What a killed process left behind is replaced.
 */
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '../base/env.ts'
import type { SliceActivity } from '../runtime/activity.ts'
import { hangMs } from '../runtime/bottleneck.ts'
import type { RunningJob } from '../runtime/job.ts'
import { type StatusReport, statusReport } from './status-report.ts'
import { WatermarkHold } from './watermark-hold.ts'

export const statusFile = 'status.json'

/** Shares are those of the last seconds: so many pictures, one per second. */
const picturesMax = 5
const pictureMs = 1_000

interface Served extends Pick<RunningJob, 'status' | 'where'> {
  readonly loaded: { readonly job: string }
  readonly stateDirectory: string
}

/** The returned function ends it. A machine that allows no socket runs its jobs all the same. */
export function serveStatus(env: Env, job: Served): () => void {
  const pictures: (readonly (SliceActivity | undefined)[])[] = []
  const hold = new WatermarkHold()
  const timer = setInterval(() => {
    publish()
    hold.look(job.status().progress, env.clock.monoMs())
    pictures.push(job.status().subtasks?.map((one) => one.progress?.activity) ?? [])
    if (pictures.length > picturesMax) pictures.shift()
  }, pictureMs)
  timer.unref()
  const id = `tidemill-${process.pid}-${randomBytes(6).toString('hex')}`
  const socket = process.platform === 'win32' ? `\\\\.\\pipe\\${id}` : join(tmpdir(), `${id}.sock`)
  const file = join(job.stateDirectory, statusFile)
  let listening = false
  let published = false
  /** Only while this process owns the directory: another one may run there, and this one be refused. */
  const publish = (): void => {
    if (published || !listening || job.status().driver === undefined) return
    published = true
    try {
      writeFileSync(file, JSON.stringify({ socket }), { mode: 0o600 })
    } catch (error) {
      failed(error)
    }
  }
  const server = createServer((connection) => {
    connection.on('error', () => {})
    answer().then((report) => connection.end(`${JSON.stringify(report)}\n`), failed)
  })
  const answer = async (): Promise<StatusReport> => {
    const where = await whereSilent(job)
    const nowMs = env.clock.monoMs()
    const heldMs = hold.heldMs(nowMs)
    return statusReport(job.loaded.job, job.status(), { before: pictures[0], nowMs, heldMs, where })
  }
  const failed = (error: unknown): void =>
    env.host.log('warn', `\`tidemill status\` will not find this job: ${String(error)}`)
  server.on('error', failed)
  const mask = process.platform === 'win32' ? undefined : process.umask(0o177)
  server.listen(socket, () => {
    listening = true
  })
  if (mask !== undefined) process.umask(mask)
  server.unref()
  return () => {
    clearInterval(timer)
    server.close()
    if (published) rmSync(file, { force: true })
  }
}

/** Of one that has been silent longest: reading a stack takes a moment of its thread, and time of whoever asks. */
async function whereSilent(job: Served): Promise<ReadonlyMap<number, string>> {
  const silence = (job.status().subtasks ?? []).map(({ silentMs }) => silentMs)
  const longestMs = Math.max(...silence)
  if (!(longestMs >= hangMs)) return new Map()
  const subtask = silence.indexOf(longestMs)
  const where = await job.where(subtask)
  return new Map(where === undefined ? [] : [[subtask, where]])
}
