/** Bar 14: q5 with two workers against one, from JSON lines and from the log; by CPU time unless the machine is quiet. */
import { quietOrNot, scale, type ScaleSettings, withInput } from '../nexmark/scale.ts'
import { type Bar, bar } from './bar.ts'

const limits = { jsonl: 1.7, log: 1.4 } as const
/** What each thread compiles takes as long as four million events from a log. */
const EVENTS = 8_000_000

export async function workersBars(settings: Partial<ScaleSettings> = {}): Promise<Bar[]> {
  const by = quietOrNot()
  const found: Bar[] = []
  for (const format of ['jsonl', 'log'] as const) {
    const all: ScaleSettings = {
      events: EVENTS,
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
