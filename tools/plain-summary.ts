/**
 * A vitest reporter that ends a run with one plain line, `12 passed, 0 failed, 1 skipped`, so that any machine can
 * read the outcome. Counts, in this order:
 * 1. every test that passed, failed or was skipped (a test that never ran counts as skipped);
 * 2. as failed: a file that could not be loaded, and an error nobody caught;
 * 3. with `TIDEMILL_REQUIRE_REAL_DATA=1`, as failed: a skipped test in a `*.realdata.test.ts` file. The CI run sets it
 *    where the real data is at hand, because there a skip would hide that nothing was compared with it.
 */
import type { Reporter } from 'vitest/reporters'

/** What the reporter reads of one test. */
export interface Outcome {
  readonly file: string
  readonly name: string
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending'
}

export interface Summary {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Real-data tests that were skipped although they were required. */
  readonly forbiddenSkips: readonly string[]
}

/** Adds up outcomes; `brokenCount` are files that did not load plus errors that belong to no test. */
export function summarize(
  outcomes: Iterable<Outcome>,
  brokenCount: number,
  realDataRequired: boolean,
): Summary {
  let passed = 0
  let failed = brokenCount
  let skipped = 0
  const forbiddenSkips: string[] = []
  for (const outcome of outcomes) {
    if (outcome.state === 'passed') passed++
    else if (outcome.state === 'failed') failed++
    else if (realDataRequired && outcome.file.endsWith('.realdata.test.ts')) {
      failed++
      forbiddenSkips.push(`${outcome.file} > ${outcome.name}`)
    } else skipped++
  }
  return { passed, failed, skipped, forbiddenSkips }
}

export function summaryLine(summary: Omit<Summary, 'forbiddenSkips'>): string {
  const skipped = summary.skipped > 0 ? `, ${summary.skipped} skipped` : ''
  return `${summary.passed} passed, ${summary.failed} failed${skipped}`
}

/** The reporter for `vitest.config.ts`. */
export function plainSummary(): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors): void {
      const outcomes: Outcome[] = []
      let brokenCount = unhandledErrors.length
      for (const module of modules) {
        const ownErrorCount = module.errors().length
        let failedCount = 0
        for (const test of module.children.allTests()) {
          const state = test.result().state
          if (state === 'failed') failedCount++
          outcomes.push({ file: module.relativeModuleId, name: test.fullName, state })
        }
        const failedOtherwise = module.state() === 'failed' && failedCount === 0
        brokenCount += ownErrorCount > 0 ? ownErrorCount : failedOtherwise ? 1 : 0
      }
      const required = process.env['TIDEMILL_REQUIRE_REAL_DATA'] === '1'
      const summary = summarize(outcomes, brokenCount, required)
      for (const name of summary.forbiddenSkips) console.log(`real-data test was skipped: ${name}`)
      if (summary.failed > 0 || summary.passed === 0) process.exitCode = 1
      console.log(summaryLine(summary))
    },
  }
}
