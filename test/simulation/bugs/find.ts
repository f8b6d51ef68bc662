/** Looks for planted mistakes. A mistake that nothing notices is a hole in the checks. */
import type { SeedOptions } from '../../../src/testing/simulate/run-seed.ts'
import type { World } from '../../../src/testing/world/world.ts'
import { runCampaign } from '../campaign.ts'
import { commitBugs } from './commit.ts'
import { diskBugs } from './disk.ts'
import { exchangeBugs } from './exchange.ts'
import { stateBugs } from './state.ts'
import type { PlantedBug } from './support.ts'

export const plantedBugs: readonly PlantedBug[] = [
  ...diskBugs,
  ...commitBugs,
  ...stateBugs,
  ...exchangeBugs,
]

export interface Finding {
  readonly seed: number
  readonly oracle: string
  readonly message: string
}

/** The first seed that shows it, from `from` on and within its budget. */
export async function findBug(bug: PlantedBug, from: number = 1): Promise<Finding | undefined> {
  const seeds = Array.from({ length: bug.budget }, (_, i) => from + i)
  const { failures } = await runCampaign({
    seeds,
    job: bug.job,
    failuresMax: 1,
    change: (options) => ({
      ...options,
      interference: bug.plant(),
      harm: withHarm(options.harm, bug.harm),
    }),
  })
  const found = failures[0]
  if (found?.violation === undefined) return undefined
  return {
    seed: found.seed,
    oracle: found.violation.oracle,
    message: `${found.violation.title}: ${found.violation.message}`,
  }
}

/** Looks for all of them, a line each; how many nobody noticed. */
export async function findAllBugs(print: (line: string) => void): Promise<number> {
  let missed = 0
  for (const bug of plantedBugs) {
    const found = await findBug(bug)
    if (found === undefined) missed++
    print(
      found === undefined
        ? `NOT FOUND within ${bug.budget} seeds: ${bug.name}`
        : `found by ${found.oracle} at seed ${found.seed}: ${bug.name}`,
    )
  }
  return missed
}

function withHarm(
  usual: SeedOptions['harm'],
  special: PlantedBug['harm'],
): (world: World) => () => void {
  return (world) => {
    special?.(world)
    return usual?.(world) ?? (() => {})
  }
}
