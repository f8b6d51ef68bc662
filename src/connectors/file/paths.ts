/** Which files a source reads. Every file is a partition, named by its path as it was given. */
import type { Disk } from '../../base/env.ts'
import { badOption } from '../errors.ts'
import { requireFile } from './byte-input.ts'
import { standardInputPath } from './standard-input.ts'

/** One path or several; the order is the order of the partitions. `-` is standard input. */
export type FilePaths = string | readonly string[]

/**
 * The paths in a text such as a job parameter: separated by commas, without spaces around them.
 *
 * @example
 * app.from('traces', lines(files(param('input'))))
 */
export function files(list: string): readonly string[] {
  return list
    .split(',')
    .map((path) => path.trim())
    .filter((path) => path !== '')
}

/** The paths as a frozen list; TM1704 for none, an empty one or the same one twice. */
export function checkedPaths(connector: string, paths: FilePaths): readonly string[] {
  if (typeof paths !== 'string' && !Array.isArray(paths))
    throw badOption(`${connector}: the path is ${String(paths)}, expected a path or a list of them`)
  const list = typeof paths === 'string' ? [paths] : [...paths]
  if (list.length === 0) throw badOption(`${connector}: no file is named`)
  const seen = new Set<string>()
  for (const path of list) {
    if (typeof path !== 'string' || path === '')
      throw badOption(`${connector}: a path is empty or not a text`)
    if (seen.has(path)) throw badOption(`${connector}: ${path} is named twice`)
    seen.add(path)
  }
  return Object.freeze(list)
}

/** TM1700 or TM1701 for the first that is not there. */
export async function requireFiles(disk: Disk, paths: readonly string[]): Promise<void> {
  for (const path of paths) if (path !== standardInputPath) await requireFile(disk, path)
}

/** For `explain`: one path as it is, many as the first and a number. */
export function describePaths(paths: readonly string[]): string {
  return paths.length === 1 ? paths[0]! : `${paths[0]} and ${paths.length - 1} more`
}
