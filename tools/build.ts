/**
 * Builds `dist` from nothing, so that a file that was renamed or removed leaves no trace in the package: the compiler
 * checks the sources and writes declarations, `bin/compile.js` writes the JavaScript.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { compile } from '../bin/compile.js'
import { repositoryRoot } from './source-files.ts'

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const dist = join(repositoryRoot, 'dist')

rmSync(dist, { recursive: true, force: true })
const run = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: repositoryRoot,
  stdio: 'inherit',
})
process.exitCode = run.status ?? 1
if (run.status === 0) await compile(repositoryRoot, dist)
if (run.status === 0 && !existsSync(join(dist, 'index.js'))) {
  console.error('the build wrote no dist/index.js')
  process.exitCode = 1
}
