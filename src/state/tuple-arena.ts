/**
 * Tuple keys as runs of numbers, so that one can be looked up without building a string.
 *
 * An atom is a kind and a word: a number is itself, a boolean 0 or 1, a text or bigint the id it was interned to. A
 * stored tuple is a header (its number of atoms) and its atoms, one after the other in two parallel arrays; its name is
 * the place of the header. Interned values are counted and forgotten with the last tuple that holds them. Space of a
 * released tuple is used again by the next tuple with as many atoms.
 */
import { flatText } from '../schema/text.ts'
import type { Key, KeyAtom } from '../schema/types.ts'

const header = 0
const number = 1
const boolean = 2
const interned = 3

const alias = new Float64Array(1)
const aliasWords = new Int32Array(alias.buffer)

export class TupleArena {
  /** The hash of the tuple that was loaded last. */
  hash = 0
  private count = 0
  private wordsIn: Float64Array = new Float64Array(8)
  private kindsIn: Uint8Array = new Uint8Array(8)
  private words: Float64Array = new Float64Array(64)
  private kinds: Uint8Array = new Uint8Array(64)
  private end = 0
  private readonly gaps: Map<number, number[]> = new Map()
  private readonly ids: Map<string | bigint, number> = new Map()
  private readonly values: (string | bigint | undefined)[] = []
  private readonly uses: number[] = []
  private readonly freeIds: number[] = []

  /**
   * Makes `atoms` the current tuple. Without `intern` the answer is false when it holds a text or bigint that no
   * stored tuple has, so that it cannot be among them. With it such values get ids, and `store` has to follow when the
   * tuple turns out to be new.
   */
  // hot: once per record with a tuple as key, see benchmarks/nexmark q16 and q17
  load(atoms: readonly KeyAtom[], intern: boolean): boolean {
    const length = atoms.length
    if (length > this.wordsIn.length) this.growIn(length)
    const { wordsIn, kindsIn } = this
    let hash = length
    for (let i = 0; i < length; i++) {
      const atom = atoms[i]!
      let word: number
      let kind: number
      if (typeof atom === 'number') {
        word = atom + 0
        kind = number
      } else if (typeof atom === 'boolean') {
        word = atom ? 1 : 0
        kind = boolean
      } else {
        kind = interned
        const id = this.ids.get(atom) ?? (intern ? this.intern(atom) : -1)
        if (id < 0) return false
        word = id
      }
      wordsIn[i] = word
      kindsIn[i] = kind
      hash = mix(hash, kind, word)
    }
    this.count = length
    this.hash = finish(hash)
    return true
  }

  /** Whether the tuple stored at `start` equals the current one. */
  matches(start: number): boolean {
    const { words, kinds, wordsIn, kindsIn, count } = this
    if (words[start] !== count) return false
    for (let i = 0; i < count; i++) {
      if (words[start + 1 + i] !== wordsIn[i] || kinds[start + 1 + i] !== kindsIn[i]) return false
    }
    return true
  }

  /** The hash of a tuple of two numbers, neither of them -0; that of {@link load} for it. */
  hashPair(first: number, second: number): number {
    return finish(mix(mix(2, number, first), number, second))
  }

  /** Whether the tuple stored at `start` is these two numbers. */
  matchesPair(start: number, first: number, second: number): boolean {
    const { words, kinds } = this
    return (
      words[start + 1] === first &&
      words[start + 2] === second &&
      words[start] === 2 &&
      kinds[start + 1] === number &&
      kinds[start + 2] === number
    )
  }

  /** Where the tuple with a number lies if all before it are as long as pairs. */
  isPlaceOfPair(nth: number, start: number): boolean {
    return start === nth * 3
  }

  /** Whether the pair of numbers that lies at its {@link isPlaceOfPair} is these two. */
  isPairAt(nth: number, first: number, second: number): boolean {
    const { words } = this
    return words[nth * 3 + 1] === first && words[nth * 3 + 2] === second
  }

  firstOf(nth: number): number {
    return this.words[nth * 3 + 1]!
  }

  secondOf(nth: number): number {
    return this.words[nth * 3 + 2]!
  }

  /** Keeps the current tuple and returns its place. */
  store(): number {
    const { count } = this
    const start = this.gaps.get(count)?.pop() ?? this.extend(count + 1)
    this.words[start] = count
    this.kinds[start] = header
    for (let i = 0; i < count; i++) {
      const word = this.wordsIn[i]!
      this.words[start + 1 + i] = word
      this.kinds[start + 1 + i] = this.kindsIn[i]!
      if (this.kindsIn[i] === interned) this.uses[word]!++
    }
    return start
  }

  read(start: number): Key {
    // A literal of two has room for two; an array that grows has room for seventeen.
    if (this.words[start] === 2) return [this.atomAt(start + 1), this.atomAt(start + 2)]
    const atoms: KeyAtom[] = []
    const end = start + 1 + this.words[start]!
    for (let i = start + 1; i < end; i++) atoms.push(this.atomAt(i))
    return atoms
  }

  hashAt(start: number): number {
    let hash = this.words[start]!
    const end = start + 1 + hash
    for (let i = start + 1; i < end; i++) hash = mix(hash, this.kinds[i]!, this.words[i]!)
    return finish(hash)
  }

  release(start: number): void {
    const count = this.words[start]!
    for (let i = start + 1; i <= start + count; i++) {
      if (this.kinds[i] !== interned) continue
      const id = this.words[i]!
      if (--this.uses[id]! > 0) continue
      this.ids.delete(this.values[id]!)
      this.values[id] = undefined
      this.freeIds.push(id)
    }
    const gaps = this.gaps.get(count)
    if (gaps === undefined) this.gaps.set(count, [start])
    else gaps.push(start)
  }

  bytes(): number {
    return this.words.length * 9 + this.ids.size * 90
  }

  private atomAt(at: number): KeyAtom {
    const word = this.words[at]!
    const kind = this.kinds[at]
    return kind === number ? word : kind === boolean ? word === 1 : this.values[word]!
  }

  private growIn(length: number): void {
    this.wordsIn = new Float64Array(length * 2)
    this.kindsIn = new Uint8Array(length * 2)
  }

  private intern(atom: string | bigint): number {
    const value = typeof atom === 'string' ? flatText(atom) : atom
    const id = this.freeIds.pop() ?? this.values.length
    this.values[id] = value
    this.uses[id] = 0
    this.ids.set(value, id)
    return id
  }

  private extend(length: number): number {
    const start = this.end
    this.end += length
    if (this.end > this.words.length) {
      const capacity = Math.max(this.end, this.words.length * 2)
      const words = new Float64Array(capacity)
      words.set(this.words)
      this.words = words
      const kinds = new Uint8Array(capacity)
      kinds.set(this.kinds)
      this.kinds = kinds
    }
    return start
  }
}

function mix(hash: number, kind: number, word: number): number {
  const small = word | 0
  if (small === word) {
    const h = Math.imul(hash ^ small ^ (kind << 29), 0x85ebca6b)
    return Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  }
  alias[0] = word
  const h = Math.imul(hash ^ aliasWords[0]! ^ (kind << 29), 0x85ebca6b)
  return Math.imul((h ^ (h >>> 13)) + aliasWords[1]!, 0xc2b2ae35)
}

/** The table takes the top bits of the result. */
function finish(hash: number): number {
  return Math.imul(hash ^ (hash >>> 16), 0x9e3779b1)
}
