/**
 * Which executor the `pipeline` of the package's entry point runs on. Kept apart from the entry point so that it is the
 * one place where plans, the runtime and the real machine meet.
 */
import type { Env } from './base/env.ts'
import { installNodeFileClients } from './connectors/file/client.ts'
import type { Job, JobExecutor, JobResult, StartOptions } from './graph/executor.ts'
import { currentHost } from './graph/host.ts'
import type { Plan } from './graph/plan.ts'
import { createNodeEnv } from './platform/node.ts'
import { keepProcess } from './platform/node-clock.ts'
import { describeJob } from './runtime/describe.ts'
import { inlineHost } from './runtime/inline-host.ts'
import { type JobOutcome, type RunningJob, startJob } from './runtime/job.ts'
import { recordsOf } from './runtime/record-counts.ts'

const intervalMsDefault = 1_000

/** Runs jobs inside the calling thread and process, which stays while one runs, with state in a directory. */
export function inlineExecutor(envOf: () => Env): JobExecutor {
  const begin = (
    plan: Plan,
    options: StartOptions,
  ): { job: RunningJob; settled: Promise<JobResult> } => {
    const env = envOf()
    const params = Object.fromEntries(currentHost()?.params ?? [])
    const stateDirectory = options.state ?? `.tidemill/${plan.job}`
    const job = startJob({
      env,
      job: plan.job,
      description: describeJob(plan, params),
      host: inlineHost(env, plan),
      mode: options.mode ?? 'stream',
      stateDirectory,
      intervalMs: options.checkpointInterval ?? intervalMsDefault,
      alignedMs: options.alignedCheckpointTimeout,
      acceptParameters: false,
      from: options.from,
      subtasks: options.workers ?? 1,
    })
    const release = keepProcess()
    const { signal } = options
    const onAbort = (): void => job.stop()
    if (signal?.aborted) job.stop()
    signal?.addEventListener('abort', onAbort)
    const settled = job.outcome
      .then((outcome) => {
        // A program that prints nothing the second time would be a riddle.
        if (outcome.status === 'already-finished')
          env.host.log(
            'warn',
            `${plan.job} has finished before; remove ${stateDirectory} and the output to run it again`,
          )
        return resultOf(plan.job, outcome)
      })
      .finally(() => {
        release()
        signal?.removeEventListener('abort', onAbort)
      })
    return { job, settled }
  }
  return {
    run: (plan, options) => begin(plan, options).settled,
    start: async (plan, options) => {
      const { job, settled } = begin(plan, options)
      // Whoever never looks at `finished` must not be killed by its rejection.
      settled.catch(() => {})
      const stop = async (): Promise<JobResult> => {
        job.stop()
        return settled
      }
      const handle: Job = {
        name: plan.job,
        finished: settled,
        stop,
        savepoint: async (folder) => {
          await job.savepoint(folder)
        },
        [Symbol.asyncDispose]: async () => {
          await stop()
        },
      }
      return handle
    },
  }
}

function resultOf(job: string, outcome: JobOutcome): JobResult {
  return {
    job,
    status: outcome.status === 'stopped' ? 'stopped' : 'finished',
    epoch: outcome.epoch,
    records: recordsOf(outcome.ledger),
    durationMs: outcome.durationMs,
  }
}

let env: Env | undefined

/** The executor of this process. */
export const defaultExecutor: JobExecutor = inlineExecutor(() => {
  if (env === undefined) {
    installNodeFileClients()
    env = createNodeEnv({ logLevel: 'warn' })
  }
  return env
})
