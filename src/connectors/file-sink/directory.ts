/** Directories that are there after a power cut. */
import type { Disk } from '../../base/env.ts'

/**
 * Makes a directory with its parents, one after the other, each durable before the next. A directory that exists may
 * have been made by a life that ended before it could sync, so the deepest of those is synced again.
 */
export async function makeDirectory(disk: Disk, path: string): Promise<void> {
  const missing: string[] = []
  let at = path
  while (!isRoot(at) && (await disk.stat(at)) === undefined) {
    missing.push(at)
    at = parentOf(at)
  }
  if (!isRoot(at)) await disk.syncDir(parentOf(at))
  for (const directory of missing.reverse()) {
    await disk.mkdir(directory)
    await disk.syncDir(parentOf(directory))
  }
}

function isRoot(path: string): boolean {
  return path === '/' || path === '.' || path === ''
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  const slash = trimmed.lastIndexOf('/')
  if (slash > 0) return trimmed.slice(0, slash)
  return slash === 0 ? '/' : '.'
}
