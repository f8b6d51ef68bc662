/** The order of a sorted map's keys: numbers by size with NaN last, texts by code point, decimals by value. */
import { TidemillError } from '../base/errors.ts'
import { compareText } from '../schema/key.ts'
import type { SchemaType } from '../schema/types.ts'
import { stateErrors } from './errors.ts'

export type Order = (a: unknown, b: unknown) => number

/** TM1407 for types without an order. */
export function orderOf(type: SchemaType, operator: string, state: string): Order {
  switch (type.kind) {
    case 'int':
    case 'float':
    case 'instant':
      return compareNumbers as Order
    case 'bool':
    case 'int64':
      return compareLess as Order
    case 'text':
    case 'literals':
    case 'date':
      return compareText as Order
    case 'decimal':
      return compareDecimals as Order
    default:
      throw new TidemillError(stateErrors.unordered, {
        message: `it is of kind ${type.kind}`,
        details: { operator, state },
      })
  }
}

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return 0
  return (!Number.isNaN(a) ? 0 : 1) - (!Number.isNaN(b) ? 0 : 1)
}

function compareLess(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** By value; different texts of one value, `1.0` and `1.00`, are ordered by text, because they are different keys. */
function compareDecimals(a: string, b: string): number {
  const scale = Math.max(fraction(a).length, fraction(b).length)
  return compareLess(scaled(a, scale), scaled(b, scale)) || compareText(a, b)
}

function fraction(text: string): string {
  return text.split('.')[1] ?? ''
}

function scaled(text: string, scale: number): bigint {
  return BigInt((text.split('.')[0] ?? '') + fraction(text).padEnd(scale, '0'))
}
