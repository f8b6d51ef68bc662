/**
 * Turns `src` into the JavaScript that runs, for the published package (`tools/build.ts`) and for a clone (`load.js`).
 *
 * Modules are merged: the entry points keep their places below `dist`, everything they share becomes a few files
 * `dist/cli/engine-<hash>.js`. Node would otherwise find, read and link some 300 files, in the main thread and again in
 * the worker thread, which takes longer than the rest of the start. Two invariants:
 * 1. what was one module stays one: whoever imports `tidemill` in a worker gets the engine that runs there;
 * 2. merged files lie two levels below the package, like the sources of `cli`, so a path relative to a module of that
 *    folder still leads where it did.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

/** Modules that start something: the program, and a worker thread of it. */
const starts = ['cli/main', 'cli/worker-main']

/**
 * Those, and what users import by name.
 *
 * @param {string} root
 * @returns {readonly string[]} modules below `src`, without extension
 */
function entriesOf(root) {
  const { exports } = /** @type {{ exports: Record<string, string | { default: string }> }} */ (
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  )
  const files = Object.values(exports).map((to) => (typeof to === 'string' ? to : to.default))
  const modules = files.flatMap((file) => /^\.\/dist\/(.+)\.js$/.exec(file)?.[1] ?? [])
  return [...modules, ...starts]
}

/**
 * Writes the modules below `<root>/src` to `outputFolder`.
 *
 * @param {string} root
 * @param {string} outputFolder
 * @returns {Promise<void>}
 */
export async function compile(root, outputFolder) {
  await build({
    entryPoints: entriesOf(root).map((entry) => join(root, 'src', `${entry}.ts`)),
    outbase: join(root, 'src'),
    outdir: outputFolder,
    bundle: true,
    splitting: true,
    chunkNames: 'cli/engine-[hash]',
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'error',
  })
}
