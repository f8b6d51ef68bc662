/** The two ways in which the demo tells its story: a view that is redrawn on a terminal, and lines everywhere else. */
import pc from 'picocolors'
import type { Engine } from './engine.ts'

export interface Screen {
  /** Something happened. */
  event(text: string): void
  /** Called several times per second. */
  refresh(): void
  close(): void
}

/** What both of them show. */
export interface Story {
  readonly engine: Engine
  readonly rows: number
  readonly elapsedMs: () => number
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(5)} s`
}

export function thousands(count: number): string {
  return count.toLocaleString('en-US')
}

function statusOf({ engine, rows }: Story): string {
  const report = engine.ranking?.report
  const committed = `${thousands(engine.lines().length)} result lines committed`
  if (report === undefined) return `the engine is starting, ${committed}`
  const time =
    report.watermark === undefined ? '' : `, event time ${report.watermark.replace('T', ' ')}`
  return `${thousands(report.recordsRead)} of ${thousands(rows)} flights read, ${committed}${time}`
}

const linesEveryMs = 2_000

/** One line per event, and one every two seconds about how it goes. */
export function lineScreen(story: Story): Screen {
  let lastMs = 0
  const print = (text: string): void =>
    void process.stdout.write(`${seconds(story.elapsedMs())}  ${text}\n`)
  return {
    event: print,
    refresh() {
      if (story.elapsedMs() - lastMs < linesEveryMs) return
      lastMs = story.elapsedMs()
      const worst = story.engine.latest()[0]
      const now =
        worst === undefined
          ? ''
          : `; now worst ${worst.origin}, ${worst.delayMean.toFixed(1)} min late`
      print(`${statusOf(story)}${now}`)
    },
    close() {},
  }
}

const eventsShown = 6

/** The alternate screen of the terminal; what stood there before comes back at the end. */
export function terminalScreen(story: Story): Screen {
  const events: string[] = []
  process.stdout.write('\x1b[?1049h\x1b[?25l')
  const draw = (): void => {
    const lines = [
      pc.bold('tidemill: which airports let flights leave late?') +
        pc.dim('  real US flights of January 2001, replayed'),
      '',
      `${seconds(story.elapsedMs())}  ${statusOf(story)}`,
      '',
      ...tableLines(story),
      '',
      ...events.slice(-eventsShown),
      '',
      `${pc.bold('k')} kill the engine with SIGKILL   ${pc.bold('q')} quit`,
    ]
    process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`)
  }
  return {
    event(text) {
      events.push(`${pc.dim(seconds(story.elapsedMs()))}  ${text}`)
      draw()
    },
    refresh: draw,
    close: () => void process.stdout.write('\x1b[?25h\x1b[?1049l'),
  }
}

const barMax = 30

function tableLines({ engine }: Story): readonly string[] {
  const airports = engine.latest()
  const first = airports[0]
  if (first === undefined) return ['waiting for the first window to close …']
  const most = Math.max(1, first.delayMean)
  return [
    pc.dim(
      `six hours up to ${new Date(first.windowEnd).toISOString().slice(0, 16).replace('T', ' ')}    flights   mean delay   > 15 min`,
    ),
    ...airports.map(({ rank, origin, flights, delayMean, delayedShare }) => {
      const bar = '█'.repeat(Math.max(0, Math.round((barMax * delayMean) / most)))
      const numbers = `${String(flights).padStart(7)}   ${`${delayMean.toFixed(1)} min`.padStart(10)}   ${`${(100 * delayedShare).toFixed(0)} %`.padStart(8)}`
      return `  ${String(rank).padStart(2)}  ${pc.bold(origin)}  ${' '.repeat(20)}${numbers}  ${pc.yellow(bar)}`
    }),
  ]
}
