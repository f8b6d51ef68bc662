/**
 * How the rows of a schema lie in columns. A struct is one part with a column per field; a variant is a column of tags,
 * a column with each row's place inside its case, and one part per case that holds only the rows of that case; any
 * other schema is one part with one column, whose field has no name.
 *
 * Columns are ordered by tag and field id, so schemas of equal fingerprint have equal frames.
 */
import { casesByTag, fieldsById, required } from '../schema/structure.ts'
import type { SchemaType, StructType } from '../schema/types.ts'

/**
 * `number`: Float64Array. `bool`, `code`, `place`: Uint8Array; a code is an index into the column's `values`. `text`:
 * ends in UTF-16 units of one heap. `bytes`, `cell`: ends in bytes of one heap; a cell is a value-codec encoding.
 */
export type Storage = 'number' | 'bool' | 'code' | 'place' | 'text' | 'bytes' | 'cell'

export interface Column {
  /** Position among all columns of the layout; frames keep the column's places under this number. */
  readonly index: number
  readonly part: number
  /** The field's name; empty for the columns of a variant itself and of schemas that are not records. */
  readonly field: string
  /** What a present value is; never `optional`. */
  readonly type: SchemaType
  readonly optional: boolean
  readonly storage: Storage
  /** What the codes of a `code` column mean: sorted, so that schemas of equal fingerprint have equal codes. */
  readonly values: readonly string[]
}

/** Rows that have the same columns. */
export interface Part {
  readonly tag: string | undefined
  /** In stored order. */
  readonly columns: readonly Column[]
  /** In the order in which rows show them. */
  readonly shown: readonly Column[]
}

export interface Columns {
  readonly rows: 'struct' | 'variant' | 'value'
  /** The field that tells the cases of a variant apart. */
  readonly tag: string
  readonly all: readonly Column[]
  readonly parts: readonly Part[]
}

/** Codes are bytes. */
const CODES_MAX = 256

export function columnsOfType(type: SchemaType): Columns {
  const all: Column[] = []
  const add = (
    part: number,
    field: string,
    full: SchemaType,
    storageOf: (type: SchemaType) => Storage = storageOfType,
  ): Column => {
    const inner = required(full)
    const values = inner.kind === 'literals' ? [...inner.values].sort() : []
    const column: Column = Object.freeze({
      index: all.length,
      part,
      field,
      type: inner,
      optional: full.kind === 'optional',
      storage: storageOf(inner),
      values,
    })
    all.push(column)
    return column
  }
  if (type.kind === 'struct') {
    const part = partOf(undefined, 0, type, add)
    return Object.freeze({ rows: 'struct', tag: '', all, parts: [part] })
  }
  if (type.kind === 'variant') {
    const cases = casesByTag(type)
    add(-1, '', { kind: 'literals', values: cases.map((one) => one.tag) })
    add(-1, '', { kind: 'int' }, () => 'place')
    const parts = cases.map((one, index) => partOf(one.tag, index, one.struct, add))
    return Object.freeze({ rows: 'variant', tag: type.tag, all, parts })
  }
  const column = add(0, '', type)
  return Object.freeze({
    rows: 'value',
    tag: '',
    all,
    parts: [{ tag: undefined, columns: [column], shown: [column] }],
  })
}

/** True for columns whose values lie in a heap, with their ends in front of it. */
export function hasHeap(storage: Storage): boolean {
  return storage === 'text' || storage === 'bytes' || storage === 'cell'
}

/** Bytes of a row without its heaps, for the estimate of a frame's size. */
export function fixedBytes(part: Part): number {
  let bytes = 12
  for (const column of part.columns) {
    bytes += column.storage === 'number' ? 8 : hasHeap(column.storage) ? 4 : 1
    if (column.optional) bytes += 1
  }
  return bytes
}

function partOf(
  tag: string | undefined,
  part: number,
  struct: StructType,
  add: (part: number, field: string, type: SchemaType) => Column,
): Part {
  const columns = fieldsById(struct).map((field) => add(part, field.name, field.type))
  const byName = new Map(columns.map((column) => [column.field, column]))
  const shown = struct.fields.map((field) => byName.get(field.name)!)
  return Object.freeze({ tag, columns, shown })
}

function storageOfType(type: SchemaType): Storage {
  switch (type.kind) {
    case 'int':
    case 'float':
    case 'instant':
      return 'number'
    case 'bool':
      return 'bool'
    case 'literals':
      return type.values.length <= CODES_MAX ? 'code' : 'text'
    case 'text':
    case 'decimal':
    case 'date':
      return 'text'
    case 'bytes':
      return 'bytes'
    default:
      return 'cell'
  }
}
