/**
 * Watches the results of a running job from outside, as a user with `tail` would: what was visible once must stay as it
 * was, and nothing half-written may ever carry the name of a result.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What was seen, and everything that was wrong with it. */
export interface Observation {
  readonly violations: readonly string[]
  readonly looks: number
  readonly files: number
  readonly lines: number
}

export interface Observer {
  look(): void | Promise<void>
  report(): Observation
  close(): void | Promise<void>
}

interface Seen {
  readonly text: string
  readonly lines: number
  stamp: string
}

/** A file whose stamp is the same is read again only now and then. */
const rereadEvery = 16

export class OutputObserver implements Observer {
  readonly #directory: string
  readonly #seen = new Map<string, Seen>()
  readonly #violations = new Set<string>()
  #looks = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  look(): void {
    this.#looks++
    const visible = new Set<string>()
    for (const sink of names(this.#directory)) {
      for (const name of names(join(this.#directory, sink))) {
        if (!name.endsWith('.jsonl')) continue
        const file = join(sink, name)
        visible.add(file)
        this.#examine(file)
      }
    }
    for (const file of this.#seen.keys())
      if (!visible.has(file)) this.#violations.add(`${file} was visible and disappeared`)
  }

  report(): Observation {
    let lines = 0
    for (const seen of this.#seen.values()) lines += seen.lines
    return {
      violations: [...this.#violations],
      looks: this.#looks,
      files: this.#seen.size,
      lines,
    }
  }

  close(): void {}

  #examine(file: string): void {
    const path = join(this.#directory, file)
    const seen = this.#seen.get(file)
    let stamp: string
    let text: string
    try {
      const { ino, size, mtimeNs } = statSync(path, { bigint: true })
      stamp = `${ino} ${size} ${mtimeNs}`
      if (seen?.stamp === stamp && this.#looks % rereadEvery !== 0) return
      text = readFileSync(path, 'utf8')
    } catch (error) {
      this.#violations.add(`${file} was visible and cannot be read: ${String(error)}`)
      return
    }
    if (seen === undefined) {
      this.#seen.set(file, { text, lines: this.#wholeLines(file, text), stamp })
    } else {
      seen.stamp = stamp
      if (seen.text !== text) this.#violations.add(`${file} changed after it was visible`)
    }
  }

  #wholeLines(file: string, text: string): number {
    const lines = text.split('\n')
    if (lines.pop() !== '') this.#violations.add(`${file} became visible with a partial last line`)
    for (const [index, line] of lines.entries()) {
      try {
        JSON.parse(line)
      } catch {
        this.#violations.add(`${file}:${index + 1} is no JSON: ${line.slice(0, 80)}`)
      }
    }
    return lines.length
  }
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    // Not there yet. If it was there before, its files are missed below.
    return []
  }
}
