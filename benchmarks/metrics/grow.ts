/**
 * `grow`: what more keys, more windows and more age cost (P10 to P13). Every run has a process of its own; runs of one
 * comparison take turns, and medians are compared. Checkpoints go on all the time.
 */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from '../bundle.ts'
import { runChild } from '../child.ts'
import { listOf, parseOptions, positive } from '../nexmark/arguments.ts'
import { correct } from '../nexmark/correct.ts'
import { loadFrames } from '../nexmark/frames.ts'
import { spreadOf } from '../nexmark/provenance.ts'
import { segmentDataset } from '../nexmark/segments.ts'
import { atLeast, atMost, figure, type Goal, Report, round } from './figure.ts'
import type { AgeFigures, CpuFigures, GrowRequest, MemoryFigures } from './grow-run.ts'
import { type Draw, draws } from './synthetic.ts'

const parts = ['memory', 'keys', 'windows', 'age'] as const
const ageQueries = ['q5', 'q8', 'q11'] as const

export const growUsage = `Usage: npm run bench -- grow [options]

  --only LIST        ${parts.join(',')} (default: all)
  --keys LIST        numbers of keys for memory; keys adds a tenth of the least (default: 100000,1000000,10000000)
  --ratios LIST      size of a window over its slide (default: 1,5,50,500)
  --window-keys N    keys of the sliding count (default: 1000)
  --draws LIST       ${draws.join(',')} (default: uniform,zipf,hot)
  --events N         events of the timed part of keys and windows (default: 3000000)
  --queries LIST     ${ageQueries.join(',')} of age (default: all)
  --segments N       millions of events of age; the first fifth warms up (default: 50)
  --segment-events N events of a segment of age; less than 1000000 is for trying out only (default: 1000000)
  --repetitions N    (default: 3; age runs once)
  --checkpoint-ms N  (default: 10000)

One JSON object per line: metric, name, measured, goal, holds.`

interface Settings {
  readonly keys: readonly number[]
  readonly ratios: readonly number[]
  readonly windowKeys: number
  readonly draws: readonly Draw[]
  readonly events: number
  readonly queries: readonly (typeof ageQueries)[number][]
  readonly segments: number
  readonly segmentEvents: number
  readonly repetitions: number
  readonly checkpointIntervalMs: number
}

type Run = <Figures>(request: GrowRequest, nodeOptions?: readonly string[]) => Promise<Figures>

export async function growCommand(args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    only: { type: 'string', default: parts.join(',') },
    keys: { type: 'string', default: '100000,1000000,10000000' },
    ratios: { type: 'string', default: '1,5,50,500' },
    'window-keys': { type: 'string', default: '1000' },
    draws: { type: 'string', default: 'uniform,zipf,hot' },
    events: { type: 'string', default: '3000000' },
    queries: { type: 'string', default: ageQueries.join(',') },
    segments: { type: 'string', default: '50' },
    'segment-events': { type: 'string', default: '1000000' },
    repetitions: { type: 'string', default: '3' },
    'checkpoint-ms': { type: 'string', default: '10000' },
  })
  const only = listOf('--only', values['only'], parts)
  const settings: Settings = {
    keys: numbers('--keys', values['keys']),
    ratios: numbers('--ratios', values['ratios']),
    windowKeys: positive('--window-keys', values['window-keys']),
    draws: listOf('--draws', values['draws'], draws),
    events: positive('--events', values['events']),
    queries: listOf('--queries', values['queries'], ageQueries),
    segments: positive('--segments', values['segments']),
    segmentEvents: positive('--segment-events', values['segment-events']),
    repetitions: positive('--repetitions', values['repetitions']),
    checkpointIntervalMs: positive('--checkpoint-ms', values['checkpoint-ms']),
  }
  const program = await bundle(fileURLToPath(new URL('./grow-run.ts', import.meta.url)))
  const run: Run = (request, options) => runChild(program, request, options)
  const report = new Report('grow', settings)
  try {
    if (only.includes('memory')) await memory(settings, run, report)
    if (only.includes('keys')) await keys(settings, run, report)
    if (only.includes('windows')) await windows(settings, run, report)
    if (only.includes('age')) await age(settings, run, report)
  } finally {
    rmSync(program)
  }
  return report.failed ? 1 : 0
}

export function numbers(flag: string, value: string | boolean | undefined): number[] {
  return String(value)
    .split(',')
    .map((part) => positive(flag, part))
}

/** P10. */
async function memory(settings: Settings, run: Run, report: Report): Promise<void> {
  const { checkpointIntervalMs, repetitions } = settings
  const events = Math.min(1_000_000, ...settings.keys)
  for (const text of [false, true]) {
    const of = (count: number): Promise<MemoryFigures> =>
      run({ kind: 'memory', keys: count, text, events, checkpointIntervalMs }, ['--expose-gc'])
    const rss = new Map<number, MemoryFigures[]>()
    for (let i = 0; i < repetitions; i++) {
      for (const count of [1, ...settings.keys]) {
        rss.set(count, [...(rss.get(count) ?? []), await of(count)])
      }
    }
    const bytesOf = (count: number) =>
      spreadOf((rss.get(count) ?? []).map(({ rssBytes }) => rssBytes))
    const baseline = bytesOf(1).median
    const kind = text ? '16-character keys' : 'int keys'
    for (const count of settings.keys) {
      const spread = bytesOf(count)
      const more = { rssBytes: spread, rssBytesOfOneKey: baseline }
      const measured = (spread.median - baseline) / count
      const name = `memory per key, ${count} ${kind}`
      report.add(figure('P10', name, measured, 'B', atMost(text ? 180 : 60), more))
    }
    const most = Math.max(...settings.keys)
    const pauses = spreadOf((rss.get(most) ?? []).map(({ pauseMaxMs }) => pauseMaxMs))
    const name = `longest pause, ${most} ${kind}`
    report.add(figure('P10', name, pauses.median, 'ms', atMost(250), { spread: pauses }))
  }
}

/** P11. The cost of a key must not depend on how many there are; what caches cost is what is left. */
async function keys(settings: Settings, run: Run, report: Report): Promise<void> {
  const { events, checkpointIntervalMs, repetitions } = settings
  const counts = [Math.max(1, Math.round(Math.min(...settings.keys) / 10)), ...settings.keys]
  const costs = await inTurn(repetitions, settings.draws, counts, (draw, count) =>
    run({ kind: 'keys', keys: count, draw, events, checkpointIntervalMs }),
  )
  for (const draw of settings.draws) {
    const of = (count: number): number => costs(draw, count).median
    for (const [i, count] of counts.entries()) {
      const spread = costs(draw, count)
      const name = `CPU per event, ${count} keys, ${draw}`
      report.add(figure('P11', name, spread.median, 'ns', undefined, { spread }))
      for (const [back, limit] of [
        [1, 1.5],
        [2, 2.5],
      ] as const) {
        const before = counts[i - back]
        if (before === undefined) continue
        const grown = `${Math.round(count / before)} times the keys, ${before} to ${count}, ${draw}`
        // The goal is said for uniform keys; the others are easier on caches.
        report.add(figure('P11', grown, of(count) / of(before), 'x', atMost(limit)))
      }
    }
  }
}

/** P12. */
async function windows(settings: Settings, run: Run, report: Report): Promise<void> {
  const { events, checkpointIntervalMs, repetitions, ratios, windowKeys } = settings
  const costs = await inTurn(repetitions, settings.draws, ratios, (draw, ratio) =>
    run({ kind: 'windows', keys: windowKeys, draw, ratio, events, checkpointIntervalMs }),
  )
  const goals: Readonly<Record<number, Goal>> = { 50: atMost(4), 500: atMost(10) }
  const first = ratios[0] ?? 1
  for (const draw of settings.draws) {
    for (const ratio of ratios) {
      const spread = costs(draw, ratio)
      const name = `size/slide ${ratio}, ${windowKeys} keys, ${draw}`
      report.add(
        figure('P12', `CPU per event, ${name}`, spread.median, 'ns', undefined, { spread }),
      )
      if (ratio === first) continue
      const grown = spread.median / costs(draw, first).median
      report.add(figure('P12', `${name} / size/slide ${first}`, grown, 'x', goals[ratio]))
    }
  }
}

/** All combinations once, then again, so that all of them see the same machine. */
async function inTurn(
  repetitions: number,
  ways: readonly Draw[],
  sizes: readonly number[],
  run: (draw: Draw, size: number) => Promise<CpuFigures>,
) {
  const costs = new Map<string, number[]>()
  for (let i = 0; i < repetitions; i++) {
    for (const draw of ways) {
      for (const size of sizes) {
        const { nsPerEvent } = await run(draw, size)
        const at = `${draw} ${size}`
        costs.set(at, [...(costs.get(at) ?? []), round(nsPerEvent)])
      }
    }
  }
  return (draw: Draw, size: number) => spreadOf(costs.get(`${draw} ${size}`) ?? [])
}

/** P13. A tenth of the events at each end, after a fifth that warms up. */
async function age(settings: Settings, run: Run, report: Report): Promise<void> {
  const { segments, segmentEvents, checkpointIntervalMs } = settings
  loadFrames(segmentDataset(segmentEvents))
  for (const query of settings.queries) {
    const { sections, rows } = await run<AgeFigures>({
      kind: 'age',
      query,
      segmentEvents,
      segments,
      checkpointIntervalMs,
    })
    const timed = sections.slice(Math.ceil(sections.length / 5))
    const tenth = Math.max(1, Math.round(sections.length / 10))
    const mean = (of: 'cpuMs' | 'rssBytes', some: typeof timed): number =>
      some.reduce((total, one) => total + one[of], 0) / some.length
    const [first, last] = [timed.slice(0, tenth), timed.slice(-tenth)]
    const right = await digestHolds(query)
    const more = { events: segments * segmentEvents, rows, digestRight: right }
    const kept = mean('cpuMs', first) / mean('cpuMs', last)
    report.add(
      figure('P13', `${query}, rate of the last tenth / the first`, kept, 'x', atLeast(0.95), more),
    )
    const drift = (mean('rssBytes', last) / mean('rssBytes', first) - 1) * 100
    report.add(figure('P13', `${query}, drift of memory`, drift, '%', atMost(5), more))
    if (!right)
      throw new Error(`${query} has the wrong digest on D2: its figures must not be quoted`)
  }
}

async function digestHolds(query: (typeof ageQueries)[number]): Promise<boolean> {
  const request = { queries: [query], dataset: 'D2', profiles: ['S1'], gs: [1], modes: ['stream'] }
  // `as`: literals, which the compiler has widened.
  for await (const { valid } of correct(request as Parameters<typeof correct>[0])) return valid
  return false
}
