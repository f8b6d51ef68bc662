/** Partial accumulators as rows: the columns they are, and what puts their numbers into one row that is used again. */
import { canGenerateCode, code, compile, join, literal } from '../base/codegen.ts'

/** Puts `rows` and the numbers from `words[at]` on into `row`. */
export type FillPartial = (
  row: Record<string, number>,
  rows: number,
  words: Float64Array,
  at: number,
) => void

/** The columns: how many rows a partial stands for, then one per number. */
export function partialFields(numbers: number): readonly string[] {
  return ['n', ...Array.from({ length: numbers }, (_, i) => `a${i}`)]
}

/** One per number of numbers, so that what V8 has learned serves every exchange. */
const fillers = new Map<number, FillPartial>()

/** Generated where the host allows it: a property whose name is in a variable is found by a look-up each time. */
export function partialFiller(numbers: number): FillPartial {
  if (!canGenerateCode()) return interpretFill(numbers)
  let fill = fillers.get(numbers)
  if (fill === undefined) {
    const stores = partialFields(numbers)
      .slice(1)
      .map((field, i) => code`row[${literal(field)}] = words[at + ${i}]`)
    const row = code`row[${literal('n')}] = rows`
    fill = compile<FillPartial>(
      [],
      code`return function fill(row, rows, words, at) {\n${join([row, ...stores])}\n}`,
    )
    fillers.set(numbers, fill)
  }
  return fill
}

function interpretFill(numbers: number): FillPartial {
  const names = partialFields(numbers)
  return (row, rows, words, at) => {
    row['n'] = rows
    for (let i = 1; i < names.length; i++) row[names[i]!] = words[at + i - 1]!
  }
}
