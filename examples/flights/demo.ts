/**
 * The demo: real flights are replayed into the log, a second job ranks the airports that let them leave late, and both are
 * killed in the middle. In the end every committed line is compared with a plain loop over the same flights.
 *
 *     npm run demo                     on a terminal: live view, press k to kill the engine
 *     npm run demo | cat               tells the whole story by itself; exit code 0 when the proof holds
 *
 * Options: --rows COUNT, --rate ROWS_PER_SECOND.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pc from 'picocolors'
import { Engine } from './engine.ts'
import { flightsFile } from './flight.ts'
import { naiveWorstAirports } from './naive.ts'
import { lineScreen, type Screen, terminalScreen, thousands } from './screen.ts'

const isTerminal = process.stdout.isTTY === true && process.stdin.isTTY === true
const refreshMs = 100
/** The whole story without a terminal has a minute; a stuck engine must not hold up whoever waits for it. */
const timeoutMs = isTerminal ? Number.POSITIVE_INFINITY : 55_000
/** Without a terminal the engine is killed when this share of the flights has been read. */
const killAt = 0.4

const { values } = parseArgs({
  options: { rows: { type: 'string' }, rate: { type: 'string' } },
})

const rows = whole('rows', values.rows ?? (isTerminal ? '300000' : '100000'))
const ratePerSec = whole('rate', values.rate ?? (isTerminal ? '10000' : '12000'))

function whole(name: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0
  if (value === 0) {
    process.stderr.write(`--${name} is a whole number above 0\n`)
    process.exit(2)
  }
  return value
}

class Demo {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidemill-flights-'))
  readonly #startMs = performance.now()
  readonly #engine = new Engine({ folder: this.#folder, rows, ratePerSec })
  readonly #screen: Screen
  #kills = 0
  #killedMs: number | undefined
  #wanted: 'run' | 'kill' | 'quit' = 'run'
  #sawResults = false

  constructor() {
    const story = { engine: this.#engine, rows, elapsedMs: () => performance.now() - this.#startMs }
    this.#screen = isTerminal ? terminalScreen(story) : lineScreen(story)
  }

  /** Resolves to the exit code. */
  async run(): Promise<number> {
    const release = this.#listen()
    try {
      this.#screen.event(
        `replaying ${thousands(rows)} flights into the log, ${thousands(ratePerSec)} per second`,
      )
      const isComplete = await this.#play()
      this.#screen.close()
      // Whoever quits on a terminal has seen enough; elsewhere a story without its proof is a failure.
      if (!isComplete) return isTerminal ? 0 : 1
      return await this.#prove()
    } catch (error) {
      this.#screen.close()
      process.stderr.write(
        `${pc.red('the demo failed')}: ${error instanceof Error ? error.message : String(error)}\n`,
      )
      return 1
    } finally {
      release()
      await this.#engine.kill()
      rmSync(this.#folder, { recursive: true, force: true })
    }
  }

  /** Until every flight was read and its results are committed; false when the user quits. */
  async #play(): Promise<boolean> {
    for (;;) {
      this.#engine.keepRunning()
      await new Promise((resolve) => setTimeout(resolve, refreshMs))
      this.#look()
      if (this.#wanted === 'quit') return false
      if (this.#wanted === 'kill') await this.#kill()
      const failure = this.#engine.failure()
      if (failure !== undefined) throw new Error(failure)
      if (performance.now() - this.#startMs > timeoutMs)
        throw new Error(`it did not end within ${timeoutMs / 1000} s`)
      const read = this.#engine.ranking?.report?.recordsRead ?? 0
      if (!isTerminal && this.#kills === 0 && read >= killAt * rows && this.#sawResults)
        this.#wanted = 'kill'
      else if (this.#isRead() && this.#killedMs === undefined) break
    }
    await this.#engine.stop()
    const failure = this.#engine.failure()
    if (failure !== undefined) throw new Error(failure)
    this.#look()
    return true
  }

  #look(): void {
    const added = this.#engine.readResults()
    const worst = this.#engine.latest()[0]
    if (added > 0 && worst !== undefined && !this.#sawResults) {
      this.#sawResults = true
      this.#screen.event(
        `first results are committed: ${worst.origin} leads with ${worst.delayMean.toFixed(1)} minutes`,
      )
    }
    if (this.#killedMs !== undefined && (added > 0 || this.#isRead())) {
      const ms = performance.now() - this.#killedMs
      this.#killedMs = undefined
      const what = added > 0 ? 'new results' : 'everything is read'
      const read = thousands(this.#engine.ranking?.report?.recordsRead ?? 0)
      this.#screen.event(
        pc.green(
          `recovered: ${what} ${(ms / 1000).toFixed(1)} s after the kill, ${read} flights read`,
        ),
      )
    }
    this.#screen.refresh()
  }

  /** The log holds all flights, and the ranking has read them. */
  #isRead(): boolean {
    const { replay, ranking } = this.#engine
    return replay?.exitCode === 0 && (ranking?.report?.recordsRead ?? 0) >= rows
  }

  async #kill(): Promise<void> {
    this.#wanted = 'run'
    if (this.#killedMs !== undefined || this.#engine.pids.length === 0) return
    const read = thousands(this.#engine.ranking?.report?.recordsRead ?? 0)
    const pids = this.#engine.pids.join(' and ')
    this.#killedMs = performance.now()
    await this.#engine.kill()
    this.#kills++
    this.#engine.readResults()
    this.#screen.event(
      pc.red(`SIGKILL: processes ${pids} are gone after ${read} flights; starting them again`),
    )
  }

  /** Compares what was committed with an undisturbed computation. */
  async #prove(): Promise<number> {
    const { engine } = this
    const expected = await naiveWorstAirports(
      fileURLToPath(new URL(`../../${flightsFile}`, import.meta.url)),
      rows,
      'live',
    )
    const actual = [...engine.lines()].sort()
    const checks: readonly (readonly [what: string, expected: number, actual: number])[] = [
      ['flights written to the log', rows, count(engine.replay?.summary, 'recordsWritten')],
      ['flights read from the log', rows, count(engine.ranking?.summary, 'recordsRead')],
      ['result lines committed', expected.length, actual.length],
      ['lines that differ from a plain loop', 0, differing(expected, actual)],
      ['committed files that changed later', 0, engine.changedResults().length],
    ]
    const holds = checks.every(([, wanted, got]) => wanted === got)
    const lines = checks.map(([what, wanted, got]) => {
      const mark = wanted === got ? pc.green('holds') : pc.red('FAILS')
      return `  ${mark}  ${what.padEnd(36)} expected ${thousands(wanted).padStart(9)}   actual ${thousands(got).padStart(9)}`
    })
    const kills = this.#kills === 1 ? '1 SIGKILL' : `${this.#kills} SIGKILLs`
    process.stdout.write(`proof, after ${kills}:\n${lines.join('\n')}\n`)
    process.stdout.write(
      holds ? `${pc.green('nothing lost, nothing doubled')}\n` : `${pc.red('the proof fails')}\n`,
    )
    return holds ? 0 : 1
  }

  get engine(): Engine {
    return this.#engine
  }

  /** Keys and signals. */
  #listen(): () => void {
    const quit = (): void => {
      this.#wanted = 'quit'
    }
    const onKey = (key: Buffer): void => {
      const text = key.toString()
      if (text === 'k') this.#wanted = 'kill'
      if (text === 'q' || text === '\u0003') quit()
    }
    if (isTerminal) process.stdin.setRawMode(true).on('data', onKey)
    process.on('SIGINT', quit).on('SIGTERM', quit)
    return () => {
      if (isTerminal) process.stdin.setRawMode(false).off('data', onKey).pause()
      process.off('SIGINT', quit).off('SIGTERM', quit)
    }
  }
}

function count(summary: Readonly<Record<string, unknown>> | undefined, name: string): number {
  const value = summary?.[name]
  return typeof value === 'number' ? value : 0
}

/** Lines of one list that the other does not have as often, both ways; both are sorted. */
function differing(expected: readonly string[], actual: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const line of expected) counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const line of actual) counts.set(line, (counts.get(line) ?? 0) - 1)
  let differing = 0
  for (const left of counts.values()) differing += Math.abs(left)
  return differing
}

process.exitCode = await new Demo().run()
