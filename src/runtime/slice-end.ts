/** The end of the input of a stage: replay in batch mode, then the end of time, then what steps hold back. */
import { timestampMax } from '../base/time.ts'
import { replayInOrder } from './replay.ts'
import type { SliceParts } from './slice-parts.ts'
import type { Stage } from './stage.ts'

export class StageEnd {
  readonly #slice: SliceParts
  #finished = false

  constructor(slice: SliceParts) {
    this.#slice = slice
  }

  /**
   * All input of a stage is used up: replay in batch mode, then the end of time, then what steps hold back. A full sink
   * stops it between two steps; it goes on with the next call.
   */
  async finish(stage: Stage): Promise<void> {
    const { policies, options, sinks, chain } = this.#slice
    policies.place = () => 'at the end of the input'
    try {
      if (stage.stepsEnded === 0) {
        if (options.mode === 'batch') await this.#replay(stage)
        for (const origin of stage.inner) origin.end('input')
      }
      for (; stage.stepsEnded < stage.operators.length; stage.stepsEnded++) {
        sinks.relieve()
        if (stage.stepsEnded > 0 && sinks.holder(stage.id) !== undefined) return
        const operator = stage.operators[stage.stepsEnded]
        this.#slice.inStage(stage.id, () => {
          operator?.advance(timestampMax)
          operator?.finish()
        })
      }
      sinks.relieve()
    } catch (error) {
      policies.failed(chain?.current(), error, -1)
    }
    stage.ended = true
    for (const output of stage.outputs) output.end()
    if (this.#finished || !this.#slice.stages.every((one) => one.ended)) return
    this.#finished = true
    this.#slice.options.report({ kind: 'finished', subtask: this.#slice.options.subtask })
  }

  /** Delivers collected rows in event-time order, the outermost event-time steps first. */
  async #replay(stage: Stage): Promise<void> {
    const pause = async (): Promise<void> => {
      await this.#slice.sinks.room()
      await this.#slice.env.tasks.yield()
      // Nobody hears of it; without room there is no going on.
      if (this.#slice.stopped) throw new Error('the subtask was stopped')
    }
    for (const [id, collected] of stage.collected) {
      const root = this.#slice.chain?.exchanges.get(id)
      if (root !== undefined) await collected.replay(root.deliver, pause)
    }
    if (this.#slice.stages.length > 1) return
    const depths = [...new Set(this.#slice.built.depth.values())].sort((a, b) => a - b)
    for (const depth of depths) {
      const origins = [...this.#slice.built.origins.values()].filter(
        (o) => this.#slice.built.depth.get(o.id) === depth,
      )
      await replayInOrder(
        origins,
        this.#slice.collected,
        this.#slice.chain?.replay ?? new Map(),
        pause,
      )
    }
  }
}
