/**
 * Looks at the package the way a user gets it: builds it, packs it, and asks
 * 1. whether it holds what it should and nothing else;
 * 2. publint, whether the manifest fits the files;
 * 3. attw, whether every entry point resolves with its types from ESM;
 * 4. knip, whether a dependency, file or export is unused;
 * 5. whether the packed package installs and its entry points and its program start and run a job in an
 *    empty project.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from './source-files.ts'

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

const required: readonly RegExp[] = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^CHANGELOG\.md$/,
  /^bin\/tidemill\.js$/,
  /^bin\/load\.js$/,
  /^dist\/index\.js$/,
  /^dist\/index\.d\.ts$/,
  /^dist\/cli\/main\.js$/,
  /^dist\/cli\/worker-main\.js$/,
  /^dist\/testing\/index\.js$/,
  /^src\/index\.ts$/,
  /^docs\/errors\/TM1000\.md$/,
]

const forbidden = /\.(test|test-support|bench)\.|^(test|tools|benchmarks|examples|node_modules|\.)/

/** Compressed bytes; a dashboard or a data file that slips in would exceed it by far. */
const packedBytesMax = 1_500_000

/** What is wrong with the list of packed files. */
export function findContentProblems(packed: Packed): string[] {
  const paths = packed.files.map((file) => file.path)
  const problems = required
    .filter((pattern) => !paths.some((path) => pattern.test(path)))
    .map((pattern) => `the package lacks ${pattern.source}`)
  for (const path of paths) if (forbidden.test(path)) problems.push(`the package holds ${path}`)
  if (packed.size > packedBytesMax) problems.push(`the package has ${packed.size} bytes`)
  return problems
}

let failedCount = 0

function step(name: string, command: string, argv: readonly string[], cwd: string): string {
  const run = spawnSync(command, argv, { cwd, encoding: 'utf8' })
  const ok = run.status === 0
  console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${name}`)
  if (!ok) {
    failedCount++
    console.log(`${run.stdout}${run.stderr}${run.error ?? ''}`.replace(/^/gm, '    '))
  }
  return run.stdout
}

function tool(name: string): string {
  return join(repositoryRoot, 'node_modules', '.bin', name)
}

const job = `import { datagen, discard, pipeline } from 'tidemill'
const app = pipeline('packed')
app.from('numbers', datagen({ row: (n) => ({ n }), count: 10 })).to('none', discard())
await app.run()
`

function checkInstalled(archive: string, work: string): void {
  const project = join(work, 'project')
  mkdirSync(project)
  writeFileSync(
    join(project, 'package.json'),
    '{ "name": "user", "private": true, "type": "module" }',
  )
  const flags = ['install', '--ignore-scripts', '--no-audit', '--no-fund']
  step('install in an empty project', 'npm', [...flags, archive], project)
  const start =
    "const m = await import('tidemill'); if (typeof m.pipeline !== 'function') process.exit(1)"
  step('import the root', process.execPath, ['--input-type=module', '-e', start], project)
  step('start the program', 'npx', ['--no-install', 'tidemill', '--version'], project)
  writeFileSync(join(project, 'job.ts'), job)
  step('run a job', 'npx', ['--no-install', 'tidemill', 'run', 'job.ts'], project)
  step('explain an error', 'npx', ['--no-install', 'tidemill', 'explain', 'TM1000'], project)
}

function main(): void {
  const work = mkdtempSync(join(tmpdir(), 'tidemill-package-'))
  try {
    step('build', process.execPath, [tool('tsx'), 'tools/build.ts'], repositoryRoot)
    const pack = ['pack', '--json', '--ignore-scripts', `--pack-destination=${work}`]
    const [packed] = JSON.parse(step('pack', 'npm', pack, repositoryRoot) || '[]') as Packed[]
    if (packed === undefined) return
    const problems = findContentProblems(packed)
    console.log(`  ${problems.length === 0 ? 'ok    ' : 'FAILED'} content, ${packed.size} bytes`)
    for (const problem of problems) console.log(`    ${problem}`)
    failedCount += problems.length === 0 ? 0 : 1
    const archive = join(work, packed.filename)
    step('publint', tool('publint'), ['--strict', archive], repositoryRoot)
    step('attw', tool('attw'), ['--profile', 'esm-only', archive], repositoryRoot)
    step('knip', tool('knip'), [], repositoryRoot)
    checkInstalled(archive, work)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  if (failedCount > 0) process.exitCode = 1
}

main()
