/**
 * Leads stack frames of the merged program back to its sources, in text that is about to be printed. Node does so by
 * itself where source maps are on while a module loads; worker threads leave them off for the engine, because reading
 * and decoding its maps takes longer at every start than this does at a failure.
 */
import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where this is in the sources: `file:line:column`, seen from the working folder; the place itself without a map. */
export function sourcePlace(url: string, line: number, column: number): string {
  const file = fileURLToPath(url)
  const entry = readMap(file)?.findEntry(line - 1, column - 1)
  const known = entry !== undefined && 'originalSource' in entry
  const path = known ? resolve(dirname(file), entry.originalSource) : file
  const [atLine, atColumn] = known
    ? [entry.originalLine + 1, entry.originalColumn + 1]
    : [line, column]
  const near = relative(process.cwd(), path)
  return `${near.startsWith('..') ? path : near}:${atLine}:${atColumn}`
}

/** Whether this is code of the program, and not of a job or of a package that it uses. */
export function isOfProgram(url: string): boolean {
  return url.startsWith(programUrl)
}

/** `text` with `src/…/x.ts:1:2` for every `dist/…/engine-A.js:1:2` of this program. */
export function withSourcePlaces(text: string): string {
  const maps = new Map<string, SourceMap | undefined>()
  return text.replace(framePattern, (frame: string, url: string, line: string, column: string) => {
    if (!isOfProgram(url)) return frame
    const file = fileURLToPath(url)
    if (!maps.has(file)) maps.set(file, readMap(file))
    const entry = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1)
    if (entry === undefined || !('originalSource' in entry)) return frame
    const source = resolve(dirname(file), entry.originalSource)
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  })
}

const framePattern = /(file:\/\/[^\s()]+\.js):(\d+):(\d+)/g

/** The folder that holds `cli`. */
const programUrl = new URL('../', import.meta.url).href

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')))
  } catch {
    // Without a map the frame stays as it is, which is still the place in the file that ran.
    return undefined
  }
}
