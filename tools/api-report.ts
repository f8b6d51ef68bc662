/**
 * The public API as a file in the repository, so that a change of it shows in review. For every entry point of
 * `package.json` with declarations in `dist`:
 * 1. the exported names in alphabetical order, each with its declaration;
 * 2. then the declarations they mention without exporting them, because those are API too;
 * 3. comments, bodies and private parts are left out.
 *
 * Fails when the result differs from `api/<entry>.api.d.ts` (`--write` stores it) and when a declaration holds `any`.
 * Run `npm run build` first.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { isMain, repositoryRoot, walk } from './source-files.ts'

export interface Report {
  readonly text: string
  /** Declarations with `any` in them. */
  readonly anyIn: readonly string[]
}

const printer = ts.createPrinter({ removeComments: true })

/** The report of one entry point, given its emitted declaration file. */
export function reportOf(entry: string, folder: string): Report {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    types: [],
  }
  const program = ts.createProgram([entry], options)
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(entry)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${entry} exports nothing`)
  const aliased = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const isOurs = (node: ts.Node): boolean => node.getSourceFile().fileName.startsWith(folder)

  const exported = new Map<ts.Symbol, string>()
  for (const symbol of checker.getExportsOfModule(module))
    exported.set(aliased(symbol), symbol.name)
  const seen = new Set(exported.keys())
  const waiting = [...seen]
  const blocks: { name: string; isExported: boolean; text: string }[] = []
  const anyIn: string[] = []
  for (let symbol = waiting.shift(); symbol !== undefined; symbol = waiting.shift()) {
    const name = exported.get(symbol) ?? symbol.name
    const texts: string[] = []
    for (const declaration of symbol.declarations ?? []) {
      if (!isOurs(declaration)) continue
      const statement = statementOf(declaration)
      texts.push(print(statement))
      walk(statement, (node) => {
        if (node.kind === ts.SyntaxKind.AnyKeyword) anyIn.push(name)
        if (!ts.isIdentifier(node)) return
        const found = checker.getSymbolAtLocation(node)
        if (found === undefined) return
        const target = aliased(found)
        if (seen.has(target) || !isTopLevel(target) || !isOurs(node)) return
        seen.add(target)
        waiting.push(target)
      })
    }
    if (texts.length === 0) continue
    const text = [...new Set(texts)].join('\n')
    blocks.push({ name, isExported: exported.has(symbol), text })
  }
  return { text: layOut(blocks), anyIn: [...new Set(anyIn)].sort() }
}

function layOut(blocks: readonly { name: string; isExported: boolean; text: string }[]): string {
  const sorted = [...blocks].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const part = (isExported: boolean): string[] =>
    sorted.filter((block) => block.isExported === isExported).map((block) => block.text)
  const inner = part(false)
  const note = '// Mentioned by the above, not exported:'
  return `${[...part(true), ...(inner.length > 0 ? [note, ...inner] : [])].join('\n\n')}\n`
}

/** The statement a declaration belongs to: for a variable that is its `const` line. */
function statementOf(declaration: ts.Node): ts.Node {
  let node = declaration
  while (node.parent !== undefined && !ts.isSourceFile(node.parent)) node = node.parent
  return node
}

function isTopLevel(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some((declaration) => {
    const isMember = ts.isTypeParameterDeclaration(declaration) || ts.isParameter(declaration)
    const statement = statementOf(declaration)
    const isName =
      statement === declaration ||
      (ts.isVariableDeclaration(declaration) && declaration.parent.parent === statement)
    return !isMember && isName && !ts.isSourceFile(declaration)
  })
}

function print(node: ts.Node): string {
  const text = printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
  return text
    .split('\n')
    .filter((line) => !/^\s*(private |#private;)/.test(line))
    .join('\n')
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
}

/** Entry points with declarations: report name and declaration file. */
export function entryPoints(): { name: string; file: string }[] {
  const manifest = JSON.parse(
    readFileSync(join(repositoryRoot, 'package.json'), 'utf8'),
  ) as Manifest
  return Object.entries(manifest.exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const name = path === '.' ? 'index' : path.slice(2).replaceAll('/', '-')
    return [{ name, file: join(repositoryRoot, target.types) }]
  })
}

function main(): void {
  const isWriting = process.argv.includes('--write')
  const problems: string[] = []
  for (const { name, file } of entryPoints()) {
    if (!existsSync(file)) {
      problems.push(`${name}: the build has no declarations for this entry point`)
      continue
    }
    const path = join(repositoryRoot, 'api', `${name}.api.d.ts`)
    const report = reportOf(file, join(repositoryRoot, 'dist'))
    for (const declaration of report.anyIn) problems.push(`${name}: any in ${declaration}`)
    if (isWriting) {
      mkdirSync(join(repositoryRoot, 'api'), { recursive: true })
      writeFileSync(path, report.text)
    } else if (!existsSync(path)) problems.push(`${name}: no stored report; run with --write`)
    else if (readFileSync(path, 'utf8') !== report.text) {
      problems.push(`${name}: the public API differs from api/${name}.api.d.ts; run with --write`)
    }
  }
  for (const problem of problems) console.error(problem)
  console.log(`api-report: ${problems.length === 0 ? 'ok' : `${problems.length} problems`}`)
  if (problems.length > 0) process.exitCode = 1
}

if (isMain(import.meta.url)) main()
