/**
 * The long campaign: `npm run test:long` goes on where the ledger says that the last one ended, until the goal is reached.
 *
 *     npm run test:long                              to 100,000 seeds in all
 *     npm run test:long -- --goal 5000000            further
 *     npm run test:long -- --minutes 30              or until time is up
 *     npm run test:long -- --again                   first the blocks in which something was found, with the code of today
 *
 * `ledger.jsonl` has one line per finished block of seeds: commit, first seed, count, what was survived, what was found.
 * A later line of the same block replaces an earlier one. A block that was interrupted has no line and is run again. Ends with the planted mistakes, from a seed of its own.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findAllBugs } from './bugs/find.ts'
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

/** The last line of each block. */
function readLedger(): readonly LedgerLine[] {
  if (!existsSync(ledgerFile)) return []
  const byBlock = new Map<number, LedgerLine>()
  for (const text of readFileSync(ledgerFile, 'utf8').split('\n')) {
    if (text === '') continue
    const line = JSON.parse(text) as LedgerLine // written below
    byBlock.set(line.from, line)
  }
  return [...byBlock.values()]
}

/** The first seeds of the blocks to run: if asked for, those in which something was found; then new ones up to the goal. */
function* blocks(goal: number, again: boolean): Generator<number> {
  if (again)
    yield* readLedger()
      .filter((line) => line.failed.length > 0)
      .map((line) => line.from)
  for (;;) {
    const ledger = readLedger()
    if (ledger.reduce((sum, { count }) => sum + count, 0) >= goal) return
    yield Math.max(firstSeed, ...ledger.map((line) => line.from + blockSeeds))
  }
}

/** Runs one block and writes its line; the number of seeds that failed. */
async function runBlock(from: number, processes: number): Promise<number> {
  const tally = await runShared({ from, count: blockSeeds }, processes)
  for (const failure of tally.failures) console.log(report(failure))
  const { lives, crashes, epochs, failures, seeds } = tally
  const line: LedgerLine = {
    commit: commit(),
    from,
    // After ten failures a block is over before its end; its other seeds are not in the sum.
    count: seeds,
    lives,
    crashes,
    epochs,
    failed: failures.map(({ seed }) => seed),
  }
  appendFileSync(ledgerFile, `${JSON.stringify(line)}\n`)
  return failures.length
}

function sum(pick: (line: LedgerLine) => number): number {
  return readLedger().reduce((all, line) => all + pick(line), 0)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      goal: { type: 'string', default: '100000' },
      minutes: { type: 'string', default: 'Infinity' },
      processes: { type: 'string', default: String(availableParallelism()) },
      again: { type: 'boolean', default: false },
      'no-bugs': { type: 'boolean', default: false },
    },
  })
  const deadline = performance.now() + Number(values.minutes) * 60_000
  let failed = 0
  for (const from of blocks(Number(values.goal), values.again)) {
    if (performance.now() >= deadline) break
    failed += await runBlock(from, Number(values.processes))
    console.log(`block from ${from}: ${sum((l) => l.count)} of ${values.goal} seeds`)
  }
  if (!values['no-bugs']) failed += await findAllBugs(console.log)
  const violations = sum((l) => l.failed.length)
  console.log(
    `in all: ${sum((l) => l.count)} seeds, ${sum((l) => l.crashes)} crashes survived, ${violations} failures`,
  )
  console.log(`${sum((l) => l.count)} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
