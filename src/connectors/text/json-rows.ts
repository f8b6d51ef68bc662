/**
 * Rows as JSON texts, straight into bytes. A row of numbers, booleans and strings, as results mostly are, is printed field
 * by field without a string in between; anything else is left to `printJson`, which gives the same bytes and names what
 * has no form.
 */
import { toPlain } from '../../schema/row.ts'
import { type JsonPrintOptions, printJson } from './json-print.ts'
import type { TextBytes } from './text-bytes.ts'

const encoder = new TextEncoder()
const ascii = (text: string): Uint8Array => encoder.encode(text)
const [yes, no, nothing, empty] = [ascii('true'), ascii('false'), ascii('null'), ascii('{}')]
const closing = 125

export class JsonRowPrinter {
  readonly #options: JsonPrintOptions
  /** The fields of the row before, in their order: the next one mostly has the same. */
  readonly #names: string[] = []
  /** `{"name":` or `,"name":` of each. */
  readonly #prefixes: Uint8Array[] = []

  constructor(options: JsonPrintOptions) {
    this.#options = options
  }

  /** TM1735 names the field that has no form; then nothing was added to `out`. */
  print(row: unknown, out: TextBytes): void {
    const value = toPlain(row)
    const start = out.length
    if (isRecord(value) && this.#printFields(value, out)) return
    out.length = start
    out.text(printJson(value, this.#options))
  }

  /** False when a value needs more care; `out` then holds a part of the row. */
  #printFields(row: Readonly<Record<string, unknown>>, out: TextBytes): boolean {
    // hot: once per row; `for in` over a plain object is as fast as reading its fields by name
    let count = 0
    for (const name in row) {
      const value = row[name]
      if (value === undefined) continue
      out.raw(this.#names[count] === name ? this.#prefixes[count]! : this.#prefix(count, name))
      count++
      if (typeof value === 'number') {
        if (value - value !== 0) return false
        out.number(value)
      } else if (typeof value === 'string') {
        if (!out.plainQuoted(value)) out.text(JSON.stringify(value))
      } else if (value === null) out.raw(nothing)
      else if (typeof value === 'boolean') out.raw(value ? yes : no)
      else return false
    }
    if (count === 0) out.raw(empty)
    else out.byte(closing)
    return true
  }

  #prefix(index: number, name: string): Uint8Array {
    const prefix = ascii(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`)
    this.#names[index] = name
    this.#prefixes[index] = prefix
    return prefix
  }
}

/** An object literal: nothing that prints in a form of its own. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  )
}
