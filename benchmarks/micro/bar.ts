/** What bars have in common: how they are reported and how two ways to do one thing are timed. */
import { Timed } from './steady.ts'

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
  return (await raceRounds(contestants, rounds, warmups, before)).map(median)
}

/** The same, with the times of every round: what {@link ratio} compares. */
export async function raceRounds(
  contestants: readonly (() => unknown)[],
  rounds: number,
  warmups: number,
  before: () => unknown = () => {},
): Promise<readonly (readonly number[])[]> {
  const times = contestants.map((): number[] => [])
  for (let round = -warmups; round < rounds; round++) {
    for (const [index, run] of contestants.entries()) {
      await before()
      const start = process.cpuUsage()
      const result = await run()
      const { user, system } = process.cpuUsage(start)
      const cpuMs = result instanceof Timed ? result.cpuMs : (user + system) / 1000
      if (round >= 0) times[index]?.push(cpuMs)
    }
  }
  return times
}

/**
 * Median over the rounds of `a / b`. The two ran one after the other within a round, so caches and a clock that neighbours
 * slow down weigh on both; medians taken one by one may come from different minutes.
 */
export function ratio(a: readonly number[] = [], b: readonly number[] = []): number {
  return median(a.map((time, round) => time / (b[round] ?? Number.NaN)))
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
