/**
 * Subtasks in worker threads. A thread that ends on its own - a throw that nobody caught, `process.exit`, memory
 * exhausted, `terminate` - is a failed subtask: the job goes on from its last epoch in a new thread.
 */
import { Worker } from 'node:worker_threads'
import { TidemillError } from '../base/errors.ts'
import { emptyLedger } from '../checkpoint/ledger.ts'
import type { SubtaskMessage } from '../checkpoint/messages.ts'
import { createMeshMemory, type MeshMemory } from '../exchange/mesh.ts'
import type { RecordCounts } from '../graph/executor.ts'
import { runtimeErrors } from '../runtime/errors.ts'
import type { SubtaskCallbacks, SubtaskHandle, SubtaskHost, SubtaskSpec } from '../runtime/job.ts'
import { recordsOf } from '../runtime/record-counts.ts'
import type { SliceProgress } from '../runtime/progress.ts'
import { cliErrors } from './errors.ts'
import { receiveError } from './sent-error.ts'
import { whereabouts } from './whereabouts.ts'
import type {
  FromWorker,
  LoadedJob,
  StartMessage,
  ToWorker,
  WorkerInput,
} from './worker-messages.ts'

/**
 * How long a thread may take to stop before it is terminated; one that says nothing meanwhile hangs and gets less.
 * Terminating is safe at any moment: the next life recovers as after a kill of the process.
 */
const stopMsMax = 10_000
const silentMsMax = 1_500
const lookMs = 100
/** Whoever asks for a status waits that long to read a stack. */
const whereMs = 600
/** Loading a module takes a fraction of that. */
const loadMs = 3_000

/** A thread that has loaded the job module. */
class JobThread {
  readonly loaded: Promise<LoadedJob>
  readonly ended: Promise<void>
  onMessage: (message: FromWorker) => void = () => {}
  /** When it last said something. */
  heardMs: number = performance.now()
  #onEnd: ((error: Error) => void) | undefined
  #end: Error | undefined
  readonly #worker: Worker

  constructor(input: WorkerInput, jobUrl: Promise<string>) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.#worker = new Worker(new URL(`./worker-main.${extension}`, import.meta.url), {
      workerData: input,
    })
    let failure: Error | undefined
    this.loaded = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromWorker) => {
        this.heardMs = performance.now()
        if (message.kind === 'loaded') resolve(message.job)
        else {
          if (message.kind === 'failed') reject(receiveError(message.error))
          this.onMessage(message)
        }
      })
      this.#worker.on('error', (error: unknown) => {
        failure = error instanceof Error ? error : new Error(`thrown value: ${String(error)}`)
      })
      this.#worker.on('exit', (exitCode) => {
        const ended = new TidemillError(runtimeErrors.worker, {
          message: failure?.message ?? `exit code ${exitCode}`,
          details: { exitCode },
          ...(failure === undefined ? {} : { cause: failure }),
        })
        this.#end = ended
        reject(ended)
        this.#onEnd?.(ended)
      })
    })
    jobUrl.then(
      (url) => this.send({ kind: 'load', jobUrl: url }),
      () => {}, // `ThreadHost.load` has it too and rejects
    )
    // A thread may end after it has loaded; then nobody waits for `loaded` any more.
    this.loaded.catch(() => {})
    this.ended = new Promise((resolve) => this.#worker.on('exit', () => resolve()))
  }

  /** Calls back when the thread ends, also when that was before. */
  onEnd(callback: (error: Error) => void): void {
    this.#onEnd = callback
    if (this.#end !== undefined) callback(this.#end)
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  async where(waitMs: number): Promise<string | undefined> {
    return await whereabouts(this.#worker.threadId, waitMs)
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }
}

export class ThreadHost implements SubtaskHost {
  readonly #input: WorkerInput
  readonly #jobUrl: Promise<string>
  #spare: JobThread | undefined
  #fingerprint: string | undefined
  #meshes = { exchanges: 0, groups: 0 }
  /** The generation of the first life in this process. */
  #firstGeneration: number | undefined
  #mesh: { readonly generation: number; readonly memory: MeshMemory } | undefined

  /** Threads start, and load the engine, while `jobUrl` is pending. */
  constructor(input: WorkerInput, jobUrl: Promise<string>) {
    this.#input = input
    this.#jobUrl = jobUrl
  }

  /**
   * Loads the module in a first thread, which later runs the first subtask. `hangs` is told where code of the module runs
   * that does not come back; to wait for something is nothing to tell.
   */
  async load(hangs: (where: string) => void): Promise<LoadedJob> {
    const thread = new JobThread(this.#input, this.#jobUrl)
    this.#spare = thread
    await this.#jobUrl
    const look = setInterval(async () => {
      const where = await thread.where(loadMs)
      if (where === undefined) return
      clearInterval(look)
      hangs(where)
    }, loadMs)
    const job = await thread.loaded.finally(() => clearInterval(look))
    this.#fingerprint = job.description.plan.fingerprint
    this.#meshes = { exchanges: job.exchanges, groups: job.groups }
    return job
  }

  start(spec: SubtaskSpec, callbacks: SubtaskCallbacks): SubtaskHandle {
    const thread = this.#spare ?? new JobThread(this.#input, this.#jobUrl)
    this.#spare = undefined
    this.#firstGeneration ??= spec.generation
    const again = spec.generation !== this.#firstGeneration
    const life = { spec, mesh: this.#meshOf(spec), again }
    return new ThreadSubtask(thread, life, callbacks, this.#fingerprint)
  }

  /** Every life has memory of its own: nothing of an earlier one may reach it. */
  #meshOf({ generation, subtasks }: SubtaskSpec): MeshMemory | undefined {
    if (subtasks === 1) return undefined
    if (this.#mesh?.generation !== generation) {
      const memory = createMeshMemory({ ...this.#meshes, subtasks })
      this.#mesh = { generation, memory }
    }
    return this.#mesh.memory
  }

  /** Ends a thread that was loaded and never used. */
  async close(): Promise<void> {
    await this.#spare?.terminate()
    this.#spare = undefined
  }
}

class ThreadSubtask implements SubtaskHandle {
  readonly #thread: JobThread
  #progress: SliceProgress | undefined
  /** What earlier lives of the job did, added by the first subtask; each counts its own. */
  readonly #before: RecordCounts
  #stopping = false
  readonly #cell: Int32Array = new Int32Array(new SharedArrayBuffer(4)).fill(-1)

  constructor(
    thread: JobThread,
    life: Pick<StartMessage, 'spec' | 'mesh' | 'again'>,
    callbacks: SubtaskCallbacks,
    fingerprint: string | undefined,
  ) {
    this.#thread = thread
    const { spec } = life
    this.#before = recordsOf((spec.subtask === 0 && spec.manifest?.ledger.total) || emptyLedger)
    thread.onMessage = (message) => {
      if (message.kind === 'report') callbacks.report(message.report)
      else if (message.kind === 'progress') this.#progress = message.progress
      else if (message.kind === 'failed') callbacks.failed(receiveError(message.error))
    }
    thread.onEnd((error) => {
      if (!this.#stopping) callbacks.failed(error)
    })
    thread.loaded.then(
      (job) => {
        if (fingerprint !== undefined && job.description.plan.fingerprint !== fingerprint) {
          callbacks.failed(new TidemillError(cliErrors.planDiffers))
        } else thread.send({ kind: 'start', ...life, cell: this.#cell.buffer as SharedArrayBuffer })
      },
      (error: unknown) => callbacks.failed(error),
    )
  }

  send(message: SubtaskMessage): void {
    this.#thread.send({ kind: 'message', message })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#thread.send({ kind: 'stop' })
    const askedMs = performance.now()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setInterval(() => {
        const waited = performance.now() - askedMs >= stopMsMax
        if (waited || this.silentMs() >= silentMsMax) resolve()
      }, lookMs)
    })
    await Promise.race([this.#thread.ended, late])
    clearInterval(timer)
    await this.#thread.terminate()
  }

  silentMs(): number {
    return performance.now() - this.#thread.heardMs
  }

  where(): Promise<string | undefined> {
    return this.#thread.where(whereMs)
  }

  stage(): number | undefined {
    const stage = Atomics.load(this.#cell, 0)
    return stage < 0 ? undefined : stage
  }

  progress(): SliceProgress | undefined {
    const own = this.#progress
    if (own === undefined) return undefined
    const { read, written, late, rejected } = this.#before
    return {
      ...own,
      recordsRead: own.recordsRead + read,
      recordsWritten: own.recordsWritten + written,
      recordsLate: own.recordsLate + late,
      recordsRejected: own.recordsRejected + rejected,
    }
  }
}
