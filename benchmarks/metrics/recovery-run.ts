/**
 * One life of the job that `recovery` kills: fills its state, then takes rows at a fixed rate of the wall clock, so a
 * later life finds what it has missed. Tells on standard output what has happened, as JSON lines.
 */
import { mkdirSync } from 'node:fs'
import { milliseconds, pipeline } from 'tidemill'
import { probeSink } from './probe-sink.ts'
import { syntheticSource } from './synthetic.ts'
import { NewFiles, type WideSums, wideSums } from './wide-state.ts'

export interface LifeRequest {
  readonly state: string
  readonly keys: number
  readonly ratePerSec: number
  readonly checkpointIntervalMs: number
  /** When the rate began to count, in epoch milliseconds; absent in the first life. */
  readonly startMs?: number
}

export type LifeEvent =
  | { readonly kind: 'filled'; readonly startMs: number }
  /** A checkpoint with all keys is committed. */
  | { readonly kind: 'committed'; readonly stateBytes: number }
  | { readonly kind: 'first'; readonly right: boolean }
  | { readonly kind: 'caught-up' }

/** How far behind its schedule a source may be and count as up to date. */
const BEHIND_MS_MAX = 50

// `as`: written by `recovery.ts` in this very shape.
const request = JSON.parse(process.argv[2] ?? '') as LifeRequest
const { state, keys, ratePerSec, checkpointIntervalMs } = request
mkdirSync(state, { recursive: true })
const files = new NewFiles(state)
let startMs = request.startMs
let [first, caughtUp, toldState] = [true, false, false]
let newest = 0
let fullAt = Number.NaN

const app = pipeline('recovery')
const rows = app.from(
  'rows',
  syntheticSource({
    keys,
    phases: [{ draw: 'scan', events: Number.MAX_SAFE_INTEGER / 2 }],
    stays: true,
    allowed: () => {
      if (startMs === undefined) {
        if (newest < keys - 1) return keys
        startMs = Date.now()
        tell({ kind: 'filled', startMs })
      }
      const due = keys + ((Date.now() - startMs) * ratePerSec) / 1000
      if (!caughtUp && !first && due - newest <= (BEHIND_MS_MAX * ratePerSec) / 1000) {
        caughtUp = true
        tell({ kind: 'caught-up' })
      }
      return due
    },
  }),
)
wideSums(rows).to(
  'sink',
  probeSink<WideSums>({
    row: (row) => {
      newest = row.latest
      if (!first) return
      first = false
      tell({ kind: 'first', right: isRight(row) })
    },
    barrier: (epoch) => {
      if (startMs !== undefined && Number.isNaN(fullAt)) fullAt = epoch
    },
    commit: (epoch) => {
      const stateBytes = files.bytes()
      if (toldState || !(epoch >= fullAt)) return
      toldState = true
      tell({ kind: 'committed', stateBytes })
    },
  }),
)
await app.run({ state, checkpointInterval: milliseconds(checkpointIntervalMs) })

/** Rows take the keys in turn, so the number of a row says which key it has and how often that one has come. */
function isRight({ key, count, latest }: WideSums): boolean {
  return key === latest % keys && count === Math.floor(latest / keys) + 1
}

function tell(event: LifeEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}
