/** One simulated process: its state for the kernel, and the handle that tests get. */
import type { WorldEvent } from './event-queue.ts'
import type { Kernel } from './kernel.ts'
import type { LifeEnd, LifeState } from './life-state.ts'

/** One simulated process as a test sees it. */
export interface Life<Result> {
  /** 1 for the first process of the world. */
  readonly id: number
  /** `undefined` while it lives. */
  readonly ended: LifeEnd<Result> | undefined
  /** Runs the world until this process has ended. */
  end(): Promise<LifeEnd<Result>>
  /** As SIGSTOP: nothing of it runs, its locks stay. */
  pause(): void
  resume(): void
  /** Runs its handlers at its next turn, or kills it when it has none. */
  signal(name: SignalName): void
}

export type SignalName = 'SIGTERM' | 'SIGINT'

export class ProcessLife implements LifeState {
  readonly id: number
  readonly name: string
  readonly deferred: WorldEvent[] = []
  readonly handlers = new Map<SignalName, Set<() => void>>()
  ending: LifeEnd<unknown> | undefined
  paused = false
  openFiles = 0

  constructor(id: number, name: string) {
    this.id = id
    this.name = name
  }
}

/** What the main function of `life` returns is its `Result`; the kernel only knows it as `unknown`. */
export class LifeHandle<Result> implements Life<Result> {
  readonly #life: ProcessLife
  readonly #kernel: Kernel
  readonly #kill: (life: ProcessLife) => void

  constructor(life: ProcessLife, kernel: Kernel, kill: (life: ProcessLife) => void) {
    this.#life = life
    this.#kernel = kernel
    this.#kill = kill
  }

  get id(): number {
    return this.#life.id
  }

  get ended(): LifeEnd<Result> | undefined {
    return this.#life.ending as LifeEnd<Result> | undefined
  }

  async end(): Promise<LifeEnd<Result>> {
    await this.#kernel.runUntil(() => this.#life.ending !== undefined)
    return this.#life.ending as LifeEnd<Result>
  }

  pause(): void {
    if (this.#life.ending === undefined) this.#life.paused = true
  }

  resume(): void {
    this.#life.paused = false
    this.#kernel.resume(this.#life)
  }

  signal(name: SignalName): void {
    this.#kernel.schedule(0, this.#life, () => {
      this.#kernel.trace.note(
        this.#kernel.steps,
        this.#kernel.nowMs,
        this.#life.id,
        'signal',
        name,
        0,
        0,
      )
      const handlers = [...(this.#life.handlers.get(name) ?? [])]
      if (handlers.length === 0) this.#kill(this.#life)
      for (const handler of handlers) handler()
    })
  }
}
