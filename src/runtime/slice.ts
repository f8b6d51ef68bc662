/**
 * One subtask of a job: it reads its share of the partitions, runs every stage of the plan, keeps its share of the
 * state, writes the sinks. Subtasks meet in exchanges (`stages.ts`); with one subtask there is a single stage.
 *
 *   open sinks and sources ─▶ restore ─▶ loop ─▶ input used up ─▶ final watermark ─▶ report `finished` ─▶ wait
 *
 * The loop takes one batch at a time: messages of the other subtasks first, the latest stage before the earlier ones,
 * then rows of the partitions in turn. A stage whose receivers or sinks are full gets nothing; sinks write beside the
 * loop. Everything asynchronous happens between batches:
 *
 *  1. a checkpoint, when the driver asked for one (`epoch-snapshots.ts`);
 *  2. due processing-time timers fire;
 *  3. what is batched for other subtasks is sent when there is nothing to do, and once per millisecond;
 *  4. other work of the thread gets its turn every few milliseconds.
 *
 * In batch mode partitions are read one after the other, event-time steps (with several subtasks: exchanges) collect
 * their rows, and at the end of the input the rows are replayed in stable event-time order.
 */
import type { SourcePosition } from '../checkpoint/manifest.ts'
import type { SubtaskMessage } from '../checkpoint/messages.ts'
import type { PlanNode } from '../graph/plan.ts'
import { type SliceActivity, stepsOfStages } from './activity.ts'
import type { SliceProgress } from './progress.ts'
import { ChannelReading } from './slice-channels.ts'
import { StageEnd } from './slice-end.ts'
import { PartitionReading } from './slice-partitions.ts'
import { type SliceOptions, SliceParts } from './slice-parts.ts'
import { openSinks, openSlice } from './slice-start.ts'
import { Turns } from './turns.ts'

/** Rows for other subtasks wait at most this long for their frame to fill. */
const flushMs = 1

export class Slice {
  readonly #slice: SliceParts
  readonly #turns: Turns
  readonly #partitions: PartitionReading
  readonly #channels: ChannelReading
  readonly #bornMs: number
  readonly #steps: readonly (readonly string[])[]
  /** Sources read nothing any more: a final checkpoint is under way. */
  #sealed = false
  #wake: (() => void) | undefined
  #woken = false
  #flushedAtMs = 0

  constructor(options: SliceOptions) {
    this.#slice = new SliceParts(options, {
      committed: (positions) => this.#tellSources(positions),
      signal: () => this.#signal(),
    })
    this.#turns = new Turns(this.#slice)
    const end = new StageEnd(this.#slice)
    this.#partitions = new PartitionReading(this.#slice, this.#turns, end)
    this.#channels = new ChannelReading(this.#slice, this.#turns, end)
    this.#bornMs = options.env.clock.monoMs()
    this.#steps = stepsOfStages(options.plan, this.#slice.cuts)
  }

  /** Runs until the driver ends the job or something fails. Never rejects. */
  async run(): Promise<void> {
    try {
      if (this.#slice.options.manifest?.finished === true)
        await this.#showResults(this.#slice.options.manifest.epoch)
      else {
        await openSlice(this.#slice)
        await this.#loop()
      }
    } catch (error) {
      if (!this.#slice.stopped) {
        this.#end()
        this.#slice.options.failed(error)
      }
    } finally {
      this.#end()
      await this.#close()
    }
  }

  /** Takes a message of the checkpoint driver. */
  send(message: SubtaskMessage): void {
    if (this.#slice.stopped) return
    if (message.kind === 'abort') this.#sealed = false
    this.#slice.snapshots.receive(message)
    this.#signal()
  }

  /** Stops at the next batch boundary without a checkpoint. */
  stop(): void {
    this.#end()
    this.#signal()
  }

  /** The step whose operator this is. */
  stepOf(operator: unknown): PlanNode | undefined {
    for (const [id, one] of this.#slice.built.operators)
      if (one === operator) return this.#slice.plan.nodes[id]
    return undefined
  }

  progress(): SliceProgress {
    const origin =
      [...this.#slice.built.exchangeOrigins.values()][0] ??
      [...this.#slice.built.origins.values()][0]
    return {
      ...this.#slice.ledger.totals(),
      watermarkMs: origin?.watermark(),
      lag: this.#partitions.lag,
      holders:
        origin
          ?.holders()
          .slice(0, 3)
          .map((h) => h.channel) ?? [],
      waiting: this.#slice.alignment?.waiting().slice(0, waitsTold) ?? [],
      slowest: this.#slice.alignment?.slowest() ?? [],
      activity: this.#activity(),
    }
  }

  #activity(): SliceActivity {
    const { idleMs, blockedMs, sinkMs, stageMs, hotKeys } = this.#slice.meter
    const inputs = this.#slice.stages.flatMap((stage) => stage.inputs)
    const outputs = this.#slice.stages.flatMap((stage) => stage.outputs)
    return {
      aliveMs: this.#slice.env.clock.monoMs() - this.#bornMs,
      idleMs,
      blockedMs,
      sinkMs: { ...sinkMs },
      stageMs: [...stageMs],
      stageSteps: this.#steps,
      fills: inputs.map(({ edge, from, fill }) => ({ exchange: edge.id, from, fill })),
      rowsIn: inputs.reduce((sum, { rows }) => sum + rows, 0),
      rowsOut: outputs.reduce((sum, { rowsSent }) => sum + rowsSent, 0),
      bytesOut: outputs.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
      keys: Object.fromEntries(
        [...this.#slice.built.operators.values()].map((one) => [one.name, one.counts().keys]),
      ),
      hotKeys: hotKeys.top(3),
    }
  }

  #end(): void {
    this.#slice.stopped = true
    this.#slice.snapshots.stop()
    this.#slice.sinks.stop()
  }

  /** A finished job has nothing to read, but its last epoch may have been published and not shown. */
  async #showResults(epoch: number): Promise<void> {
    await openSinks(this.#slice)
    this.#slice.options.report({ kind: 'committed', subtask: this.#slice.options.subtask, epoch })
  }

  async #loop(): Promise<void> {
    this.#turns.given()
    while (!this.#slice.stopped) {
      if (this.#slice.broken !== undefined) throw this.#slice.broken.error
      const requested = this.#slice.snapshots.requested
      if (requested !== undefined) {
        if (requested.snapshot === 'final') this.#sealed = true
        await this.#partitions.complete()
        await this.#slice.snapshots.start()
      }
      let worked = await this.#channels.read()
      const shut = this.#sealed || this.#slice.arrival !== undefined
      if (!shut && (await this.#partitions.read())) worked = true
      this.#slice.snapshots.capture()
      await this.#slice.snapshots.continue()
      this.#slice.sinks.relieve()
      const waits = this.#waitsForSink() !== undefined
      if (this.#slice.clock.tick() >= this.#slice.clock.due && !waits) this.#fireProcessingTime()
      const now = this.#slice.env.clock.monoMs()
      if (this.#flushOutputs(now, worked)) worked = true
      this.#partitions.measureLag(now)
      if (!waits) {
        if (now - this.#partitions.watchedAtMs >= watchMs) this.#partitions.watch()
        this.#channels.watch(now)
      }
      if (worked || this.#slice.snapshots.working) {
        if (!this.#turns.due(now)) continue
        await this.#slice.env.tasks.yield()
      } else await this.#rest()
      this.#turns.given()
    }
  }

  /** Sends what is batched. True when something for this subtask itself was among it. */
  #flushOutputs(nowMs: number, worked: boolean): boolean {
    if (this.#slice.stages.length === 1) return false
    if (worked && nowMs - this.#flushedAtMs < flushMs) return true
    this.#flushedAtMs = nowMs
    for (const stage of this.#slice.stages) {
      for (const output of stage.outputs) output.flush(nowMs, !worked)
      for (const way of stage.ways) way.look()
    }
    return this.#slice.stages.some(
      (stage) =>
        stage.started && !this.#slice.held(stage) && stage.inputs.some((input) => input.ready),
    )
  }

  /** A sink that some stage waits for. */
  #waitsForSink(): string | undefined {
    for (const { id } of this.#slice.stages) {
      const sink = this.#slice.sinks.holder(id)
      if (sink !== undefined) return sink
    }
    return undefined
  }

  #fireProcessingTime(): void {
    const now = this.#slice.clock.nowMs()
    this.#slice.clock.due = Number.POSITIVE_INFINITY
    try {
      for (const [id, operator] of this.#slice.built.operators) {
        if (operator.nextProcessingDue() <= now) {
          const stage = this.#slice.cuts.stageOf[id] ?? 0
          this.#slice.inStage(stage, () => operator.advanceProcessing(now))
          this.#slice.env.host.crashPoint('timer.fired')
        }
        const due = operator.nextProcessingDue()
        if (due !== Number.POSITIVE_INFINITY) this.#slice.clock.schedule(due)
      }
    } catch (error) {
      this.#slice.policies.failed(this.#slice.chain?.current(), error, -1)
    }
  }

  /** Waits until something happens: data, a message, a timer. */
  async #rest(): Promise<void> {
    if (this.#woken) {
      this.#woken = false
      return
    }
    const sink = this.#waitsForSink()
    const untilTimer =
      sink !== undefined || this.#slice.clock.due === Number.POSITIVE_INFINITY
        ? restMsMax
        : this.#slice.clock.due - this.#slice.clock.nowMs()
    const crowded = this.#slice.stages.some((stage) => stage.crowded)
    const waits = crowded || this.#slice.alignment?.waits === true
    const ms = Math.max(1, Math.min(waits ? crowdedMs : restMsMax, untilTimer))
    const sinceMs = this.#slice.env.clock.monoMs()
    const blocked = this.#slice.stages.some((stage) => stage.blocked)
    await new Promise<void>((resolve) => {
      const timer = this.#slice.env.clock.timer(ms, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
    this.#woken = false
    const restedMs = this.#slice.env.clock.monoMs() - sinceMs
    if (sink !== undefined) this.#slice.meter.waitedForSink(sink, restedMs)
    else if (blocked) this.#slice.meter.blockedMs += restedMs
    else this.#slice.meter.idleMs += restedMs
  }

  #signal(): void {
    this.#woken = true
    this.#wake?.()
  }

  /** Sources may let go of what lies before the positions of a committed epoch. */
  async #tellSources(committed: readonly SourcePosition[]): Promise<void> {
    for (const [id, handle] of this.#slice.handles) {
      const name = this.#slice.plan.nodes[id]?.name
      const positions = committed.filter((p) => p.source === name)
      await handle.committed?.(
        new Map(positions.map(({ partition, position }) => [partition, position])),
      )
    }
  }

  async #close(): Promise<void> {
    this.#slice.options.links?.close()
    const closing = [
      ...this.#slice.inputs.map((input) => input.close()),
      ...[...this.#slice.handles.values()].map((handle) => handle.close()),
      this.#slice.sinks.close(),
    ]
    for (const result of await Promise.allSettled(closing)) {
      if (result.status === 'rejected') {
        this.#slice.env.host.log('warn', 'a resource could not be closed', {
          error: String(result.reason),
        })
      }
    }
  }
}

/** Partitions that wait for others, of each subtask. */
const waitsTold = 3

/** Longest rest while nothing happens; idle inputs and the wall clock are looked at so often. */
const restMsMax = 100

/** Longest rest while a slow receiver has enough to do, or a partition waits for others: nobody says when that is over. */
const crowdedMs = 10

/** While there is work, silent partitions are looked for so often. */
const watchMs = 20
