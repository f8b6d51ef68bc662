/**
 * Dead letters at rest: JSON lines in `<directory>/<sink>/`, written by the sink and read by the commands. Which ones were
 * replayed is noted beside them in `replayed-<file>`, a list of line numbers, so that result files never change.
 */
import { readWhole, removeIfPresent, writeNew } from '../../base/disk-io.ts'
import type { Env } from '../../base/env.ts'
import { inputError } from '../errors.ts'
import { type DeadLetter, readLetter } from './letter-form.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** All dead letters of a sink's directory, in the order in which they were written. TM1740 for a damaged one. */
export async function listDeadLetters(env: Env, directory: string): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  try {
    for (const name of await env.disk.list(directory)) {
      if (!isLetterFile(name)) continue
      const bytes = await readWhole(env.disk, `${directory}/${name}`)
      if (bytes === undefined) continue
      const replayed = await readReplayed(env, directory, name)
      const lines = decoder.decode(bytes).split('\n')
      for (let i = 0; i < lines.length; i++) {
        if (lines[i] !== '')
          letters.push(readLetter(lines[i]!, `${name}:${i + 1}`, replayed.has(i + 1)))
      }
    }
  } catch (error) {
    throw inputError(error, directory)
  }
  return letters
}

export interface ReplayOptions {
  /** Which letters to take; default all that were not replayed before. */
  readonly select?: (letter: DeadLetter) => boolean
  /**
   * Takes the letters in order, for instance by appending `raw` to a topic. When it throws, nothing is marked; after a
   * crash in between the same letters are handed over again, so a replay is at-least-once.
   */
  readonly deliver: (letters: readonly DeadLetter[]) => Promise<void>
}

/** Hands dead letters over once more and marks them as replayed; resolves to those it handed over. */
export async function replayDeadLetters(
  env: Env,
  directory: string,
  options: ReplayOptions,
): Promise<DeadLetter[]> {
  const letters = await listDeadLetters(env, directory)
  const select = options.select ?? ((letter: DeadLetter) => !letter.replayed)
  const chosen = letters.filter((letter) => select(letter))
  if (chosen.length === 0) return []
  await options.deliver(chosen)
  const byFile = new Map<string, number[]>()
  const ids = new Set(chosen.map((letter) => letter.id))
  for (const letter of letters) {
    if (!letter.replayed && !ids.has(letter.id)) continue
    const colon = letter.id.lastIndexOf(':')
    const file = letter.id.slice(0, colon)
    const lines = byFile.get(file) ?? []
    lines.push(Number(letter.id.slice(colon + 1)))
    byFile.set(file, lines)
  }
  for (const [file, lines] of byFile) await writeReplayed(env, directory, file, lines)
  await env.disk.syncDir(directory)
  return chosen
}

function isLetterFile(name: string): boolean {
  return name.endsWith('.jsonl') && !name.startsWith('.')
}

async function readReplayed(
  env: Env,
  directory: string,
  file: string,
): Promise<ReadonlySet<number>> {
  const bytes = await readWhole(env.disk, `${directory}/replayed-${file}.txt`)
  if (bytes === undefined) return new Set()
  return new Set(
    decoder
      .decode(bytes)
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  )
}

async function writeReplayed(
  env: Env,
  directory: string,
  file: string,
  lines: readonly number[],
): Promise<void> {
  const path = `${directory}/replayed-${file}.txt`
  await removeIfPresent(env.disk, `${path}.new`)
  await writeNew(
    env.disk,
    `${path}.new`,
    new TextEncoder().encode(lines.map((line) => `${line}\n`).join('')),
  )
  await env.disk.rename(`${path}.new`, path)
}
