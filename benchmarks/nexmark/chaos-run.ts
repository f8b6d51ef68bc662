/** One run of `nexmark chaos`: the processes of one job, and how each of them or one of its threads is ended. */
import { spawn } from 'node:child_process'
import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type EngineQuery, groupOf } from './queries.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const JOB = fileURLToPath(new URL('./chaos.job.ts', import.meta.url))
const THREADS = pathToFileURL(fileURLToPath(new URL('./chaos-threads.js', import.meta.url))).href
const CHECKPOINT_INTERVAL = '25ms'
/** A job that nobody ends rests for so many milliseconds in all; the work comes on top. */
const RESTS = 1_500
const EVENTS = 100_000
/** A process that takes longer hangs. */
const LIFE_MS_MAX = 120_000

/** Of the whole process, and of one of its worker threads while the process goes on. */
export const endKinds = ['SIGKILL', 'terminate', 'exit', 'memory'] as const
export type EndKind = (typeof endKinds)[number]

/** What the engine says of a thread that ended this way. */
const saysOf: Readonly<Record<Exclude<EndKind, 'SIGKILL'>, RegExp>> = {
  terminate: /ended unexpectedly: exit code 1\b/,
  exit: /ended unexpectedly: exit code 3\b/,
  memory: /ended unexpectedly: .*out of memory/,
}

/** A life of the job, from a start of its threads to their end. */
export interface LifePlan {
  readonly workers: number
  /** None: the job may finish. */
  readonly end: EndKind | undefined
}

export interface RunPlan {
  readonly query: EngineQuery
  readonly input: readonly string[]
  readonly folder: string
  readonly lives: readonly LifePlan[]
  /** In [0, 1), seeded. */
  readonly random: () => number
}

export interface Happened {
  readonly kind: EndKind
  /** There was a checkpoint to go on from, and work left. */
  readonly midRun: boolean
}

export interface RunEnd {
  /** Of each life, in order. */
  readonly workers: readonly number[]
  readonly ends: readonly Happened[]
  readonly error: string | undefined
  readonly rows: readonly unknown[]
}

export async function chaosRun(plan: RunPlan): Promise<RunEnd> {
  const { query, input, folder } = plan
  const output = join(folder, 'output')
  const state = join(folder, 'state')
  const checkpoints = join(state, 'checkpoints')
  mkdirSync(checkpoints, { recursive: true })
  const params = { query, input: input.join(','), output }
  const ends: Happened[] = []
  for (;;) {
    const { workers } = plan.lives[ends.length]!
    const argv = ['run', JOB, '--state', state, '--workers', String(workers)]
    argv.push('--checkpoint-interval', CHECKPOINT_INTERVAL)
    for (const [name, value] of Object.entries(params)) argv.push('--param', `${name}=${value}`)
    const start = new Start(argv, checkpoints, plan, ends)
    const { exitCode, signal } = await start.ended
    if (signal === 'SIGKILL' && start.problem === undefined) continue
    const error =
      start.problem ??
      (exitCode === 0 ? undefined : `ended with ${exitCode ?? signal}: ${start.errors.trim()}`)
    return {
      workers: plan.lives.slice(0, ends.length + 1).map((life) => life.workers),
      ends,
      error,
      rows: resultRows(query, join(output, 'results')),
    }
  }
}

interface ProcessEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** One process. Its lives end at changes of the folder of checkpoints: between checkpoints and inside of them. */
class Start {
  readonly ended: Promise<ProcessEnd>
  errors: string = ''
  /** Something other than what was done to it. */
  problem: string | undefined
  readonly #child
  readonly #checkpoints: string
  readonly #plan: RunPlan
  readonly #ends: Happened[]
  readonly #known: Set<string>
  #manifests = 0
  #changes = 0
  #done = false
  #lookedAt = 0

  constructor(argv: readonly string[], checkpoints: string, plan: RunPlan, ends: Happened[]) {
    this.#checkpoints = checkpoints
    this.#plan = plan
    this.#ends = ends
    this.#known = new Set(readdirSync(checkpoints))
    const rowsOfSubtask = EVENTS / plan.lives[ends.length]!.workers
    this.#child = spawn(process.execPath, ['--import', THREADS, 'bin/tidemill.js', ...argv], {
      cwd: ROOT,
      env: { ...process.env, CHAOS_PACE: String(Math.max(1, Math.round(rowsOfSubtask / RESTS))) },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
      this.#look()
    })
    // A process that is gone cannot be told anything; its end is told by `close`.
    this.#child.on('error', () => {})
    this.#aim(0)
    const watcher: FSWatcher = watch(checkpoints, (_event, name) => this.#changed(name))
    const hang = setTimeout(() => {
      this.problem = `it hangs: ${this.errors}`
      this.#child.kill('SIGKILL')
    }, LIFE_MS_MAX)
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (exitCode, signal) => {
        watcher.close()
        clearTimeout(hang)
        const killed = signal === 'SIGKILL' && this.problem === undefined
        if (killed) ends.push({ kind: 'SIGKILL', midRun: this.#hasCheckpoint() })
        resolve({ exitCode, signal })
      })
    })
  }

  #aim(manifestsMin: number): void {
    const { random } = this.#plan
    this.#manifests = manifestsMin + Math.floor(random() * 6)
    this.#changes = 1 + Math.floor(random() * 8)
    this.#done = false
  }

  #changed(name: string | null): void {
    const end = this.#plan.lives[this.#ends.length]?.end
    if (end === undefined || this.#done) return
    if (this.#manifests <= 0 && --this.#changes === 0) {
      this.#done = true
      if (end === 'SIGKILL') this.#child.kill('SIGKILL')
      else if (this.#child.connected)
        this.#child.send({ what: end, which: this.#plan.random() }, () => {})
    }
    // Old ones are removed; that is a change too.
    if (name?.endsWith('.manifest') === true && !this.#known.has(name)) {
      this.#known.add(name)
      this.#manifests--
    }
  }

  /** The process says on standard error that a life has failed and the next one begins. */
  #look(): void {
    for (;;) {
      const lineEnd = this.errors.indexOf('\n', this.#lookedAt)
      if (lineEnd < 0) return
      const line = this.errors.slice(this.#lookedAt, lineEnd)
      this.#lookedAt = lineEnd + 1
      if (!line.includes('starts again')) continue
      const end = this.#plan.lives[this.#ends.length]?.end
      if (!this.#done || end === undefined || end === 'SIGKILL' || !saysOf[end].test(line)) {
        this.problem = `failed by itself: ${line}`
        this.#child.kill('SIGKILL')
        return
      }
      this.#ends.push({ kind: end, midRun: this.#hasCheckpoint() })
      // A job whose lives end three times without committed work between them gives up, as it should, and the first
      // epoch of a life may hold none.
      this.#aim(3)
    }
  }

  #hasCheckpoint(): boolean {
    return readdirSync(this.#checkpoints).some((name) => name.endsWith('.manifest'))
  }
}

/** What the sink shows; of rows that replace earlier ones the last of each group, which has seen most bids. */
function resultRows(query: EngineQuery, folder: string): readonly unknown[] {
  const rows = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1))
    .map((line): { readonly bids: number } => JSON.parse(line))
  const group = groupOf[query] as ((row: unknown) => string | number) | undefined
  if (group === undefined) return rows
  const last = new Map<string | number, { readonly bids: number }>()
  for (const row of rows) {
    const key = group(row)
    if (row.bids > (last.get(key)?.bids ?? 0)) last.set(key, row)
  }
  return [...last.values()]
}
