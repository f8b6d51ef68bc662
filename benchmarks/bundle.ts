/**
 * A benchmark as one plain JavaScript file. What users execute is compiled too, while loaders that transform modules as
 * they are imported leave traces in hot functions (they name every closure when it is made).
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = fileURLToPath(new URL('./.cache', import.meta.url))

/** Bundles `entry` and returns the path of the result. Modules see `import.meta.url` of a file in `benchmarks/nexmark`. */
export async function bundle(entry: string): Promise<string> {
  const outfile = join(FOLDER, `${basename(entry, '.ts')}-${process.pid}.mjs`)
  mkdirSync(FOLDER, { recursive: true })
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    tsconfig: join(ROOT, 'tsconfig.json'),
    write: false,
    // A program of its own that cannot be part of a bundle; benchmarks with threads need it.
    external: ['esbuild'],
    logLevel: 'silent',
    define: {
      'import.meta.url': JSON.stringify(new URL('./nexmark/bundled.ts', import.meta.url).href),
    },
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(process.cwd() + '/');",
    },
  })
  writeFileSync(outfile, result.outputFiles[0]?.contents ?? '')
  return outfile
}
