/**
 * One watermark from several inputs: partitions of a source, channels of a task.
 *
 *            advance               advance
 *   added ───────────▶ active ◀──────────────▶ idle        end: from every state to ended
 *     │                  ▲          idle                    ended inputs never come back
 *     └── counts as active, at the beginning of time, until it advances or is idle
 *
 * 1. The merged watermark is the least of all active inputs. Idle and ended inputs do not count.
 * 2. It never goes back: an input that is added or wakes up behind it does not pull it down; its rows are late.
 * 3. When every input is idle it stays where it is: silence is not progress.
 * 4. When every input has ended it is the end of time. An idle input beside ended ones may still come back, so it holds.
 * 5. An input's own watermark never goes back either; a lower one is ignored.
 *
 * `nowMs` is monotonic or wall time of the caller, used only to answer since when an input holds the others back.
 */
import { assert } from '../base/assert.ts'
import { timestampMax, timestampMin } from '../base/time.ts'

export type InputStatus = 'active' | 'idle' | 'ended'

/** The input that the merged watermark waits for. */
export interface WatermarkHolder {
  readonly input: string
  readonly watermark: number
  /** When it last advanced, was added or woke up. */
  readonly sinceMs: number
}

interface Input {
  readonly name: string
  watermark: number
  status: InputStatus
  movedAtMs: number
}

export class WatermarkMerge {
  private readonly inputs: Map<string, Input> = new Map()
  private merged: number

  /** `initial`: the watermark of a snapshot, below which the merged one never falls. */
  constructor(initial: number = timestampMin) {
    this.merged = initial
  }

  /** The merged watermark. */
  get watermark(): number {
    return this.merged
  }

  /** `idle` when no input is active and one is idle; `ended` when all have ended. Without inputs it is idle. */
  get status(): InputStatus {
    let ended = this.inputs.size > 0
    for (const { status } of this.inputs.values()) {
      if (status === 'active') return 'active'
      if (status === 'idle') ended = false
    }
    return ended ? 'ended' : 'idle'
  }

  add(name: string, nowMs: number, watermark: number = timestampMin): void {
    assert(!this.inputs.has(name), `input "${name}" is added once`)
    this.inputs.set(name, { name, watermark, status: 'active', movedAtMs: nowMs })
  }

  /** Forgets an input that another task reads from now on. True when the merged watermark rose. */
  remove(name: string): boolean {
    this.inputs.delete(name)
    return this.inputs.size > 0 && this.update()
  }

  /** An input's watermark, which also wakes it. True when the merged watermark rose. */
  advance(name: string, watermark: number, nowMs: number): boolean {
    const input = this.input(name)
    assert(input.status !== 'ended', `input "${name}" has ended`)
    assert(!Number.isNaN(watermark), 'a watermark is a number')
    const woke = input.status === 'idle'
    if (!woke && watermark <= input.watermark) return false
    const before = input.watermark
    input.status = 'active'
    input.watermark = Math.max(before, watermark)
    input.movedAtMs = nowMs
    // An active input that was not the last one did not hold the others back.
    return (woke || before <= this.merged) && this.update()
  }

  /** The input has nothing to say for now. True when the merged watermark rose. */
  idle(name: string): boolean {
    const input = this.input(name)
    if (input.status !== 'active') return false
    input.status = 'idle'
    return this.update()
  }

  /** The bounded input is used up. True when the merged watermark rose. */
  end(name: string): boolean {
    const input = this.input(name)
    if (input.status === 'ended') return false
    input.status = 'ended'
    return this.update()
  }

  /** Who holds the watermark back; undefined when no input is active. The one added first among equals. */
  holder(): WatermarkHolder | undefined {
    let last: Input | undefined
    for (const input of this.inputs.values()) {
      if (input.status === 'active' && (last === undefined || input.watermark < last.watermark))
        last = input
    }
    return last && { input: last.name, watermark: last.watermark, sinceMs: last.movedAtMs }
  }

  /** Every input with its status, in the order in which they were added. */
  *list(): Generator<{
    readonly input: string
    readonly status: InputStatus
    readonly watermark: number
  }> {
    for (const { name, status, watermark } of this.inputs.values())
      yield { input: name, status, watermark }
  }

  private update(): boolean {
    const last = this.holder()
    const wanted =
      last !== undefined ? last.watermark : this.status === 'ended' ? timestampMax : this.merged
    if (wanted <= this.merged) return false
    this.merged = wanted
    return true
  }

  private input(name: string): Input {
    const input = this.inputs.get(name)
    assert(input !== undefined, `input "${name}" was added`)
    return input
  }
}
