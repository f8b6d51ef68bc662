/** Since when one partition has held the watermark at one place, out of pictures taken now and then. */
import type { SliceProgress } from '../runtime/progress.ts'

type Held = Pick<SliceProgress, 'holders' | 'watermarkMs'>

export class WatermarkHold {
  #holder: string | undefined
  #watermarkMs: number | undefined
  #sinceMs = Number.NaN

  look(progress: Held | undefined, nowMs: number): void {
    const holder = progress?.holders[0]
    if (holder === this.#holder && progress?.watermarkMs === this.#watermarkMs) return
    this.#holder = holder
    this.#watermarkMs = progress?.watermarkMs
    this.#sinceMs = nowMs
  }

  /** `undefined` while nobody holds it. */
  heldMs(nowMs: number): number | undefined {
    return this.#holder === undefined ? undefined : Math.round(nowMs - this.#sinceMs)
  }
}
