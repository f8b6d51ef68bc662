/**
 * Dependency direction as a check. Four laws:
 * 1. imports form no cycle. `import type` may: it is erased, and law 2 keeps its direction between folders;
 * 2. a folder imports only what `allowed` lists, so what builds a plan and what runs it share nothing above `graph`;
 * 3. Node and third-party code are reached through `platform` (Node only), files named `client.ts`, `server`, `cli`
 *    and `testing`, and nowhere else;
 * 4. import the file you mean: names are re-exported by package entry points and in no other place.
 *
 * Tests and benchmarks may import what they exercise; they are left out of all four.
 */
import ts from 'typescript'
import {
  type Import,
  importsOf,
  isMain,
  isTestFile,
  lineOf,
  parse,
  readFiles,
  report,
  type SourceFile,
  sourceFolder,
} from './source-files.ts'

const level0 = ['base', 'schema', 'frame']
const level1 = [...level0, 'time', 'log', 'expression', 'graph']
const level2 = [...level1, 'state']
const level3 = [...level2, 'checkpoint']
const level4 = [...level3, 'operators', 'window', 'connectors', 'exchange']

/** Which other folders a folder may import. A folder that is missing here may import nothing and not be imported. */
const allowed: Readonly<Record<string, readonly string[] | 'all'>> = {
  base: [],
  schema: ['base'],
  frame: ['base', 'schema'],
  expression: level0,
  exchange: ['base', 'schema', 'frame'],
  platform: ['base'],
  time: level0,
  log: level0,
  graph: [...level0, 'expression'],
  state: [...level0, 'time', 'graph'],
  checkpoint: level2,
  operators: level2,
  // Windows are operators with a name of their own, so they implement the operator contract.
  window: [...level2, 'operators'],
  connectors: level2,
  stream: [...level2, 'operators', 'window', 'connectors'],
  runtime: level4,
  server: 'all',
  cli: 'all',
  testing: 'all',
}

const planContract = 'src/connectors/contract.ts'

/** A package entry point: it may re-export and it wires folders together. */
export function isEntryPoint(path: string, clientFolders: ReadonlySet<string>): boolean {
  if (path === 'src/index.ts' || path === 'src/testing/index.ts') return true
  const connector = /^(src\/connectors\/[^/]+)\/index\.ts$/.exec(path)?.[1]
  return connector !== undefined && clientFolders.has(connector)
}

/** Every breach of the four laws, each with file and line. */
export function findLayerProblems(files: readonly SourceFile[]): string[] {
  const sources = files.filter((file) => !isTestFile(file.path))
  const clientFolders = new Set(
    sources
      .filter((file) => file.path.endsWith('/client.ts'))
      .map((file) => file.path.slice(0, -'/client.ts'.length)),
  )
  const problems: string[] = []
  const graph = new Map<string, Import[]>()
  for (const file of sources) {
    const tree = parse(file)
    const imports = importsOf(file, tree)
    graph.set(file.path, imports)
    const isEntry = isEntryPoint(file.path, clientFolders)
    for (const one of imports) {
      const problem = directionProblem(file.path, one) ?? outsideProblem(file.path, one)
      if (problem !== undefined) problems.push(`${file.path}:${one.line}: ${problem}`)
    }
    if (!isEntry) {
      for (const line of reExportLines(tree)) {
        problems.push(`${file.path}:${line}: re-exports a name; only package entry points do`)
      }
    }
  }
  problems.push(...findCycles(graph))
  return problems
}

function directionProblem(path: string, one: Import): string | undefined {
  if (one.target === undefined) return undefined
  if (!one.target.startsWith('src/')) return `imports ${one.target} outside of src`
  const from = sourceFolder(path)
  const to = sourceFolder(one.target)
  if (from === to || from === '') return undefined
  // The plan holds sources and sinks. Their contract is types of level 0, written where they are implemented.
  if (from === 'graph' && one.target === planContract) return undefined
  const mayImport = path === planContract ? level0 : allowed[from]
  if (mayImport === undefined) return `the folder ${from} has no place in tools/layers.ts`
  if (mayImport === 'all' || mayImport.includes(to)) return undefined
  if (to === '') return `${from} imports the entry point ${one.target}; import the file you mean`
  const what = path === planContract ? `the contract of ${from}` : from
  return `${what} may not import ${to} (allowed: ${mayImport.join(', ') || 'nothing'})`
}

function outsideProblem(path: string, one: Import): string | undefined {
  if (one.target !== undefined) return undefined
  const folder = sourceFolder(path)
  const isOuter = folder === 'server' || folder === 'cli' || folder === 'testing'
  if (isOuter || path.endsWith('/client.ts')) return undefined
  if (folder === 'platform' && one.specifier.startsWith('node:')) return undefined
  return `imports ${one.specifier}; the outside world is reached through platform and client.ts`
}

/** Lines of `export … from` and of `export { name }` where the name was imported. */
function reExportLines(tree: ts.SourceFile): number[] {
  const imported = new Set<string>()
  const lines: number[] = []
  for (const statement of tree.statements) {
    if (!ts.isImportDeclaration(statement)) continue
    const clause = statement.importClause
    if (clause?.name !== undefined) imported.add(clause.name.text)
    const bindings = clause?.namedBindings
    if (bindings === undefined) continue
    if (ts.isNamespaceImport(bindings)) imported.add(bindings.name.text)
    else for (const element of bindings.elements) imported.add(element.name.text)
  }
  for (const statement of tree.statements) {
    if (!ts.isExportDeclaration(statement)) continue
    if (statement.moduleSpecifier !== undefined) lines.push(lineOf(statement))
    else if (statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause)) {
      const passesOn = statement.exportClause.elements.some((element) =>
        imported.has((element.propertyName ?? element.name).text),
      )
      if (passesOn) lines.push(lineOf(statement))
    }
  }
  return lines
}

/** One message per import that closes a cycle, found by depth-first search. */
function findCycles(graph: ReadonlyMap<string, readonly Import[]>): string[] {
  const problems: string[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const start = path.indexOf(file)
    if (start >= 0) {
      problems.push(`${file}:1: import cycle ${[...path.slice(start), file].join(' > ')}`)
      return
    }
    if (done.has(file)) return
    path.push(file)
    for (const one of graph.get(file) ?? []) {
      if (one.target !== undefined && !one.isErased) visit(one.target)
    }
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return problems
}

if (isMain(import.meta.url)) report('layers', findLayerProblems(readFiles('src', /\.ts$/)))
