/**
 * The observer in a process of its own, so that it neither shares memory with the job nor waits for the driver. The driver
 * says what to watch; the process looks all the time and says what it saw when it is asked to stop.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Observation, type Observer, OutputObserver } from './output-observer.ts'
import { TopicObserver } from './topic-observer.ts'

export type Watched =
  | { readonly kind: 'output'; readonly directory: string }
  | { readonly kind: 'topic'; readonly directory: string; readonly topic: string }

export interface Sighting extends Observation {
  /** Of a topic: all committed values, sorted. */
  readonly values: readonly string[]
}

const pauseMs = 4

/** Driver's side. */
export class ObserverProcess {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(fileURLToPath(import.meta.url), ['observe'], { execArgv: process.execArgv })
  }

  watch(watched: Watched): void {
    this.#child.send(watched)
  }

  /** Looks a last time and ends the present watch. */
  stop(): Promise<Sighting> {
    return new Promise((resolve, reject) => {
      const onExit = (exitCode: number | null): void =>
        reject(new Error(`the observer ended with ${exitCode}`))
      this.#child.once('exit', onExit)
      this.#child.once('message', (message) => {
        this.#child.off('exit', onExit)
        resolve(message as Sighting)
      })
      this.#child.send('stop')
    })
  }

  close(): void {
    this.#child.kill()
  }
}

function observe(): void {
  let observer: Observer | undefined
  let loop: Promise<void> = Promise.resolve()
  let stopping = false
  const keepLooking = async (current: Observer): Promise<void> => {
    while (!stopping) {
      await current.look()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    await current.look()
    if (current instanceof TopicObserver) await current.readAgain()
  }
  const onMessage = async (message: Watched | 'stop'): Promise<void> => {
    if (message !== 'stop') {
      stopping = false
      observer =
        message.kind === 'output'
          ? new OutputObserver(message.directory)
          : new TopicObserver(message.directory, message.topic)
      loop = keepLooking(observer)
      return
    }
    stopping = true
    await loop
    if (observer === undefined) throw new Error('nothing is watched')
    const values = observer instanceof TopicObserver ? observer.values() : []
    process.send?.({ ...observer.report(), values } satisfies Sighting)
    await observer.close()
  }
  process.on('message', (message: Watched | 'stop') => {
    onMessage(message).catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  })
  process.on('disconnect', () => process.exit(0))
}

if (process.argv[2] === 'observe') observe()
