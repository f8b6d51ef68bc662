/**
 * Finds what would make a run irreproducible or unsafe and passes the compiler and the linter. In engine folders:
 * clocks, randomness, timers, the process and the network, also through `globalThis`; comparison and formatting that
 * depend on the locale; blocking waits. In all of `src`: program text turned into code outside the one file for it,
 * and `v8.deserialize`.
 *
 * The check reads syntax, not types. A name that the file itself declares (a method's parameter called `process`) is
 * left alone: the engine's compiler settings know no such global, so the hole is closed elsewhere.
 */
import ts from 'typescript'
import {
  engineFolders,
  isTestFile,
  lineOf,
  parse,
  type SourceFile,
  sourceFolder,
  walk,
} from './source-files.ts'

/** The one file that may turn program text into code. */
const codeGenerator = 'src/base/codegen.ts'

const bannedGlobals: ReadonlySet<string> = new Set([
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'fetch',
  'process',
  'Buffer',
  'BroadcastChannel',
  'crypto',
  'navigator',
  'WebSocket',
])

const bannedMembers: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['Date', new Set(['now'])],
  ['Math', new Set(['random'])],
  ['Atomics', new Set(['wait'])],
])

/** Bans of all of `src`, tests excepted, and those of engine folders. */
export function findNondeterminism(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    if (isTestFile(file.path) || file.path.endsWith('.d.ts')) continue
    const isEngine =
      engineFolders.includes(sourceFolder(file.path)) && !file.path.endsWith('/client.ts')
    const tree = parse(file)
    const declared = declaredNames(tree)
    walk(tree, (node) => {
      const everywhere = file.path === codeGenerator ? undefined : codeProblem(node, declared)
      const problem = everywhere ?? (isEngine ? engineProblem(node, declared) : undefined)
      if (problem !== undefined) problems.push(`${file.path}:${lineOf(node)}: ${problem}`)
    })
  }
  return problems
}

function codeProblem(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
    const name = ts.isIdentifier(node.expression) ? node.expression.text : ''
    if ((name === 'eval' || name === 'Function') && !declared.has(name)) {
      return `${name}(…) turns text into code; only ${codeGenerator} may`
    }
  }
  const member = memberOf(node)
  if (member !== undefined && member.name === 'deserialize' && member.owner === 'v8') {
    return 'v8.deserialize trusts its input; use a schema codec'
  }
  return undefined
}

function engineProblem(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  const member = memberOf(node)
  if (member !== undefined) {
    const { owner, name } = member
    if (owner === 'globalThis') return `globalThis.${name} goes around Env`
    if (bannedMembers.get(owner)?.has(name)) return `${owner}.${name} goes around Env`
    if (name === 'localeCompare' || name.startsWith('toLocale')) {
      return `${name} depends on the machine's locale`
    }
    return undefined
  }
  if (isBareDate(node)) return 'new Date() without an argument reads the clock; use env.clock'
  if (!ts.isIdentifier(node) || !isReference(node)) return undefined
  if (bannedGlobals.has(node.text) && !declared.has(node.text)) {
    return `${node.text} goes around Env`
  }
  if (isAlias(node)) return `${node.text} under another name goes around this check`
  return undefined
}

/** `owner.name` and `owner['name']`; owner is `''` when it is not a plain name. */
function memberOf(node: ts.Node): { owner: string; name: string } | undefined {
  const owner = (e: ts.Expression): string => (ts.isIdentifier(e) ? e.text : '')
  if (ts.isPropertyAccessExpression(node)) {
    return { owner: owner(node.expression), name: node.name.text }
  }
  if (ts.isElementAccessExpression(node)) {
    const argument = node.argumentExpression
    const name = ts.isStringLiteralLike(argument) ? argument.text : '[…]'
    return { owner: owner(node.expression), name }
  }
  return undefined
}

function isBareDate(node: ts.Node): boolean {
  const isNew = ts.isNewExpression(node) && (node.arguments?.length ?? 0) === 0
  const isCall = ts.isCallExpression(node)
  if (!isNew && !isCall) return false
  return ts.isIdentifier(node.expression) && node.expression.text === 'Date'
}

/** `const clock = Date`, `f(globalThis)`, `const { random } = Math`: the object itself escapes. */
function isAlias(node: ts.Identifier): boolean {
  if (!['Date', 'Math', 'globalThis'].includes(node.text)) return false
  const parent = node.parent
  if (ts.isVariableDeclaration(parent)) return parent.initializer === node
  if (ts.isCallExpression(parent)) return parent.arguments.includes(node)
  return ts.isPropertyAssignment(parent) && parent.initializer === node
}

/** False for names of members, types and declarations: those refer to no global value. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent)) return false
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false
  const named = parent as { readonly name?: ts.Node }
  return named.name !== node
}

/** Names of variables, parameters, functions, classes and imports that this file declares anywhere. */
function declaredNames(tree: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>()
  walk(tree, (node) => {
    const declares =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isImportClause(node) ||
      ts.isNamespaceImport(node)
    if (!declares || node.name === undefined || !ts.isIdentifier(node.name)) return
    // A parameter in a type has no body in which it could hide a global.
    if (ts.isParameter(node) && !('body' in node.parent)) return
    names.add(node.name.text)
  })
  return names
}
