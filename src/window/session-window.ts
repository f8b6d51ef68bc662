/**
 * Session windows: per key, runs of rows with gaps of at most `gap`. A session is [first, last + gap); sessions that
 * merely touch merge, so a row exactly `gap` after the last one continues the session.
 *
 * 1. A row joins the sessions of its key that it touches; several become one.
 * 2. A session fires when the watermark reaches its last millisecond (plus allowed lateness with `emitOnce`).
 * 3. A row is late when the session it would form or join is closed for good.
 *
 * Deadlines are kept lazily: a session that grew is found early in the heap, and goes back with its real end.
 * With emit mode `updates` a fired session that changes is deleted and inserted again with its new bounds.
 */
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { Emit, EventClock, OperatorCounts } from '../operators/contract.ts'
import { Reader } from '../schema/bytes.ts'
import { compareKeys } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import type { FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import { KeyTable } from '../state/key-table.ts'
import { Deadlines } from './deadlines.ts'
import { DistinctSet } from './distinct.ts'
import { type AggregateKernel, aggregateKernel } from './kernel.ts'
import { readBounds, readExtras, SessionPicture } from './session-snapshot.ts'

export interface SessionWindowOptions {
  readonly name: string
  readonly gapMs: number
  readonly allowedLatenessMs: number
  readonly emit: 'once' | 'updates'
  /**
   * Batch mode moves the watermark to the millisecond before the next row. A session that ends at that row still takes
   * it, because sessions that touch merge: so it closes one millisecond later than its last one.
   */
  readonly batch: boolean
  readonly aggregates: AggregateSpec
  readonly clock: EventClock
  readonly range: KeyGroupRange
}

const none = -1
/** `fired` of a session whose results were taken back and are shown again with its next row. */
const reappears = 2
const noSets: readonly DistinctSet[] = []

export class SessionWindowOperator {
  readonly name: string
  readonly kernel: AggregateKernel
  readonly #options: SessionWindowOptions
  readonly #gap: number
  readonly #fireDelay: number
  /** How long after its last millisecond a session still takes rows. */
  readonly #closeDelay: number
  readonly #keys: KeyTable = new KeyTable()
  /** First session of a key slot, or -1. */
  #first: Int32Array = new Int32Array(64).fill(none)
  // Sessions by id, in parallel arrays: a plain object per session costs a scavenge per row.
  #start: Float64Array = new Float64Array(64)
  #end: Float64Array = new Float64Array(64)
  #next: Int32Array = new Int32Array(64)
  /** Key slot, -1 for a session that was merged away and waits for its deadline to be popped. */
  #owner: Int32Array = new Int32Array(64)
  #fired: Uint8Array = new Uint8Array(64)
  /** Deadlines of an id in the heap; the id is reused when there is none left. */
  #pending: Int32Array = new Int32Array(64)
  #words: Float64Array
  readonly #objects: unknown[] = []
  readonly #sets: (readonly DistinctSet[])[] = []
  readonly #free: number[] = []
  #count = 0
  readonly #deadlines: Deadlines = new Deadlines()
  #out: Emit = () => {}
  #late: Emit | undefined
  #lateCount = 0
  #live = 0

  constructor(options: SessionWindowOptions) {
    this.#options = options
    this.name = options.name
    this.#gap = options.gapMs
    this.kernel = aggregateKernel(options.aggregates, true)
    this.#closeDelay = options.allowedLatenessMs + (options.batch ? 1 : 0)
    this.#fireDelay = options.emit === 'once' ? this.#closeDelay : 0
    this.#words = new Float64Array(64 * this.kernel.stride)
  }

  connect(output: string, emit: Emit): void {
    if (output === 'out') this.#out = emit
    else this.#late = emit
  }

  // hot: once per record, see benchmarks/nexmark q11
  record(key: Key, row: unknown, t: number): void {
    const slot = typeof key === 'number' ? this.#keys.numberSlot(key + 0) : this.#keys.slot(key)
    if (this.#keys.inserted) this.#newKey(slot)
    const first = this.#first[slot]!
    let id = first
    if (
      first === none ||
      t < this.#start[first]! ||
      t > this.#end[first]! ||
      this.#next[first] !== none ||
      this.#fired[first] !== 0
    ) {
      id = this.#place(slot, row, t)
      if (id === none) return
    } else if (t + this.#gap > this.#end[first]!) this.#end[first] = t + this.#gap
    const { kernel } = this
    const sets = this.#sets[id] ?? noSets
    kernel.add(this.#words, id * kernel.stride, this.#objects, id * kernel.objects, sets, 0, row)
    if (this.#fired[id] !== 0) this.#refire(id)
  }

  nextDue(): number {
    return this.#deadlines.next
  }

  advance(watermark: number): void {
    const found: number[] = []
    while (this.#deadlines.next <= watermark) {
      const id = this.#deadlines.pop()
      this.#pending[id]! -= 1
      if (this.#owner[id] === none) this.#release(id)
      else {
        const delay = this.#fired[id] === 0 ? this.#fireDelay : this.#closeDelay
        const at = this.#end[id]! - 1 + delay
        if (at > watermark) this.#deadline(at, id)
        else found.push(id)
      }
    }
    // Most calls find one session or none. One that had two deadlines stands beside itself after sorting.
    if (found.length > 1) found.sort((a, b) => this.#order(a, b))
    let before = none
    for (const id of found) {
      if (id === before) continue
      before = id
      if (this.#fired[id] === 0) this.#emit(id, 'insert')
      const closes = this.#end[id]! - 1 + this.#closeDelay
      if (this.#options.emit === 'updates' && closes > watermark) {
        this.#fired[id] = 1
        this.#deadline(closes, id)
      } else {
        this.#remove(id)
        this.#release(id)
      }
    }
    if (this.#deadlines.size > 0) this.#options.clock.schedule(this.#deadlines.next)
  }

  nextProcessingDue(): number {
    return Number.POSITIVE_INFINITY
  }

  advanceProcessing(): void {}

  flushEpoch(): void {}

  finish(): void {}

  counts(): OperatorCounts {
    return {
      received: 0,
      accepted: 0,
      late: this.#lateCount,
      skipped: 0,
      deadLettered: 0,
      buffered: this.#live,
      keys: this.#keys.size,
    }
  }

  freeze(): FrozenState {
    const { kernel } = this
    const picture = new SessionPicture(kernel, this.#live)
    for (let id = 0; id < this.#count; id++) {
      const slot = this.#owner[id]!
      if (slot === none) continue
      picture.add(
        this.#keys.keyAt(slot),
        this.#start[id]!,
        this.#end[id]!,
        this.#fired[id]!,
        this.#words,
        id * kernel.stride,
        this.#objects,
        id * kernel.objects,
        this.#sets[id] ?? noSets,
      )
    }
    return picture.frozen(this.#options.range)
  }

  restore(block: SnapshotBlock): void {
    if (block.keyGroup < this.#options.range.first || block.keyGroup >= this.#options.range.end)
      return
    const reader = new Reader(block.bytes)
    while (reader.remaining > 0) this.#restoreSession(reader)
  }

  finishRestore(): void {
    if (this.#deadlines.size > 0) this.#options.clock.schedule(this.#deadlines.next)
  }

  /** Finds, extends, merges or makes the session of a row; -1 when the row is late. */
  #place(slot: number, row: unknown, t: number): number {
    let start = t
    let end = t + this.#gap
    const touching: number[] = []
    for (let id = this.#first[slot]!; id !== none; id = this.#next[id]!) {
      // Bounds of the row itself: sessions that touch it lie within gap on either side.
      if (this.#start[id]! <= t + this.#gap && this.#end[id]! >= t) touching.push(id)
    }
    for (const id of touching) {
      start = Math.min(start, this.#start[id]!)
      end = Math.max(end, this.#end[id]!)
    }
    const watermark = this.#options.clock.watermark()
    if (end - 1 + this.#closeDelay <= watermark) {
      if (this.#first[slot] === none) this.#keys.remove(slot)
      this.#lateCount++
      this.#late?.(
        { operator: this.name, record: row, timestamp: t, lateBy: watermark - (end - 1) },
        t,
      )
      return none
    }
    const into = touching[0] ?? this.#newSession(slot)
    const changed = touching.length > 1 || start !== this.#start[into] || end !== this.#end[into]
    if (changed) for (const id of touching) this.#retract(id)
    for (const id of touching.slice(1)) {
      this.#absorb(into, id)
      this.#remove(id)
    }
    this.#start[into] = start
    this.#end[into] = end
    const shown = changed && this.#options.emit === 'updates' && end - 1 <= watermark
    if (changed) this.#fired[into] = shown ? reappears : 0
    if (touching.length === 0 || changed) {
      this.#deadline(end - 1 + (shown ? this.#closeDelay : this.#fireDelay), into)
      this.#options.clock.schedule(this.#deadlines.next)
    }
    return into
  }

  /** A session whose results were shown is about to change its bounds. */
  #retract(id: number): void {
    if (this.#fired[id] !== 0) this.#emit(id, 'delete')
  }

  #refire(id: number): void {
    this.#emit(id, this.#fired[id] === reappears ? 'insert' : 'update')
    this.#fired[id] = 1
  }

  #deadline(at: number, id: number): void {
    this.#pending[id]! += 1
    this.#deadlines.push(at, id)
  }

  #release(id: number): void {
    if (this.#pending[id] === 0) this.#free.push(id)
  }

  #newKey(slot: number): void {
    if (slot >= this.#first.length) {
      const first = new Int32Array(this.#first.length * 2).fill(none)
      first.set(this.#first)
      this.#first = first
    }
    this.#first[slot] = none
  }

  #newSession(slot: number): number {
    const id = this.#free.pop() ?? this.#count++
    if (id === this.#start.length) this.#grow()
    const { kernel } = this
    this.#start[id] = Number.POSITIVE_INFINITY
    this.#end[id] = Number.NEGATIVE_INFINITY
    this.#owner[id] = slot
    this.#fired[id] = 0
    this.#next[id] = this.#first[slot]!
    this.#first[slot] = id
    if (kernel.distincts.length > 0) this.#sets[id] = kernel.distincts.map(() => new DistinctSet())
    kernel.init(this.#words, id * kernel.stride, this.#objects, id * kernel.objects)
    this.#live++
    return id
  }

  #grow(): void {
    const length = this.#start.length * 2
    this.#start = grown(this.#start, new Float64Array(length))
    this.#end = grown(this.#end, new Float64Array(length))
    this.#next = grown(this.#next, new Int32Array(length))
    this.#owner = grown(this.#owner, new Int32Array(length))
    this.#fired = grown(this.#fired, new Uint8Array(length))
    this.#pending = grown(this.#pending, new Int32Array(length))
    this.#words = grown(this.#words, new Float64Array(length * this.kernel.stride))
  }

  #absorb(into: number, from: number): void {
    const { kernel } = this
    const { stride, objects } = kernel
    kernel.merge(
      this.#words,
      into * stride,
      this.#objects,
      into * objects,
      this.#words,
      from * stride,
      this.#objects,
      from * objects,
    )
    kernel.distincts.forEach((layout, index) => {
      const source = this.#sets[from]?.[index]
      const target = this.#sets[into]?.[index]
      if (!source || !target) return
      for (let entry = 0; entry < source.size; entry++) {
        const fresh = target.add(0, source.valueAt(entry), source.maskAt(entry))
        layout.words.forEach((word, bit) => {
          if (fresh & (1 << bit)) this.#words[into * stride + word]! += 1
        })
      }
    })
  }

  /** Unlinks a session from its key; its id is free once its deadline was popped. */
  #remove(id: number): void {
    const slot = this.#owner[id]!
    if (this.#first[slot] === id) this.#first[slot] = this.#next[id]!
    else {
      let at = this.#first[slot]!
      while (this.#next[at] !== id) at = this.#next[at]!
      this.#next[at] = this.#next[id]!
    }
    this.#owner[id] = none
    this.#live--
    if (this.kernel.objects > 0)
      this.#objects.fill(undefined, id * this.kernel.objects, (id + 1) * this.kernel.objects)
    if (this.#first[slot] === none) this.#keys.remove(slot)
  }

  #emit(id: number, op: 'insert' | 'update' | 'delete'): void {
    const { kernel } = this
    const key = this.#keys.keyAt(this.#owner[id]!)
    const window = Object.freeze({ start: this.#start[id]!, end: this.#end[id]! })
    const row = kernel.result(
      this.#words,
      id * kernel.stride,
      this.#objects,
      id * kernel.objects,
      key,
      window,
    )
    this.#out(
      this.#options.emit === 'updates' ? { op, key: { key, window }, row } : row,
      window.end - 1,
    )
  }

  /** Order of firing: end, start, key. */
  #order(a: number, b: number): number {
    const byEnd = this.#end[a]! - this.#end[b]!
    if (byEnd !== 0) return byEnd
    const byStart = this.#start[a]! - this.#start[b]!
    if (byStart !== 0) return byStart
    return compareKeys(this.#keys.keyAt(this.#owner[a]!), this.#keys.keyAt(this.#owner[b]!))
  }

  #restoreSession(reader: Reader): void {
    const { key, start, end, fired } = readBounds(reader)
    const slot = this.#keys.slot(key)
    if (this.#keys.inserted) this.#newKey(slot)
    const id = this.#newSession(slot)
    const { kernel } = this
    this.#start[id] = start
    this.#end[id] = end
    this.#fired[id] = fired
    reader.f64s(this.#words, id * kernel.stride, kernel.stride)
    readExtras(reader, kernel, this.#objects, id * kernel.objects, this.#sets[id] ?? noSets)
    this.#deadline(end - 1 + (fired === 1 ? this.#closeDelay : this.#fireDelay), id)
  }
}

function grown<Values extends Float64Array | Int32Array | Uint8Array>(
  from: Values,
  to: Values,
): Values {
  to.set(from)
  return to
}
