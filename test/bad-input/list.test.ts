import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryRoot } from '../../tools/source-files.ts'
import { type BadInput, badInputs } from './list.ts'

/** Why the list does not hold; empty when it does. */
function missing({ id, tests, waitsFor }: BadInput): readonly string[] {
  const titles = Object.values(tests).flat()
  if (titles.length === 0 && waitsFor === undefined) return [`${id} has no test and no reason`]
  return Object.entries(tests).flatMap(([path, names]) => {
    if (!existsSync(join(repositoryRoot, path))) return [`${id}: there is no ${path}`]
    const text = readFileSync(join(repositoryRoot, path), 'utf8')
    return names
      .filter((name) => !isTested(text, name))
      .map((name) => `${id}: ${path} has no test "${name}"`)
  })
}

/** The words are the title of something that runs, or its beginning where the title goes on with ids. */
function isTested(text: string, title: string): boolean {
  const at = text.search(new RegExp(`['"]${escaped(title)}(?: \\([A-Z0-9, ]+\\))?['"]`))
  if (at < 0) return false
  const before = text.slice(0, at)
  const call = Math.max(before.lastIndexOf('test'), before.lastIndexOf('it'))
  return call >= 0 && !/\b(skip|todo|only)\b/.test(before.slice(call))
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

describe('bad input', () => {
  test('every kind is in the list, once and in order', () => {
    const ids = Array.from({ length: 19 }, (_, i) => `B${String(i + 1).padStart(2, '0')}`)
    expect(badInputs.map(({ id }) => id)).toEqual(ids)
  })

  test.each(badInputs)('$id has tests: $what', (row) => {
    expect(missing(row)).toEqual([])
  })

  test('a list that does not hold is noticed', () => {
    const row = { id: 'B00', what: 'planted' }
    expect(missing({ ...row, tests: {} })).toHaveLength(1)
    expect(missing({ ...row, tests: { 'src/nowhere.test.ts': ['x'] } })).toHaveLength(1)
    expect(
      missing({ ...row, tests: { 'src/schema/key.test.ts': ['no such title'] } }),
    ).toHaveLength(1)
  })
})
