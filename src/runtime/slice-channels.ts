/** How a slice reads what the other subtasks send it: the last stage first, so that rows leave before new ones come in. */
import { present } from '../base/assert.ts'
import type { Message, RowBatch } from '../exchange/contract.ts'
import type { ChannelInput, RestOfRows } from './channel-input.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { StageEnd } from './slice-end.ts'
import type { SliceParts } from './slice-parts.ts'
import { senderChannel } from './stage-links.ts'
import type { Stage } from './stage.ts'
import type { Turns } from './turns.ts'

/** Silent senders are looked for so often. */
const watchMs = 20
/** Messages taken from one channel before the next has its turn. */
const messagesPerTurn = 4

export class ChannelReading {
  readonly #slice: SliceParts
  readonly #turns: Turns
  readonly #end: StageEnd
  #watchedAtMs = 0

  constructor(slice: SliceParts, turns: Turns, end: StageEnd) {
    this.#slice = slice
    this.#turns = turns
    this.#end = end
  }

  /** Takes messages of the other subtasks, for the last stage first, so that rows leave before new ones come in. */
  async read(): Promise<boolean> {
    let worked = false
    for (let id = this.#slice.stages.length - 1; id > 0; id--) {
      const stage = this.#slice.stages[id]
      if (stage === undefined || !(stage.started || (await this.#start(stage)))) continue
      for (const input of stage.inputs) {
        for (let i = 0; i < messagesPerTurn && !this.#slice.stopped; i++) {
          if (this.#slice.held(stage) || this.#slice.snapshots.due) break
          if (input.rest !== undefined) {
            worked = true
            await this.#goOn(stage, input, input.rest)
            continue
          }
          const message = input.next()
          if (message === undefined) break
          worked = true
          await this.#take(stage, input, message)
        }
      }
      if (!stage.ended && stage.usedUp && !this.#slice.held(stage)) {
        await this.#end.finish(stage)
        worked = true
      }
    }
    return worked
  }

  /** A stage of a timed stream begins when all senders have said where their event time stands. */
  async #start(stage: Stage): Promise<boolean> {
    // In batch mode event time waits for nobody: rows are put in order when all have come.
    const waits = this.#slice.options.mode !== 'batch'
    const timed = (waits ? stage.inputs : []).filter(
      ({ edge }) => this.#slice.built.exchangeOrigins.has(edge.id) && !stage.collected.has(edge.id),
    )
    for (const input of timed) input.listen()
    if (!timed.every((input) => input.heard)) return false
    stage.started = true
    for (const input of timed) {
      const greeting = input.takeGreeting()
      if (greeting !== undefined) await this.#take(stage, input, greeting)
    }
    return true
  }

  async #take(stage: Stage, input: ChannelInput, message: Message): Promise<void> {
    const { edge, channel } = input
    const origin = this.#slice.built.exchangeOrigins.get(edge.id)
    const collected = stage.collected.get(edge.id)
    switch (message.kind) {
      case 'rows':
        input.rest = { rows: message.rows, from: 0 }
        if (!message.rows.partial) this.#slice.meter.hotKeys.add(message.rows)
        await this.#goOn(stage, input, input.rest)
        return
      case 'watermark':
        this.#slice.inStage(stage.id, () =>
          this.#timeMoves(() => origin?.advanceChannel(channel, message.watermark)),
        )
        return
      case 'idle':
        this.#timeMoves(() => origin?.setIdle(channel))
        return
      case 'barrier':
        if (this.#slice.snapshots.isOver(message.epoch)) return
        if (stage.barrier(input, message.epoch)) this.#slice.snapshots.aligned(stage, message.epoch)
        return
      case 'end':
        input.ended = true
        if (collected === undefined) this.#timeMoves(() => origin?.end(channel))
        for (const timed of this.#originsBehind(input))
          this.#timeMoves(() => timed.end(senderChannel(input)))
    }
  }

  /**
   * Gives the rest of a message to the chain, some rows per call. Other work of the thread has its turns between the calls;
   * a full sink or receiver, and a checkpoint that is to begin or to cut this stage, stop it there.
   */
  async #goOn(stage: Stage, input: ChannelInput, rest: RestOfRows): Promise<void> {
    const { edge, channel, from } = input
    const { rows } = rest
    const collected = stage.collected.get(edge.id)
    if (collected !== undefined) collected.sender = from
    else this.#slice.built.exchangeOrigins.get(edge.id)?.select(channel)
    input.quietSinceMs = undefined
    for (const timed of this.#originsBehind(input)) timed.select(senderChannel(input))
    this.#slice.policies.place = (index) => `row ${index} of a batch from subtask ${from}`
    if (rows.partial) {
      this.#takePartials(stage, input, rows)
      input.rest = undefined
      this.#slice.sinks.relieve()
      await this.#turns.give()
      return
    }
    const chain = this.#slice.chain?.exchanges.get(edge.id)
    do {
      const to = Math.min(rest.from + stage.rowsPerCall, rows.length)
      const ms = this.#slice.inStage(stage.id, () => chain?.batch(rows, rest.from, to))
      stage.took(to - rest.from, ms)
      input.rows += to - rest.from
      rest.from = to
      if (to === rows.length) input.rest = undefined
      this.#slice.sinks.relieve()
      await this.#turns.give()
      if (this.#slice.stopped || this.#slice.held(stage) || this.#slice.snapshots.due) return
    } while (rest.from < rows.length)
  }

  #takePartials(stage: Stage, input: ChannelInput, batch: RowBatch): void {
    const into = present(this.#slice.partials.get(input.edge.id), 'a window that takes partials')
    this.#slice.inStage(stage.id, () => {
      let rows = new Float64Array(0)
      this.#slice.policies.place = () =>
        `while partial results of subtask ${input.from} were merged`
      try {
        rows = into.take(batch)
      } catch (error) {
        this.#slice.policies.failed(into.merging ?? this.#slice.chain?.current(), error, -1)
      }
      this.#slice.meter.hotKeys.addPartials(batch, rows)
      for (const many of rows) input.rows += many
    })
  }

  /**
   * Senders that have sent nothing for `idleAfter` no longer hold back event-time steps which take them for partitions.
   */
  watch(nowMs: number): void {
    if (nowMs - this.#watchedAtMs < watchMs) return
    this.#watchedAtMs = nowMs
    for (const stage of this.#slice.stages) {
      for (const input of stage.inputs) {
        const origins = this.#originsBehind(input)
        if (origins.length === 0 || input.ended) continue
        if (input.ready || input.behind !== undefined) input.quietSinceMs = undefined
        else input.quietSinceMs ??= nowMs
        const quietMs = nowMs - (input.quietSinceMs ?? nowMs)
        for (const origin of origins) {
          const node = this.#slice.plan.nodes[origin.id]
          if (node?.kind === 'event-time' && quietMs >= node.idleAfter)
            this.#timeMoves(() => origin.setIdle(senderChannel(input)))
        }
      }
    }
  }

  /** Event-time steps that rows of a channel reach without meeting state. */
  #originsBehind({ edge }: ChannelInput): readonly EventTimeOrigin[] {
    return this.#slice.built.originsOfExchange.get(edge.id) ?? []
  }

  #timeMoves(move: () => void): void {
    this.#slice.policies.place = () => 'while event time advanced'
    try {
      move()
    } catch (error) {
      this.#slice.policies.failed(this.#slice.chain?.current(), error, -1)
    }
  }
}
