import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { datasets } from './dataset.ts'
import { generateEvents } from './generator.ts'
import { writeJsonLines } from './jsonl.ts'

const small = { ...datasets.D2, events: 5_000 }
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nexmark-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('the file of D2 has the published size and hash', () => {
  const [file] = writeJsonLines(datasets.D2, folder)
  expect(file).toMatchObject({
    events: 100_000,
    bytes: 28_214_729,
    sha256: 'c51da5260c706591e64293cf773d1b5870695011d52126e0b7ae521321cecb2b',
    reused: false,
  })
})

test('parsing the file gives the rows back, and no part file stays behind', () => {
  const [file] = writeJsonLines(small, folder)
  const lines = readFileSync(file!.path, 'utf8').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual(generateEvents(small))
  expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([])
})

test('a complete file is reused, a file of the wrong size is written anew', () => {
  const [first] = writeJsonLines(small, folder)
  const [second] = writeJsonLines(small, folder)
  expect(second).toEqual({ ...first, reused: true })
  truncateSync(first!.path, 1000)
  expect(writeJsonLines(small, folder)).toEqual([first])
})

test('several generators make one file each', () => {
  const files = writeJsonLines({ ...small, generators: 3 }, folder)
  expect(files.map((file) => file.events)).toEqual([1666, 1666, 1668])
  expect(new Set(files.map((file) => file.path)).size).toBe(3)
})
