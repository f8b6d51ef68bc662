/**
 * Rows as CSV records by RFC 4180, with LF. A missing value is an empty one; dates and bytes are the text that they are in
 * JSON, and nested values are JSON text.
 */
import { readField, toPlain } from '../../schema/row.ts'
import { isWellFormed } from '../../schema/text.ts'
import { type JsonPrintOptions, notPrintable, printJson } from './json-print.ts'

/** One record without its line break. TM1735 names the column that has no form. */
export function printCsv(
  row: unknown,
  columns: readonly string[],
  delimiter: string,
  options: JsonPrintOptions,
): string {
  const value = toPlain(row)
  if (typeof value !== 'object' || value === null) throw notPrintable('', 'not a record')
  let text = ''
  for (let i = 0; i < columns.length; i++) {
    if (i > 0) text += delimiter
    text += printCell(readField(value, columns[i]!), columns[i]!, delimiter, options)
  }
  if (!isWellFormed(text))
    throw notPrintable('the row', 'text with half of a surrogate pair, which UTF-8 cannot hold')
  // A record of one empty column would be a blank line.
  return text === '' ? '""' : text
}

export function csvHeader(columns: readonly string[], delimiter: string): string {
  return columns.map((column) => quoted(column, delimiter)).join(delimiter)
}

function printCell(
  value: unknown,
  column: string,
  delimiter: string,
  options: JsonPrintOptions,
): string {
  switch (typeof value) {
    case 'string':
      return quoted(value, delimiter)
    case 'number':
      if (Number.isFinite(value)) return String(value + 0)
      if (options.nonFinite === 'null') return ''
      throw notPrintable(column, String(value))
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'undefined':
      return ''
    case 'object':
      return value === null ? '' : quoted(withoutQuotes(printJson(value, options)), delimiter)
    default:
      throw notPrintable(column, `a ${typeof value}`)
  }
}

/** A date, or bytes, is a text in JSON: its cell holds the text and not the JSON of it. */
function withoutQuotes(json: string): string {
  return json.startsWith('"') ? String(JSON.parse(json)) : json
}

function quoted(text: string, delimiter: string): string {
  const plain =
    !text.includes(delimiter) && !text.includes('"') && !text.includes('\n') && !text.includes('\r')
  return plain ? text : `"${text.replaceAll('"', '""')}"`
}
