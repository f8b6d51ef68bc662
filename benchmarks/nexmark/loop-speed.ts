/**
 * Times the hand-written loops on decoded rows in memory (profile S1, sink `checksum`), one JSON
 * line per query.
 *
 *   npx tsx benchmarks/nexmark/loop-speed.ts [--set D3] [--runs 5] [q0 q5 ...]
 *
 * `first` includes warming up, `best` and `median` are of all runs. All queries share one process
 * here, so this is for orientation; quoted comparisons run each system in a process of its own.
 */
import { cpuUsage } from 'node:process'
import { parseArgs } from 'node:util'
import { Checksum } from './checksum.ts'
import { datasets } from './dataset.ts'
import { generateEvents } from './generator.ts'
import { type LoopName, loops, runLoop } from './loops.ts'

const { values, positionals } = parseArgs({
  options: { set: { type: 'string', default: 'D3' }, runs: { type: 'string', default: '5' } },
  allowPositionals: true,
})
const dataset = Object.values(datasets).find(({ name }) => name === values.set)
if (!dataset) throw new Error(`there is no data set ${values.set}; choose D1, D2, D3 or D4`)
const runs = Number(values.runs)
if (!(Number.isInteger(runs) && runs > 0))
  throw new Error(`--runs takes a positive integer, not ${values.runs}`)
const unknown = positionals.filter((name) => !Object.hasOwn(loops, name))
if (unknown.length > 0) throw new Error(`there is no loop for ${unknown.join(', ')}`)
// `as`: checked just above, or the keys of the table itself.
const names = (positionals.length > 0 ? positionals : Object.keys(loops)) as LoopName[]

const rows = generateEvents(dataset)
for (const query of names) {
  const cpuMs: number[] = []
  let sink = new Checksum()
  for (let run = 0; run < runs; run++) {
    sink = new Checksum()
    const before = cpuUsage()
    runLoop(query, rows, sink)
    const spent = cpuUsage(before)
    cpuMs.push((spent.user + spent.system) / 1000)
  }
  const first = cpuMs[0]!
  cpuMs.sort((a, b) => a - b)
  const perCpuSec = (ms: number): number => Math.round(rows.length / (ms / 1000))
  console.log(
    JSON.stringify({
      system: 'loop',
      query,
      profile: 'S1',
      sink: 'checksum',
      dataset: dataset.name,
      events: rows.length,
      outputRows: sink.rows,
      checksum: sink.value,
      cpuMsFirst: first,
      cpuMsBest: cpuMs[0]!,
      cpuMsMedian: cpuMs[cpuMs.length >> 1]!,
      eventsPerCpuSecBest: perCpuSec(cpuMs[0]!),
    }),
  )
}
