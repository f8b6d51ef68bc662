/**
 * The long campaign: `npm run test:long` goes on where the ledger says that the last one ended, until the goal is reached.
 *
 *     npm run test:long                              to 100,000 seeds in all
 *     npm run test:long -- --goal 5000000            further
 *     npm run test:long -- --minutes 30              or until time is up
 *
 * `ledger.jsonl` has one line per finished block of seeds: commit, first seed, count, what was survived, what was found.
 * A block that was interrupted has no line and is run again. Ends with the planted mistakes, from a seed of its own.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findBug, plantedBugs } from './bugs/find.ts'
import { commit, report, runShared } from './run.ts'

interface LedgerLine {
  readonly commit: string
  readonly from: number
  readonly count: number
  readonly lives: number
  readonly crashes: number
  readonly epochs: number
  /** Seeds that broke a promise. */
  readonly failed: readonly number[]
}

const ledgerFile = fileURLToPath(new URL('ledger.jsonl', import.meta.url))
/** Beyond the seeds of the test suite and of `.ci/run`. */
const firstSeed = 10_001
const blockSeeds = 1_000

function readLedger(): LedgerLine[] {
  if (!existsSync(ledgerFile)) return []
  const lines = readFileSync(ledgerFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as LedgerLine) // written below
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      goal: { type: 'string', default: '100000' },
      minutes: { type: 'string', default: 'Infinity' },
      processes: { type: 'string', default: String(availableParallelism()) },
      'no-bugs': { type: 'boolean', default: false },
    },
  })
  const ledger = readLedger()
  const deadline = performance.now() + Number(values.minutes) * 60_000
  let done = ledger.reduce((sum, { count }) => sum + count, 0)
  let from = Math.max(firstSeed, ...ledger.map((line) => line.from + line.count))
  let failed = 0
  while (done < Number(values.goal) && performance.now() < deadline) {
    const tally = await runShared({ from, count: blockSeeds }, Number(values.processes))
    for (const failure of tally.failures) console.log(report(failure))
    failed += tally.failures.length
    const { lives, crashes, epochs, failures, seeds } = tally
    const line: LedgerLine = {
      commit: commit(),
      from,
      count: seeds,
      lives,
      crashes,
      epochs,
      failed: failures.map(({ seed }) => seed),
    }
    appendFileSync(ledgerFile, `${JSON.stringify(line)}\n`)
    // After ten failures a block is over before its end; its other seeds are not in the sum.
    from += blockSeeds
    done += seeds
    console.log(`${done} of ${values.goal} seeds`)
  }
  if (!values['no-bugs']) {
    for (const bug of plantedBugs) {
      const found = await findBug(bug)
      console.log(
        found === undefined
          ? `NOT FOUND within ${bug.budget} seeds: ${bug.name}`
          : `found by ${found.oracle} at seed ${found.seed}: ${bug.name}`,
      )
      if (found === undefined) failed++
    }
  }
  const sum = readLedger()
  const total = (pick: (line: LedgerLine) => number): number =>
    sum.reduce((all, line) => all + pick(line), 0)
  console.log(
    `in all: ${total((l) => l.count)} seeds, ${total((l) => l.crashes)} crashes survived, ${total((l) => l.failed.length)} failures`,
  )
  console.log(`${total((l) => l.count)} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
