import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { differences } from './kill-run.ts'
import { OutputObserver } from './output-observer.ts'

/** An observer that has seen one good file. */
function watching(): { readonly file: string; readonly observer: OutputObserver } {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-observer-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'sink'))
  const file = join(folder, 'sink', 'e1.jsonl')
  writeFileSync(file, '{"n":1}\n{"n":2}\n')
  const observer = new OutputObserver(folder)
  observer.look()
  expect(observer.report()).toMatchObject({ violations: [], files: 1, lines: 2 })
  return { file, observer }
}

test.each([
  ['a line changed', (file: string) => writeFileSync(file, '{"n":1}\n{"n":3}\n'), 'changed'],
  ['a line was added', (file: string) => appendFileSync(file, '{"n":3}\n'), 'changed'],
  ['the file vanished', (file: string) => rmSync(file), 'disappeared'],
  [
    'another file is cut',
    (file: string) => writeFileSync(`${file}.2.jsonl`, '{"n":1}\n{"n'),
    'partial',
  ],
  ['another file is no JSON', (file: string) => writeFileSync(`${file}.2.jsonl`, 'n\n'), 'no JSON'],
])('the observer sees that %s', (_, harm, word) => {
  const { file, observer } = watching()
  harm(file)
  observer.look()
  expect(observer.report().violations.join()).toContain(word)
})

test('an unfinished file under another name, and a new file, are no violation', () => {
  const { file, observer } = watching()
  writeFileSync(join(file, '..', '.g1.pending'), '{"n')
  writeFileSync(`${file}.2.jsonl`, '{"n":3}\n')
  observer.look()
  expect(observer.report()).toMatchObject({ violations: [], files: 2, lines: 3 })
})

test('lost and repeated lines are told apart, as multisets', () => {
  expect(differences({ a: ['x', 'x', 'y'] }, { a: ['y', 'x', 'x'] })).toEqual([])
  expect(differences({ a: ['x', 'x'] }, { a: ['x'] })).toEqual([
    expect.stringContaining('1 lines lost'),
  ])
  expect(differences({ a: ['x'] }, { a: ['x'], b: ['z'] })).toEqual([
    expect.stringContaining('b: 1 lines too many'),
  ])
})
