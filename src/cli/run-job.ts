/**
 * Runs a job module in this process: main thread for coordination, a worker thread for user code. Signals end it as
 * operators expect: the first one with a final checkpoint, the second at once.
 */
import type { Env } from '../base/env.ts'
import type { SnapshotId } from '../checkpoint/names.ts'
import { TidemillError } from '../base/errors.ts'
import { type RunningJob, startJob } from '../runtime/job.ts'
import { bundleJob } from './bundle-job.ts'
import { cliErrors } from './errors.ts'
import { ThreadHost } from './thread-host.ts'
import type { LoadedJob } from './worker-messages.ts'

export interface RunJobOptions {
  readonly env: Env
  readonly jobFile: string
  readonly params: ReadonlyMap<string, string>
  /** Command line over module over default. */
  readonly mode: 'stream' | 'batch' | undefined
  readonly stateDirectory: string | undefined
  readonly intervalMs: number | undefined
  readonly acceptParameters: boolean
  readonly workers: number | undefined
  readonly restore?: SnapshotId | undefined
  readonly from?: string | undefined
}

export interface StartedJob extends RunningJob {
  readonly loaded: LoadedJob
  readonly stateDirectory: string
}

const intervalMsDefault = 1_000

/** Loads the module and starts its job. The outcome settles when no thread of it runs any more. */
export async function runJobFile(options: RunJobOptions): Promise<StartedJob> {
  const { env, params } = options
  const jobUrl = bundleJob(options.jobFile).then(({ url }) => url)
  const host = new ThreadHost({ params: [...params] }, jobUrl)
  let loaded: LoadedJob
  try {
    loaded = await host.load((where) =>
      env.host.log('warn', `the job module has not come back for a while from ${where}`),
    )
  } catch (error) {
    await host.close()
    throw asLoadError(error, options.jobFile)
  }
  const stateDirectory = options.stateDirectory ?? loaded.options.state ?? `.tidemill/${loaded.job}`
  const running = startJob({
    env,
    job: loaded.job,
    description: loaded.description,
    host,
    mode: options.mode ?? loaded.options.mode ?? 'stream',
    stateDirectory,
    intervalMs: options.intervalMs ?? loaded.options.checkpointInterval ?? intervalMsDefault,
    alignedMs: loaded.options.alignedCheckpointTimeout,
    acceptParameters: options.acceptParameters,
    restore: options.restore,
    from: options.from,
    subtasks: options.workers ?? loaded.options.workers ?? 1,
  })
  const outcome = running.outcome.finally(() => host.close())
  return { ...running, outcome, loaded, stateDirectory }
}

/** Stops the job at SIGTERM or SIGINT; the second signal ends the process at once with 128 + its number. */
export function stopOnSignals(
  env: Env,
  job: Pick<RunningJob, 'stop' | 'outcome'>,
): { readonly exitCode: number; release(): void } {
  let signalled: number | undefined
  const onSignal = (exitCode: number): void => {
    if (signalled !== undefined) {
      env.host.exit(exitCode)
      return
    }
    signalled = exitCode
    env.host.log('warn', 'stopping with a final checkpoint; a second signal stops at once')
    job.stop()
  }
  const remove = [
    env.host.onSignal('SIGTERM', () => onSignal(143)),
    env.host.onSignal('SIGINT', () => onSignal(130)),
  ]
  return {
    /** For a job that the first signal ended without a final checkpoint. */
    get exitCode() {
      return signalled ?? 1
    },
    release() {
      for (const undo of remove) undo()
    },
  }
}

/** 128 and the number of SIGPIPE, as a shell counts a program that wrote to nobody. */
const closedPipe = 141

/**
 * Ends the process at once when nobody reads its standard output any more, as after `| head -1`. A worker thread is never
 * told: what it prints goes through this thread, and the job would run on for nobody. What was not read is not
 * committed, so no final checkpoint is taken; the next start prints it again.
 */
export function endWithItsReader(env: Env, tidyUp: () => void): () => void {
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') return
    tidyUp()
    env.host.exit(closedPipe)
  }
  process.stdout.on('error', onError)
  return () => void process.stdout.off('error', onError)
}

/** What went wrong while the module was loaded, with its name. */
export function asLoadError(error: unknown, file: string): unknown {
  if (error instanceof TidemillError) return error.with({ file })
  const message = error instanceof Error ? error.message : String(error)
  return new TidemillError(cliErrors.jobModuleThrew, { message, details: { file }, cause: error })
}
