/**
 * What happened in a world: a rolling hash over every event, and the last few of them for a person.
 * Equal seeds must give equal hashes; a difference means that something outside the seed reached the run.
 */
export interface TraceEntry {
  readonly step: number
  readonly timeMs: number
  /** 0 is the world itself. */
  readonly life: number
  readonly what: string
  readonly subject: string
  readonly a: number
  readonly b: number
}

export class Trace {
  readonly #ring: (TraceEntry | undefined)[]
  readonly #textHashes = new Map<string, number>()
  readonly #double = new Float64Array(1)
  readonly #words = new Int32Array(this.#double.buffer)
  #count = 0
  #left = 0x811c9dc5
  #right = 0x9747b28c

  constructor(length: number) {
    this.#ring = new Array<TraceEntry | undefined>(length).fill(undefined)
  }

  get count(): number {
    return this.#count
  }

  note(
    step: number,
    timeMs: number,
    life: number,
    what: string,
    subject: string,
    a: number,
    b: number,
  ): void {
    this.#ring[this.#count % this.#ring.length] = { step, timeMs, life, what, subject, a, b }
    this.#count++
    this.#double[0] = timeMs
    this.#add(this.#words[0]!)
    this.#add(this.#words[1]!)
    this.#add(life)
    this.#add(this.#textHash(what))
    this.#add(this.#textHash(subject))
    this.#double[0] = a
    this.#add(this.#words[0]! ^ Math.imul(this.#words[1]!, 31))
    this.#add(b | 0)
  }

  hash(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
    return hex(this.#left) + hex(this.#right)
  }

  /** The kept entries, oldest first. */
  last(): TraceEntry[] {
    const length = this.#ring.length
    const entries = [
      ...this.#ring.slice(this.#count % length),
      ...this.#ring.slice(0, this.#count % length),
    ]
    return entries.filter((entry) => entry !== undefined)
  }

  #add(word: number): void {
    this.#left = Math.imul(this.#left ^ word, 0x01000193)
    this.#left ^= this.#left >>> 15
    const right = Math.imul(this.#right ^ Math.imul(word, 0xcc9e2d51), 0x1b873593)
    this.#right = ((right << 13) | (right >>> 19)) + 0x52dce729
  }

  #textHash(text: string): number {
    let hash = this.#textHashes.get(text)
    if (hash === undefined) {
      hash = 0x811c9dc5
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
      this.#textHashes.set(text, hash)
    }
    return hash
  }
}

export function formatTrace(entries: readonly TraceEntry[]): string {
  return entries
    .map(
      ({ step, timeMs, life, what, subject, a, b }) =>
        `${String(step).padStart(8)} ${timeMs.toFixed(3).padStart(12)} ms  life ${life}  ${what} ${subject} ${a} ${b}`,
    )
    .join('\n')
}
