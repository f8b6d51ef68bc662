/** What the checks of this folder share: the files of the repository as plain data, and their imports. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The root of the repository, without a trailing slash. */
export const repositoryRoot: string = fileURLToPath(new URL('..', import.meta.url)).replace(
  /[\\/]$/,
  '',
)

/** One file; the path is relative to the root and uses `/`. Checks take lists of these, so tests can plant mistakes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** The folders that reach the outside world through `Env` only. */
export const engineFolders: readonly string[] = [
  'base',
  'schema',
  'frame',
  'time',
  'log',
  'graph',
  'state',
  'checkpoint',
  'operators',
  'window',
  'connectors',
  'stream',
  'runtime',
]

/** All files below `folder` (relative to `root`) whose name matches, sorted by path. */
export function readFiles(
  folder: string,
  name: RegExp,
  root: string = repositoryRoot,
): SourceFile[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath.replaceAll('\\', '/'), entry.name))
    .filter((path) => !path.includes('/node_modules/'))
    .sort()
    .map((path) => ({ path: path.slice(root.length + 1), text: readFileSync(path, 'utf8') }))
}

/** True for tests, what only tests use, and benchmarks: they may import what they exercise. */
export function isTestFile(path: string): boolean {
  return /\.(test|test-support|bench)\.ts$/.test(path)
}

/** The first folder below `src`, or `''` for a file directly in `src` (a package entry point). */
export function sourceFolder(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? ''
}

export function parse(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
}

/** 1-based line of a node. */
export function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1
}

/** Calls `visit` for the node and everything below it, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

export interface Import {
  /** As written. */
  readonly specifier: string
  /** The file meant by a relative specifier, relative to the root. */
  readonly target: string | undefined
  readonly line: number
  /** True when the whole statement is erased, as with `import type`. */
  readonly isErased: boolean
}

/** Static imports, `export … from`, `import()` with a literal, and `import('…')` types. */
export function importsOf(file: SourceFile, tree: ts.SourceFile = parse(file)): Import[] {
  const found: Import[] = []
  const add = (literal: ts.Node | undefined, isErased: boolean): void => {
    if (literal === undefined || !ts.isStringLiteralLike(literal)) return
    const specifier = literal.text
    const isRelative = specifier.startsWith('.')
    const target = isRelative ? normalize(join(dirname(file.path), specifier)) : undefined
    found.push({ specifier, target, line: lineOf(literal), isErased })
  }
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.isTypeOnly === true)
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false)
    }
  })
  return found
}

/** Prints the problems of a check run from the command line and sets the exit code. */
export function report(check: string, problems: readonly string[]): void {
  for (const problem of problems) console.error(problem)
  console.log(problems.length === 0 ? `${check}: ok` : `${check}: ${problems.length} problems`)
  if (problems.length > 0) process.exitCode = 1
}

/** True when the module was started by hand (`tsx tools/x.ts`) and not imported by a test. */
export function isMain(moduleUrl: string): boolean {
  const started = process.argv[1]
  return started !== undefined && fileURLToPath(moduleUrl) === started
}
