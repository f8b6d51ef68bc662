/**
 * Rows from their number: a key, a time and a value. The same few frames are written over again and again, which costs a
 * few nanoseconds a row and makes no garbage; a row is a function of its number, so a job that starts again goes on with
 * the same ones.
 *
 * Keys: `scan` takes all in turn, `uniform` any, `zipf` key k with a share of about 1/k, `hot` one key half of the time.
 */
import { field, instant, int, type Source, struct, text } from 'tidemill'
import type {
  FrameBatch,
  PartitionReader,
  RowBatch,
  SourceHandle,
} from '../../src/connectors/contract.ts'
import { createFrameBuilder } from '../../src/frame/create-builder.ts'
import type { Frame } from '../../src/frame/frame.ts'
import { layoutOf } from '../../src/frame/layout.ts'

export const draws = ['scan', 'uniform', 'zipf', 'hot'] as const
export type Draw = (typeof draws)[number]

export interface Measurement {
  readonly key: number
  readonly time: number
  /** The number of the row. */
  readonly value: number
}

export type TextMeasurement = Omit<Measurement, 'key'> & { readonly key: string }

export interface Phase {
  readonly draw: Draw
  readonly events: number
}

export interface SyntheticOptions {
  readonly keys: number
  /** One after the other; after the last one the source ends, or is silent when `stays`. */
  readonly phases: readonly Phase[]
  readonly stays?: boolean
  /** Called with the number of a phase when the first row behind its end is asked for. */
  readonly ended?: (phase: number) => void
  /** How many rows may have been read by now; asked for each frame. */
  readonly allowed?: () => number
  /** Called for each frame. */
  readonly polled?: () => void
}

const ROWS = 256
/** More than the runtime ever reads ahead of what it processes. */
const FRAMES = 16
/** Of event time. */
const ROWS_PER_MS = 10
const BASE_MS = 1_436_918_400_000
const WAIT_MS = 1

export const measurement = struct('measurement', {
  key: field(1, int),
  time: field(2, instant),
  value: field(3, int),
})
export const textMeasurement = struct('textMeasurement', {
  key: field(1, text),
  time: field(2, instant),
  value: field(3, int),
})

export function syntheticSource(options: SyntheticOptions): Source<Measurement> {
  // `as`: an instant is a number with a brand.
  const schema = measurement as unknown as Source<Measurement>['schema']
  return sourceOf(schema, options, (position) => new FrameReader(options, position))
}

/** The same with keys of 16 characters, as plain rows. */
export function syntheticTextSource(options: SyntheticOptions): Source<TextMeasurement> {
  const schema = textMeasurement as unknown as Source<TextMeasurement>['schema']
  return sourceOf(schema, options, (position) => new TextReader(options, position))
}

/** CPU time of the source alone, a row. */
export function sourceNsPerRow(options: SyntheticOptions, events: number): number {
  const phases = [{ draw: options.phases.at(-1)?.draw ?? 'scan', events }]
  const reader = new FrameReader({ keys: options.keys, phases }, 0)
  const before = process.cpuUsage()
  while (reader.poll() !== 'end');
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / events
}

function sourceOf<Row>(
  schema: Source<Row>['schema'],
  { keys, phases, stays = false }: SyntheticOptions,
  open: (position: number) => PartitionReader<Row>,
): Source<Row> {
  const handle: SourceHandle<Row> = {
    partitions: () => Promise.resolve(['0']),
    reader: (_partition, position) => Promise.resolve(open(numberOf(position))),
    close: () => Promise.resolve(),
  }
  return {
    role: 'source',
    connector: 'synthetic',
    describe: { keys, phases: phases.length },
    schema,
    bounded: !stays,
    open: () => Promise.resolve(handle),
  }
}

function numberOf(position: Uint8Array | undefined): number {
  return position === undefined ? 0 : (new Float64Array(position.slice().buffer)[0] ?? 0)
}

/** Which rows come next; the readers below make batches of them. */
class Rows {
  at: number
  readonly #options: SyntheticOptions
  #phase = 0
  #phaseEnd: number

  constructor(options: SyntheticOptions, from: number) {
    this.at = from
    this.#options = options
    this.#phaseEnd = options.phases[0]?.events ?? 0
    while (this.at >= this.#phaseEnd && this.#next(false));
  }

  /** How many rows to make now, and how to draw their keys. */
  take(): { readonly count: number; readonly draw: Draw } | 'idle' | 'end' {
    const { phases, stays, allowed, polled } = this.#options
    polled?.()
    while (this.at >= this.#phaseEnd) {
      if (!this.#next(true)) return stays === true ? 'idle' : 'end'
    }
    const mayRead = allowed === undefined ? Number.POSITIVE_INFINITY : allowed() - this.at
    const count = Math.min(ROWS, this.#phaseEnd - this.at, Math.floor(mayRead))
    return count <= 0 ? 'idle' : { count, draw: phases[this.#phase]?.draw ?? 'scan' }
  }

  #next(tell: boolean): boolean {
    const { phases, ended } = this.#options
    if (this.#phase >= phases.length) return false
    if (tell) ended?.(this.#phase)
    this.#phase++
    this.#phaseEnd += phases[this.#phase]?.events ?? 0
    return this.#phase < phases.length
  }
}

abstract class Reader<Batch> {
  protected readonly rows: Rows
  protected readonly keys: number
  #closed = false

  constructor(options: SyntheticOptions, from: number) {
    this.rows = new Rows(options, from)
    this.keys = options.keys
  }

  abstract poll(): Batch | 'idle' | 'end'

  read(): Promise<Batch | 'idle' | 'end'> {
    return Promise.resolve(this.poll())
  }

  /** Once closed it stays silent, and no timer keeps the process. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#closed) setTimeout(resolve, WAIT_MS)
    })
  }

  position(): Uint8Array {
    return new Uint8Array(new Float64Array([this.rows.at]).buffer)
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }
}

class FrameReader extends Reader<FrameBatch> {
  readonly #full: readonly Frame[] = Array.from({ length: FRAMES }, () => frameOf(ROWS))
  #next = 0

  poll(): FrameBatch | 'idle' | 'end' {
    const taken = this.rows.take()
    if (typeof taken === 'string') return taken
    const { count, draw } = taken
    const frame = count === ROWS ? this.#full[this.#next++ % FRAMES]! : frameOf(count)
    const from = this.rows.at
    const places = placesOf(frame)
    const { f64 } = frame
    for (let i = 0; i < count; i++) {
      const n = from + i
      f64[places.key + i] = keyOf(n, this.keys, draw)
      f64[places.time + i] = BASE_MS + Math.floor(n / ROWS_PER_MS)
      f64[places.value + i] = n
    }
    this.rows.at += count
    return { kind: 'frame', frame, locate: (i) => `row ${from + i}` }
  }
}

class TextReader extends Reader<RowBatch<TextMeasurement>> {
  poll(): RowBatch<TextMeasurement> | 'idle' | 'end' {
    const taken = this.rows.take()
    if (typeof taken === 'string') return taken
    const from = this.rows.at
    const rows: TextMeasurement[] = []
    for (let n = from; n < from + taken.count; n++) {
      const key = `key-${String(keyOf(n, this.keys, taken.draw)).padStart(12, '0')}`
      rows.push({ key, time: BASE_MS + Math.floor(n / ROWS_PER_MS), value: n })
    }
    this.rows.at += taken.count
    return { kind: 'rows', rows, rejected: [], locate: (i) => `row ${from + i}` }
  }
}

const layout = layoutOf(measurement)

function frameOf(rows: number): Frame {
  const builder = createFrameBuilder(layout)
  for (let i = 0; i < rows; i++) builder.append({ key: 0, time: BASE_MS, value: 0 })
  return builder.build()
}

/** Where in `f64` each column begins. */
function placesOf(frame: Frame): Readonly<Record<'key' | 'time' | 'value', number>> {
  // `as`: `o<k>` is where column k begins.
  const starts = frame as unknown as Readonly<Record<string, number>>
  const places: Record<string, number> = {}
  for (const { index, field: name } of layout.columns.all) places[name] = starts[`o${index}`]!
  return places as Record<'key' | 'time' | 'value', number>
}

function keyOf(n: number, keys: number, draw: Draw): number {
  if (draw === 'scan') return n % keys
  const mixed = mix(n)
  if (draw === 'uniform') return mixed % keys
  if (draw === 'hot') return (mixed & 1) === 0 ? 0 : (mixed >>> 1) % keys
  return Math.floor(Math.exp((mixed / 2 ** 32) * Math.log(keys + 1))) - 1
}

/** 32 bits that look random. */
function mix(n: number): number {
  let x = (n ^ (n / 2 ** 32)) | 0
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b)
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b)
  return (x ^ (x >>> 16)) >>> 0
}
