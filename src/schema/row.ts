/** How a lazy row view (made in `../frame`) is told from plain data by code that must look at whole rows. */

/** Views have a method of this name that returns the row as a plain record. */
export const plainRow: unique symbol = Symbol.for('tidemill.row') as never

/** The row as plain data: a view is copied out of its frame, anything else is returned as it is. */
export function toPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const method = (value as { readonly [plainRow]?: () => unknown })[plainRow]
  return typeof method === 'function' ? method.call(value) : value
}

/** True for names that every object inherits, so that `row[name]` of an absent field would not be `undefined`. */
export function isInherited(name: string): boolean {
  return name in Object.prototype
}

/** Reads a field by name, through getters of views but not from `Object.prototype`. */
export function readField(row: object, name: string): unknown {
  if (isInherited(name) && !Object.hasOwn(row, name) && !(plainRow in row)) return undefined
  return (row as Readonly<Record<string, unknown>>)[name]
}
