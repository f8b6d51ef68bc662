/** Input files for tests in a directory that is removed afterwards. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { isTidemillError } from '../../base/errors.ts'

export interface Scratch {
  readonly path: string
  write(name: string, content: string | Uint8Array): string
}

export function scratchDirectory(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'tidemill-connectors-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return {
    path,
    write(name, content) {
      const file = join(path, name)
      writeFileSync(file, content)
      return file
    },
  }
}

/** The code of what a promise rejects with, or the error itself when it has none. */
export async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'nothing was thrown',
    (error: unknown) => (isTidemillError(error) ? error.code : error),
  )
}
