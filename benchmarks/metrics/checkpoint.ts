/**
 * `checkpoint`: what checkpoints cost a job whose state is large (P5), how long they take and how long they stop it
 * (P6), and how much they write for what changed (P7). Every run has a process of its own; those of a comparison take turns.
 */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { runChild } from '../child.ts'
import { listOf, parseOptions, positive } from '../nexmark/arguments.ts'
import { spreadOf } from '../nexmark/provenance.ts'
import type { CheckpointFigures, CheckpointRequest } from './checkpoint-run.ts'
import { atMost, figure, type Goal, Report, round } from './figure.ts'
import { numbers } from './grow.ts'
import { keysFor } from './wide-state.ts'

const parts = ['overhead', 'duration', 'changed'] as const
const MB = 1_000_000

export const checkpointUsage = `Usage: npm run bench -- checkpoint [options]

  --only LIST       ${parts.join(',')} (default: all)
  --state-mb LIST   sizes of the state for overhead (default: 100,1000)
  --duration-mb LIST   and for duration (default: 10,100,1000)
  --interval-ms LIST   intervals that are compared with none (default: 10000,1000)
  --seconds N       timed part of a run (default: 25)
  --keys N          of changed; 1 % of them changes between two checkpoints (default: 1000000)
  --repetitions N   (default: 3)

One JSON object per line: metric, name, measured, goal, holds.`

interface Settings {
  readonly stateMb: readonly number[]
  readonly durationMb: readonly number[]
  readonly intervalsMs: readonly number[]
  readonly timedMs: number
  readonly keys: number
  readonly repetitions: number
}

type Run = (request: CheckpointRequest) => Promise<CheckpointFigures>

export async function checkpointCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    only: { type: 'string', default: parts.join(',') },
    'state-mb': { type: 'string', default: '100,1000' },
    'duration-mb': { type: 'string', default: '10,100,1000' },
    'interval-ms': { type: 'string', default: '10000,1000' },
    seconds: { type: 'string', default: '25' },
    keys: { type: 'string', default: '1000000' },
    repetitions: { type: 'string', default: '3' },
  })
  const only = listOf('--only', values['only'], parts)
  const settings: Settings = {
    stateMb: numbers('--state-mb', values['state-mb']),
    durationMb: numbers('--duration-mb', values['duration-mb']),
    intervalsMs: numbers('--interval-ms', values['interval-ms']),
    timedMs: positive('--seconds', values['seconds'], false) * 1000,
    keys: positive('--keys', values['keys']),
    repetitions: positive('--repetitions', values['repetitions']),
  }
  const program = await bundle(fileURLToPath(new URL('./checkpoint-run.ts', import.meta.url)))
  const run: Run = (request) => runChild(program, request)
  const report = new Report('checkpoint', settings)
  try {
    if (only.includes('overhead')) await overhead(settings, run, report)
    if (only.includes('duration')) await duration(settings, run, report)
    if (only.includes('changed')) await changed(settings, run, report)
  } finally {
    rmSync(program)
  }
  return report.failed ? 1 : 0
}

/** P5. Rates are events per CPU second: the disk is not shared, the processors may be. */
async function overhead(settings: Settings, run: Run, report: Report): Promise<void> {
  const { stateMb, intervalsMs, timedMs, repetitions } = settings
  const rateOf = ({ events, cpuMs }: CheckpointFigures): number => events / (cpuMs / 1000)
  for (const mb of stateMb) {
    const overheads = new Map<number, number[]>()
    const counts = new Map<number, number>()
    let stateBytes = 0
    for (let i = 0; i < repetitions; i++) {
      const off = await run({ keys: keysFor(mb * MB), intervalMs: 0, timedMs })
      stateBytes = off.stateBytes
      for (const intervalMs of intervalsMs) {
        const on = await run({ keys: keysFor(mb * MB), intervalMs, timedMs, checkpoints: 2 })
        const percent = (1 - rateOf(on) / rateOf(off)) * 100
        overheads.set(intervalMs, [...(overheads.get(intervalMs) ?? []), round(percent)])
        counts.set(intervalMs, on.checkpoints.length)
      }
    }
    for (const intervalMs of intervalsMs) {
      const spread = spreadOf(overheads.get(intervalMs) ?? [])
      const name = `overhead of a checkpoint every ${intervalMs} ms, ${mb} MB of state`
      const more = { spread, stateBytes, checkpoints: counts.get(intervalMs) ?? 0 }
      report.add(figure('P5', name, spread.median, '%', goalOf(intervalMs, mb), more))
    }
  }
}

function goalOf(intervalMs: number, mb: number): Goal | undefined {
  if (intervalMs >= 10_000) return atMost(2)
  return intervalMs === 1_000 && mb <= 100 ? atMost(8) : undefined
}

/** P6, with the job as busy as it can be. */
async function duration(settings: Settings, run: Run, report: Report): Promise<void> {
  for (const mb of settings.durationMb) {
    const runs: CheckpointFigures[] = []
    for (let i = 0; i < settings.repetitions; i++) {
      const keys = keysFor(mb * MB)
      runs.push(await run({ keys, intervalMs: 1_000, timedMs: settings.timedMs, checkpoints: 3 }))
    }
    const taken = runs.flatMap(({ checkpoints }) => checkpoints.map(({ ms }) => round(ms)))
    const stateBytes = runs[0]?.stateBytes ?? 0
    const spread = spreadOf(taken)
    const goal = atMost(round(300 + stateBytes / 200_000))
    const more = { spread, checkpoints: taken.length, stateBytes }
    report.add(figure('P6', `barrier to durable, ${mb} MB`, spread.median, 'ms', goal, more))
    const stall = (of: (run: CheckpointFigures) => number) =>
      spreadOf(runs.map((one) => round(of(one))))
    const p99 = stall((one) => one.duringStall.p99Ms)
    const longest = stall((one) => one.duringStall.maxMs)
    const otherwise = {
      p99Ms: stall((one) => one.betweenStall.p99Ms),
      maxMs: stall((one) => one.betweenStall.maxMs),
    }
    const stalls = { spread: p99, longest, otherwise }
    report.add(
      figure('P6', `stall during checkpoints, p99, ${mb} MB`, p99.median, 'ms', atMost(10), stalls),
    )
    const name = `longest stall during checkpoints, ${mb} MB`
    report.add(figure('P6', name, longest.median, 'ms', undefined, { spread: longest }))
  }
}

/** P7. */
async function changed(settings: Settings, run: Run, report: Report): Promise<void> {
  const { keys } = settings
  const touched = Math.max(1, Math.round(keys / 100))
  const { checkpoints, stateBytes } = await run({
    keys,
    intervalMs: 500,
    timedMs: settings.timedMs,
    touched,
    checkpoints: 4,
  })
  const bytes = spreadOf(checkpoints.map((one) => one.bytes))
  const changedBytes = (stateBytes / keys) * touched
  const name = `bytes written / bytes changed, 1 % of ${keys} keys`
  const more = { bytesWritten: bytes, bytesChanged: Math.round(changedBytes), stateBytes }
  report.add(figure('P7', name, bytes.median / changedBytes, 'x', atMost(3), more))
}
