/**
 * A reader of the job's result files who trusts nobody (O12). It looks whenever a name in an output directory may have
 * changed and remembers what it saw: a result, once visible, never changes, and it never disappears. A power cut may
 * take a name away for as long as the job is down; at the end every name must be back.
 */
import type { Disk } from '../../base/env.ts'
import type { WorldDisk } from '../world/world-disk.ts'
import type { Violation } from './violation.ts'

export interface OutputDirectory {
  readonly sink: string
  /** Absolute, without a slash at its end. */
  readonly directory: string
  /** Names with this ending are results; all others are unfinished. */
  readonly extension: string
}

export interface OutputFile {
  readonly name: string
  readonly text: string
}

export class OutputObserver {
  readonly #disk: WorldDisk
  readonly #outputs: readonly OutputDirectory[]
  readonly #seen = new Map<string, string>()
  /** Seen before the last power cut and not since. */
  #awaited = new Set<string>()
  violation: Violation | undefined

  constructor(disk: WorldDisk, outputs: readonly OutputDirectory[]) {
    this.#disk = disk
    this.#outputs = outputs
  }

  look(): void {
    const visible = new Map<string, string>()
    for (const { files } of this.#read())
      for (const { path, text } of files) visible.set(path, text)
    for (const [path, text] of visible) {
      const before = this.#seen.get(path)
      if (before !== undefined && before !== text)
        this.#complain(`${path} changed from ${quote(before)} to ${quote(text)}`)
      this.#seen.set(path, text)
      this.#awaited.delete(path)
    }
    for (const path of this.#seen.keys()) {
      if (!visible.has(path) && !this.#awaited.has(path))
        this.#complain(`${path} was visible and has disappeared`)
    }
  }

  /** Names that were not synced may be gone until the job has recovered. */
  powerCut(): void {
    this.#awaited = new Set(this.#seen.keys())
  }

  /** The last look: nothing may be missing any more. */
  finish(): ReadonlyMap<string, readonly OutputFile[]> {
    this.look()
    for (const path of this.#awaited)
      this.#complain(`${path} was visible before a power cut and never came back`)
    const outputs = new Map<string, readonly OutputFile[]>()
    for (const { sink, files } of this.#read()) outputs.set(sink, files)
    return outputs
  }

  *#read(): Iterable<{
    readonly sink: string
    readonly files: readonly (OutputFile & { readonly path: string })[]
  }> {
    const all = this.#disk.files()
    for (const { sink, directory, extension } of this.#outputs) {
      const files = []
      for (const { path } of all) {
        if (!path.startsWith(`${directory}/`) || !path.endsWith(extension)) continue
        const text = new TextDecoder().decode(this.#disk.read(path))
        files.push({ path, name: path.slice(directory.length + 1), text })
      }
      yield { sink, files }
    }
  }

  #complain(message: string): void {
    this.violation ??= { oracle: 'O12', title: 'published output changed', message }
  }
}

/** The disk of a process, with an observer at its shoulder: told right after every change of a directory. */
export function watchNames(disk: Disk, changed: (path: string) => void): Disk {
  const after = async (work: Promise<void>, path: string): Promise<void> => {
    await work
    changed(path)
  }
  return {
    open: (path, mode) => disk.open(path, mode),
    rename: (from, to) => after(disk.rename(from, to), to),
    link: (from, to) => after(disk.link(from, to), to),
    unlink: (path) => after(disk.unlink(path), path),
    mkdir: (path) => disk.mkdir(path),
    list: (path) => disk.list(path),
    syncDir: (path) => disk.syncDir(path),
    stat: (path) => disk.stat(path),
    space: (path) => disk.space(path),
    lock: (directory, owner) => disk.lock(directory, owner),
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}
