import { describe, expect, it } from 'vitest'
import {
  checkTypes,
  extractAttachments,
  extractSnippets,
  toUnits,
  withAssertions,
} from './doctest.ts'

const fence = '```'

describe('snippets', () => {
  it('come from Markdown with their marks and lines', () => {
    const text = [`# A`, `${fence}ts run id=a`, 'const a = 1', fence, `${fence}sh`, 'ls', fence]
    expect(extractSnippets({ path: 'README.md', text: text.join('\n') })).toMatchObject([
      { line: 3, text: 'const a = 1', runs: true, id: 'a' },
    ])
  })

  it('come from the examples of doc comments and from no other comment', () => {
    const text = [
      '/**',
      ' * Adds.',
      ` * ${fence}ts`,
      ' * not an example',
      ` * ${fence}`,
      ' * @example',
      ` * ${fence}ts`,
      ' * const a = {',
      ' *   b: 1 }',
      ` * ${fence}`,
      ' * @since 0.1',
      ' */',
    ]
    const [snippet, ...others] = extractSnippets({ path: 'src/a.ts', text: text.join('\n') })
    expect(snippet).toMatchObject({ line: 8, text: 'const a = {\n  b: 1 }', runs: false })
    expect(others).toEqual([])
  })

  it('come from an example that opens its comment', () => {
    const text = `/** @example\n * ${fence}ts run\n * f()\n * ${fence}\n */`
    expect(extractSnippets({ path: 'src/a.ts', text })).toMatchObject([{ line: 3, text: 'f()' }])
  })

  it('find the files that their document attaches', () => {
    const text = `${fence}text file=a.txt\none\ntwo\n${fence}\n${fence}text\nthree\n${fence}\n`
    expect(extractAttachments({ path: 'README.md', text })).toEqual([
      { path: 'README.md', name: 'a.txt', text: 'one\ntwo\n' },
    ])
  })

  it('can build on one another', () => {
    const text = `${fence}ts id=a\nconst a = 1\n${fence}\n${fence}ts with=a\na + 1\n${fence}`
    const { units, problems } = toUnits(extractSnippets({ path: 'README.md', text }))
    expect(problems).toEqual([])
    expect(units[1]).toMatchObject({ text: 'const a = 1\na + 1\nexport {}\n', offset: 1 })
    const stray = extractSnippets({ path: 'README.md', text: `${fence}ts with=b\n1\n${fence}` })
    expect(toUnits(stray).problems).toEqual(['README.md:2: no block has id=b'])
  })
})

describe('types', () => {
  const check = (...lines: string[]): string[] => {
    const text = [`${fence}ts`, ...lines, fence].join('\n')
    return checkTypes(toUnits(extractSnippets({ path: 'a.md', text })).units)
  }

  it('must fail where the mark says so and nowhere else', () => {
    expect(check('const a: number = 1', "const b: number = 'x'  // error: not a number")).toEqual(
      [],
    )
    expect(check("const b: number = 'x'")).toEqual([expect.stringContaining('a.md:2: Type')])
    expect(check('const a = 1', 'const b = a + 1 // error: never')).toEqual([
      'a.md:3: compiles although it is marked as an error',
    ])
  })
})

describe('assertions', () => {
  it('compare an expression or a declared name with the value behind the arrow', () => {
    const lines = withAssertions("1 + 1 // => 2\nconst a = f()  // => { b: 1 }\n'x // y'").split(
      '\n',
    )
    expect(lines.slice(1)).toEqual([
      '__same((1 + 1), (2))',
      'const a = f(); __same(a, ({ b: 1 }))',
      "'x // y'",
    ])
  })
})
