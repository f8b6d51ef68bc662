/**
 * What a job costs once it runs. A new job compiles a new chain, while a loop written by hand has been compiled in the rounds
 * before: so the first fifth of the events counts for neither. What the start costs is P15.
 */
import { instant, Warmup } from '../nexmark/peer-input.ts'

const WARM_UP_SHARE = 0.2

/** The result of a round that says itself what it cost. */
export class Timed {
  readonly value: number
  readonly cpuMs: number

  constructor(value: number, cpuMs: number) {
    this.value = value
    this.cpuMs = cpuMs
  }
}

/** Runs a job that shows `warmup` its events; its CPU time is that after the warm-up, for all events. */
export async function steadily(
  events: number,
  run: (warmup: Warmup) => Promise<number>,
): Promise<Timed> {
  const warmup = new Warmup(events * WARM_UP_SHARE)
  const value = await run(warmup)
  const { userMs, sysMs } = instant(events)
  const { over, seen } = warmup
  if (over === undefined || seen !== events)
    throw new Error(`${seen} of ${events} events were read`)
  const share = (seen - over.events) / seen
  return new Timed(value, (userMs + sysMs - over.userMs - over.sysMs) / share)
}
