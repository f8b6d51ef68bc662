/** Expressions as data: what `select`, `where` and `expr` build, and what is evaluated, emitted and printed. */
import type { OperationName } from './operations.ts'

export type Literal = string | number | boolean | bigint | null

export type Expression =
  /** A field of the row. */
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: Literal }
  | {
      readonly kind: 'call'
      readonly operation: OperationName
      readonly operands: readonly Expression[]
    }
  /** A new row, in the order of its fields. */
  | { readonly kind: 'row'; readonly fields: readonly (readonly [string, Expression])[] }

/** All fields of the row that an expression may read. */
export function fieldsOf(expression: Expression, into: Set<string> = new Set()): Set<string> {
  switch (expression.kind) {
    case 'field':
      into.add(expression.name)
      break
    case 'call':
      for (const operand of expression.operands) fieldsOf(operand, into)
      break
    case 'row':
      for (const [, field] of expression.fields) fieldsOf(field, into)
  }
  return into
}
