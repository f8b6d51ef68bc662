/** The run of `backpressure`: a quick sink, a slow one, a quick one again. Prints one JSON object. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { milliseconds, pipeline } from 'tidemill'
import { probeSink } from './probe-sink.ts'
import { type Measurement, syntheticSource } from './synthetic.ts'

export interface BackpressureRequest {
  readonly sourcePerSec: number
  readonly sinkPerSec: number
  /** Of each of the three parts. */
  readonly partMs: number
  readonly checkpointIntervalMs: number
}

export interface BackpressureFigures {
  readonly before: Part
  readonly limited: Part
  readonly after: Part
  /** Rows that the source has given, by the engine's own count, and rows that the sink has taken. */
  readonly read: number
  readonly taken: number
  /** Rows were taken in order, each once. */
  readonly inOrder: boolean
}

export interface Part {
  readonly rowsPerSec: number
  readonly rssMaxBytes: number
}

const SAMPLE_MS = 20
/** The slow sink is full after so many rows and waits until they are due. */
const BURST_ROWS = 100

// `as`: written by `backpressure.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as BackpressureRequest
const folder = mkdtempSync(join(tmpdir(), 'tidemill-backpressure-'))
try {
  process.stdout.write(`${JSON.stringify(await run(request))}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(wanted: BackpressureRequest): Promise<BackpressureFigures> {
  const { sourcePerSec, sinkPerSec, partMs, checkpointIntervalMs } = wanted
  const stop = new AbortController()
  let [taken, inOrder, limited, sinceFull] = [0, true, false, 0]
  let beganMs = Number.NaN
  // The source can always give what it may give of this second, not all that it could not give before.
  let [windowMs, windowFrom, given] = [0, 0, 0]
  const app = pipeline('backpressure')
  const source = syntheticSource({
    keys: 1_000,
    phases: [{ draw: 'uniform', events: Number.MAX_SAFE_INTEGER / 2 }],
    stays: true,
    allowed: () => {
      const now = performance.now()
      if (Number.isNaN(beganMs)) beganMs = now
      if (now - windowMs > 100) {
        windowMs = now
        windowFrom = given
      }
      given = Math.max(given, taken)
      return windowFrom + (sourcePerSec / 1000) * (now - windowMs + 1)
    },
  })
  app
    .from('rows', source)
    .map((row): Measurement => ({ key: row.key, time: row.time, value: row.value }))
    .to(
      'slow',
      probeSink<Measurement>({
        row: ({ value }) => {
          inOrder &&= value === taken
          taken++
          sinceFull++
        },
        full: () => limited && sinceFull >= BURST_ROWS,
        flush: async () => {
          while (limited && sinceFull > 0) {
            await new Promise((resolve) => setTimeout(resolve, (BURST_ROWS / sinkPerSec) * 1000))
            sinceFull -= Math.min(sinceFull, BURST_ROWS)
          }
          sinceFull = 0
        },
      }),
    )
  const job = app.run({
    state: join(folder, 'state'),
    checkpointInterval: milliseconds(checkpointIntervalMs),
    signal: stop.signal,
  })
  const part = async (): Promise<Part> => {
    const from = { rows: taken, atMs: performance.now() }
    let rssMaxBytes = 0
    while (performance.now() - from.atMs < partMs) {
      rssMaxBytes = Math.max(rssMaxBytes, process.memoryUsage.rss())
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
    }
    const rowsPerSec = (taken - from.rows) / ((performance.now() - from.atMs) / 1000)
    return { rowsPerSec, rssMaxBytes }
  }
  await part() // warm-up
  const before = await part()
  sinceFull = 0
  limited = true
  const during = await part()
  limited = false
  const after = await part()
  stop.abort()
  const { records } = await job
  return { before, limited: during, after, read: records.read, taken, inOrder }
}
