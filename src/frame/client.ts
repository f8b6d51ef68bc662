/** The only file here that touches third-party code: acorn turns the source of a user function into a tree. */
import { type Node, parse } from 'acorn'

/** A node of the tree; every kind has `type`, the rest depends on it. */
export type SyntaxNode = Node

/** The function that `source` is, or undefined when it is not one complete function expression. */
export function parseFunction(source: string): SyntaxNode | undefined {
  const expression = parseExpression(`(${source}\n)`)
  if (expression !== undefined) return expression
  // A method shorthand (`onRecord(row) {}`) is a function only inside an object.
  const object = parseExpression(`({${source}\n})`)
  const { properties } = (object ?? {}) as {
    readonly properties?: readonly (Node & { readonly value?: Node })[]
  }
  return properties?.length === 1 ? properties[0]!.value : undefined
}

function parseExpression(text: string): SyntaxNode | undefined {
  try {
    const { body } = parse(text, { ecmaVersion: 'latest', sourceType: 'script' })
    const [statement] = body
    return body.length === 1 && statement?.type === 'ExpressionStatement'
      ? statement.expression
      : undefined
  } catch {
    // Not of this form: the caller makes plain rows.
    return undefined
  }
}
