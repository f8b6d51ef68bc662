/**
 * `recovery`: a job at a fixed rate is killed by SIGKILL and started again at once (P8). The clock runs from the kill to
 * the first row the new life gives its sink, which has to be right, and until the source has caught up.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { parseOptions, positive } from '../nexmark/arguments.ts'
import { spreadOf } from '../nexmark/provenance.ts'
import { atMost, figure, Report, round } from './figure.ts'
import { numbers } from './grow.ts'
import type { LifeEvent, LifeRequest } from './recovery-run.ts'
import { keysFor } from './wide-state.ts'

export const recoveryUsage = `Usage: npm run bench -- recovery [options]

  --state-mb LIST    (default: 10,100,1000)
  --rate N           rows per second (default: 10000)
  --checkpoint-ms N  (default: 1000)
  --repetitions N    (default: 5)

One JSON object per line: metric, name, measured, goal, holds.`

interface Recovered {
  readonly stateBytes: number
  /** From the kill until its parent is told. */
  readonly detectMs: number
  /** From the start of the new process. */
  readonly firstOutputMs: number
  readonly caughtUpMs: number
  readonly right: boolean
}

interface Settings {
  readonly ratePerSec: number
  readonly checkpointIntervalMs: number
  readonly repetitions: number
}

const WAIT_MS_MAX = 300_000
/** The kill comes somewhere between two checkpoints. */
const KILL_AFTER_MS = 700

export async function recoveryCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    'state-mb': { type: 'string', default: '10,100,1000' },
    rate: { type: 'string', default: '10000' },
    'checkpoint-ms': { type: 'string', default: '1000' },
    repetitions: { type: 'string', default: '5' },
  })
  const settings: Settings = {
    ratePerSec: positive('--rate', values['rate']),
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
    repetitions: positive('--repetitions', values['repetitions']),
  }
  const sizes = numbers('--state-mb', values['state-mb'])
  const program = await bundle(fileURLToPath(new URL('./recovery-run.ts', import.meta.url)))
  const report = new Report('recovery', { ...settings, stateMb: sizes })
  try {
    for (const mb of sizes) {
      const all: Recovered[] = []
      for (let i = 0; i < settings.repetitions; i++) {
        all.push(await recover(program, keysFor(mb * 1e6), settings))
      }
      tellOf(all, mb, report)
    }
  } finally {
    rmSync(program)
  }
  return report.failed ? 1 : 0
}

function tellOf(all: readonly Recovered[], mb: number, report: Report): void {
  const stateBytes = all[0]?.stateBytes ?? 0
  const spread = (of: 'detectMs' | 'firstOutputMs' | 'caughtUpMs') =>
    spreadOf(all.map((one) => round(one[of])))
  if (all.some(({ right }) => !right)) throw new Error(`wrong results after a kill at ${mb} MB`)
  const detect = spread('detectMs')
  report.add(
    figure('P8', `kill to detected, ${mb} MB`, detect.median, 'ms', atMost(1000), {
      spread: detect,
    }),
  )
  const first = spread('firstOutputMs')
  const goal = atMost(round(750 + stateBytes / 200_000))
  const more = { spread: first, stateBytes, right: true }
  report.add(figure('P8', `start to first output, ${mb} MB`, first.median, 'ms', goal, more))
  const caughtUp = spread('caughtUpMs')
  const name = `start to caught up, ${mb} MB`
  report.add(figure('P8', name, caughtUp.median, 'ms', undefined, { spread: caughtUp }))
}

async function recover(program: string, keys: number, settings: Settings): Promise<Recovered> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-recovery-'))
  const { ratePerSec, checkpointIntervalMs } = settings
  const request: LifeRequest = {
    state: join(folder, 'state'),
    keys,
    ratePerSec,
    checkpointIntervalMs,
  }
  const lives: Life[] = []
  const begin = (of: LifeRequest): Life => {
    const life = new Life(program, of)
    lives.push(life)
    return life
  }
  try {
    const before = begin(request)
    const { startMs } = await before.event('filled')
    const { stateBytes } = await before.event('committed')
    await new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS))
    const killedMs = performance.now()
    await before.kill()
    const beganMs = performance.now()
    const after = begin({ ...request, startMs })
    const { right } = await after.event('first')
    const firstMs = performance.now()
    await after.event('caught-up')
    const upMs = performance.now()
    return {
      stateBytes,
      detectMs: beganMs - killedMs,
      firstOutputMs: firstMs - beganMs,
      caughtUpMs: upMs - beganMs,
      right,
    }
  } finally {
    await Promise.all(lives.map((life) => life.kill()))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A process and what it has told so far. */
class Life {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #told: LifeEvent[] = []
  readonly #waiting: Set<() => void> = new Set()
  #over = false

  constructor(program: string, request: LifeRequest) {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    const child = spawn(process.execPath, [program, JSON.stringify(request)], { stdio: [...stdio] })
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#over = true
        this.#wake()
        resolve()
      })
    })
    if (child.stdout === null) throw new Error('the life has no output')
    createInterface({ input: child.stdout }).on('line', (line) => {
      // `as`: what `recovery-run.ts` prints.
      this.#told.push(JSON.parse(line) as LifeEvent)
      this.#wake()
    })
  }

  async event<Kind extends LifeEvent['kind']>(
    kind: Kind,
  ): Promise<Extract<LifeEvent, { readonly kind: Kind }>> {
    const deadlineMs = performance.now() + WAIT_MS_MAX
    for (;;) {
      const found = this.#told.find((event) => event.kind === kind)
      // `as`: its kind is the one asked for.
      if (found !== undefined) return found as Extract<LifeEvent, { readonly kind: Kind }>
      if (this.#over || performance.now() > deadlineMs) throw new Error(`a life without "${kind}"`)
      await this.#news(deadlineMs - performance.now())
    }
  }

  async kill(): Promise<void> {
    if (!this.#over) this.#child.kill('SIGKILL')
    await this.#ended
  }

  #news(msMax: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, msMax)
      this.#waiting.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}
