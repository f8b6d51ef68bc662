/**
 * Data sets as JSON lines files in a cache folder, one file per generator.
 *
 * Steps: (1) a file that is complete is reused; (2) otherwise rows go to `<name>.part`; (3) the
 * note with size and hash replaces its predecessor; (4) the part file is renamed to its final name.
 * A file counts as complete when it has its final name and the size that its note states, so a run
 * killed at any point leaves nothing that could be mistaken.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dataset } from './dataset.ts'
import { EventGenerator } from './generator.ts'
import { jsonLine } from './text.ts'

export interface JsonLinesFile {
  readonly path: string
  readonly events: number
  readonly bytes: number
  readonly sha256: string
  /** True when an earlier run had written the file. */
  readonly reused: boolean
}

type Note = Pick<JsonLinesFile, 'events' | 'bytes' | 'sha256'>

/** The cache of this repository: not committed, may be deleted at any time. */
export const CACHE_FOLDER: string = fileURLToPath(new URL('../.cache', import.meta.url))

const EVENTS_PER_WRITE = 4096

/** Writes what is missing and returns all files of the data set, one per generator. */
export function writeJsonLines(dataset: Dataset, folder: string = CACHE_FOLDER): JsonLinesFile[] {
  mkdirSync(folder, { recursive: true })
  const files: JsonLinesFile[] = []
  for (let g = 0; g < dataset.generators; g++) {
    const generator = new EventGenerator(dataset, g)
    const path = join(folder, fileName(dataset, g))
    files.push(reuse(path, generator.count) ?? write(path, generator))
  }
  return files
}

/** The name holds every parameter that decides the content. */
export function fileName(dataset: Dataset, generator: number): string {
  const { events, generators, ratePerSec, disorder } = dataset
  return `nexmark-n${events}-k${generators}-r${ratePerSec}-g${disorder}-${generator}.jsonl`
}

function reuse(path: string, events: number): JsonLinesFile | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return undefined
  const note = readNote(notePath(path))
  if (!note || note.bytes !== stat.size || note.events !== events) return undefined
  return { path, ...note, reused: true }
}

function write(path: string, generator: EventGenerator): JsonLinesFile {
  const part = `${path}.part`
  const file = openSync(part, 'w')
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for (let from = 0; from < generator.count; from += EVENTS_PER_WRITE) {
      let text = ''
      for (const event of generator.slice(from, from + EVENTS_PER_WRITE)) text += jsonLine(event)
      const chunk = Buffer.from(text, 'latin1')
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at)
      bytes += chunk.length
    }
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  const note: Note = { events: generator.count, bytes, sha256: hash.digest('hex') }
  writeFileSync(`${notePath(path)}.part`, JSON.stringify(note))
  renameSync(`${notePath(path)}.part`, notePath(path))
  renameSync(part, path)
  return { path, ...note, reused: false }
}

function notePath(path: string): string {
  return `${path}.note.json`
}

/** The note, or nothing when it is missing or damaged: the file is then written anew. */
function readNote(path: string): Note | undefined {
  try {
    const { events, bytes, sha256 }: Partial<Note> = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof events !== 'number' || typeof bytes !== 'number' || typeof sha256 !== 'string')
      return undefined
    return { events, bytes, sha256 }
  } catch {
    return undefined
  }
}
