/** Builds `dist` from nothing, so that a file that was renamed or removed leaves no trace in the package. */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { repositoryRoot } from './source-files.ts'

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')

rmSync(join(repositoryRoot, 'dist'), { recursive: true, force: true })
const run = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: repositoryRoot,
  stdio: 'inherit',
})
process.exitCode = run.status ?? 1
if (run.status === 0 && !existsSync(join(repositoryRoot, 'dist', 'index.js'))) {
  console.error('the build wrote no dist/index.js')
  process.exitCode = 1
}
