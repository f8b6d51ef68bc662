/**
 * Pseudo-random numbers with named streams: xoshiro128** seeded from a text.
 *
 * A stream's seed depends on the root seed and its path of names only, never on how much was drawn elsewhere: adding a
 * draw to one component leaves the numbers of all others as they were. Asking twice for one name gives the same stream,
 * which goes on where it was. Not for secrets; `node.ts` draws bytes from the host's generator instead.
 */
import type { Random } from '../base/env.ts'

/** A repeatable generator: equal seeds and names give equal numbers on every machine. */
export function createSeededRandom(seed: number | string): Random {
  return new Xoshiro(`${seed}`)
}

class Xoshiro implements Random {
  readonly #path: string
  readonly #streams = new Map<string, Random>()
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(path: string) {
    this.#path = path
    this.#a = hashText(path, 0x811c9dc5)
    this.#b = hashText(path, 0x9e3779b9)
    this.#c = hashText(path, 0x3c6ef372)
    this.#d = hashText(path, 0xdaa66d2b) | 1 // the all-zero state would stay zero for ever
  }

  u32(): number {
    const b = this.#b
    const x = Math.imul(b, 5)
    const result = Math.imul((x << 7) | (x >>> 25), 9)
    const t = b << 9
    this.#c ^= this.#a
    this.#d ^= b
    this.#b = b ^ this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }

  float(): number {
    return ((this.u32() >>> 5) * 0x4000000 + (this.u32() >>> 6)) / 0x20000000000000
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count)
    for (let i = 0; i < count; i += 4) {
      const word = this.u32()
      for (let k = 0; k < 4 && i + k < count; k++) out[i + k] = word >>> (8 * k)
    }
    return out
  }

  stream(name: string): Random {
    let stream = this.#streams.get(name)
    if (stream === undefined) {
      // The separator cannot be part of a name's length prefix, so paths stay unambiguous.
      stream = new Xoshiro(`${this.#path}/${name.length}:${name}`)
      this.#streams.set(name, stream)
    }
    return stream
  }
}

/** Finaliser of murmur3: every input bit reaches every output bit. */
function mix(value: number): number {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}

/** Mixes at every character, so that four starts give four independent words of state. */
function hashText(text: string, start: number): number {
  let h = start
  for (let i = 0; i < text.length; i++) h = mix(h ^ Math.imul(text.charCodeAt(i) + 1, 0x01000193))
  return mix(h ^ text.length)
}
