/**
 * Expressions over the fields of a row, for `where`, `select` and `expr`. The chain computes them without a call: long
 * chains stay as fast as one function written by hand.
 */
import { isLiteral } from '../expression/operations.ts'
import type { Expression, Literal } from '../expression/nodes.ts'
import { functionOf } from '../expression/function.ts'
import type { OperationName } from '../expression/operations.ts'
import { typeName, wrongArgument } from './arguments.ts'
import type { Columns, ExpressionFor, ValueExpression } from './expression-types.ts'

/**
 * The function of a row that an expression computes, to be passed wherever a function of a row is taken: as key, timestamp,
 * or selector of an aggregate.
 *
 * @example
 * ```ts
 * import { expr, lines, pipeline } from 'tidemill'
 * declare const orders: import('tidemill').Stream<{ user: string; price: number }>
 * orders.keyBy(expr((c) => c.user.lower()))
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function expr<Row, Value>(
  build: (columns: Columns<Row>) => ValueExpression<Value>,
): (row: Row) => Value {
  return functionOf(expressionIn(build, 'expr')) as (row: Row) => Value // the builder's types
}

/** A constant as the start of an expression: `lit(1).sub(c.share)`. */
export function lit<Value extends Literal>(value: Value): ExpressionFor<Value> {
  return made(operand(value, 'lit')) as unknown as ExpressionFor<Value> // methods by type
}

/** What `build` makes of the columns: one expression. Throws TM1351 for anything else. */
export function expressionIn(build: unknown, what: string): Expression {
  const result: unknown = columnsFor(build, what)
  return operand(result, `the result of ${what}`)
}

/** The same of several by name: a row. Throws TM1351. */
export function rowIn(build: unknown, what: string): Expression {
  const result: unknown = columnsFor(build, what)
  if (typeof result !== 'object' || result === null || result instanceof Built)
    throw wrongArgument(`${what} got ${typeName(result)}, expected expressions by name`)
  const fields = Object.entries(result).map(([name, value]) => {
    if (name === '__proto__') throw wrongArgument(`${what} got a field named __proto__`)
    return [name, operand(value, `field ${JSON.stringify(name)} of ${what}`)] as const
  })
  if (fields.length === 0) throw wrongArgument(`${what} got no field`)
  return { kind: 'row', fields }
}

function columnsFor(build: unknown, what: string): unknown {
  if (typeof build !== 'function')
    throw wrongArgument(
      `the argument of ${what} is ${typeName(build)}, expected a function of columns`,
    )
  return build(columns)
}

/** Any field by its name; the types know which there are. */
const columns: object = new Proxy(
  {},
  {
    get: (_, name) => (typeof name === 'string' ? made({ kind: 'field', name }) : undefined),
  },
)

function operand(value: unknown, what: string): Expression {
  if (value instanceof Built) return value.expression
  if (isLiteral(value)) return { kind: 'literal', value }
  throw wrongArgument(`${what} is ${typeName(value)}, expected an expression or a constant`)
}

class Built {
  readonly expression: Expression

  constructor(expression: Expression) {
    this.expression = expression
  }
}

const arities: Readonly<Record<OperationName, number>> = {
  add: 1,
  sub: 1,
  mul: 1,
  div: 1,
  mod: 1,
  neg: 0,
  eq: 1,
  ne: 1,
  lt: 1,
  le: 1,
  gt: 1,
  ge: 1,
  and: 1,
  or: 1,
  not: 0,
  isNull: 0,
  coalesce: 1,
  choose: 2,
  lower: 0,
  length: 0,
  concat: 1,
  indexOf: 1,
  contains: 1,
  startsWith: 1,
  part: 2,
  hour: 0,
  minute: 0,
  day: 0,
}

for (const [name, arity] of Object.entries(arities)) {
  Object.defineProperty(Built.prototype, name, {
    value(this: Built, ...others: readonly unknown[]): Built {
      if (others.length !== arity)
        throw wrongArgument(`${name} got ${others.length} operands, expected ${arity}`)
      const operands = [this.expression, ...others.map((one) => operand(one, `operand of ${name}`))]
      return made({ kind: 'call', operation: name as OperationName, operands })
    },
  })
}

function made(expression: Expression): Built {
  return Object.freeze(new Built(expression))
}
