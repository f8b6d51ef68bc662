/**
 * The kill test: real processes, ended by SIGKILL at seeded moments - while they start, load, recover, work, commit -
 * and started again on what they left, with another number of workers, until each job is through. In some lives a worker
 * thread ends on its own as well: by `process.exit`, an exception nobody catches, or exhausted memory.
 *
 *     npm run test:kill -- --kills 100 --seed 7
 *
 * One line per run; the last line is `N passed, N failed`. A failed run keeps its folder and names its seed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killedRun, type Undisturbed, undisturbedRun } from './kill-run.ts'
import { ObserverProcess } from './observer-process.ts'
import { type Scenario, scenarios } from './scenarios.ts'

const sizes = { hotItemsCopies: 100, cellQualityCopies: 80, orders: 60_000 }

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    'kills-per-run': { type: 'string', default: '6' },
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})

async function main(): Promise<number> {
  const killsWanted = whole('kills')
  const seed = whole('seed')
  const killsPerRun = whole('kills-per-run')
  const chosen = scenarios(sizes).filter(({ name, mode }) => {
    return values.only === undefined || values.only === name || values.only === `${name}/${mode}`
  })
  if (chosen.length === 0) throw new Error(`there is no scenario "${values.only}"`)
  const root = mkdtempSync(join(tmpdir(), 'tidemill-kill-'))
  const observer = new ObserverProcess()
  let failed = 0
  let kills = 0
  let threadEnds = 0
  let runs = 0
  const startedMs = performance.now()
  try {
    const known = new Map<Scenario, Undisturbed>()
    for (const scenario of chosen) {
      await scenario.prepare(join(root, 'input'))
      const undisturbed = await undisturbedRun(
        scenario,
        join(root, `undisturbed-${known.size}`),
        observer,
      )
      known.set(scenario, undisturbed)
      const lines = Object.values(undisturbed.committed).reduce((sum, sink) => sum + sink.length, 0)
      console.log(
        `undisturbed  ${label(scenario)}  ${lines} lines, ${seconds(undisturbed.wallMs)}, start ${seconds(undisturbed.startMs)}`,
      )
    }
    while (kills < killsWanted) {
      const scenario = chosen[runs % chosen.length] as Scenario
      const undisturbed = known.get(scenario) as Undisturbed
      const runSeed = seed * 1_000 + runs
      const folder = join(root, `run-${runs}`)
      const run = await killedRun({
        scenario,
        folder,
        observer,
        undisturbed,
        killsMax: Math.min(killsPerRun, killsWanted - kills),
        random: seeded(runSeed),
      })
      // Moments are meant relative to the work, whatever else the machine does now.
      const { startMs } = run
      known.set(scenario, {
        ...undisturbed,
        startMs,
        wallMs: (undisturbed.wallMs * startMs) / undisturbed.startMs,
      })
      runs++
      kills += run.kills
      threadEnds += run.threadEnds
      const good = run.problems.length === 0
      console.log(
        `${good ? 'ok    ' : 'FAILED'}  run ${runs}  ${label(scenario)}  seed ${runSeed}  ${run.kills} kills, ` +
          `${run.threadEnds} threads, workers ${run.workers.join(' ')}, ${run.lines} lines, ${run.looks} looks, ${seconds(run.wallMs)}  (${kills}/${killsWanted} kills)`,
      )
      if (!good) {
        failed++
        for (const problem of run.problems.slice(0, 20)) console.log(`    ${problem}`)
        console.log(`    kept: ${folder}`)
      } else if (!values.keep) rmSync(folder, { recursive: true, force: true })
    }
  } finally {
    observer.close()
    if (failed === 0 && !values.keep) rmSync(root, { recursive: true, force: true })
  }
  console.log(
    `${kills} kills and ${threadEnds} ends of threads in ${seconds(performance.now() - startedMs)}, seed ${seed}`,
  )
  console.log(`${runs - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

function label({ name, mode }: Scenario): string {
  return `${name} ${mode}`.padEnd(19)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function whole(name: 'kills' | 'seed' | 'kills-per-run'): number {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} is a whole number above 0`)
  return value
}

function seeded(seed: number): () => number {
  let state = Math.imul(seed, 2_654_435_761) >>> 0
  return () => {
    // All bits are good, also of neighbouring seeds.
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

process.exitCode = await main()
