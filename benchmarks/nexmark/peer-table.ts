/** Medians of the runs of `nexmark peer`, their ratios, and both as a table. */
import {
  eventsPerCpuSec,
  indicativeReason,
  type PeerFigures,
  type PeerQuery,
  type System,
  systems,
} from './peer-systems.ts'
import { type Spread, spreadOf } from './provenance.ts'

export interface PeerRun {
  readonly system: System
  readonly query: PeerQuery
  readonly figures: PeerFigures
  /** Why it must not be quoted. */
  readonly invalid: string | undefined
}

/** Events per CPU second. */
interface Rates {
  readonly wholeProcess: Spread
  readonly afterWarmup: Spread
}

interface QuerySummary {
  readonly summary: PeerQuery
  readonly systems: { readonly [Name in System]?: Rates }
}

/** How many times the events of another system Tidemill gets through in a CPU second. */
interface Ratio {
  readonly to: System
  readonly queries: number
  readonly wholeProcess: { readonly geometricMean: number; readonly least: number }
  readonly afterWarmup: { readonly geometricMean: number; readonly least: number }
}

export interface Summary {
  readonly queries: readonly QuerySummary[]
  readonly all: {
    readonly ratios: readonly Ratio[]
    readonly valid: boolean
    readonly runs: number
    /** Runs too short to be quoted. */
    readonly indicativeRuns: number
  }
}

type Part = keyof Rates

export function summarise(runs: readonly PeerRun[]): Summary {
  const names = [...new Set(runs.map(({ query }) => query))]
  const queries = names.map((query) => ({ summary: query, systems: ratesOf(runs, query) }))
  const ratios = systems
    .filter((system) => system !== 'tidemill')
    .flatMap((to) => {
      const whole = ratiosTo(to, queries, 'wholeProcess')
      if (whole.length === 0) return []
      const wholeProcess = meanAndLeast(whole)
      const afterWarmup = meanAndLeast(ratiosTo(to, queries, 'afterWarmup'))
      return [{ to, queries: whole.length, wholeProcess, afterWarmup }]
    })
  const valid = runs.every(({ invalid }) => invalid === undefined)
  const indicative = runs.filter(({ system, figures }) => indicativeReason(system, figures))
  const all = { ratios, valid, runs: runs.length, indicativeRuns: indicative.length }
  return { queries, all }
}

function ratesOf(runs: readonly PeerRun[], query: PeerQuery): QuerySummary['systems'] {
  const rates: { [Name in System]?: Rates } = {}
  for (const system of systems) {
    const own = runs.filter((run) => run.system === system && run.query === query)
    if (own.length === 0) continue
    rates[system] = {
      wholeProcess: spreadOf(own.map(({ figures }) => eventsPerCpuSec(figures))),
      afterWarmup: spreadOf(own.map(({ figures }) => eventsPerCpuSec(figures.timed))),
    }
  }
  return rates
}

function ratiosTo(to: System, queries: readonly QuerySummary[], part: Part): number[] {
  return queries.flatMap(({ systems: rates }) => ratioOf(rates, to, part) ?? [])
}

function ratioOf(rates: QuerySummary['systems'], to: System, part: Part): number | undefined {
  const [own, other] = [rates.tidemill, rates[to]]
  if (own === undefined || other === undefined) return undefined
  return own[part].median / other[part].median
}

function meanAndLeast(ratios: readonly number[]): {
  readonly geometricMean: number
  readonly least: number
} {
  const logs = ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0)
  return {
    geometricMean: round(Math.exp(logs / ratios.length)),
    least: round(Math.min(...ratios)),
  }
}

/** Markdown. */
export function tableOf(
  { queries, all }: Summary,
  shown: readonly System[],
  skipped: string | undefined,
): string {
  const parts: readonly [Part, string][] = [
    ['afterWarmup', 'After the first fifth of the events'],
    ['wholeProcess', 'Whole process, its start included'],
  ]
  const lines = ['Thousand events per CPU second (median; times: what Tidemill does of it).']
  for (const [part, title] of parts) {
    lines.push(
      '',
      `**${title}**`,
      '',
      row(['query', ...shown]),
      row(['---', ...shown.map(() => '---:')]),
    )
    for (const { summary, systems: rates } of queries) {
      const cells = shown.map((system) => cell(rates, system, part))
      lines.push(row([summary, ...cells]))
    }
    for (const [name, figure] of [
      ['geometric mean', 'geometricMean'],
      ['least', 'least'],
    ] as const) {
      const cells = shown.map((system) => {
        const ratio = all.ratios.find(({ to }) => to === system)
        return ratio === undefined ? '' : `${ratio[part][figure].toFixed(2)}x`
      })
      lines.push(row([name, ...cells]))
    }
  }
  if (skipped !== undefined) lines.push('', `Skipped: ${skipped}`)
  if (all.indicativeRuns > 0) {
    const share = `${all.indicativeRuns} of ${all.runs} runs`
    lines.push(
      '',
      `Indicative only: ${share} have less than 5 s of CPU after the warm-up, or an engine with`,
    )
    lines.push(
      'less than two checkpoints. More events (`--events`) and a shorter interval make them long enough.',
    )
  }
  if (!all.valid) lines.push('', '**INVALID**: some results are wrong; see the runs.')
  return lines.join('\n')
}

function cell(rates: QuerySummary['systems'], system: System, part: Part): string {
  const rate = rates[system]?.[part].median
  if (rate === undefined) return ''
  const ratio = system === 'tidemill' ? undefined : ratioOf(rates, system, part)
  return `${Math.round(rate / 1000)}${ratio === undefined ? '' : ` (${ratio.toFixed(2)}x)`}`
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
