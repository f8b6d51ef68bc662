/** How one simulated process stands, as far as the kernel and the disk have to know. */
import type { WorldEvent } from './event-queue.ts'

export type CrashKind = 'kill' | 'power'

export type LifeEnd<Result> =
  | { readonly kind: 'done'; readonly value: Result }
  /** The main function rejected, or a timer or signal handler threw. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** `at` says which plan or call ended it, e.g. `point log.sync.done`. */
  | { readonly kind: 'crashed'; readonly crash: CrashKind; readonly at: string }
  | { readonly kind: 'exited'; readonly code: number }

export interface LifeState {
  /** 1 for the first process of the world. */
  readonly id: number
  readonly name: string
  ending: LifeEnd<unknown> | undefined
  paused: boolean
  /** Events that came due while the process was paused. */
  readonly deferred: WorldEvent[]
  openFiles: number
}

/**
 * What a simulated crash throws at the place where the process dies. The process is dead from then on, whether or not
 * its code catches this.
 */
export class WorldCrash extends Error {
  constructor(at: string) {
    super(`the simulated process ended: ${at}`)
    this.name = 'WorldCrash'
  }
}

/** True for a crash and for errors that product code wrapped around one while the dead process unwound. */
export function comesFromCrash(reason: unknown): boolean {
  let error = reason
  for (let depth = 0; depth < 10 && error instanceof Error; depth++) {
    if (error instanceof WorldCrash) return true
    error = error.cause
  }
  return false
}
