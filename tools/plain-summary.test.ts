import { describe, expect, it } from 'vitest'
import { type Outcome, summarize, summaryLine } from './plain-summary.ts'

const passed: Outcome = { file: 'a.test.ts', name: 'one', state: 'passed' }
const failed: Outcome = { file: 'a.test.ts', name: 'two', state: 'failed' }
const skipped: Outcome = { file: 'a.test.ts', name: 'three', state: 'skipped' }
const skippedRealData: Outcome = { file: 'b.realdata.test.ts', name: 'four', state: 'skipped' }

describe('the closing line', () => {
  it('counts tests and leaves out the skipped part when nothing was skipped', () => {
    expect(summaryLine(summarize([passed, passed, failed], 0, false))).toBe('2 passed, 1 failed')
    expect(summaryLine(summarize([passed, skipped], 0, false))).toBe(
      '1 passed, 0 failed, 1 skipped',
    )
  })

  it('counts a file that did not load as a failure', () => {
    expect(summaryLine(summarize([passed], 1, false))).toBe('1 passed, 1 failed')
  })

  it('turns a skipped real-data test into a failure where the data is required', () => {
    expect(summaryLine(summarize([passed, skippedRealData], 0, false))).toBe(
      '1 passed, 0 failed, 1 skipped',
    )
    const strict = summarize([passed, skippedRealData, skipped], 0, true)
    expect(summaryLine(strict)).toBe('1 passed, 1 failed, 1 skipped')
    expect(strict.forbiddenSkips).toEqual(['b.realdata.test.ts > four'])
  })
})
