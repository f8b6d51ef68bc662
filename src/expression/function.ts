/**
 * Functions of expressions. They can be used wherever a function of a row is taken; who knows them - the chain, the
 * projection of sources, `explain` - looks inside instead of calling them.
 */
import { canGenerateCode, type Code, code, compile, name } from '../base/codegen.ts'
import { declareFields } from '../frame/fields.ts'
import { emitExpression } from './emit.ts'
import { evaluator } from './evaluate.ts'
import { type Expression, fieldsOf } from './nodes.ts'

const expressions = new WeakMap<object, Expression>()

/** The function that computes an expression. */
export function functionOf(expression: Expression): (row: unknown) => unknown {
  const fn = canGenerateCode() ? generated(expression) : evaluator(expression)
  expressions.set(fn, expression)
  declareFields(fn, fieldsOf(expression))
  return fn
}

/** The expression that a function computes, if it was made of one. */
export function expressionOf(fn: unknown): Expression | undefined {
  return typeof fn === 'function' ? expressions.get(fn) : undefined
}

function generated(expression: Expression): (row: unknown) => unknown {
  const constants: (readonly [Code, unknown])[] = []
  const constant = (value: unknown): Code => {
    const known = name('c', constants.length)
    constants.push([known, value])
    return known
  }
  const body = emitExpression(expression, code`r`, constant)
  return compile(constants, code`return (r) => ${body};`)
}
