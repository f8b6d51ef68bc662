/**
 * Kills real processes at every named crash point that a job passes, at its first and second time there and a later one:
 *
 *     npm run test:kill-points
 *     npm run test:kill-points -- --hits 1 --only sink.
 *
 * One line per run; the last line is `N passed, N failed`.
 */
import { parseArgs } from 'node:util'
import { CrashPointRuns, pointsOfJobs } from './crash-points.ts'

const { values } = parseArgs({
  options: {
    hits: { type: 'string', default: '1,2,5' },
    only: { type: 'string', default: '' },
    orders: { type: 'string', default: '10000' },
  },
})

const runs = await CrashPointRuns.open(Number(values.orders))
let [passed, failed] = [0, 0]
try {
  for (const point of pointsOfJobs.filter((name) => name.startsWith(values.only))) {
    for (const hit of values.hits.split(',').map(Number)) {
      const { kills, problems, reached } = await runs.run(point, hit)
      const good = problems.length === 0 && (reached || hit > 1)
      const outcome = reached ? `${kills} kills` : 'no life passes it so often'
      console.log(`${good ? 'ok    ' : 'FAILED'}  ${point}, hit ${hit}: ${outcome}`)
      for (const problem of problems) console.log(`    ${problem}`)
      if (!good) failed++
      else if (reached) passed++
    }
  }
} finally {
  runs.close()
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
