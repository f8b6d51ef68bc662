/** Directories that are there after a power cut. */
import type { Disk } from '../../base/env.ts'

/** Makes a directory with its parents and syncs every directory that got a new entry. */
export async function makeDirectory(disk: Disk, path: string): Promise<void> {
  const changed: string[] = []
  for (let at = path; (await disk.stat(at)) === undefined; ) {
    const parent = parentOf(at)
    if (parent === at) break
    changed.push(parent)
    at = parent
  }
  await disk.mkdir(path)
  for (const directory of changed.reverse()) await disk.syncDir(directory)
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  const slash = trimmed.lastIndexOf('/')
  if (slash > 0) return trimmed.slice(0, slash)
  return slash === 0 ? '/' : '.'
}
