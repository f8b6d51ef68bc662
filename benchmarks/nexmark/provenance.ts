/** What every published figure carries: the build, the machine, and a spread instead of one number. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export type Spread = { readonly median: number; readonly min: number; readonly max: number }

/** Of an odd number of values the middle one; of an even number the upper of the two. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! }
}

/** Who made a figure, and from what. */
export function identity(startedAt: Date) {
  return {
    schema: 1,
    runId: randomUUID(),
    startedAt: startedAt.toISOString(),
    ...version,
    versions: { node: process.versions.node, v8: process.versions.v8, tidemill: packageVersion() },
  }
}

const version = gitVersion()

function gitVersion(): { readonly commit: string; readonly dirty: boolean | null } {
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' })
    const changed = execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], {
      cwd: ROOT,
    })
    return { commit: commit.trim(), dirty: changed.length > 0 }
  } catch {
    return { commit: 'unknown', dirty: null }
  }
}

function packageVersion(): string {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8')
  const { version: found }: { readonly version: string } = JSON.parse(text)
  return found
}

export function describeMachine() {
  return {
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memBytes: totalmem(),
    // Without what a distributor adds to the version.
    os: `${platform()} ${release().split('-')[0]} ${arch()}`,
    spin1: spin(),
  }
}

/** Million steps of a fixed piece of integer arithmetic per CPU second: how fast this machine is now. */
function spin(): number {
  const steps = 50_000_000
  const before = process.cpuUsage()
  let x = 1
  for (let i = 0; i < steps; i++) x = Math.imul(x ^ (x >>> 13), 0x5bd1e995) + i
  const { user, system } = process.cpuUsage(before)
  return x === 0 ? 0 : Math.round(steps / (user + system))
}
