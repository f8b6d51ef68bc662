/**
 * Inputs that are large enough to be killed in, derived from the samples of the examples: the same text every time. Each
 * copy is a later stretch of time with everything that the sample has - disorder, late rows, broken rows.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectRoot } from './program.ts'

/** Below this, a time in the sample is a mistake that the job has to reject, and stays as it is. */
const plausibleSeconds = 1_000_000_000

/** `copies` times the hot-items sample, each copy later than the one before. */
export function hotItemsInput(path: string, copies: number): readonly string[] {
  const lines = sample('hot-items')
  const parsed = lines.map((line) => {
    const cut = line.lastIndexOf(',')
    const seconds = Number(line.slice(cut + 1))
    return line.split(',').length === 5 && seconds > plausibleSeconds
      ? { head: line.slice(0, cut + 1), seconds }
      : { head: line, seconds: undefined }
  })
  const times = parsed.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]))
  const span = Math.max(...times) - Math.min(...times)
  const out: string[] = []
  for (let copy = 0; copy < copies; copy++) {
    for (const { head, seconds } of parsed)
      out.push(seconds === undefined ? head : `${head}${seconds + copy * span}`)
  }
  return [write(path, out)]
}

/** One file per trace, each with `copies` drives one after the other, ten minutes apart. */
export function cellQualityInput(directory: string, copies: number): readonly string[] {
  const [header = '', ...rows] = sample('cell-quality')
  const traces = new Map<string, string[]>()
  for (const row of rows) {
    const trace = row.slice(0, row.indexOf(','))
    const list = traces.get(trace)
    if (list === undefined) traces.set(trace, [row])
    else list.push(row)
  }
  return [...traces.values()].map((drive, i) => {
    const parsed = drive.map((row) => {
      const [trace = '', at = '', ...rest] = row.split(',')
      return { trace, atMs: stampMs(at), rest: rest.join(',') }
    })
    const out = [header]
    for (let copy = 0; copy < copies; copy++) {
      for (const { trace, atMs, rest } of parsed)
        out.push(`${trace},${stamp(atMs + copy * 600_000)},${rest}`)
    }
    return write(join(directory, `trace-${i}.csv`), out)
  })
}

export interface Order {
  readonly id: number
  readonly customer: string
  readonly amount: number
}

/** Orders of 97 customers, as JSON lines. */
export function ordersInput(path: string, count: number): readonly string[] {
  const out = Array.from({ length: count }, (_, id) => {
    const order: Order = {
      id,
      customer: `c-${(Math.imul(id, 2_654_435_761) >>> 0) % 97}`,
      amount: (Math.imul(id + 1, 40_503) >>> 0) % 1_000,
    }
    return JSON.stringify(order)
  })
  return [write(path, out)]
}

function sample(example: string): readonly string[] {
  const text = readFileSync(join(projectRoot, 'examples', example, 'sample.csv'), 'utf8')
  return text.split('\n').filter((line, i, all) => i < all.length - 1 || line !== '')
}

function write(path: string, lines: readonly string[]): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

function stampMs(stamp: string): number {
  const [date = '', time = ''] = stamp.split('_')
  return Date.parse(`${date.replaceAll('.', '-')}T${time.replaceAll('.', ':')}Z`)
}

function stamp(ms: number): string {
  return new Date(ms)
    .toISOString()
    .slice(0, 19)
    .replaceAll('-', '.')
    .replaceAll(':', '.')
    .replace('T', '_')
}
