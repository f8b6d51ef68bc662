/**
 * The entry of a worker thread: loads the job module, captures its plan, and runs one subtask when told to.
 *
 * User code runs here and nowhere else, so that nothing it does can block coordination on the main thread.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { TidemillError } from '../base/errors.ts'
import { createBufferPool } from '../checkpoint/buffer-pool.ts'
import { directoryStorage } from '../checkpoint/directory-storage.ts'
import { checkpointDirectory } from '../checkpoint/state-directory.ts'
import { installNodeFileClients } from '../connectors/file/client.ts'
import type { RunOptions } from '../graph/executor.ts'
import { installHost } from '../graph/host.ts'
import { deadLetters } from '../connectors/dead-letters.ts'
import type { Plan } from '../graph/plan.ts'
import { createNodeEnv } from '../platform/node.ts'
import { describeJob } from '../runtime/describe.ts'
import type { SubtaskSpec } from '../runtime/job.ts'
import { Slice } from '../runtime/slice.ts'
import { cliErrors } from './errors.ts'
import { explainJob } from './explain-job.ts'
import { sendError } from './sent-error.ts'
import type { FromWorker, ToWorker, WorkerInput } from './worker-messages.ts'

const progressMs = 200

async function main(): Promise<void> {
  process.setSourceMapsEnabled(true)
  installNodeFileClients()
  const port = parentPort
  if (port === null) throw new Error('this module runs in a worker thread')
  const say = (message: FromWorker): void => port.postMessage(message)
  const input = workerData as WorkerInput
  const env = createNodeEnv()
  let slice: Slice | undefined
  let stopped = false
  const early: ToWorker[] = []
  try {
    const { plan, options } = await loadJob(input)
    const { mode, state, checkpointInterval } = options
    say({
      kind: 'loaded',
      job: {
        job: plan.job,
        description: describeJob(plan, Object.fromEntries(input.params)),
        ...(input.explain === true ? { explanation: explainJob(plan) } : {}),
        options: {
          ...(mode === undefined ? {} : { mode }),
          ...(state === undefined ? {} : { state }),
          ...(checkpointInterval === undefined ? {} : { checkpointInterval }),
        },
      },
    })
    const start = async (spec: SubtaskSpec): Promise<void> => {
      const storage = await directoryStorage(env, checkpointDirectory(spec.stateDirectory))
      slice = new Slice({
        env,
        plan,
        ...spec,
        storage,
        pool: createBufferPool(),
        deadLetters: deadLetters(),
        report: (report) => say({ kind: 'report', report }),
        failed: (error) => say({ kind: 'failed', error: sendError(error) }),
      })
      const progress = setInterval(
        () => slice && say({ kind: 'progress', progress: slice.progress() }),
        progressMs,
      )
      progress.unref()
      for (const message of early) if (message.kind === 'message') slice.send(message.message)
      if (stopped) slice.stop()
      await slice.run()
      clearInterval(progress)
      say({ kind: 'progress', progress: slice.progress() })
      say({ kind: 'stopped' })
      port.close()
    }
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'start') {
        start(message.spec).catch((error: unknown) =>
          say({ kind: 'failed', error: sendError(error) }),
        )
      } else if (message.kind === 'stop') {
        stopped = true
        if (slice) slice.stop()
        else port.close()
      } else if (slice) slice.send(message.message)
      else early.push(message)
    })
  } catch (error) {
    say({ kind: 'failed', error: sendError(error) })
  }
}

interface Captured {
  readonly plan: Plan
  readonly options: RunOptions
}

/** Imports the module and waits for the first `run` or `start`, which never settles in a worker. */
async function loadJob(input: WorkerInput): Promise<Captured> {
  let captured: ((value: Captured) => void) | undefined
  const plan = new Promise<Captured>((resolve) => {
    captured = resolve
  })
  installHost({
    params: new Map(input.params),
    capture: (plan, options) => captured?.({ plan, options }),
  })
  const imported = import(input.jobUrl).then(
    () => {
      // The capture happens during the import, so a module that is through without one has none.
      throw new TidemillError(cliErrors.noPlan)
    },
    (error: unknown) => {
      throw error
    },
  )
  return Promise.race([plan, imported])
}

await main()
