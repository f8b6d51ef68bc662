/**
 * Canonical JSON and its strict reader: one value has one text, and a text of any other structure is refused with the
 * path of the first field that does not fit.
 */
import { fromBase64, toBase64 } from './bytes.ts'

/** Object keys in code unit order, no spaces; bytes as base64 text. */
export function canonicalJson(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(toBase64(value))
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`
  }
  const text = JSON.stringify(value)
  if (text === undefined || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new TypeError(`${String(value)} has no place in stored JSON`)
  }
  return text
}

/** Says which field does not fit; the caller wraps it with the file's name. */
export class FieldError extends Error {}

/** Typed access to one parsed JSON value. */
export class Field {
  readonly value: unknown
  readonly path: string

  constructor(value: unknown, path: string) {
    this.value = value
    this.path = path
  }

  /** A field of a record; absent ones fail when they are read. */
  get(name: string): Field {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) {
      throw this.#unfit('a record')
    }
    const own = Object.getOwnPropertyDescriptor(this.value, name)
    return new Field(own?.value, this.path === '' ? name : `${this.path}.${name}`)
  }

  list<Item>(read: (item: Field) => Item): readonly Item[] {
    if (!Array.isArray(this.value)) throw this.#unfit('a list')
    return this.value.map((item, index) => read(new Field(item, `${this.path}[${index}]`)))
  }

  text(): string {
    if (typeof this.value !== 'string') throw this.#unfit('a text')
    return this.value
  }

  flag(): boolean {
    if (typeof this.value !== 'boolean') throw this.#unfit('true or false')
    return this.value
  }

  /** Any finite number. */
  number(): number {
    if (typeof this.value !== 'number' || !Number.isFinite(this.value))
      throw this.#unfit('a number')
    return this.value
  }

  /** A safe integer of at least `min`. */
  count(min: number = 0): number {
    if (typeof this.value !== 'number' || !Number.isSafeInteger(this.value) || this.value < min) {
      throw this.#unfit(`an integer of at least ${min}`)
    }
    return this.value
  }

  integer(): number {
    return this.count(Number.MIN_SAFE_INTEGER)
  }

  bytes(): Uint8Array {
    const bytes = typeof this.value === 'string' ? fromBase64(this.value) : undefined
    if (bytes === undefined) throw this.#unfit('bytes in base64')
    return bytes
  }

  oneOf<const Text extends string>(texts: readonly Text[]): Text {
    const found = texts.find((text) => text === this.value)
    if (found === undefined) throw this.#unfit(`one of ${texts.join(', ')}`)
    return found
  }

  #unfit(expected: string): FieldError {
    const found =
      this.value === undefined ? 'nothing' : (JSON.stringify(this.value) ?? 'nothing').slice(0, 60)
    return new FieldError(`${this.path || 'content'}: expected ${expected}, found ${found}`)
  }
}
