/**
 * Bars 3, 4, 5 and 17: what frames cost and save, on Nexmark bids.
 *
 * Every bar compares two ways to do the same work in one process, round by round in turn, medians of the rounds. Time
 * is wall time less the time this thread waited for a core, where the kernel tells it.
 */
import { Packr } from 'msgpackr'
import { readFileSync } from 'node:fs'
import { field, struct } from '../../src/schema/struct.ts'
import { float, instant, int, text } from '../../src/schema/scalars.ts'
import { createFrameBuilder } from '../../src/frame/create-builder.ts'
import { decodeFrame } from '../../src/frame/decode.ts'
import type { Frame } from '../../src/frame/frame.ts'
import { layoutOf } from '../../src/frame/layout.ts'
import { code, compile } from '../../src/base/codegen.ts'
import type { Schema } from '../../src/schema/types.ts'
import { datasets } from '../nexmark/dataset.ts'
import type { Bid } from '../nexmark/event.ts'
import { EventGenerator } from '../nexmark/generator.ts'

export interface BarResult {
  readonly bar: string
  readonly measured: number
  readonly required: string
  readonly holds: boolean
}

const bid = struct('bid', {
  auction: field(1, int),
  bidder: field(2, int),
  price: field(3, float),
  channel: field(4, text),
  url: field(5, text),
  dateTime: field(6, instant),
  extra: field(7, text),
})
type Row = Omit<Bid, 'type'>

// Few enough that collecting the input itself does not drown what is measured.
const ROWS = 25_600
const ROUNDS = 15

export function viewBars(): BarResult[] {
  warmOtherLayouts()
  return [viewBar(framesOf(bids(ROWS)))]
}

export function decodeBars(): BarResult[] {
  const rows = bids(ROWS)
  warmOtherLayouts()
  return [decodeBar(framesOf(rows), rows)]
}

export function encodeBars(): BarResult[] {
  warmOtherLayouts()
  return encodeBar(bids(ROWS))
}

export function retainBars(): BarResult[] {
  warmOtherLayouts()
  return [retainBar(framesOf(bids(ROWS)))]
}

/** Milliseconds that this thread ran. */
function cpuMs(): number {
  const wall = performance.now()
  try {
    const waited = Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1])
    return wall - waited / 1e6
  } catch {
    return wall
  }
}

/** Median time of each contestant in ns per row, taking turns. */
function race(rows: number, contestants: readonly (() => unknown)[]): number[] {
  const times = contestants.map((): number[] => [])
  for (let round = -3; round < ROUNDS; round++) {
    contestants.forEach((run, c) => {
      const start = cpuMs()
      sink = run()
      if (round >= 0) times[c]!.push((cpuMs() - start) * 1e6)
    })
  }
  return times.map((of) => of.sort((a, b) => a - b)[ROUNDS >> 1]! / rows)
}

/** Keeps results alive, so that no work is optimised away. */
export let sink: unknown

function bids(count: number): Row[] {
  const generator = new EventGenerator(datasets.D3)
  const rows: Row[] = []
  for (let i = 0; rows.length < count; i++) {
    const event = generator.event(i)
    if (event.type !== 'bid') continue
    const { type, ...row } = event
    // As a source decodes it: the generator's texts are trees of pieces, which the first contestant would have to flatten.
    rows.push(JSON.parse(JSON.stringify(row)))
  }
  return rows
}

function framesOf(rows: readonly Row[]): Frame[] {
  const builder = createFrameBuilder(layoutOf(bid))
  const frames: Frame[] = []
  for (const row of rows) if (builder.append(row, row.dateTime)) frames.push(builder.build())
  while (builder.length > 0) frames.push(builder.build())
  return frames
}

/** A dozen other layouts pass through the same code first: what is shared must not be tuned to one shape. */
function warmOtherLayouts(): void {
  for (let n = 0; n < 12; n++) {
    const other = struct(
      'other',
      Object.fromEntries(
        [...Array(n + 2).keys()].map((i) => [
          `f${n}x${i}`,
          field(i + 1, (i % 3 === 0 ? text : float) as Schema<unknown>),
        ]),
      ),
    )
    const builder = createFrameBuilder(layoutOf(other))
    const row = Object.fromEntries(
      Object.keys(other.type.fields).map((_, i) => [
        `f${n}x${i}`,
        i % 3 === 0 ? `text ${i}` : i / 3,
      ]),
    )
    for (let i = 0; i < 20_000; i++) {
      if (!builder.append(row, i)) continue
      const frame = decodeFrame(layoutOf(other), builder.build().bytes)
      for (let k = 0; k < frame.length; k++) sink = frame.row(k)
    }
  }
}

/** Counts per key in panes of 2 s and the largest per window of 10 s: open addressing, one table per pane. */
class Panes {
  private readonly keys: Float64Array[] = []
  private readonly counts: Int32Array[] = []
  private low = 0
  private high = 0
  private now = -1
  fired = 0

  constructor() {
    for (let p = 0; p < 8; p++) {
      this.keys.push(new Float64Array(1 << 13).fill(-1))
      this.counts.push(new Int32Array(1 << 13))
    }
  }

  add(key: number, time: number): void {
    if (!(time >= this.low && time < this.high)) this.roll(time)
    const keys = this.keys[this.now]!
    let at = Math.imul(key, 0x9e3779b1) >>> 19
    while (keys[at] !== key) {
      if (keys[at] === -1) {
        keys[at] = key
        break
      }
      at = (at + 1) & 8191
    }
    this.counts[this.now]![at]!++
  }

  private roll(time: number): void {
    let largest = 0
    for (const counts of this.counts)
      for (let i = 0; i < counts.length; i++) if (counts[i]! > largest) largest = counts[i]!
    this.fired = (this.fired * 31 + largest) | 0
    this.low = Math.floor(time / 2000) * 2000
    this.high = this.low + 2000
    this.now = (this.now + 1) & 7
    this.keys[this.now]!.fill(-1)
    this.counts[this.now]!.fill(0)
  }
}

function viewBar(frames: readonly Frame[]): BarResult {
  const layout = layoutOf(bid)
  type Loop = (frames: readonly Frame[], panes: Panes) => number
  // What a chain compiler emits for .filter(…).withEventTime(…).keyBy(…) with these user functions.
  const closures = compile<Loop>(
    [
      [code`View`, layout.View],
      [code`filter`, (r: Row) => r.price > 100],
      [code`key`, (r: Row) => r.auction],
      [code`time`, (r: Row) => r.dateTime],
    ],
    code`return (frames, panes) => {
for (const frame of frames) {
for (let i = 0; i < frame.length; i++) {
const r = new View(frame, i)
if (filter(r)) panes.add(key(r), time(r))
}
}
return panes.fired
}`,
  )
  const numbers = (frame: Frame, of: string): Float64Array => {
    const start = (frame as unknown as Record<string, number>)[`o${layout.column(of)!.index}`]!
    return frame.f64.subarray(start, start + frame.length)
  }
  const columns = frames.map((frame) => ({
    length: frame.length,
    price: numbers(frame, 'price'),
    auction: numbers(frame, 'auction'),
    time: numbers(frame, 'dateTime'),
  }))
  const byHand = (panes: Panes): number => {
    for (const { length, price, auction, time } of columns) {
      for (let i = 0; i < length; i++) if (price[i]! > 100) panes.add(auction[i]!, time[i]!)
    }
    return panes.fired
  }
  if (closures(frames, new Panes()) !== byHand(new Panes()))
    throw new Error('bar 3: the two results differ')
  const [views, hand] = race(ROWS, [() => closures(frames, new Panes()), () => byHand(new Panes())])
  return result(
    `3 q5 with closures on views / by hand on columns (${ns(views!)} / ${ns(hand!)})`,
    views! / hand!,
    '<= 1.2',
    (x) => x <= 1.2,
  )
}

function decodeBar(frames: readonly Frame[], rows: readonly Row[]): BarResult {
  const layout = layoutOf(bid)
  const encoded = frames.map((frame) => frame.bytes.slice())
  const lines = rows.map((row) => JSON.stringify(row))
  const out: unknown[] = new Array(256)
  const engine = (): unknown => {
    for (const bytes of encoded) {
      const frame = decodeFrame(layout, bytes)
      for (let i = 0; i < frame.length; i++) out[i] = layout.plain(frame, i)
    }
    return out[0]
  }
  const parse = (): unknown => {
    for (let i = 0; i < lines.length; i++) out[i & 255] = JSON.parse(lines[i]!)
    return out[0]
  }
  const [fast, slow] = race(ROWS, [engine, parse])
  return result(
    `4 JSON.parse / frame to full rows (${ns(slow!)} / ${ns(fast!)})`,
    slow! / fast!,
    '>= 8',
    (x) => x >= 8,
  )
}

function encodeBar(rows: readonly Row[]): BarResult[] {
  const builder = createFrameBuilder(layoutOf(bid))
  const engine = (): unknown => {
    let bytes = 0
    for (const row of rows)
      if (builder.append(row, row.dateTime)) bytes += builder.build().byteLength
    while (builder.length > 0) bytes += builder.build().byteLength
    return bytes
  }
  const stringify = (): unknown => {
    let bytes = 0
    for (const row of rows) bytes += Buffer.from(JSON.stringify(row)).length
    return bytes
  }
  const packr = new Packr({ structures: [] })
  const pack = (): unknown => {
    let bytes = 0
    for (const row of rows) bytes += packr.pack(row).length
    return bytes
  }
  const [fast, slow, packed] = race(ROWS, [engine, stringify, pack])
  const perRow = Math.round((engine() as number) / ROWS)
  return [
    result(
      `5 JSON.stringify to bytes / rows to frames (${ns(slow!)} / ${ns(fast!)}; ${perRow} B/row)`,
      slow! / fast!,
      '>= 6',
      (x) => x >= 6,
    ),
    result(
      `5 msgpackr with shared structures / rows to frames (${ns(packed!)} / ${ns(fast!)})`,
      packed! / fast!,
      '>= 5',
      (x) => x >= 5,
    ),
  ]
}

/** 200,000 live rows turning over: whole rows as objects, or frames with rows as (frame, index). */
function retainBar(frames: readonly Frame[]): BarResult {
  const layout = layoutOf(bid)
  const live = 200_000
  const total = 600_000
  const keptRows: unknown[] = new Array(live)
  const asObjects = (): unknown => {
    for (let n = 0; n < total; ) {
      for (const bytes of encoded) {
        const frame = decodeFrame(layout, bytes)
        for (let i = 0; i < frame.length; i++) keptRows[n++ % live] = layout.plain(frame, i)
      }
    }
    return keptRows[0]
  }
  const encoded = frames.map((frame) => frame.bytes.slice())
  const slots = Math.ceil(live / 256)
  const keptFrames: Frame[] = []
  const places = new Int32Array(live)
  const asFrames = (): unknown => {
    for (let n = 0, f = 0; n < total; ) {
      for (const bytes of encoded) {
        const frame = decodeFrame(layout, bytes.slice())
        keptFrames[f % slots] = frame
        for (let i = 0; i < frame.length; i++) places[n++ % live] = (f % slots) * 256 + i
        f++
      }
    }
    return keptFrames[0]
  }
  const times: [number[], number[]] = [[], []]
  for (let round = -1; round < 5; round++) {
    ;[asObjects, asFrames].forEach((run, c) => {
      const start = cpuMs()
      sink = run()
      if (round >= 0) times[c]!.push(((cpuMs() - start) * 1e6) / total)
    })
    keptRows.fill(undefined)
  }
  const [objects, kept] = times.map((of) => of.sort((a, b) => a - b)[2]!)
  return result(
    `17 retained rows as objects / as frames (${ns(objects!)} / ${ns(kept!)})`,
    objects! / kept!,
    '>= 2',
    (x) => x >= 2,
  )
}

function result(
  bar: string,
  measured: number,
  required: string,
  holds: (x: number) => boolean,
): BarResult {
  return { bar, measured: Math.round(measured * 100) / 100, required, holds: holds(measured) }
}

function ns(value: number): string {
  return `${value.toFixed(1)} ns`
}
