/**
 * `backpressure`: a source that could give far more than its sink takes (P14). Memory must stay where it was, no row may
 * be lost or come twice, and the rate must come back once the sink is quick again.
 */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { runChild } from '../child.ts'
import { parseOptions, positive } from '../nexmark/arguments.ts'
import { spreadOf } from '../nexmark/provenance.ts'
import type { BackpressureFigures } from './backpressure-run.ts'
import { atLeast, atMost, figure, Report, round } from './figure.ts'

export const backpressureUsage = `Usage: npm run bench -- backpressure [options]

  --source-rate N    rows per second that the source can give (default: 1000000)
  --sink-rate N      rows per second that the slow sink takes (default: 1000)
  --seconds S        of each part: warm-up, before, slow sink, after (default: 10)
  --checkpoint-ms N  (default: 1000)
  --repetitions N    (default: 3)

One JSON object per line: metric, name, measured, goal, holds.`

const MB = 1_000_000

export async function backpressureCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    'source-rate': { type: 'string', default: '1000000' },
    'sink-rate': { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
    'checkpoint-ms': { type: 'string', default: '1000' },
    repetitions: { type: 'string', default: '3' },
  })
  const settings = {
    sourcePerSec: positive('--source-rate', values['source-rate']),
    sinkPerSec: positive('--sink-rate', values['sink-rate']),
    partMs: positive('--seconds', values['seconds'], false) * 1000,
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
  }
  const repetitions = positive('--repetitions', values['repetitions'])
  const program = await bundle(fileURLToPath(new URL('./backpressure-run.ts', import.meta.url)))
  const report = new Report('backpressure', { ...settings, repetitions })
  const runs: BackpressureFigures[] = []
  try {
    for (let i = 0; i < repetitions; i++) {
      runs.push(await runChild<BackpressureFigures>(program, settings))
    }
  } finally {
    rmSync(program)
  }
  const spread = (of: (run: BackpressureFigures) => number) =>
    spreadOf(runs.map((one) => round(of(one))))
  const memory = spread(({ before, limited }) => (limited.rssMaxBytes - before.rssMaxBytes) / MB)
  const name = 'memory with a slow sink over memory before'
  report.add(figure('P14', name, memory.median, 'MB', atMost(100), { spread: memory }))
  const lost = spread(({ read, taken }) => Math.abs(read - taken)).max
  const disorder = runs.filter(({ inOrder }) => !inOrder).length
  const counted = { rows: runs.map(({ taken }) => taken) }
  report.add(figure('P14', 'rows lost or repeated', lost, 'rows', atMost(0), counted))
  report.add(figure('P14', 'runs with rows out of order', disorder, 'runs', atMost(0)))
  const back = spread(({ before, after }) => after.rowsPerSec / before.rowsPerSec)
  report.add(
    figure('P14', 'rate afterwards / rate before', back.median, 'x', atLeast(0.95), {
      spread: back,
    }),
  )
  const rates = spread(({ limited }) => limited.rowsPerSec)
  const before = spread((run) => run.before.rowsPerSec)
  const slow = { spread: rates, before }
  report.add(figure('P14', 'rate of the slow sink', rates.median, 'rows/s', undefined, slow))
  return report.failed ? 1 : 0
}
