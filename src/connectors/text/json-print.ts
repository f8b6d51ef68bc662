/**
 * Rows as JSON text, without the silent losses of `JSON.stringify`: it writes `null` for NaN and the infinities, `{}` for
 * a Map or a Set and an object of indexes for bytes, and fails on a bigint.
 *
 * The fast way lets `JSON.stringify` do the work and looks at its text for the traces that such values leave; only then
 * the row is printed field by field. Fields that are undefined are left out, -0 is 0, lone surrogates are escaped.
 */
import { TidemillError } from '../../base/errors.ts'
import { toBase64 } from '../../schema/json-form.ts'
import { toPlain } from '../../schema/row.ts'
import { show } from '../../schema/structure.ts'
import { badOption, connectorErrors } from '../errors.ts'

export interface JsonPrintOptions {
  /** `null` for NaN and the infinities; default: they are errors (TM1735). */
  readonly nonFinite?: 'error' | 'null'
  /** The form of a bigint: its digits as text or as a number; default: it is an error (TM1735). */
  readonly bigint?: 'error' | 'text' | 'number'
}

/** TM1704 for other values of the options. */
export function checkPrintOptions(connector: string, options: JsonPrintOptions): void {
  const { nonFinite = 'error', bigint = 'error' } = options
  if (nonFinite !== 'error' && nonFinite !== 'null')
    throw badOption(`${connector}: nonFinite is 'error' or 'null'`)
  if (bigint !== 'error' && bigint !== 'text' && bigint !== 'number') {
    throw badOption(`${connector}: bigint is 'error', 'text' or 'number'`)
  }
}

/** JSON text without line breaks. TM1735 names the field that has no form. */
export function printJson(row: unknown, options: JsonPrintOptions): string {
  // hot: a million rows per second
  const value = toPlain(row)
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    return print(value, '', options, 0) // a bigint, or something that contains itself
  }
  if (text === undefined || text.includes('null') || text.includes('{}') || text.includes('"0":')) {
    return print(value, '', options, 0)
  }
  return text
}

const depthMax = 64

function print(raw: unknown, path: string, options: JsonPrintOptions, depth: number): string {
  const value = withJsonForm(toPlain(raw))
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'number':
      if (Number.isFinite(value)) return JSON.stringify(value)
      if (options.nonFinite === 'null') return 'null'
      throw notPrintable(path, String(value))
    case 'bigint':
      if (options.bigint === 'text') return `"${value}"`
      if (options.bigint === 'number') return String(value)
      throw notPrintable(path, `the bigint ${value}`)
    case 'object':
      return value === null ? 'null' : printObject(value, path, options, depth)
    default:
      throw notPrintable(path, value === undefined ? 'undefined' : show(value))
  }
}

function printObject(
  value: object,
  path: string,
  options: JsonPrintOptions,
  depth: number,
): string {
  if (value instanceof Promise)
    throw notPrintable(path, 'a promise: functions of steps return values, not promises')
  if (depth >= depthMax)
    throw notPrintable(path, `nested deeper than ${depthMax} levels or containing itself`)
  if (value instanceof Uint8Array) return `"${toBase64(value)}"`
  if (Array.isArray(value) || value instanceof Set)
    return printItems([...value], path, options, depth)
  if (value instanceof Map) {
    const keys = [...value.keys()]
    if (!keys.every((key) => typeof key === 'string'))
      return printItems([...value], path, options, depth)
    return printFields([...value] as [string, unknown][], path, options, depth)
  }
  return printFields(Object.entries(value), path, options, depth)
}

function printItems(
  items: readonly unknown[],
  path: string,
  options: JsonPrintOptions,
  depth: number,
): string {
  const texts = items.map((item, i) =>
    item === undefined ? 'null' : print(item, `${path}[${i}]`, options, depth + 1),
  )
  return `[${texts.join(',')}]`
}

function printFields(
  entries: readonly (readonly [string, unknown])[],
  path: string,
  options: JsonPrintOptions,
  depth: number,
): string {
  const texts: string[] = []
  for (const [name, item] of entries) {
    if (item === undefined) continue
    texts.push(
      `${JSON.stringify(name)}:${print(item, path === '' ? name : `${path}.${name}`, options, depth + 1)}`,
    )
  }
  return `{${texts.join(',')}}`
}

function withJsonForm(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { toJSON } = value as { readonly toJSON?: unknown }
  return typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value
}

/** TM1735. */
export function notPrintable(path: string, what: string): TidemillError {
  const field = path === '' ? 'the row' : path
  return new TidemillError(connectorErrors.notPrintable, {
    message: `${field} is ${what}`,
    details: { field },
  })
}
