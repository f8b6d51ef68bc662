/** Clock and tasks of a real process. Monotonic time is the system's, so that threads and processes agree on it. */
import type { AbortSignalLike, Clock, Tasks, TimerHandle } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { platformErrors } from './errors.ts'

/** Node fires a timer of 2^31 ms and more at once, so longer delays are waited for in pieces of about 12 days. */
const pieceMs = 2 ** 30

export function createNodeClock(): Clock {
  return { wallMs: Date.now, monoMs, sleep, timer }
}

export function createNodeTasks(): Tasks {
  return { yield: () => new Promise((resolve) => setImmediate(resolve)) }
}

/**
 * Keeps the process until the returned function is called. Timers and channels of the engine do not, so that nothing is
 * held up by work which nobody waits for; whoever runs a job says so with this.
 */
export function keepProcess(): () => void {
  const timer = setInterval(() => {}, pieceMs)
  return () => clearInterval(timer)
}

function monoMs(): number {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1_000 + nanos / 1e6
}

function timer(ms: number, fn: () => void): TimerHandle {
  return start(ms, fn, false)
}

function sleep(ms: number, signal?: AbortSignalLike): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = () => {
      handle.cancel()
      signal?.removeEventListener('abort', onAbort)
      reject(signal?.reason)
    }
    const handle = start(
      ms,
      () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      },
      true,
    )
    signal?.addEventListener('abort', onAbort)
  })
}

/** One-shot timer that never fires early: a host timer may come up to a millisecond too soon, then it waits again. */
function start(ms: number, fn: () => void, keepsAlive: boolean): TimerHandle {
  if (!Number.isFinite(ms)) throw new TidemillError(platformErrors.delay, { message: `got ${ms}` })
  const due = monoMs() + ms
  let timeout = arm(ms)
  function arm(leftMs: number): NodeJS.Timeout {
    const created = setTimeout(onTimeout, Math.min(Math.max(Math.ceil(leftMs), 0), pieceMs))
    if (!keepsAlive) created.unref()
    return created
  }
  function onTimeout(): void {
    const leftMs = due - monoMs()
    if (leftMs > 0) timeout = arm(leftMs)
    else fn()
  }
  return { cancel: () => clearTimeout(timeout) }
}
