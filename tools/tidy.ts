/**
 * House rules that protect results and that neither the compiler nor the linter knows. Each rule is a function from
 * files to problems, so a test can plant a mistake:
 * 1. determinism (`tools/determinism.ts`);
 * 2. crash points: the list in `src/base/env.ts` and the calls in `src` are the same;
 * 3. error codes: unique, inside their folder's range, one page each and no page without a code;
 * 4. every folder of `src` has a README of at most one screen;
 * 5. comments: no mark of unfinished work without an issue number, no lint exception without a reason;
 * 6. the lock file names no host, every installed package accepts the oldest Node, no file names a place on the
 *    machine it was written on.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path/posix'
import { satisfies } from 'semver'
import ts from 'typescript'
import { type Lock, missingBuilds } from './complete-lock.ts'
import { findNondeterminism } from './determinism.ts'
import {
  isMain,
  isTestFile,
  lineOf,
  parse,
  readFiles,
  report,
  repositoryRoot,
  type SourceFile,
  sourceFolder,
  walk,
} from './source-files.ts'

/** Crash points whose part does not exist yet. The list only shrinks: a point that is called may not be in it. */
export const pendingCrashPoints: readonly string[] = []

/** The oldest Node the package supports; every dependency must run there. */
const oldestNode = '20.19.0'

/** First and last code of each folder, as `src/base/errors.ts` documents them. */
const codeRanges: Readonly<Record<string, readonly [number, number]>> = {
  base: [1000, 1099],
  schema: [1000, 1099],
  frame: [1000, 1099],
  time: [1100, 1199],
  log: [1200, 1299],
  graph: [1300, 1399],
  stream: [1300, 1399],
  state: [1400, 1499],
  checkpoint: [1500, 1599],
  operators: [1600, 1699],
  window: [1600, 1699],
  connectors: [1700, 1799],
  exchange: [1800, 1899],
  runtime: [1900, 1999],
  cli: [2000, 2099],
  platform: [2000, 2099],
  testing: [2100, 2199],
}

const readmeLinesMax = 60

/** Points that are listed but never called, called but not listed, or wrongly excused as pending. */
export function findCrashPointProblems(
  listed: readonly string[],
  pending: readonly string[],
  files: readonly SourceFile[],
): string[] {
  const called = new Map<string, string>()
  for (const file of files) {
    if (isTestFile(file.path) || file.path === 'src/base/env.ts') continue
    if (sourceFolder(file.path) === 'testing') continue
    walk(parse(file), (node) => {
      if (!ts.isCallExpression(node) || !isNamed(node.expression, 'crashPoint')) return
      for (const argument of node.arguments) {
        walk(argument, (part) => {
          if (!ts.isStringLiteralLike(part)) return
          called.set(part.text, `${file.path}:${lineOf(part)}`)
        })
      }
    })
  }
  const problems: string[] = []
  for (const [name, place] of called) {
    if (!listed.includes(name)) problems.push(`${place}: crash point ${name} is not in the list`)
  }
  for (const name of listed) {
    const isPending = pending.includes(name)
    const place = called.get(name)
    if (place === undefined && !isPending) problems.push(`crash point ${name} is never called`)
    if (place !== undefined && isPending) {
      problems.push(`${place}: crash point ${name} is called, so it is no longer pending`)
    }
  }
  for (const name of pending) {
    if (!listed.includes(name)) problems.push(`pending crash point ${name} does not exist`)
  }
  return problems
}

function isNamed(callee: ts.Expression, name: string): boolean {
  if (ts.isIdentifier(callee)) return callee.text === name
  return ts.isPropertyAccessExpression(callee) && callee.name.text === name
}

/** The names in the array `crashPoints` of `src/base/env.ts`. */
export function listedCrashPoints(environment: SourceFile): string[] {
  const names: string[] = []
  walk(parse(environment), (node) => {
    if (!ts.isVariableDeclaration(node) || node.name.getText() !== 'crashPoints') return
    if (node.initializer === undefined) return
    walk(node.initializer, (part) => {
      if (ts.isStringLiteralLike(part)) names.push(part.text)
    })
  })
  return names
}

/** Codes that repeat, lie outside the folder's range, have no page or a page without the right title; stray pages. */
export function findErrorCodeProblems(
  files: readonly SourceFile[],
  pages: readonly SourceFile[],
): string[] {
  const problems: string[] = []
  const seen = new Map<string, string>()
  for (const file of files) {
    if (!/\/(errors|error-catalogue)\.ts$/.test(file.path)) continue
    walk(parse(file), (node) => {
      if (!ts.isPropertyAssignment(node) || node.name.getText() !== 'code') return
      if (!ts.isStringLiteralLike(node.initializer)) return
      const code = node.initializer.text
      const place = `${file.path}:${lineOf(node)}`
      const earlier = seen.get(code)
      if (earlier !== undefined) problems.push(`${place}: ${code} is taken by ${earlier}`)
      else seen.set(code, place)
      const range = codeRanges[sourceFolder(file.path)]
      const number = Number(/^TM(\d{4})$/.exec(code)?.[1])
      if (range === undefined) problems.push(`${place}: this folder has no range of codes`)
      else if (!(number >= range[0] && number <= range[1])) {
        problems.push(`${place}: ${code} lies outside TM${range[0]}-${range[1]}`)
      }
    })
  }
  const titled = new Map(pages.map((page) => [pageCode(page.path), page]))
  for (const [code, place] of seen) {
    const page = titled.get(code)
    if (page === undefined) problems.push(`${place}: ${code} has no page docs/errors/${code}.md`)
    else if (!page.text.startsWith(`# ${code}: `)) {
      problems.push(`${page.path}:1: the page does not begin with "# ${code}: "`)
    }
  }
  for (const [code, page] of titled) {
    if (!seen.has(code)) problems.push(`${page.path}: no catalogue has the code ${code}`)
  }
  return problems
}

function pageCode(path: string): string {
  return /([^/]+)\.md$/.exec(path)?.[1] ?? path
}

/** Folders of `src` without a README, and READMEs longer than a screen. */
export function findReadmeProblems(
  folders: readonly string[],
  readmes: readonly SourceFile[],
): string[] {
  const problems: string[] = []
  for (const folder of folders) {
    const readme = readmes.find((file) => file.path === `src/${folder}/README.md`)
    if (readme === undefined) problems.push(`src/${folder}: no README.md`)
    else if (readme.text.split('\n').length > readmeLinesMax) {
      problems.push(`${readme.path}: longer than ${readmeLinesMax} lines`)
    }
  }
  return problems
}

/** Marks that were meant to go away, and exceptions nobody explained. */
export function findCommentProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    file.text.split('\n').forEach((line, index) => {
      const place = `${file.path}:${index + 1}`
      if (/(\/\/|\*).*\bFIX[M]E\b/.test(line)) problems.push(`${place}: FIX${'ME'} is not a plan`)
      if (/(\/\/|\*).*\bTOD[O]\b(?!\(#\d+\))/.test(line)) {
        problems.push(`${place}: a TOD${'O'} carries its issue number, as TOD${'O'}(#12)`)
      }
      const exception = /biome-ignor[e][\w-]*\s+[^:]*:(.*)/.exec(line)
      if (exception !== null && (exception[1] ?? '').trim().length < 12) {
        problems.push(`${place}: this lint exception gives no reason`)
      }
      if (/@ts-(ignor[e]|nochec[k])/.test(line)) {
        problems.push(`${place}: use @ts-expect-error with a reason`)
      }
    })
  }
  return problems
}

/** Locked packages that `npm ci` cannot check, that refuse the oldest Node or say where they were downloaded. */
export function findLockProblems(lockText: string): string[] {
  const lock = JSON.parse(lockText) as Lock
  const problems = Object.keys(missingBuilds(lock)).map(
    (path) => `package-lock.json: ${path} is missing; run tsx tools/complete-lock.ts`,
  )
  for (const [path, locked] of Object.entries(lock.packages)) {
    if (path === '') continue
    // A build for another platform, added by tools/complete-lock.ts, is known by its version only.
    const isOtherBuild = locked.optional === true && locked.os !== undefined
    if (locked.version === undefined || (locked.integrity === undefined && !isOtherBuild)) {
      problems.push(`package-lock.json: ${path} has no version or no checksum`)
    }
    const range = locked.engines?.node
    if (range !== undefined && !satisfies(oldestNode, range)) {
      problems.push(`package-lock.json: ${path} ${locked.version} wants Node ${range}`)
    }
    if (locked.resolved?.includes('://')) {
      problems.push(`package-lock.json: ${path} names the host it came from`)
    }
  }
  return problems
}

/** Files that mention a place on somebody's machine or a package host. */
export function findMachineProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const file of files) {
    file.text.split('\n').forEach((line, index) => {
      const isPlace = /(^|[\s"'`(=])\/(home|root|work|Users)\/[\w.-]+/.test(line)
      const isHost = /\bregistry\.[a-z]+\.[a-z]+/.test(line)
      if (isPlace) problems.push(`${file.path}:${index + 1}: names a place on one machine`)
      if (isHost) problems.push(`${file.path}:${index + 1}: names a package host`)
    })
  }
  return problems
}

/** Tracked text files. */
function trackedFiles(): SourceFile[] {
  const names = execFileSync('git', ['ls-files', '-z'], { cwd: repositoryRoot, encoding: 'utf8' })
  const isText = /\.(ts|js|json|md|yml|yaml|sh)$|^\.ci\/run$|LICENSE$|^\.npmrc$/
  const files: SourceFile[] = []
  for (const path of names.split('\0')) {
    if (!isText.test(path) || path.includes('/golden/')) continue
    try {
      files.push({ path, text: readFileSync(join(repositoryRoot, path), 'utf8') })
    } catch (error) {
      // Deleted in the work tree and not committed yet.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return files
}

/** All rules on the repository as it is. */
export function findTidyProblems(): Readonly<Record<string, readonly string[]>> {
  const sources = readFiles('src', /\.ts$/)
  const tracked = trackedFiles()
  const code = tracked.filter((file) => /\.(ts|js)$/.test(file.path))
  const environment = sources.find((file) => file.path === 'src/base/env.ts')
  const folders = readdirSync(join(repositoryRoot, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
  return {
    determinism: findNondeterminism(sources),
    crashPoints:
      environment === undefined
        ? ['src/base/env.ts is missing']
        : findCrashPointProblems(listedCrashPoints(environment), pendingCrashPoints, sources),
    errorCodes: findErrorCodeProblems(sources, readFiles('docs/errors', /^TM.*\.md$/)),
    readmes: findReadmeProblems(folders, readFiles('src', /^README\.md$/)),
    comments: findCommentProblems(code),
    lock: findLockProblems(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')),
    machine: findMachineProblems(tracked),
  }
}

if (isMain(import.meta.url)) report('tidy', Object.values(findTidyProblems()).flat())
