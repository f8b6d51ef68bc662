/** The same questions answered by loops over all rows in memory: slow, obvious, and without the engine. */

export interface CellQualityAnswer {
  readonly 'cell-minute': readonly string[]
  readonly 'coverage-hole': readonly string[]
  readonly rejected: readonly string[]
}

interface Sample {
  readonly trace: string
  readonly at: number
  readonly mode: string
  readonly rsrp: number | null
  readonly snr: number | null
  readonly cellHex: string
  readonly nodeHex: string
}

/** Lines per sink, sorted, when nothing is late. Values without quotes only. */
export function naiveCellQuality(
  inputs: readonly { file: string; text: string }[],
): CellQualityAnswer {
  const rejected: string[] = []
  const samples: Sample[] = []
  for (const { file, text } of inputs) {
    const lines = text.split('\n')
    if (lines.at(-1) === '') lines.pop()
    lines.forEach((line, index) => {
      const raw = line.replace(/\r$/, '')
      if (index === 0 && raw.startsWith('Trace,')) return
      const sample = parse(raw)
      const reason =
        typeof sample === 'string'
          ? sample
          : isNone(sample.nodeHex)
            ? 'NODEHEX is missing'
            : undefined
      if (reason !== undefined)
        rejected.push(JSON.stringify({ file, line: index + 1, raw, reason }))
      if (typeof sample !== 'string') samples.push(sample)
    })
  }
  return {
    'cell-minute': minutes(samples).sort(),
    'coverage-hole': holes(samples).sort(),
    rejected: rejected.sort(),
  }
}

function minutes(samples: readonly Sample[]): string[] {
  const byMinute = new Map<string, { cell: string; windowStart: number; all: Sample[] }>()
  for (const sample of samples) {
    if (isNone(sample.nodeHex)) continue
    const cell = `${sample.nodeHex}:${sample.cellHex}`
    const windowStart = Math.floor(sample.at / 60_000) * 60_000
    const group = byMinute.get(`${cell} ${windowStart}`) ?? { cell, windowStart, all: [] }
    group.all.push(sample)
    byMinute.set(`${cell} ${windowStart}`, group)
  }
  return [...byMinute.values()].map(({ cell, windowStart, all }) => {
    const rsrps = all.flatMap(({ rsrp }) => (rsrp === null ? [] : [rsrp]))
    const snrs = all.flatMap(({ snr }) => (snr === null ? [] : [snr]))
    return JSON.stringify({
      cell,
      windowStart,
      windowEnd: windowStart + 60_000,
      samples: all.length,
      rsrpMean: mean(rsrps),
      rsrpMin: rsrps.length === 0 ? null : round(rsrps.reduce((a, b) => Math.min(a, b))),
      snrMean: mean(snrs),
      share5g: round(all.filter(({ mode }) => mode === '5G').length / all.length),
    })
  })
}

function holes(samples: readonly Sample[]): string[] {
  const traces = new Map<string, Sample[]>()
  for (const sample of samples) {
    if (sample.rsrp === null) continue
    const trace = traces.get(sample.trace) ?? []
    trace.push(sample)
    traces.set(sample.trace, trace)
  }
  const found: string[] = []
  for (const [trace, all] of traces) {
    // Array sort is stable: samples of one second stay in their order.
    const sorted = [...all].sort((a, b) => a.at - b.at)
    let run: Sample[] = []
    const end = (): void => {
      const from = run[0]?.at ?? 0
      const to = run.at(-1)?.at ?? 0
      if (to - from >= 10_000) {
        const worstRsrp = Math.min(...run.map(({ rsrp }) => rsrp ?? 0))
        found.push(JSON.stringify({ trace, from, to, samples: run.length, worstRsrp }))
      }
      run = []
    }
    for (const sample of sorted) {
      const last = run.at(-1)
      if ((sample.rsrp ?? 0) >= -110) end()
      else {
        if (last !== undefined && sample.at - last.at > 5_000) end()
        run.push(sample)
      }
    }
    end()
  }
  return found
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : round(values.reduce((a, b) => a + b, 0) / values.length)
}

function round(value: number): number {
  const rounded = Math.round(value * 10_000) / 10_000
  return rounded === 0 ? 0 : rounded
}

function isNone(value: string): boolean {
  return value === '-' || value === ''
}

function parse(raw: string): Sample | string {
  const v = raw.split(',')
  if (v.length !== 27) return `${v.length} columns instead of 27`
  const [trace = '', time = '', , , , , , mode = '', rsrp = '', , snr = ''] = v
  if (trace === '') return 'the trace is missing'
  for (const [name, value] of [
    ['RSRP', rsrp],
    ['SNR', snr],
  ] as const) {
    if (!isNone(value) && !/^[+-]?[0-9]+([.][0-9]+)?$/.test(value))
      return `${name} ${JSON.stringify(value)} is not a number`
  }
  const n = time.split(/[._]/).map(Number)
  const at = Date.UTC(n[0] ?? 0, (n[1] ?? 0) - 1, n[2], n[3], n[4], n[5])
  const back = Number.isNaN(at)
    ? ''
    : new Date(at).toISOString().slice(0, 19).replace('T', '_').replace(/[-:]/g, '.')
  if (back !== time) return `time ${JSON.stringify(time)} is no date`
  const number = (value: string): number | null => (isNone(value) ? null : Number(value))
  return {
    trace,
    at,
    mode,
    rsrp: number(rsrp),
    snr: number(snr),
    cellHex: v[21] ?? '',
    nodeHex: v[22] ?? '',
  }
}
