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

  /** All input of a stage is used up: replay in batch mode, then the end of time, then what steps hold back. */
  async finish(stage: Stage): Promise<void> {
    this.#slice.policies.place = () => 'at the end of the input'
    try {
      if (this.#slice.options.mode === 'batch') await this.#replay(stage)
      for (const origin of stage.inner) origin.end('input')
      for (const operator of stage.operators) {
        operator.advance(timestampMax)
        operator.finish()
        if (this.#slice.sinks.full) await this.#slice.flushSinks()
      }
    } catch (error) {
      this.#slice.policies.failed(this.#slice.chain?.current(), error, -1)
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
      if (this.#slice.sinks.full) await this.#slice.flushSinks()
      await this.#slice.env.tasks.yield()
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
