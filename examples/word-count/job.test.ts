import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runExample } from '../run-example.test-support.ts'

const job = 'examples/word-count/job.ts'
const sample = 'examples/word-count/sample.txt'

/** Each occurrence of a word with its number, by one loop. */
function naive(text: string): readonly string[] {
  const counts = new Map<string, number>()
  const lines: string[] = []
  for (const word of text.toLowerCase().split(/[^\p{L}\p{N}]+/u)) {
    if (word === '') continue
    const count = (counts.get(word) ?? 0) + 1
    counts.set(word, count)
    lines.push(JSON.stringify({ word, count }))
  }
  return lines.sort()
}

test.each(['stream', 'batch'] as const)('%s: every word is counted once', async (mode) => {
  const run = await runExample({ job, input: [sample], mode })
  expect(run).toMatchObject({ exitCode: 0, summary: { status: 'finished' } })
  const expected = naive(readFileSync(sample, 'utf8'))
  expect(run.sinks['counts']).toEqual(expected)
  expect(expected).toContain('{"word":"twice","count":3}')
})
