/** Expressions as program text. Names and text of the program enter as quoted literals, other values as constants. */
import { type Code, code, join, literal } from '../base/codegen.ts'
import type { Expression } from './nodes.ts'
import { operations } from './operations.ts'

/** Text that computes the expression of the row in variable `row`. `constant` gives the name of a value. */
export function emitExpression(
  expression: Expression,
  row: Code,
  constant: (value: unknown) => Code,
): Code {
  const emit = (one: Expression): Code => emitExpression(one, row, constant)
  switch (expression.kind) {
    case 'field':
      return code`${row}[${literal(expression.name)}]`
    case 'literal': {
      const { value } = expression
      if (typeof value === 'string') return literal(value)
      return typeof value === 'number' && Number.isFinite(value)
        ? code`(${value})`
        : constant(value)
    }
    case 'call':
      return operations[expression.operation].emit(expression.operands.map(emit), constant)
    case 'row':
      return code`({ ${join(expression.fields.map(([name, field]) => code`${literal(name)}: ${emit(field)},`))} })`
  }
}
