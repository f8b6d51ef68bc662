/**
 * Adds to the lock file the builds for other platforms that npm left out. npm drops an optional package from the lock
 * when its registry could not serve it at that moment, and then `npm ci` refuses the lock for being out of step. The
 * parent names each build with its exact version, and the name says operating system, processor and C library, which
 * is all npm needs to skip it on other machines and to fetch it on its own. Run it after every `npm install`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMain, repositoryRoot } from './source-files.ts'

export interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly engines?: { readonly node?: string }
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

const systems = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'win32',
]

const exactVersion = /^\d+\.\d+\.\d+(-[\w.]+)?$/

/** Builds that a locked package wants in an exact version and that the lock does not hold, by lock path. */
export function missingBuilds(lock: Lock): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {}
  for (const [path, parent] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const isHeld =
        lock.packages[`node_modules/${name}`] !== undefined ||
        lock.packages[`${path}/node_modules/${name}`] !== undefined
      const platform = platformOf(name)
      if (isHeld || platform === undefined || !exactVersion.test(version)) continue
      const { dev } = parent
      missing[`node_modules/${name}`] = {
        version,
        ...platform,
        optional: true,
        ...(dev === undefined ? {} : { dev }),
      }
    }
  }
  return missing
}

/** `@biomejs/cli-linux-x64-musl` is for Linux on x64 with musl; undefined when the name tells no platform. */
function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> | undefined {
  const words = name.split(/[-/]/)
  const at = words.findIndex((word) => systems.includes(word))
  const system = words[at]
  const processor = words[at + 1]
  if (system === undefined || processor === undefined) return undefined
  const isMusl = words.slice(at).some((word) => word.startsWith('musl'))
  const isGnu = words.slice(at).some((word) => word.startsWith('gnu'))
  const libc = isMusl ? { libc: ['musl'] } : isGnu ? { libc: ['glibc'] } : {}
  return { os: [system], cpu: [processor], ...(system === 'linux' ? libc : {}) }
}

if (isMain(import.meta.url)) {
  const path = join(repositoryRoot, 'package-lock.json')
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock
  const missing = missingBuilds(lock)
  const all = Object.entries({ ...lock.packages, ...missing })
  all.sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(
    path,
    `${JSON.stringify({ ...lock, packages: Object.fromEntries(all) }, null, 2)}\n`,
  )
  console.log(`complete-lock: ${Object.keys(missing).length} builds added`)
}
