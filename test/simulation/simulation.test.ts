/** Whole jobs in the simulated world: many seeds, and every seed that ever failed. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { pendingCrashPoints } from '../../tools/tidy.ts'
import { emptyTally, pointsNeverHit, runCampaign, type Tally } from './campaign.ts'
import { report } from './run.ts'

interface Regression {
  readonly seed: number
  readonly job: string
  readonly found: string
}

function complaints(tally: Tally): string[] {
  return tally.failures.map(report)
}

describe('simulation', () => {
  let all = emptyTally()

  test('500 seeds break no promise', async () => {
    all = await runCampaign({ seeds: Array.from({ length: 500 }, (_, i) => i + 1), failuresMax: 3 })
    expect(complaints(all)).toEqual([])
    expect(all.seeds).toBe(500)
    expect(all.repeated).toBe(10)
    expect(all.crashes).toBeGreaterThan(1_000)
    expect(all.epochs).toBeGreaterThan(2_000)
  }, 240_000)

  test('every crash point that the code calls was reached', () => {
    expect(pointsNeverHit(all, pendingCrashPoints)).toEqual([])
  })

  const regressions: readonly Regression[] = JSON.parse(
    readFileSync(new URL('regressions.json', import.meta.url), 'utf8'),
  )
  test('seeds that failed once hold', async () => {
    for (const { seed, job } of regressions) {
      expect(complaints(await runCampaign({ seeds: [seed], job }))).toEqual([])
    }
  }, 60_000)
})
