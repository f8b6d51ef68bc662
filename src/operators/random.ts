/**
 * The random numbers of `ctx.random()`: sfc32 (Chris Doty-Humphrey's Small Fast Chaotic generator), whose 16 bytes of
 * state are part of the checkpoint, so that a replay after a failure draws the same numbers.
 */

export class UserRandom {
  #a: number
  #b: number
  #c: number
  #counter: number

  constructor(seed: Uint32Array) {
    this.#a = seed[0] ?? 0
    this.#b = seed[1] ?? 0
    this.#c = seed[2] ?? 0
    this.#counter = 1
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** Uniform in [0, 1) with 53 bits. */
  float(): number {
    return ((this.#next() >>> 0) * 2097152 + (this.#next() >>> 11)) / 9007199254740992
  }

  state(): Uint32Array {
    return Uint32Array.of(this.#a, this.#b, this.#c, this.#counter)
  }

  restore(state: Uint32Array): void {
    this.#a = state[0] ?? 0
    this.#b = state[1] ?? 0
    this.#c = state[2] ?? 0
    this.#counter = state[3] ?? 1
  }

  #next(): number {
    const t = (this.#a + this.#b + this.#counter) >>> 0
    this.#counter = (this.#counter + 1) >>> 0
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0
    this.#b = (this.#c + (this.#c << 3)) >>> 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) >>> 0
    this.#c = (this.#c + t) >>> 0
    return t
  }
}
