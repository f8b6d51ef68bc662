/**
 * A thread in an endless loop answers nobody, so it cannot take part in a final checkpoint. Nothing else tells a loop
 * without an end from a long calculation: only once the job is asked to stop does silence end its life.
 */
import type { Clock } from '../base/env.ts'
import { TidemillError } from '../base/errors.ts'
import { runtimeErrors } from './errors.ts'

/** Well below the 10 s that the most impatient supervisors wait before they kill. */
export const silentMsMax = 5_000
const lookMs = 500

export interface Talking {
  /** Time since the subtask was last heard; absent where it shares the caller's thread. */
  silentMs?(): number
}

/** Calls `failed` when a subtask has said nothing since `sinceMs` (monotonic) for too long. Returns how to end it. */
export function watchSilence(
  clock: Clock,
  subtasks: readonly Talking[],
  sinceMs: number,
  failed: (error: TidemillError) => void,
): () => void {
  let timer = clock.timer(lookMs, look)
  function look(): void {
    const askedMs = clock.monoMs() - sinceMs
    const subtask = subtasks.findIndex(
      (one) => Math.min(one.silentMs?.() ?? 0, askedMs) >= silentMsMax,
    )
    if (subtask < 0) timer = clock.timer(lookMs, look)
    else {
      failed(
        new TidemillError(runtimeErrors.unanswered, {
          message: `worker thread ${subtask} has not answered for ${silentMsMax / 1000} s`,
          details: { subtask },
        }),
      )
    }
  }
  return () => timer.cancel()
}
