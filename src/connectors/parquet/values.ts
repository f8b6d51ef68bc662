/** Values as the Parquet decoder gives them, as values of declared types. */
import { fitsScalar } from '../../schema/check.ts'
import { expected, show } from '../../schema/structure.ts'
import type { SchemaType } from '../../schema/types.ts'
import { badOption } from '../errors.ts'

export interface FieldReader {
  readonly column: string
  readonly optional: boolean
  /** The value, or undefined when `raw` is absent or does not fit. */
  read(raw: unknown): unknown
  reason(raw: unknown): string
}

/** TM1704 for types that are not single values. */
export function fieldReader(column: string, type: SchemaType): FieldReader {
  const optional = type.kind === 'optional'
  const of = optional ? type.of : type
  if (
    of.kind === 'struct' ||
    of.kind === 'variant' ||
    of.kind === 'list' ||
    of.kind === 'map' ||
    of.kind === 'optional'
  ) {
    throw badOption(
      `parquet: field ${JSON.stringify(column)} is a ${of.kind}; only single values are read, or json`,
    )
  }
  return {
    column,
    optional,
    read(raw) {
      const value = convert(of.kind, raw)
      return value !== undefined && fitsScalar(of, value) ? value : undefined
    },
    reason: (raw) => `${column}: expected ${expected(of)}, got ${show(raw)}`,
  }
}

function convert(kind: SchemaType['kind'], raw: unknown): unknown {
  if (raw === null || raw === undefined) return undefined
  switch (kind) {
    case 'int':
      return typeof raw === 'bigint' ? Number(raw) : raw
    case 'int64':
      return typeof raw === 'number' && Number.isInteger(raw) ? BigInt(raw) : raw
    case 'instant':
      return raw instanceof Date ? raw.getTime() : typeof raw === 'bigint' ? Number(raw) : raw
    case 'date':
      return raw instanceof Date ? raw.toISOString().slice(0, 10) : raw
    case 'json':
      return plainValue(raw)
    default:
      return raw
  }
}

/** Without a schema: safe whole numbers as numbers, times as epoch milliseconds, `null` as undefined. */
export function plainValue(raw: unknown): unknown {
  if (raw === null) return undefined
  if (typeof raw === 'bigint') return Number.isSafeInteger(Number(raw)) ? Number(raw) : raw
  return raw instanceof Date ? raw.getTime() : raw
}
