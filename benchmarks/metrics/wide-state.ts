/** A keyed aggregate of twelve numbers, about 100 bytes a key in a snapshot: state of any size by the number of keys. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { count, max, min, type Stream, sum } from 'tidemill'
import type { Measurement } from './synthetic.ts'

const numberOf = (row: Measurement): number => row.value

export interface WideSums {
  readonly key: number
  readonly count: number
  /** The number of the newest row of the key. */
  readonly latest: number
}

/** Every row gives a row. */
export function wideSums(rows: Stream<Measurement>): Stream<WideSums> {
  return rows
    .keyBy((row) => row.key)
    .aggregate('wide-sums', {
      count: count<Measurement>(),
      latest: max(numberOf),
      first: min(numberOf),
      sum1: sum(numberOf),
      sum2: sum(numberOf),
      sum3: sum(numberOf),
      sum4: sum(numberOf),
      sum5: sum(numberOf),
      sum6: sum(numberOf),
      sum7: sum(numberOf),
      sum8: sum(numberOf),
      sum9: sum(numberOf),
    })
}

/** What a snapshot takes of a key; only used to choose numbers of keys, never reported. */
const BYTES_PER_KEY = 112

export function keysFor(stateBytes: number): number {
  return Math.max(1, Math.round(stateBytes / BYTES_PER_KEY))
}

/** Sizes of the files that have appeared below a folder since the last call. */
export class NewFiles {
  readonly #folder: string
  readonly #known: Set<string> = new Set()

  constructor(folder: string) {
    this.#folder = folder
  }

  bytes(): number {
    let bytes = 0
    for (const entry of readdirSync(this.#folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (!entry.isFile() || this.#known.has(path)) continue
      this.#known.add(path)
      bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0
    }
    return bytes
  }
}
