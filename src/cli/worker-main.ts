/**
 * The entry of a worker thread: loads the job module, captures its plan, and runs one subtask when told to.
 *
 * User code runs here and nowhere else, so that nothing it does can block coordination on the main thread.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { TidemillError } from '../base/errors.ts'
import { createBufferPool } from '../checkpoint/buffer-pool.ts'
import { directoryStorage } from '../checkpoint/directory-storage.ts'
import type { SubtaskMessage } from '../checkpoint/messages.ts'
import { checkpointDirectory } from '../checkpoint/state-directory.ts'
import { installNodeFileClients } from '../connectors/file/client.ts'
import { loseStandardInput } from '../connectors/file/stdin/client.ts'
import { openMesh } from '../exchange/mesh.ts'
import type { RunOptions } from '../graph/executor.ts'
import { installHost } from '../graph/host.ts'
import { deadLetters } from '../connectors/dead-letters.ts'
import type { Plan } from '../graph/plan.ts'
import { createNodeEnv } from '../platform/node.ts'
import { alignmentGroups } from '../runtime/alignment.ts'
import { describeJob } from '../runtime/describe.ts'
import { Slice } from '../runtime/slice.ts'
import { stagesOf } from '../runtime/stages.ts'
import { cliErrors } from './errors.ts'
import { explainJob } from './explain-job.ts'
import { sendError } from './sent-error.ts'
import { tellSteps } from './whereabouts.ts'
import type { FromWorker, StartMessage, ToWorker, WorkerInput } from './worker-messages.ts'

const progressMs = 200

function main(): void {
  installNodeFileClients()
  const port = parentPort
  if (port === null) throw new Error('this module runs in a worker thread')
  const say = (message: FromWorker): void => port.postMessage(message)
  const input = workerData as WorkerInput
  const env = createNodeEnv()
  // The job will ask for it. Loaded without source maps: the line that built a step is read off a stack, and Node would
  // decode the map of the whole engine for that.
  const engine = import('../index.ts')
  let plan: Plan | undefined
  let slice: Slice | undefined
  let stopped = false
  const early: SubtaskMessage[] = []
  const load = async (jobUrl: string): Promise<void> => {
    await engine
    process.setSourceMapsEnabled(true)
    const captured = await loadJob(input, jobUrl)
    plan = captured.plan
    const { mode, state, checkpointInterval, alignedCheckpointTimeout, workers } = captured.options
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
          ...(alignedCheckpointTimeout === undefined ? {} : { alignedCheckpointTimeout }),
          ...(workers === undefined ? {} : { workers }),
        },
        exchanges: stagesOf(plan, 2).exchanges.length,
        groups: alignmentGroups(plan).length,
      },
    })
    if (stopped) port.close()
  }
  const start = async ({ spec, mesh, cell, again }: StartMessage): Promise<void> => {
    if (plan === undefined) throw new Error('a subtask starts after its job was loaded')
    if (again) loseStandardInput()
    const storage = await directoryStorage(env, checkpointDirectory(spec.stateDirectory))
    slice = new Slice({
      env,
      plan,
      ...spec,
      storage,
      pool: createBufferPool(),
      deadLetters: deadLetters(),
      links: mesh && openMesh(mesh, spec.subtask),
      cell: new Int32Array(cell),
      report: (report) => say({ kind: 'report', report }),
      failed: (error) => say({ kind: 'failed', error: sendError(error) }),
    })
    tellSteps(plan, (operator) => slice?.stepOf(operator))
    const progress = setInterval(
      () => slice && say({ kind: 'progress', progress: slice.progress() }),
      progressMs,
    )
    progress.unref()
    for (const message of early) slice.send(message)
    if (stopped) slice.stop()
    await slice.run()
    clearInterval(progress)
    say({ kind: 'progress', progress: slice.progress() })
    say({ kind: 'stopped' })
    port.close()
  }
  const fail = (error: unknown): void => say({ kind: 'failed', error: sendError(error) })
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'load':
        load(message.jobUrl).catch(fail)
        break
      case 'start':
        start(message).catch(fail)
        break
      case 'stop':
        stopped = true
        if (slice) slice.stop()
        else if (plan) port.close()
        break
      case 'message':
        if (slice) slice.send(message.message)
        else early.push(message.message)
    }
  })
}

interface Captured {
  readonly plan: Plan
  readonly options: RunOptions
}

/** Imports the module and waits for the first `run` or `start`, which never settles in a worker. */
async function loadJob(input: WorkerInput, jobUrl: string): Promise<Captured> {
  let captured: ((value: Captured) => void) | undefined
  const plan = new Promise<Captured>((resolve) => {
    captured = resolve
  })
  installHost({
    params: new Map(input.params),
    capture: (plan, options) => captured?.({ plan, options }),
  })
  const imported = import(jobUrl).then(
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

main()
