import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dealtFiles } from './partitions.ts'

test('partitions hold every line once, in order', () => {
  const text = Array.from({ length: 20_000 }, (_, i) => `${JSON.stringify({ i })}\n`).join('')
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-partitions-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'all.jsonl')
  writeFileSync(path, text)
  const parts = dealtFiles(path, 3, folder).map((part) =>
    readFileSync(part, 'utf8').trimEnd().split('\n'),
  )
  const numbers = parts.map((part) => part.map((line) => (JSON.parse(line) as { i: number }).i))
  for (const own of numbers) expect(own).toEqual([...own].sort((a, b) => a - b))
  expect(numbers.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20_000 }, (_, i) => i))
})
