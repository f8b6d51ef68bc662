/** What bars have in common: how they are reported and how two ways to do one thing are timed. */

export interface Bar {
  readonly bar: string
  /** Null when it could not be measured; the bar then neither holds nor fails. */
  readonly measured: number | null
  readonly required: string
  readonly holds: boolean | null
  readonly skipped?: string
}

export function skipped(name: string, required: string, reason: string): Bar {
  return { bar: name, measured: null, required, holds: null, skipped: reason }
}

export function bar(name: string, measured: number, comparison: '<=' | '>=', limit: number): Bar {
  const holds = comparison === '<=' ? measured <= limit : measured >= limit
  return {
    bar: name,
    measured: Math.round(measured * 100) / 100,
    required: `${comparison} ${limit}`,
    holds,
  }
}

/**
 * Median CPU time of each contestant in ms, taking turns, after rounds that do not count. CPU time of the whole process:
 * garbage collection and compilation count, neighbours on the machine do not.
 */
export async function race(
  contestants: readonly (() => unknown)[],
  rounds: number = 7,
  warmups: number = 3,
  /** Runs before each contestant and is not timed. */
  before: () => unknown = () => {},
): Promise<readonly number[]> {
  const times = contestants.map((): number[] => [])
  for (let round = -warmups; round < rounds; round++) {
    for (const [index, run] of contestants.entries()) {
      await before()
      const start = process.cpuUsage()
      await run()
      const { user, system } = process.cpuUsage(start)
      if (round >= 0) times[index]?.push((user + system) / 1000)
    }
  }
  return times.map((of) => of.sort((a, b) => a - b)[of.length >> 1] ?? Number.NaN)
}
