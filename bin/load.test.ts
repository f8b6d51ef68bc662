import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from './load.js'

/** A package of three source files that looks like a fresh clone: sources, dependencies, no `dist`. */
let root: string

const mainText = `
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import pc from 'picocolors'
import { join } from '../base/join.ts'

enum Kind { Done = 7 }

export async function main(argv: readonly string[]): Promise<number> {
  writeSync(1, join(argv) + ' ' + typeof pc.red + '\\n')
  if (argv[0] === 'throw') throw new Error('planted')
  const own = await import('tidemill')
  const neighbour = await import('../index.ts')
  writeSync(1, 'same copy ' + (own.token === neighbour.token) + '\\n')
  const worker = new Worker(new URL('./worker-main.js', import.meta.url))
  await new Promise((resolve) => worker.once('exit', resolve))
  return Kind.Done
}
`

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tidemill bin '))
  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  write(
    'package.json',
    JSON.stringify({ name: 'tidemill', type: 'module', exports: { '.': './dist/index.js' } }),
  )
  write('src/cli/main.ts', mainText)
  write('src/cli/worker-main.ts', "console.log('from a thread')\nexport {}\n")
  write('src/cli/main.test.ts', 'this is not a program')
  write('src/index.ts', 'export const token: object = {}\n')
  write(
    'src/base/join.ts',
    "export const join = (words: readonly string[]): string => words.join('+')\n",
  )
  mkdirSync(join(root, 'node_modules'))
  for (const name of ['esbuild', '@esbuild', 'picocolors']) {
    symlinkSync(join(packageRoot, 'node_modules', name), join(root, 'node_modules', name))
  }
  const loader = pathToFileURL(join(packageRoot, 'bin', 'load.js')).href
  write(
    'start.mjs',
    `import { load } from ${JSON.stringify(loader)}
     const { main } = await load(${JSON.stringify(root)}, 'cli/main')
     process.exitCode = await main(process.argv.slice(2))`,
  )
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

function start(...argv: string[]) {
  return spawnSync(process.execPath, ['start.mjs', ...argv], { cwd: root, encoding: 'utf8' })
}

const cached = (): string[] => readdirSync(join(root, 'node_modules', '.cache', 'tidemill'))

describe('the program in a clone', () => {
  it('is compiled at the first start and found at the next', () => {
    const first = start('a', 'b')
    expect(first.stderr).toBe('')
    expect(first.stdout).toBe('a+b function\nsame copy true\nfrom a thread\n')
    expect(first.status).toBe(7)
    const folders = cached()
    expect(folders).toHaveLength(1)
    expect(start('c').stdout).toContain('c function')
    expect(cached()).toEqual(folders)
  })

  it('is compiled again when a source changes', () => {
    start()
    writeFileSync(join(root, 'src/base/join.ts'), "export const join = () => 'changed'\n")
    expect(start().stdout).toContain('changed function')
    expect(cached()).toHaveLength(2)
  })

  it('reports errors at the line of the source', () => {
    const run = start('throw')
    expect(run.status).toBe(1)
    expect(run.stderr).toMatch(/src[\\/]cli[\\/]main\.ts:11:/)
  })

  it('comes from dist in a published package, and from the sources in a clone', () => {
    mkdirSync(join(root, 'dist', 'cli'), { recursive: true })
    const text = 'export const main = async () => { console.log("built"); return 0 }'
    writeFileSync(join(root, 'dist', 'cli', 'main.js'), text)
    expect(start().stdout).toBe('built\n')
    expect(existsSync(join(root, 'node_modules', '.cache'))).toBe(false)
    writeFileSync(join(root, 'tsconfig.build.json'), '{}')
    expect(start('a').stdout).toContain('a function')
  })

  it('says where a source does not compile, and leaves no half-made folder', () => {
    writeFileSync(join(root, 'src/base/join.ts'), 'export const join = (\n')
    const run = start()
    expect(run.status).toBe(1)
    expect(run.stderr).toContain('src/base/join.ts:2:0')
    expect(cached()).toEqual([])
  })
})
