import { runSeed } from '../../src/testing/simulate/run-seed.ts'
import { planSeed } from './plan-seed.ts'

const count = Number(process.argv[2] ?? 50)
const from = Number(process.argv[3] ?? 1)
const only = process.argv[4]
let steps = 0, lives = 0, epochs = 0, bad = 0
const t = process.cpuUsage()
const started = Date.now()
for (let seed = from; seed < from + count; seed++) {
  const result = await runSeed(planSeed(seed, only))
  steps += result.steps; lives += result.lives; epochs += result.epochs
  if (result.violation) {
    bad++
    if (bad <= 5) console.log(seed, result.job, result.violation.oracle, result.violation.title, result.violation.message.slice(0, 1500))
    if (count === 1) console.log(result.dump)
  }
}
const cpu = process.cpuUsage(t)
console.log({ steps, lives, epochs, bad, ms: Date.now() - started, cpuMs: (cpu.user + cpu.system) / 1000 })
