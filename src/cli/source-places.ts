/**
 * Leads stack frames of the merged program back to its sources, in text that is about to be printed. Node does so by
 * itself where source maps are on while a module loads; worker threads leave them off for the engine, because reading
 * and decoding its maps takes longer at every start than this does at a failure.
 */
import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `text` with `src/…/x.ts:1:2` for every `dist/…/engine-A.js:1:2` of this program. */
export function withSourcePlaces(text: string): string {
  const maps = new Map<string, SourceMap | undefined>()
  return text.replace(framePattern, (frame: string, url: string, line: string, column: string) => {
    if (!url.startsWith(programUrl)) return frame
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
