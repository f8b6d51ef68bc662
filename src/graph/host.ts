/**
 * The hook by which a program that loads a job module takes part in it. The command line and its worker threads put
 * a host on `globalThis` before they import the module; a job that runs by itself finds none.
 *
 * The symbol is registered globally so that the job's copy of this package and the runner's copy meet.
 */
import type { StartOptions } from './executor.ts'
import type { Plan } from './plan.ts'

export interface JobHost {
  /** Values of `--param name=value`. */
  readonly params: ReadonlyMap<string, string>
  /**
   * Takes the plan instead of running it; the promise of `run()` or `start()` then never settles, so the rest of the
   * module does not run. `undefined` when jobs run where they are.
   */
  readonly capture: ((plan: Plan, options: StartOptions) => void) | undefined
}

const hostKey: unique symbol = Symbol.for('tidemill.host') as never

interface Hosting {
  [hostKey]?: JobHost | undefined
}

/** The host of this thread, or `undefined`. */
export function currentHost(): JobHost | undefined {
  return (globalThis as Hosting)[hostKey]
}

/** Installs a host and returns a function that puts the former one back. */
export function installHost(host: JobHost): () => void {
  const hosting = globalThis as Hosting
  const former = hosting[hostKey]
  hosting[hostKey] = host
  return () => {
    hosting[hostKey] = former
  }
}
