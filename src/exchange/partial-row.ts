/** Partial accumulators as rows: the columns they are, and what puts accumulators into one row that is used again. */
import { canGenerateCode, code, compile, join, literal } from '../base/codegen.ts'
import type { Codec } from '../schema/types.ts'

/** What a partial is made of, besides the number of rows it stands for. */
export interface PartialForm {
  readonly numbers: number
  /** One for each accumulator that is no number: its codec, or undefined for one that is described by itself. */
  readonly objects: readonly (Codec<unknown> | undefined)[]
}

/** Where the accumulators of a slot lie: `stride` numbers at `slot * stride`, `objects` values at `slot * objects`. */
export interface Accumulators {
  readonly words: Float64Array
  readonly objects: readonly unknown[]
  readonly kernel: { readonly stride: number; readonly objects: number }
}

/** Puts `rows` and the numbers from `words[at]` on into `row`. */
type FillNumbers = (
  row: Record<string, unknown>,
  rows: number,
  words: Float64Array,
  at: number,
) => void

/** The columns: how many rows a partial stands for, then one per number and one per other accumulator. */
export function partialFields({ numbers, objects }: PartialForm): readonly string[] {
  return ['n', ...numberFields(numbers), ...objectFields(objects.length)]
}

function numberFields(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `a${i}`)
}

function objectFields(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `o${i}`)
}

/** The row by which partials are handed over. */
export class PartialRow {
  readonly fields: readonly string[]
  readonly row: Record<string, unknown>
  readonly #fill: FillNumbers
  readonly #codecs: PartialForm['objects']
  readonly #objects: readonly string[]

  constructor(form: PartialForm) {
    this.fields = partialFields(form)
    this.row = Object.fromEntries(this.fields.map((one) => [one, 0]))
    this.#fill = numbersFiller(form.numbers)
    this.#codecs = form.objects
    this.#objects = objectFields(form.objects.length)
  }

  /** The accumulators of a slot, which stand for `rows` rows. What a codec throws leaves a row that is of no use. */
  of(from: Accumulators, slot: number, rows: number): unknown {
    const { row } = this
    const { stride, objects } = from.kernel
    this.#fill(row, rows, from.words, slot * stride)
    for (let i = 0; i < this.#codecs.length; i++) {
      const value = from.objects[slot * objects + i]
      const codec = this.#codecs[i]
      row[this.#objects[i]!] = codec === undefined ? value : codec.encode(value)
    }
    return row
  }
}

/** Reads partials back. */
export class PartialReader {
  readonly words: Float64Array
  readonly objects: unknown[]
  readonly #numbers: readonly string[]
  readonly #fields: readonly string[]
  readonly #codecs: PartialForm['objects']

  constructor({ numbers, objects }: PartialForm) {
    this.words = new Float64Array(numbers)
    this.objects = objects.map(() => undefined)
    this.#numbers = numberFields(numbers)
    this.#fields = objectFields(objects.length)
    this.#codecs = objects
  }

  /** Puts the accumulators to `words` and `objects`; how many rows they stand for. */
  read(row: unknown): number {
    // `as`: the form of every partial.
    const partial = row as Readonly<Record<string, unknown>>
    const names = this.#numbers
    for (let i = 0; i < names.length; i++) this.words[i] = partial[names[i]!] as number
    for (let i = 0; i < this.#codecs.length; i++) {
      const stored = partial[this.#fields[i]!]
      const codec = this.#codecs[i]
      this.objects[i] = codec === undefined ? stored : codec.decode(stored as Uint8Array)
    }
    return partial['n'] as number
  }
}

/** One per number of numbers, so that what V8 has learned serves every exchange. */
const fillers = new Map<number, FillNumbers>()

/** Generated where the host allows it: a property whose name is in a variable is found by a look-up each time. */
function numbersFiller(numbers: number): FillNumbers {
  if (!canGenerateCode()) return interpretFill(numbers)
  let fill = fillers.get(numbers)
  if (fill === undefined) {
    const stores = numberFields(numbers).map(
      (field, i) => code`row[${literal(field)}] = words[at + ${i}]`,
    )
    const row = code`row[${literal('n')}] = rows`
    fill = compile<FillNumbers>(
      [],
      code`return function fill(row, rows, words, at) {\n${join([row, ...stores])}\n}`,
    )
    fillers.set(numbers, fill)
  }
  return fill
}

function interpretFill(numbers: number): FillNumbers {
  const names = numberFields(numbers)
  return (row, rows, words, at) => {
    row['n'] = rows
    for (let i = 0; i < names.length; i++) row[names[i]!] = words[at + i]!
  }
}
