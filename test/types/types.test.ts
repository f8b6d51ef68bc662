/**
 * Type-checks the `*.types.ts` files of this folder as one program. Lines below `@ts-expect-error` must fail: the
 * compiler reports a directive without error, so a combination that becomes possible is found too.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.types.ts'))
  .map((name) => `${folder}${name}`)

/** 2.5 times the 29,163 that these files took with TypeScript 6.0.3; a jump here is felt in every editor. */
const instantiationsMax = 73_000

const shownAs =
  ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope

function optionsOfProject(): ts.CompilerOptions {
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  return ts.parseJsonConfigFileContent(config.config, ts.sys, root).options
}

function compile(changed: ReadonlyMap<string, string>, former?: ts.Program): ts.Program {
  const host = ts.createCompilerHost(optionsOfProject())
  const read = host.readFile.bind(host)
  const parse = host.getSourceFile.bind(host)
  host.readFile = (name) => changed.get(name) ?? read(name)
  host.getSourceFile = (name, version, ...rest) => {
    const text = changed.get(name)
    if (text !== undefined) return ts.createSourceFile(name, text, version, true)
    return former?.getSourceFile(name) ?? parse(name, version, ...rest)
  }
  return ts.createProgram(files, optionsOfProject(), host, former)
}

function problems(program: ts.Program): string[] {
  return files.flatMap((name) => {
    const file = program.getSourceFile(name)
    return ts.getPreEmitDiagnostics(program, file).map((one) => {
      const line =
        file === undefined ? 0 : file.getLineAndCharacterOfPosition(one.start ?? 0).line + 1
      return `${name.slice(folder.length)}:${line}: ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`
    })
  })
}

describe('the types of the public API', () => {
  let program: ts.Program
  beforeAll(() => {
    program = compile(new Map())
  }, 120_000)

  test('samples compile, and what must not compile does not', { timeout: 120_000 }, () => {
    expect(files.length).toBeGreaterThanOrEqual(5)
    expect(problems(program)).toEqual([])
  })

  test('a planted mistake is found', { timeout: 120_000 }, () => {
    const name = files.find((file) => file.endsWith('windows.types.ts')) ?? ''
    const text = ts.sys.readFile(name) ?? ''
    const planted = text.replace('sum((o) => o.amount)', 'sum((o) => o.amnt)')
    expect(planted).not.toBe(text)
    const found = problems(compile(new Map([[name, planted]]), program))
    expect(found.some((one) => /'amnt' does not exist/.test(one))).toBe(true)
  })

  test('an editor shows fields, not machinery', () => {
    const checker = program.getTypeChecker()
    const file = program.getSourceFile(`${folder}hovers.types.ts`)
    const shown = new Map<string, string>()
    file?.forEachChild((node) => {
      if (!ts.isVariableStatement(node)) return
      for (const one of node.declarationList.declarations) {
        const type = checker.getTypeAtLocation(one.name)
        shown.set(one.name.getText(file), checker.typeToString(type, one, shownAs))
      }
    })
    expect(shown.get('hoverWords')).toBe(
      'Stream<{ readonly key: string; readonly count: number; }, "untimed">',
    )
    expect(shown.get('hoverWindow')).toBe(
      'Stream<{ readonly key: number; readonly window: TimeWindow; readonly total: number; readonly orders: number; }, "event-time">',
    )
    expect(shown.get('hoverPairs')).toBe(
      'Stream<{ readonly key: readonly [number, string]; readonly orders: number; }, "untimed">',
    )
    expect(shown.get('hoverOutputs')).toMatch(
      /^\{ readonly first: Stream<\{.*\}, "untimed">; readonly second: /,
    )
  })

  test('the work of the compiler stays within its budget', () => {
    problems(program)
    const count = (
      program as ts.Program & { getInstantiationCount(): number }
    ).getInstantiationCount()
    expect(count).toBeLessThan(instantiationsMax)
  })

  test('public declarations contain no any', () => {
    const checker = program.getTypeChecker()
    const entry = program.getSourceFile(`${root}src/index.ts`)
    const symbol = entry === undefined ? undefined : checker.getSymbolAtLocation(entry)
    const names = symbol === undefined ? [] : checker.getExportsOfModule(symbol)
    expect(names.length).toBeGreaterThan(80)
    const guilty: string[] = []
    for (const one of names) {
      const target = one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one
      for (const declaration of target.declarations ?? []) {
        const visit = (node: ts.Node): void => {
          if (node.kind === ts.SyntaxKind.AnyKeyword) guilty.push(one.name)
          if (!ts.isBlock(node)) node.forEachChild(visit)
        }
        visit(declaration)
      }
    }
    expect(guilty).toEqual([])
  })
})
