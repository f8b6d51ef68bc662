/**
 * Keeps documentation true. Takes every block marked `ts` from README.md, docs/guide/*.md and the `@example` parts of
 * doc comments in `src`, and
 * 1. type-checks it against the sources; a block is a module of its own;
 * 2. wants an error on every line that ends in `// error` (with or without a reason), and on no other line;
 * 3. runs the blocks marked `run`; there `expression // => value` asserts that both sides are deeply equal.
 *
 * Words after `ts` in the fence: `run`; `id=name` names a block; `with=name` puts that block in front of this one;
 * `skip=reason` leaves a block out and shows in the report. A block of any language marked `file=name` is written to the
 * folder in which the blocks of the same document run.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import ts from 'typescript'
import { isMain, readFiles, repositoryRoot, type SourceFile } from './source-files.ts'

export interface Snippet {
  readonly path: string
  /** 1-based line of the first line of code. */
  readonly line: number
  readonly text: string
  readonly runs: boolean
  readonly id: string | undefined
  readonly with: string | undefined
  readonly skip: string | undefined
}

/** A file that the blocks of one document find when they run. */
export interface Attachment {
  readonly path: string
  readonly name: string
  readonly text: string
}

/** Blocks marked `file=name`. */
export function extractAttachments(file: SourceFile): Attachment[] {
  const fences = file.text.matchAll(/^```\w+[^\n]* file=([\w.-]+)[^\n]*\n(.*?)^```$/gms)
  return [...fences].map(([, name = '', text = '']) => ({ path: file.path, name, text }))
}

/** Blocks of a Markdown file, and of doc comments of a TypeScript file. */
export function extractSnippets(file: SourceFile): Snippet[] {
  const isCode = file.path.endsWith('.ts')
  const snippets: Snippet[] = []
  let open: { words: readonly string[]; line: number; lines: string[]; indent: string } | undefined
  let inExample = !isCode
  file.text.split('\n').forEach((raw, index) => {
    if (isCode && /\*\/|^\s*\/\*\*/.test(raw)) inExample = false
    const line = isCode ? raw.replace(/^\s*\/?\*\*? ?/, '') : raw
    if (isCode && /^@\w+/.test(line)) inExample = line.startsWith('@example')
    const fence = /^(\s*)```(.*)$/.exec(line)
    if (open === undefined) {
      const words = (fence?.[2] ?? '').trim().split(/\s+/)
      if (fence === null || !inExample || words[0] !== 'ts') return
      open = { words, line: index + 2, lines: [], indent: fence[1] ?? '' }
    } else if (fence !== null) {
      snippets.push(toSnippet(file.path, open.line, open.lines, open.words))
      open = undefined
    } else open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line)
  })
  return snippets
}

function toSnippet(
  path: string,
  line: number,
  lines: readonly string[],
  words: readonly string[],
): Snippet {
  const value = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
  const text = lines.join('\n')
  const [id, prefix, skip] = [value('id'), value('with'), value('skip')]
  return { path, line, text, runs: words.includes('run'), id, with: prefix, skip }
}

/** A snippet behind the one it builds on; `offset` lines of the result belong to that one. */
interface Unit {
  readonly snippet: Snippet
  readonly text: string
  readonly offset: number
}

/** Joins each snippet with the named one in front of it. */
export function toUnits(snippets: readonly Snippet[]): { units: Unit[]; problems: string[] } {
  const problems: string[] = []
  const units: Unit[] = []
  for (const snippet of snippets) {
    if (snippet.skip !== undefined) continue
    const prefix = snippets.find((one) => one.path === snippet.path && one.id === snippet.with)
    if (snippet.with === undefined) {
      units.push({ snippet, text: `${snippet.text}\nexport {}\n`, offset: 0 })
    } else if (prefix === undefined) {
      problems.push(`${snippet.path}:${snippet.line}: no block has id=${snippet.with}`)
    } else {
      const text = `${prefix.text}\n${snippet.text}\nexport {}\n`
      units.push({ snippet, text, offset: prefix.text.split('\n').length })
    }
  }
  return { units, problems }
}

/** Type-checks all units as one program and compares the errors with the marks. */
export function checkTypes(units: readonly Unit[], root: string = repositoryRoot): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const host = ts.createCompilerHost({ ...options, noEmit: true })
  const texts = new Map(units.map((unit, index) => [join(root, `snippet-${index}.ts`), unit.text]))
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (path) => texts.has(path) || fileExists(path)
  host.readFile = (path) => texts.get(path) ?? readFile(path)
  host.getSourceFile = (path, version, ...rest) => {
    const text = texts.get(path)
    if (text === undefined) return getSourceFile(path, version, ...rest)
    return ts.createSourceFile(path, text, version)
  }
  const names = [...texts.keys(), join(root, 'src', 'base', 'globals.d.ts')]
  const program = ts.createProgram(names, { ...options, noEmit: true }, host)
  return units.flatMap((unit, index) => {
    const source = program.getSourceFile(join(root, `snippet-${index}.ts`))
    const found = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]
    return compareWithMarks(unit, found)
  })
}

function compareWithMarks(unit: Unit, diagnostics: readonly ts.Diagnostic[]): string[] {
  const { snippet, offset } = unit
  const problems: string[] = []
  const failing = new Set<number>()
  const lines = unit.text.split('\n')
  for (const diagnostic of diagnostics) {
    const start = diagnostic.start ?? 0
    const line = diagnostic.file?.getLineAndCharacterOfPosition(start).line ?? 0
    failing.add(line)
    if (isMarked(lines[line] ?? '')) continue
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')
    problems.push(`${place(snippet, line - offset)}: ${message}`)
  }
  lines.forEach((line, index) => {
    if (isMarked(line) && !failing.has(index)) {
      problems.push(`${place(snippet, index - offset)}: compiles although it is marked as an error`)
    }
  })
  return problems
}

const isMarked = (line: string): boolean => /\/\/ error\b/.test(line)

function place(snippet: Snippet, line: number): string {
  return `${snippet.path}:${snippet.line + Math.max(line, 0)}`
}

/** Turns `expression // => value` into an assertion; a line that starts with const or let asserts its first name. */
export function withAssertions(text: string): string {
  const lines = text.split('\n').map((line) => {
    const match = /^(.*?);?\s*\/\/ => (.*)$/.exec(line)
    if (match === null || line.trim().startsWith('//')) return line
    const [, code = '', expected = ''] = match
    const name = /^\s*(?:const|let)\s+(\w+)/.exec(code)?.[1]
    if (name !== undefined) return `${code}; __same(${name}, (${expected}))`
    return `__same((${code.trim()}), (${expected}))`
  })
  return `import { deepStrictEqual as __same } from 'node:assert'\n${lines.join('\n')}`
}

/** Runs one unit in a process of its own, in an empty folder. */
async function run(unit: Unit, attachments: readonly Attachment[]): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-doc-'))
  try {
    const entry = join(folder, 'snippet.ts')
    writeFileSync(entry, withAssertions(unit.text))
    const output = join(folder, 'snippet.mjs')
    const source = (path: string): string => join(repositoryRoot, 'src', path)
    await build({
      entryPoints: [entry],
      outfile: output,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      logLevel: 'silent',
      nodePaths: [join(repositoryRoot, 'node_modules')],
      external: ['esbuild'],
      alias: {
        'tidemill/testing': source('testing/index.ts'),
        'tidemill/parquet': source('connectors/parquet/index.ts'),
        tidemill: source('index.ts'),
      },
    })
    mkdirSync(join(folder, 'work'))
    for (const { path, name, text } of attachments) {
      if (path === unit.snippet.path) writeFileSync(join(folder, 'work', name), text)
    }
    const options = { cwd: join(folder, 'work'), encoding: 'utf8', timeout: 60_000 } as const
    const child = spawnSync(process.execPath, [output], options)
    if (child.status === 0) return undefined
    return (child.stderr || child.stdout || String(child.error))
      .trim()
      .split('\n')
      .slice(0, 20)
      .join('\n  ')
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every file that may hold snippets. */
export function documents(): SourceFile[] {
  return [
    { path: 'README.md', text: readFileSync(join(repositoryRoot, 'README.md'), 'utf8') },
    ...readFiles('docs', /\.md$/).filter((file) => file.path.startsWith('docs/guide/')),
    ...readFiles('src', /\.ts$/).filter((file) => !file.path.endsWith('.test.ts')),
  ]
}

async function main(): Promise<void> {
  const files = documents()
  const snippets = files.flatMap(extractSnippets)
  const attachments = files.flatMap(extractAttachments)
  const { units, problems } = toUnits(snippets)
  problems.push(...checkTypes(units))
  let runCount = 0
  for (const unit of units) {
    if (!unit.snippet.runs) continue
    runCount++
    const failure = await run(unit, attachments)
    if (failure !== undefined) problems.push(`${place(unit.snippet, 0)}: ${failure}`)
  }
  for (const { path, line, skip } of snippets) {
    if (skip !== undefined) console.log(`${path}:${line}: skipped, ${skip}`)
  }
  for (const problem of problems) console.error(problem)
  console.log(
    `docs: ${units.length} snippets checked, ${runCount} run, ${problems.length} problems`,
  )
  if (problems.length > 0) process.exitCode = 1
}

if (isMain(import.meta.url)) await main()
