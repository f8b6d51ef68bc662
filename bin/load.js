/**
 * Finds runnable JavaScript for the program. A published package has it in `dist`. A clone has not, and cannot build
 * it on install because install scripts are off, so here:
 * 1. every source file enters a hash with its path, size and time of change; so do the manifest and the files here;
 * 2. the folder `node_modules/.cache/tidemill/<hash>` holds the compiled sources, or is filled now as `compile.js`
 *    would fill a package;
 * 3. the folder appears by one rename, so two first starts at the same time cannot see half of it.
 *
 * The folder has the shape of the package - `package.json`, `dist/`, `docs/` - so a module finds its neighbours
 * relative to itself, a worker thread its entry, and `import 'tidemill'` the same copy of the engine.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Compiled folders that nobody started from for this long are removed when a new one is made. */
const unusedDaysMax = 7

/**
 * Imports a module of the program, compiling the sources when this is a clone.
 *
 * @param {string} root the package folder
 * @param {string} entry the module below `src`, without extension, for example `cli/main`
 * @returns {Promise<Record<string, unknown>>}
 */
export async function load(root, entry) {
  // A clone may hold a build older than its sources; only a published package is sure to fit its own.
  const isClone = existsSync(join(root, 'tsconfig.build.json'))
  const isBuilt = !isClone && existsSync(join(root, 'dist', `${entry}.js`))
  const folder = isBuilt ? root : await compiled(root)
  process.setSourceMapsEnabled(true)
  return import(pathToFileURL(join(folder, 'dist', `${entry}.js`)).href)
}

/**
 * The folder that holds `dist` compiled from the present sources.
 *
 * @param {string} root
 * @returns {Promise<string>}
 */
export async function compiled(root) {
  const cache = join(root, 'node_modules', '.cache', 'tidemill')
  const sources = listSources(join(root, 'src'))
  const folder = join(cache, fingerprint(root, sources))
  if (existsSync(folder)) {
    const now = new Date()
    utimesSync(folder, now, now)
    return folder
  }
  const draft = join(cache, `draft-${randomUUID()}`)
  try {
    await fill(root, draft)
    publish(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  removeUnused(cache)
  return folder
}

/**
 * @typedef {object} Source
 * @property {string} path absolute
 * @property {number} sizeBytes
 * @property {number} modifiedMs
 */

/**
 * @param {string} folder
 * @returns {Source[]}
 */
function listSources(folder) {
  /** @type {Source[]} */
  const found = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...listSources(path))
    else if (/\.ts$/.test(entry.name) && !/\.(test|test-support|bench|d)\.ts$/.test(entry.name)) {
      const { size, mtimeMs } = statSync(path)
      found.push({ path, sizeBytes: size, modifiedMs: mtimeMs })
    }
  }
  return found
}

/**
 * @param {string} root
 * @param {readonly Source[]} sources
 */
function fingerprint(root, sources) {
  const hash = createHash('sha256')
  hash.update(readFileSync(join(root, 'package.json')))
  for (const name of ['load.js', 'compile.js'])
    hash.update(readFileSync(new URL(name, import.meta.url)))
  for (const { path, sizeBytes, modifiedMs } of sources) {
    hash.update(`${path.slice(root.length)} ${sizeBytes} ${modifiedMs}\n`)
  }
  return hash.digest('hex').slice(0, 24)
}

/**
 * @param {string} root
 * @param {string} draft
 */
async function fill(root, draft) {
  // Imported here: a warm start needs no compiler, and loading one costs more than the rest of the start.
  const { compile } = await import('./compile.js')
  mkdirSync(draft, { recursive: true })
  await compile(root, join(draft, 'dist'))
  writeFileSync(join(draft, 'package.json'), readFileSync(join(root, 'package.json')))
  const docs = join(root, 'docs')
  if (existsSync(docs)) symlinkSync(docs, join(draft, 'docs'), 'junction')
}

/**
 * @param {string} draft
 * @param {string} folder
 */
function publish(draft, folder) {
  try {
    renameSync(draft, folder)
  } catch (error) {
    // Another process compiled the same sources in the meantime; its folder is as good.
    if (!existsSync(folder)) throw error
  }
}

/** @param {string} cache */
function removeUnused(cache) {
  const oldestMs = Date.now() - unusedDaysMax * 86_400_000
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    try {
      if (statSync(path).mtimeMs < oldestMs) rmSync(path, { recursive: true, force: true })
    } catch {
      // A concurrent start removed it first.
    }
  }
}

/** The package folder this file belongs to. */
export const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)))
