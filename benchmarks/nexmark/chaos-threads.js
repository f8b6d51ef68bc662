/**
 * Loaded into each process of `nexmark chaos` before the program itself: on request of the parent it ends one of the
 * worker threads, which it knows because it stands in for `Worker`. The engine is the one that users have.
 *
 * - `terminate`: from outside, at whatever instruction the thread is;
 * - `exit` and `memory`: the thread is told and does it itself, inside a user function (`chaos.job.ts`).
 */
import threads from 'node:worker_threads'
import { syncBuiltinESMExports } from 'node:module'

/** Enough for a query; a thread that keeps everything has used it up in a moment. */
const heapMbMax = 256

if (threads.isMainThread && process.send !== undefined) {
  /** @type {import('node:worker_threads').Worker[]} */
  const workers = []
  const ends = new threads.BroadcastChannel('chaos-ends')
  ends.unref()

  threads.Worker = class extends threads.Worker {
    /**
     * @param {string | URL} file
     * @param {import('node:worker_threads').WorkerOptions} [options]
     */
    constructor(file, options) {
      super(file, { ...options, resourceLimits: { maxOldGenerationSizeMb: heapMbMax } })
      workers.push(this)
      this.on('exit', () => workers.splice(workers.indexOf(this), 1))
    }
  }
  syncBuiltinESMExports()

  process.on('message', (/** @type {{ what: string, which: number }} */ { what, which }) => {
    const worker = workers[Math.floor(which * workers.length)]
    if (what !== 'terminate') ends.postMessage({ what, thread: worker?.threadId })
    else void worker?.terminate()
  })
  process.channel?.unref()
}
