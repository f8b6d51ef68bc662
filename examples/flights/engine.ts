/**
 * The engine as the demo sees it: a process that fills the log and a process that reads it. The demo is their supervisor -
 * it starts them, watches what they say and what they commit, and may kill them at any moment.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface EngineOptions {
  readonly folder: string
  readonly rows: number
  readonly ratePerSec: number
}

/** What a job last said about itself. */
export interface JobReport {
  readonly recordsRead: number
  readonly recordsWritten: number
  readonly watermark?: string
  readonly epoch?: number
}

export interface RankedAirport {
  readonly windowEnd: number
  readonly rank: number
  readonly origin: string
  readonly flights: number
  readonly delayMean: number
  readonly delayedShare: number
}

/** One job in a process of its own. */
class JobProcess {
  readonly #child: ChildProcess
  /** How the process ended: an exit code, or `null` after a signal. */
  readonly ended: Promise<number | null>
  exitCode: number | null | undefined
  report: JobReport | undefined
  /** The object that the program prints at its end. */
  summary: Readonly<Record<string, unknown>> | undefined
  /** Everything on standard error that is no progress. */
  complaints = ''

  constructor(job: string, args: readonly string[]) {
    this.#child = spawn(
      process.execPath,
      ['bin/tidemill.js', 'run', job, '--json', '--progress', 'json', ...args],
      {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const { stdout, stderr } = this.#child
    if (stdout) eachLine(stdout, (line) => (this.summary = JSON.parse(line)))
    if (stderr) eachLine(stderr, (line) => this.#heard(line))
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (exitCode) => {
        this.exitCode = exitCode
        resolve(exitCode)
      })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  signal(name: 'SIGTERM' | 'SIGKILL'): void {
    if (this.exitCode === undefined) this.#child.kill(name)
  }

  #heard(line: string): void {
    if (line.startsWith('{"progress":')) this.report = JSON.parse(line).progress
    else if (line !== '') this.complaints += `${line}\n`
  }
}

export class Engine {
  readonly #options: EngineOptions
  #replay: JobProcess | undefined
  #ranking: JobProcess | undefined
  readonly #files = new Map<string, string>()

  constructor(options: EngineOptions) {
    this.#options = options
  }

  /** Starts what does not run yet: first the replay, and its reader as soon as there is a topic. */
  keepRunning(): void {
    const { folder, rows, ratePerSec } = this.#options
    const log = join(folder, 'log')
    const common = ['--checkpoint-interval', '500ms', '--param', `log=${log}`, '--state']
    this.#replay ??= new JobProcess('examples/flights/replay.job.ts', [
      '--param',
      `rows=${rows}`,
      '--param',
      `rate=${ratePerSec}`,
      ...common,
      join(folder, 'state', 'replay'),
    ])
    if (!existsSync(join(log, 'flights'))) return
    this.#ranking ??= new JobProcess('examples/flights/job.ts', [
      '--param',
      `output=${join(folder, 'output')}`,
      ...common,
      join(folder, 'state', 'ranking'),
    ])
  }

  /** Ends both processes as a power cut would, and resolves when they are gone. */
  async kill(): Promise<void> {
    const jobs = [this.#replay, this.#ranking]
    for (const job of jobs) job?.signal('SIGKILL')
    await Promise.all(jobs.map((job) => job?.ended))
    this.#replay = undefined
    this.#ranking = undefined
  }

  /** Asks the ranking for a final checkpoint, since a live stream has no end. */
  async stop(): Promise<void> {
    this.#ranking?.signal('SIGTERM')
    await this.#ranking?.ended
  }

  get pids(): readonly number[] {
    return [this.#replay?.pid, this.#ranking?.pid].filter((pid) => pid !== undefined)
  }

  get replay(): Pick<JobProcess, 'report' | 'summary' | 'exitCode'> | undefined {
    return this.#replay
  }

  get ranking(): Pick<JobProcess, 'report' | 'summary' | 'exitCode'> | undefined {
    return this.#ranking
  }

  /** Why a job ended although nobody asked it to. */
  failure(): string | undefined {
    for (const job of [this.#replay, this.#ranking]) {
      if (job?.exitCode !== undefined && job.exitCode !== 0)
        return job.complaints || `exit code ${job.exitCode}`
    }
    return undefined
  }

  /** Reads result files that appeared since the last call; resolves how many lines they added. */
  readResults(): number {
    const folder = join(this.#options.folder, 'output', 'worst-airports')
    if (!existsSync(folder)) return 0
    let added = 0
    for (const name of readdirSync(folder)) {
      if (!name.endsWith('.jsonl') || this.#files.has(name)) continue
      const text = readFileSync(join(folder, name), 'utf8')
      this.#files.set(name, text)
      added += text.split('\n').length - 1
    }
    return added
  }

  /** Files that are not any more what they were when they appeared: there must never be one. */
  changedResults(): readonly string[] {
    const folder = join(this.#options.folder, 'output', 'worst-airports')
    return [...this.#files].flatMap(([name, text]) => {
      const path = join(folder, name)
      return existsSync(path) && readFileSync(path, 'utf8') === text ? [] : [name]
    })
  }

  /** All committed lines so far. */
  lines(): readonly string[] {
    return [...this.#files.values()].flatMap((text) => text.split('\n').slice(0, -1))
  }

  /** The ranking of the latest window. */
  latest(): readonly RankedAirport[] {
    let latest: RankedAirport[] = []
    for (const line of this.lines().slice(-400)) {
      const airport: RankedAirport = JSON.parse(line)
      const end = latest[0]?.windowEnd ?? 0
      if (airport.windowEnd > end) latest = [airport]
      else if (airport.windowEnd === end) latest.push(airport)
    }
    return latest.sort((a, b) => a.rank - b.rank)
  }
}

function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
}
