/**
 * Watermarks of one `withEventTime` step inside one subtask.
 *
 * Every partition that feeds the step is a channel with its own largest timestamp. The step's watermark is the minimum
 * of `max - lag` over the channels that are neither idle nor ended, and never goes backwards. It moves per row: the
 * generated chain compares each timestamp with `max` and `gate`, and calls `fireAt` after a row only when some step
 * downstream has something due - also when the row itself set a timer that is due already. Everything else reads
 * `watermark()` on demand, which is always that of the rows before the current.
 *
 * What a step emits when it fires belongs to the time before the watermark that made it fire. So the steps behind it see
 * the watermark from before until every step upstream of them has advanced; else windows on windows would find their
 * input late.
 *
 * In batch mode rows are collected instead, and `replayAll` delivers them in stable event-time order; before the row at
 * time t everything due before t fires, so nothing is ever late.
 */
import { latestTimestamp, timestampMax, timestampMin } from '../base/time.ts'
import type { ChannelState, StoredWatermark } from '../checkpoint/manifest.ts'
import type { EventClock, Operator } from '../operators/contract.ts'

/** A step downstream of an origin, or an exchange, which only holds the watermark of the rows that it sends. */
export interface Downstream {
  readonly operator: Pick<Operator, 'nextDue' | 'advance'>
  readonly clock: MergedClock
}

interface Channel {
  readonly id: string
  max: number
  state: ChannelState
}

/** Where one channel of a step stands. */
export interface ChannelTime {
  readonly watermark: number
  readonly state: ChannelState
}

/** What a timestamp may be at most. */
export interface TimeLimits {
  /** After the time when the source's store took the row; ms, default no limit. */
  readonly maxFuture?: number | undefined
  /** Of any row; epoch ms, default no limit. */
  readonly notAfter?: number | undefined
}

export class EventTimeOrigin {
  /** Largest timestamp of the current channel. Read and written by generated code. */
  max: number = timestampMin
  /** `fireAt` is called when the current channel's `max - lag` reaches this. Read by generated code. */
  gate: number = Number.POSITIVE_INFINITY
  /** Timestamps from here on are none. Read by generated code. */
  bound: number
  /** Watermark = max - lag. */
  readonly lag: number
  readonly id: number
  readonly #maxFuture: number
  readonly #notAfter: number
  #operators: readonly Downstream[] = []
  #channels: Channel[] = []
  readonly #byId = new Map<string, Channel>()
  #current: Channel | undefined
  /** Minimum over the other active channels, +Infinity when there is none. */
  #others: number = Number.POSITIVE_INFINITY
  #floor: number = timestampMin
  #due: number = Number.POSITIVE_INFINITY
  #sealed = false
  /** In batch mode the watermark is set, not derived. */
  #batch: number | undefined

  constructor(id: number, maxOutOfOrderness: number, batch: boolean, limits: TimeLimits = {}) {
    this.id = id
    this.lag = maxOutOfOrderness + 1
    this.#maxFuture = limits.maxFuture ?? Number.POSITIVE_INFINITY
    this.#notAfter = Math.min(limits.notAfter ?? latestTimestamp, latestTimestamp)
    this.bound = this.#notAfter + 1
    if (batch) this.#batch = timestampMin
  }

  /** Steps downstream, in topological order; called once. */
  attach(operators: readonly Downstream[]): void {
    this.#operators = operators
  }

  /** Adds a channel, at the given largest timestamp when it is restored. */
  open(channel: string, max: number = timestampMin): void {
    if (this.#byId.has(channel)) return
    const opened: Channel = { id: channel, max, state: 'active' }
    this.#channels.push(opened)
    this.#byId.set(channel, opened)
  }

  /** No channel is added any more: a step without any has no input, and holds nobody back. */
  seal(): void {
    this.#sealed = true
  }

  /** Where a channel stands; undefined when it does not hold time back and only those are `active` that do. */
  watermarkOf(channel: string, active: boolean): number | undefined {
    const found = this.#byId.get(channel)
    if (found === undefined || (active && found.state !== 'active')) return undefined
    const max = found === this.#current ? this.max : found.max
    return max === timestampMin ? timestampMin : max - this.lag
  }

  /** What a channel from another subtask says: its watermark after the rows so far. Only where `lag` is 0. */
  advanceChannel(channel: string, watermark: number): void {
    this.select(channel)
    if (watermark <= this.max) return
    if (watermark >= this.gate) this.fireAt(watermark)
    else this.max = watermark
  }

  /** Rows of this channel follow. */
  select(channel: string): void {
    const next = this.#byId.get(channel)
    if (next === undefined) return
    if (next === this.#current && next.state === 'active') return
    this.#save()
    next.state = next.state === 'ended' ? 'ended' : 'active'
    this.#current = next
    this.max = next.max
    this.#recompute()
  }

  /** Rows follow that a store took at this time, undefined when nobody knows. */
  limit(appendedMs: number | undefined): void {
    const newest = appendedMs === undefined ? this.#notAfter : appendedMs + this.#maxFuture
    this.bound = Math.min(newest, this.#notAfter) + 1
  }

  /** The channel has nothing to read for a while (or no longer). */
  setIdle(channel: string): void {
    const found = this.#byId.get(channel)
    if (found === undefined || found.state !== 'active') return
    this.#hold()
    this.#save()
    found.state = 'idle'
    this.#recompute()
    this.#fire()
  }

  end(channel: string): void {
    const found = this.#byId.get(channel)
    if (found === undefined || found.state === 'ended') return
    this.#hold()
    this.#save()
    found.state = 'ended'
    this.#recompute()
    this.#fire()
  }

  get ended(): boolean {
    return this.#channels.every((c) => c.state === 'ended')
  }

  /** Nothing has come for a while, and nothing is known to come. */
  get idle(): boolean {
    return (
      this.#channels.every((c) => c.state !== 'active') &&
      this.#channels.some((c) => c.state === 'idle')
    )
  }

  /** What the watermark has reached at least. */
  get floor(): number {
    return this.#floor
  }

  raiseFloor(watermark: number): void {
    if (watermark > this.#floor) this.#floor = watermark
  }

  /** The watermark of the rows before the current one. */
  watermark(): number {
    if (this.#batch !== undefined) return this.#batch
    const now = this.#now()
    if (now > this.#floor) this.#floor = now
    return this.#floor
  }

  schedule(dueMs: number): void {
    if (dueMs < this.#due) {
      this.#due = dueMs
      this.#regate()
    }
  }

  /** The largest timestamp of the current channel becomes `max`, and with that something is due. */
  fireAt(max: number): void {
    this.#hold()
    this.max = max
    this.#fire()
  }

  /** Until `#fire` comes to them, the steps downstream see the watermark of now. */
  #hold(): void {
    for (const { clock } of this.#operators) clock.hold()
  }

  /** Advances every step downstream to its merged watermark, in topological order. */
  #fire(): void {
    this.watermark()
    for (const { operator, clock } of this.#operators) {
      clock.release()
      const watermark = clock.watermark()
      if (operator.nextDue() <= watermark) operator.advance(watermark)
    }
    const own = this.watermark()
    let due = Number.POSITIVE_INFINITY
    for (const { operator, clock } of this.#operators) {
      const next = operator.nextDue()
      const at = next + clock.delayOf(this)
      // Due already and not fired: another origin holds this step back and will fire it.
      if (at < due && (at > own || next <= clock.watermark())) due = at
    }
    this.#due = due
    this.#regate()
  }

  /** Batch mode: everything before `atMs` is complete. */
  advanceBatch(atMs: number): void {
    if (this.#batch === undefined) return
    const at = atMs > this.#batch ? atMs : this.#batch
    const fires = at >= this.#due
    if (fires) this.#hold()
    this.#batch = at
    if (fires) this.#fire()
  }

  /** By channel, and under the empty name the watermark of the step itself, which never goes back. */
  storedWatermarks(): readonly StoredWatermark[] {
    this.#save()
    const channels = this.#channels
      .filter((c) => c.max !== timestampMin)
      .map((c) => ({ node: this.id, partition: c.id, watermarkMs: c.max - this.lag }))
    const own = this.watermark()
    return own === timestampMin
      ? channels
      : [...channels, { node: this.id, partition: '', watermarkMs: own }]
  }

  /**
   * Takes what all subtasks of a snapshot have stored, a list each. A name that several have stored counts with its
   * least watermark: whoever reads behind this step has waited for the slowest.
   */
  restoreWatermarks(stored: readonly (readonly StoredWatermark[])[]): void {
    const least = (name: string): number => {
      const found = stored.map((own) => own.find(({ partition }) => partition === name))
      return Math.min(...found.map((one) => one?.watermarkMs ?? timestampMin))
    }
    for (const channel of this.#channels) {
      const owners = stored.flatMap((own) => own.filter((w) => w.partition === channel.id))
      if (owners.length === 0) continue
      const watermark = owners.length === 1 ? owners[0]!.watermarkMs : least(channel.id)
      channel.max = Math.max(channel.max, watermark + this.lag)
      if (channel === this.#current) this.max = channel.max
    }
    if (stored.length > 0) this.raiseFloor(least(''))
    this.#recompute()
  }

  /** Where a channel stands. */
  channelAt(channel: string): ChannelTime | undefined {
    this.#save()
    const found = this.#byId.get(channel)
    return found && { watermark: found.max - this.lag, state: found.state }
  }

  /** A channel stands there, as in an earlier life; nothing fires. */
  restoreChannel(channel: string, { watermark, state }: ChannelTime): void {
    const found = this.#byId.get(channel)
    if (found === undefined) return
    found.max = watermark + this.lag
    found.state = state
    if (found === this.#current) this.max = found.max
    this.#recompute()
  }

  /** Which channels hold the watermark back, slowest first. */
  holders(): readonly { readonly channel: string; readonly watermark: number }[] {
    this.#save()
    return this.#channels
      .filter((c) => c.state === 'active')
      .map((c) => ({ channel: c.id, watermark: c.max - this.lag }))
      .sort((a, b) => a.watermark - b.watermark)
  }

  #save(): void {
    if (this.#current !== undefined) this.#current.max = this.max
  }

  #now(): number {
    if (this.#channels.length === 0) return this.#sealed ? timestampMax : timestampMin
    const current = this.#current
    if (current === undefined || current.state !== 'active') {
      if (this.#others === Number.POSITIVE_INFINITY) return this.#allQuiet()
      return this.#others
    }
    const own = this.max === timestampMin ? timestampMin : this.max - this.lag
    return own < this.#others ? own : this.#others
  }

  /** No active channel: ended ones are at the end of time, idle ones keep what is known. */
  #allQuiet(): number {
    if (this.ended) return timestampMax
    let max: number = timestampMin
    for (const c of this.#channels) if (c.state === 'idle' && c.max > max) max = c.max
    return max === timestampMin ? timestampMin : max - this.lag
  }

  #recompute(): void {
    if (this.#batch !== undefined) return
    let others = Number.POSITIVE_INFINITY
    for (const c of this.#channels) {
      if (c === this.#current || c.state !== 'active') continue
      const watermark = c.max === timestampMin ? timestampMin : c.max - this.lag
      if (watermark < others) others = watermark
    }
    this.#others = others
    this.#regate()
  }

  #regate(): void {
    this.gate =
      this.#batch === undefined && this.#others >= this.#due ? this.#due : Number.POSITIVE_INFINITY
  }
}

/** An origin as a step sees it: behind windows that wait for late rows, their results come that much later. */
export interface ClockInput {
  readonly origin: EventTimeOrigin
  readonly delayMs: number
}

/** Event time of one step: the minimum over the origins of its inputs. */
export class MergedClock implements EventClock {
  readonly #inputs: readonly ClockInput[]
  /** How many origins are firing and have not come to this step; meanwhile the watermark stays at `#held`. */
  #holders = 0
  #held: number = timestampMin

  constructor(inputs: readonly ClockInput[]) {
    this.#inputs = inputs
  }

  /** Whether this origin's watermark reaches the step. */
  hears(origin: EventTimeOrigin): boolean {
    return this.#inputs.some((input) => input.origin === origin)
  }

  /** How far this step is behind an origin. */
  delayOf(origin: EventTimeOrigin): number {
    return this.#inputs.find((input) => input.origin === origin)?.delayMs ?? 0
  }

  hold(): void {
    if (this.#holders === 0) this.#held = this.watermark()
    this.#holders++
  }

  release(): void {
    this.#holders--
  }

  watermark(): number {
    if (this.#holders > 0) return this.#held
    let least = Number.POSITIVE_INFINITY
    for (const { origin, delayMs } of this.#inputs) {
      const watermark = origin.watermark()
      // The end of time waits for nobody.
      const own = watermark === timestampMax ? watermark : watermark - delayMs
      if (own < least) least = own
    }
    return least === Number.POSITIVE_INFINITY ? timestampMin : least
  }

  schedule(dueMs: number): void {
    for (const { origin, delayMs } of this.#inputs) origin.schedule(dueMs + delayMs)
  }

  /** Nothing upstream of this step has an event time. */
  get untimed(): boolean {
    return this.#inputs.length === 0
  }

  /** What the watermark has reached at least, whatever the inputs of this subtask have read meanwhile. */
  floor(): number {
    let least: number = Number.POSITIVE_INFINITY
    for (const { origin, delayMs } of this.#inputs) least = Math.min(least, origin.floor - delayMs)
    return Math.max(timestampMin, least === Number.POSITIVE_INFINITY ? timestampMin : least)
  }

  /** No input has anything to say for a while, so nobody should wait for this step. */
  get idle(): boolean {
    return (
      this.#inputs.some(({ origin }) => origin.idle) &&
      this.#inputs.every(({ origin }) => origin.idle || origin.ended)
    )
  }
}
