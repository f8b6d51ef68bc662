/**
 * How far event time has come in each subtask, by group of sources that are kept together: a word per group and subtask,
 * written by its subtask and read by all. No message is needed, and a value that is a little old does no harm.
 */
import { timestampMin } from '../base/time.ts'

/** Nobody of the group holds others back here. */
const nobody = 1n << 62n

/** Words for {@link Standings}, which all subtasks of a life share; in memory that threads share, or not. */
export function standingWords(groups: number, subtasks: number): BigInt64Array<SharedArrayBuffer> {
  // Until a subtask has said something its partitions are at the beginning of time.
  return new BigInt64Array(new SharedArrayBuffer(groups * subtasks * 8)).fill(BigInt(timestampMin))
}

export class Standings {
  readonly #words: BigInt64Array<SharedArrayBuffer>
  readonly #subtask: number
  readonly #subtasks: number

  constructor(words: BigInt64Array<SharedArrayBuffer>, subtask: number, subtasks: number) {
    this.#words = words
    this.#subtask = subtask
    this.#subtasks = subtasks
  }

  /** The least watermark of this subtask's members of a group; +Infinity when none counts. */
  tell(group: number, watermark: number): void {
    const word = watermark === Number.POSITIVE_INFINITY ? nobody : BigInt(Math.floor(watermark))
    Atomics.store(this.#words, group * this.#subtasks + this.#subtask, word)
  }

  /** The least watermark of a group; +Infinity when nobody counts. */
  least(group: number): number {
    let least = nobody
    for (let i = group * this.#subtasks; i < (group + 1) * this.#subtasks; i++) {
      const word = Atomics.load(this.#words, i)
      if (word < least) least = word
    }
    return least === nobody ? Number.POSITIVE_INFINITY : Number(least)
  }
}
