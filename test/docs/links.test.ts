/** What the documents point at exists: files, error codes, commands and their options. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readFiles, repositoryRoot, type SourceFile } from '../../tools/source-files.ts'

const documents: readonly SourceFile[] = [
  ...['README', 'ARCHITECTURE', 'CONTRIBUTING', 'STYLE', 'SECURITY', 'CHANGELOG'].map((name) => ({
    path: `${name}.md`,
    text: readFileSync(join(repositoryRoot, `${name}.md`), 'utf8'),
  })),
  ...['docs', 'decisions', 'examples', 'benchmarks', 'src'].flatMap((folder) =>
    readFiles(folder, /\.md$/),
  ),
]

/** Targets of links inside the repository that do not exist, with the document that has them. */
function brokenLinks(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) => {
    const prose = text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`(?!\])/g, '')
    return [...prose.matchAll(/\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(repositoryRoot, dirname(path), target)))
      .map((target) => `${path}: ${target}`)
  })
}

test('links lead to files', () => {
  expect(brokenLinks(documents)).toEqual([])
  expect(brokenLinks([{ path: 'docs/x.md', text: 'see [this](../nothing.md)' }])).toEqual([
    'docs/x.md: ../nothing.md',
  ])
})

test('error codes in documents have a page', () => {
  const unknown = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\bTM\d{4}\b/g)]
      .filter(([code]) => !existsSync(join(repositoryRoot, 'docs', 'errors', `${code}.md`)))
      .map(([code]) => `${path}: ${code}`),
  )
  expect(unknown).toEqual([])
})

test('commands of the guide take the options that it names', { timeout: 120_000 }, () => {
  const guide = documents.filter(({ path }) => path === 'README.md' || /^docs\/guide\//.test(path))
  const used = new Map<string, Set<string>>()
  for (const { text } of guide) {
    for (const [, line = ''] of text.matchAll(/^(?:npx )?tidemill ([a-z].*)$/gm)) {
      const words = line.replace(/\s#.*$/, '').split(/\s+/)
      const grouped = ['log', 'dead', 'snapshot'].includes(words[0] ?? '')
      const command = words.slice(0, grouped ? 2 : 1).join(' ')
      const options = used.get(command) ?? new Set()
      for (const word of words) if (word.startsWith('--')) options.add(word)
      used.set(command, options)
    }
  }
  expect([...used.keys()].sort()).toEqual(
    expect.arrayContaining(['dead replay', 'log append', 'run', 'snapshot check']),
  )
  for (const [command, options] of used) {
    const argv = [join(repositoryRoot, 'bin', 'tidemill.js'), ...command.split(' '), '--help']
    const { status, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    expect(status, command).toBe(0)
    for (const option of options) expect(stdout, `tidemill ${command}`).toContain(option)
  }
})
