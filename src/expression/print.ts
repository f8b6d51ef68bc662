/** Expressions as people write them, for `explain`. */
import type { Expression } from './nodes.ts'
import { operations } from './operations.ts'

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/

export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'field':
      return nameText(expression.name)
    case 'literal':
      return typeof expression.value === 'string'
        ? JSON.stringify(expression.value)
        : String(expression.value)
    case 'call': {
      const operands = expression.operands.map(printExpression)
      return operations[expression.operation].print.replace(
        /\$(\d)/g,
        (_, index: string) => operands[Number(index)] ?? '',
      )
    }
    case 'row': {
      const fields = expression.fields.map(([name, field]) => {
        const text = printExpression(field)
        return text === nameText(name) ? text : `${nameText(name)}: ${text}`
      })
      return `{ ${fields.join(', ')} }`
    }
  }
}

function nameText(name: string): string {
  return plainName.test(name) ? name : JSON.stringify(name)
}
