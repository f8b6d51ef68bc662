/** Folders, rows and starts that the tests of `hurt` share. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import {
  committedLines,
  filesBelow,
  type ProgramEnd,
  runArguments,
  type StartedProgram,
  startProgram,
} from './program.ts'

export interface Place extends Disposable {
  readonly folder: string
  readonly input: string
  readonly output: string
  readonly state: string
}

/** A folder of its own with `count` rows in it, `id,key`, keys in turn. */
export function placeWithRows(count: number): Place {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-e2e-'))
  const input = join(folder, 'rows.csv')
  writeFileSync(input, rowsText(0, count))
  return {
    folder,
    input,
    output: join(folder, 'output'),
    state: join(folder, 'state'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The same rows in several files, so that several workers have something to read. */
export function placeWithFiles(count: number, files: number): Place {
  const place = placeWithRows(0)
  const size = count / files
  const inputs = Array.from({ length: files }, (_, i) => {
    const path = join(place.folder, `rows-${i}.csv`)
    writeFileSync(path, rowsText(i * size, (i + 1) * size))
    return path
  })
  return { ...place, input: inputs.join(',') }
}

export const keyCount = 7

export function rowsText(from: number, to: number): string {
  let text = ''
  for (let id = from; id < to; id++) text += `${id},k${id % keyCount}\n`
  return text
}

/** Sorted lines of the sink `counts` after rows with these ids: every count of every key, once. */
export function expectedCounts(ids: Iterable<number>): readonly string[] {
  const counts = new Map<string, number>()
  const lines: string[] = []
  for (const id of ids) {
    const key = `k${id % keyCount}`
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    lines.push(JSON.stringify({ key, count }))
  }
  return lines.sort()
}

export function* idsUpTo(count: number, ...without: readonly number[]): Generator<number> {
  for (let id = 0; id < count; id++) if (!without.includes(id)) yield id
}

export interface StartOptions {
  readonly hurt?: string
  readonly pace?: number
  readonly params?: Readonly<Record<string, string>>
  readonly more?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export function startHurt(place: Place, options: StartOptions = {}): StartedProgram {
  const argv = runArguments({
    job: 'test/e2e/jobs/hurt.ts',
    state: place.state,
    params: { input: place.input, output: place.output, ...options.params },
    intervalMs: 50,
    more: options.more ?? [],
  })
  const env = { HURT: options.hurt ?? '', PACE: String(options.pace ?? 0), ...options.env }
  const program = startProgram(argv, { env })
  // A test that failed in the middle leaves nothing running.
  onTestFinished(() => void program.child.kill('SIGKILL'))
  return program
}

export function runHurt(place: Place, options?: StartOptions): Promise<ProgramEnd> {
  return startHurt(place, options).ended
}

export function counts(place: Place): readonly string[] {
  return committedLines(place.output)['counts'] ?? []
}

/** Waits until the state directory holds a manifest with at least this epoch. */
export async function committedSnapshots(place: Place, epoch: number): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    const epochs = filesBelow(join(place.state, 'checkpoints')).map((path) =>
      Number(/-e(\d+)\.manifest$/.exec(path)?.[1] ?? 0),
    )
    if (Math.max(0, ...epochs) >= epoch) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`no epoch ${epoch} in ${place.state}`)
}
