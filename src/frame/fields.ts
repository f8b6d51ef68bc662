/**
 * Which fields of a row does a user function read? Found from its source text, so that only those columns are decoded
 * and sent, and so that the function may get a lazy view instead of a plain row.
 *
 * A function is *view-safe* when every use of its row parameter is the reading of a named field: `row.a`, `row['a']`,
 * `row?.a`, or destructuring without rest (in the parameter list or by `const { a } = row`). Everything else - spread,
 * `in`, passing the row on, returning it, writing to it, `arguments`, `this`, `eval`, closures that are not functions of
 * their own source (native, bound) - is answered with a reason, and the caller makes plain rows: same results, slower.
 * Saying "no" is always right; a wrong "yes" would be a wrong result, so unknown syntax is a "no".
 */
import { isInherited } from '../schema/row.ts'
import { parseFunction, type SyntaxNode } from './client.ts'

export type FieldUse =
  | {
      /** All fields that the parameter is asked for, in order of first use. */
      readonly fields: ReadonlySet<string>
      /** A function inside reads the row too: it may run after the outer one has returned. */
      readonly captured: boolean
      readonly reason: undefined
    }
  | {
      readonly fields: undefined
      /** Completes the sentence "plain rows are made because the function …". */
      readonly reason: string
    }

type Tree = SyntaxNode & { readonly [property: string]: unknown }

const answers = new WeakMap<object, Map<string, FieldUse>>()

/**
 * The fields that `fn` reads from its parameter number `parameter`. With `returned: 'allowed'` the row itself may be the
 * result (`r => r`, `return r`): for callers that copy what is returned before the frame goes away. Any other way for the
 * row to leave (inside an object or array, from a conditional, from an inner function) counts as escaping in both modes.
 */
export function columnsOf(
  // Only its source is looked at: it is never called here.
  fn: (...args: never[]) => unknown,
  parameter: number = 0,
  returned: 'escapes' | 'allowed' = 'escapes',
): FieldUse {
  let known = answers.get(fn)
  if (known === undefined) {
    known = new Map()
    answers.set(fn, known)
  }
  const key = `${parameter} ${returned}`
  let answer = known.get(key)
  if (answer === undefined) {
    answer = analyse(Function.prototype.toString.call(fn), parameter, returned === 'allowed')
    known.set(key, answer)
  }
  return answer
}

/** Says of a function that the engine made which fields it reads, so that nobody has to read its source. */
export function declareFields(fn: object, fields: ReadonlySet<string>): void {
  const use: FieldUse = Object.freeze({ fields, captured: false, reason: undefined })
  answers.set(
    fn,
    new Map([
      ['0 escapes', use],
      ['0 allowed', use],
    ]),
  )
}

function analyse(source: string, parameter: number, mayReturn: boolean): FieldUse {
  if (/\{\s*\[native code\]\s*\}$/.test(source))
    return no('is native or bound, its source is not known')
  const tree = parseFunction(source) as Tree | undefined
  if (tree === undefined) return no('has a source that cannot be parsed')
  if (tree.type !== 'ArrowFunctionExpression' && tree.type !== 'FunctionExpression')
    return no('is a class')
  if (tree['async'] === true) return no('is asynchronous')
  if (tree['generator'] === true) return no('is a generator')
  try {
    const reader = new Reading(mayReturn)
    reader.read(tree, parameter)
    return Object.freeze({ fields: reader.fields, captured: reader.captured, reason: undefined })
  } catch (error) {
    if (error instanceof Escape) return no(error.reason)
    throw error
  }
}

function no(reason: string): FieldUse {
  return Object.freeze({ fields: undefined, reason })
}

/** Ends the analysis: the row may be used in a way that a view does not support. */
class Escape {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

class Reading {
  readonly fields: Set<string> = new Set()
  captured = false
  private readonly mayReturn: boolean
  private row: string | undefined
  /** The body of the function itself when it is an expression. */
  private arrowBody: Tree | undefined
  /** Inside how many inner functions we are. */
  private depth = 0

  constructor(mayReturn: boolean) {
    this.mayReturn = mayReturn
  }

  read(fn: Tree, parameter: number): void {
    const params = fn['params'] as readonly Tree[]
    const before = params.slice(0, parameter + 1)
    if (before.some((one) => one.type === 'RestElement'))
      throw new Escape('takes its parameters as an array')
    const target = params[parameter]
    const body = fn['body'] as Tree
    if (target !== undefined) this.bind(target)
    this.scan(params.filter((one) => one !== target))
    if (target?.type === 'AssignmentPattern') this.scan(target['right'])
    if (target?.type === 'ObjectPattern') this.scanDefaults(target)
    this.arrowBody =
      fn.type === 'ArrowFunctionExpression' && fn['expression'] === true ? body : undefined
    this.visit(body, undefined)
  }

  private bind(pattern: Tree): void {
    switch (pattern.type) {
      case 'Identifier':
        this.row = pattern['name'] as string
        return
      case 'AssignmentPattern':
        this.bind(pattern['left'] as Tree)
        return
      case 'ObjectPattern':
        this.destructure(pattern)
        return
      default:
        throw new Escape('takes its row apart as an array')
    }
  }

  /** `{ a, b: c = 1 }`: the names on the left of the colons. */
  private destructure(pattern: Tree): void {
    for (const property of pattern['properties'] as readonly Tree[]) {
      if (property.type === 'RestElement')
        throw new Escape('collects the other fields of the row (`...rest`)')
      this.add(propertyName(property))
    }
  }

  private scanDefaults(pattern: Tree): void {
    for (const property of pattern['properties'] as readonly Tree[]) {
      if (property['computed'] === true) this.scan(property['key'])
      this.scan(property['value'])
    }
  }

  private scan(value: unknown): void {
    if (Array.isArray(value)) for (const item of value as readonly unknown[]) this.scan(item)
    else if (isNode(value)) this.visit(value, undefined)
  }

  private visit(node: Tree, parent: Tree | undefined): void {
    switch (node.type) {
      case 'Identifier':
        this.identifier(node, parent)
        return
      case 'ThisExpression':
        throw new Escape('uses `this`')
      case 'Super':
        throw new Escape('uses `super`')
      case 'MetaProperty':
        throw new Escape('uses `new.target` or `import.meta`')
      case 'WithStatement':
        throw new Escape('uses `with`')
      case 'MemberExpression':
        this.member(node, parent)
        return
      case 'VariableDeclarator':
        this.declarator(node)
        return
      case 'UnaryExpression':
        if (node['operator'] === 'delete') throw new Escape('uses `delete`')
        this.visit(node['argument'] as Tree, node)
        return
      case 'Property':
        if (parent?.type === 'ObjectPattern' && this.isFieldOfRow(node['value'] as Tree))
          throw new Escape('writes to the row')
        if (node['computed'] === true) this.visit(node['key'] as Tree, node)
        this.visit(node['value'] as Tree, node)
        return
      case 'MethodDefinition':
      case 'PropertyDefinition':
        throw new Escape('contains a class')
      case 'FunctionExpression':
      case 'FunctionDeclaration':
      case 'ArrowFunctionExpression':
        this.inner(node)
        return
      case 'LabeledStatement':
        this.visit(node['body'] as Tree, node)
        return
      case 'BreakStatement':
      case 'ContinueStatement':
        return
      default:
        for (const [name, value] of Object.entries(node)) {
          if (name === 'type' || name === 'start' || name === 'end') continue
          this.children(value, node)
        }
    }
  }

  private children(value: unknown, parent: Tree): void {
    if (Array.isArray(value))
      for (const item of value as readonly unknown[]) this.children(item, parent)
    else if (isNode(value)) this.visit(value, parent)
  }

  private identifier(node: Tree, parent: Tree | undefined): void {
    const name = node['name']
    if (name === 'arguments') throw new Escape('uses `arguments`')
    if (name === 'eval') throw new Escape('uses `eval`')
    if (name !== this.row) return
    if (
      this.mayReturn &&
      this.depth === 0 &&
      (parent?.type === 'ReturnStatement' || node === this.arrowBody)
    )
      return
    throw new Escape(useOf(node, parent))
  }

  /** `row.a`, `row['a']`, `row?.a`: a field. */
  private member(node: Tree, parent: Tree | undefined): void {
    const object = node['object'] as Tree
    const property = node['property'] as Tree
    if (!this.isRow(object)) {
      this.visit(object, node)
      if (node['computed'] === true) this.visit(property, node)
      return
    }
    if (parent !== undefined && isWritten(node, parent)) throw new Escape('writes to the row')
    if (parent?.type === 'CallExpression' && parent['callee'] === node)
      throw new Escape('calls a method of the row')
    if (parent?.type === 'TaggedTemplateExpression') throw new Escape('calls a method of the row')
    if (node['computed'] !== true) {
      if (property.type !== 'Identifier') throw new Escape('reads a private field of the row')
      this.add(property['name'] as string)
    } else if (property.type === 'Literal' && typeof property['value'] === 'string') {
      this.add(property['value'])
    } else {
      throw new Escape('reads a field whose name is computed')
    }
  }

  /** `const { a } = row` reads a field; `const r = row` lets the row go. */
  private declarator(node: Tree): void {
    const id = node['id'] as Tree
    const init = node['init'] as Tree | null
    if (init !== null && this.isRow(init)) {
      if (id.type !== 'ObjectPattern') throw new Escape('gives the row another name')
      this.destructure(id)
      this.scanDefaults(id)
      return
    }
    this.visit(id, node)
    if (init !== null) this.visit(init, node)
  }

  /** A function inside may run later, which whoever hands out views has to know; its own `this` is refused all the same. */
  private inner(node: Tree): void {
    const arrowBody = this.arrowBody
    this.arrowBody = undefined
    // What an inner function returns is not the result of the outer one.
    this.depth++
    for (const param of node['params'] as readonly Tree[]) this.visit(param, node)
    this.visit(node['body'] as Tree, node)
    this.depth--
    this.arrowBody = arrowBody
  }

  /** `row.constructor` and the like differ between views and plain rows. */
  private add(field: string): void {
    if (isInherited(field)) throw new Escape(`reads \`${field}\`, which every object has`)
    this.fields.add(field)
  }

  private isFieldOfRow(node: Tree): boolean {
    return node.type === 'MemberExpression' && this.isRow(node['object'] as Tree)
  }

  private isRow(node: Tree): boolean {
    const found = node.type === 'Identifier' && this.row !== undefined && node['name'] === this.row
    if (found && this.depth > 0) this.captured = true
    return found
  }
}

function propertyName(property: Tree): string {
  const key = property['key'] as Tree
  if (property['computed'] !== true && key.type === 'Identifier') return key['name'] as string
  if (key.type === 'Literal' && typeof key['value'] === 'string') return key['value']
  throw new Escape('reads a field whose name is computed')
}

function isWritten(node: Tree, parent: Tree): boolean {
  switch (parent.type) {
    case 'AssignmentExpression':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'AssignmentPattern':
      return parent['left'] === node
    case 'UpdateExpression':
      return true
    case 'ArrayPattern':
    case 'RestElement':
      return true
    default:
      return false
  }
}

function useOf(node: Tree, parent: Tree | undefined): string {
  switch (parent?.type) {
    case 'SpreadElement':
      return 'spreads the row'
    case 'CallExpression':
    case 'NewExpression':
      return parent['callee'] === node ? 'calls the row' : 'passes the row to another function'
    case 'BinaryExpression':
      return parent['operator'] === 'in'
        ? 'asks which fields the row has (`in`)'
        : 'compares or converts the row itself'
    case 'AssignmentExpression':
      return parent['left'] === node ? 'assigns to its row parameter' : 'stores the row'
    case 'ForInStatement':
      return 'lists the fields of the row'
    case 'Property':
    case 'ArrayExpression':
      return 'puts the row into another value'
    case 'ReturnStatement':
    case undefined:
    case 'ArrowFunctionExpression':
      return 'returns the row itself'
    default:
      return 'uses the row as a whole'
  }
}

function isNode(value: unknown): value is Tree {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { readonly type?: unknown }).type === 'string'
  )
}
