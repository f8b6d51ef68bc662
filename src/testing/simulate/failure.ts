/** The report of a run that broke a promise: what, where, and how to see it again. */
import type { SeedResult } from './run-seed.ts'

export interface FailureContext {
  /** The command or call that runs this seed alone. */
  readonly replay: string
  readonly commit?: string | undefined
  readonly node: string
}

export function formatFailure(
  result: SeedResult,
  { replay, commit, node }: FailureContext,
): string {
  const { violation, seed, profile, job, steps, lives, crashes } = result
  return [
    `SIM FAIL  oracle ${violation?.oracle} (${violation?.title})   job "${job}"`,
    `  seed ${hexSeed(seed)}${commit === undefined ? '' : `   commit ${commit}`}   node ${node}   profile ${profile}   step ${steps}   lives ${lives}   crashes ${crashes}`,
    `  ${violation?.message.replaceAll('\n', '\n  ')}`,
    `  replay  ${replay}`,
  ].join('\n')
}

export function hexSeed(seed: number): string {
  return `0x${seed.toString(16)}`
}
