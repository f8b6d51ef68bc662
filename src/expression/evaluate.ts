/** Expressions as closures: the meaning that generated code is tested against, and what runs where code may not be generated. */
import type { Expression } from './nodes.ts'
import { operations } from './operations.ts'

export function evaluator(expression: Expression): (row: unknown) => unknown {
  switch (expression.kind) {
    case 'field': {
      const { name } = expression
      return (row) => (row as Readonly<Record<string, unknown>>)[name]
    }
    case 'literal': {
      const { value } = expression
      return () => value
    }
    case 'call': {
      const operands = expression.operands.map(evaluator)
      const evaluate = operations[expression.operation].evaluate as (
        ...operands: readonly (() => unknown)[]
      ) => unknown
      return (row) => evaluate(...operands.map((operand) => () => operand(row)))
    }
    case 'row': {
      const fields = expression.fields.map(([name, field]) => [name, evaluator(field)] as const)
      return (row) => Object.fromEntries(fields.map(([name, field]) => [name, field(row)]))
    }
  }
}
