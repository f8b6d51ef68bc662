/**
 * Turns a job module into one JavaScript file that every worker loads.
 *
 * Files of the user's project are bundled (any TypeScript, with a source map); `tidemill` is left out and points at this
 * copy of the engine, so that job and worker share it; packages from `node_modules` are left out and point at the files
 * that Node would load for the job. The hash of the bundle is the version of the job.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'
import { TidemillError } from '../base/errors.ts'
import { cliErrors } from './errors.ts'

export interface JobBundle {
  /** The bundle, to be imported by URL. */
  readonly url: string
  /** 16 hex digits over the bundle's text. */
  readonly version: string
}

/** Bundles `jobFile` into a folder that keeps earlier versions by hash. Rejects with TM2003 when it does not compile. */
export async function bundleJob(jobFile: string): Promise<JobBundle> {
  const entry = resolve(jobFile)
  if (!existsSync(entry))
    throw new TidemillError(cliErrors.noJobFile, { message: jobFile, details: { file: jobFile } })
  const { build } = await import('esbuild')
  const folder = cacheFolder(dirname(entry))
  let text: string
  let map: string
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      sourcemap: 'external',
      sourcesContent: false,
      outfile: join(folder, 'job.mjs'),
      write: false,
      logLevel: 'silent',
      // A project that declares itself free of side effects would lose imports made for their effect alone, without a
      // word; Node runs them, so a job does.
      ignoreAnnotations: true,
      plugins: [leaveOut()],
    })
    text = result.outputFiles.find((file) => file.path.endsWith('.mjs'))?.text ?? ''
    map = result.outputFiles.find((file) => file.path.endsWith('.map'))?.text ?? ''
  } catch (error) {
    throw new TidemillError(cliErrors.doesNotCompile, {
      message: error instanceof Error ? error.message : String(error),
      details: { file: jobFile },
    })
  }
  const version = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const path = join(folder, `${version}.mjs`)
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${path}.map`, map)
    // Two starts at once write the same bytes; the rename lets neither see half of them.
    const draft = `${path}.${process.pid}.draft`
    writeFileSync(draft, `${text}\n//# sourceMappingURL=${version}.mjs.map\n`)
    renameSync(draft, path)
  }
  return { url: pathToFileURL(path).href, version }
}

/** `node_modules/.cache/tidemill-jobs` of the nearest project, or a hidden folder beside the job. */
function cacheFolder(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'node_modules')))
      return join(folder, 'node_modules', '.cache', 'tidemill-jobs')
    if (dirname(folder) === folder) return join(from, '.tidemill', 'bundles')
  }
}

function leaveOut(): Plugin {
  const engine = dirname(dirname(fileURLToPath(import.meta.url)))
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const entries: Readonly<Record<string, string>> = {
    tidemill: 'index',
    'tidemill/testing': 'testing/index',
    'tidemill/parquet': 'connectors/parquet/index',
  }
  return {
    name: 'leave-out',
    setup(build) {
      build.onResolve({ filter: /^tidemill(\/|$)/ }, ({ path }) => {
        const entry = entries[path]
        if (entry === undefined) return { errors: [{ text: `tidemill has no entry "${path}"` }] }
        return { path: pathToFileURL(join(engine, `${entry}.${extension}`)).href, external: true }
      })
      build.onResolve({ filter: /^[^./]/ }, async ({ path, resolveDir, kind, pluginData }) => {
        if (pluginData === resolving || path.startsWith('node:') || kind === 'entry-point')
          return undefined
        const found = await build.resolve(path, { resolveDir, kind, pluginData: resolving })
        if (found.errors.length > 0 || found.external || !found.path.includes('node_modules'))
          return found
        return { path: pathToFileURL(found.path).href, external: true }
      })
    },
  }
}

/** Marks our own question, so that it is not asked again. */
const resolving = Symbol('resolving')
