/** Makes rows with the same fields in the same order from arrays of values: one hidden class, one allocation each. */
import { canGenerateCode, code, compile, join, literal, name } from '../../base/codegen.ts'
import { defineField } from '../../schema/check.ts'

export type RowMaker = (values: readonly unknown[]) => Readonly<Record<string, unknown>>

export function rowMaker(fields: readonly string[]): RowMaker {
  // A literal `"__proto__": value` would set the prototype; very wide rows are dictionaries anyway.
  const plain =
    fields.length <= 256 && !fields.includes('__proto__') && new Set(fields).size === fields.length
  if (!plain || !canGenerateCode()) return (values) => makeSlowly(fields, values)
  const values = name('values', 0)
  const pairs = fields.map((field, i) => code`${literal(field)}: ${values}[${i}]`)
  return compile<RowMaker>([], code`return (${values}) => ({ ${join(pairs, code`, `)} })`)
}

function makeSlowly(
  fields: readonly string[],
  values: readonly unknown[],
): Readonly<Record<string, unknown>> {
  const row = {}
  for (let i = 0; i < fields.length; i++) defineField(row, fields[i]!, values[i])
  // `as`: just filled with exactly these fields.
  return row as Readonly<Record<string, unknown>>
}
