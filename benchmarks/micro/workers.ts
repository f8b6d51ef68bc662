/** Bar 14: q5 with two workers against one, from JSON lines and from the log; by CPU time unless the machine is quiet. */
import { quietOrNot, scale, type ScaleSettings, withInput } from '../nexmark/scale.ts'
import { type Bar, bar } from './bar.ts'

const limits = { jsonl: 1.7, log: 1.4 } as const
/**
 * A million events from a log are a fifth of a second of work, less than a thread spends on compiling and starting: what two of them
 * do twice. More than eight million do not fit the buffer in which the log is made.
 */
const eventsOf = { jsonl: 4_000_000, log: 8_000_000 } as const

export async function workersBars(settings: Partial<ScaleSettings> = {}): Promise<Bar[]> {
  const by = quietOrNot()
  const found: Bar[] = []
  for (const format of ['jsonl', 'log'] as const) {
    const all: ScaleSettings = {
      events: eventsOf[format],
      partitions: 4,
      repetitions: 3,
      checkpointIntervalMs: 1_000,
      by,
      ...settings,
    }
    await withInput(format, all, async (input) => {
      const { scaling } = await scale('q5', input, all)
      const name = `14 q5 from ${format}: 2 workers / 1, by ${all.by === 'wall' ? 'the clock' : 'the busiest thread'}`
      found.push(bar(name, scaling, '>=', limits[format]))
    })
  }
  return found
}
