/** One stage of a subtask: the steps between two exchanges, which a barrier passes as one. */
import type { KeyedOperator } from './chain.ts'
import type { ChannelInput } from './channel-input.ts'
import type { CollectedRows } from './collected-rows.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { ExchangeOutput } from './exchange-output.ts'
import type { PacedWriter } from './paced-writer.ts'

/** Rows of a message per call of the chain, before anything is known of what a row costs, and at most. */
const rowsPerCallAtStart = 16
const rowsPerCallMax = 1024
/** A call should not take longer, and may be larger while it takes less than a quarter. */
const callMsMax = 16

export class Stage {
  readonly id: number
  /** How many rows of a message the chain is given at once. */
  rowsPerCall: number = rowsPerCallAtStart
  /** In topological order. */
  readonly operators: KeyedOperator[] = []
  /** Event-time steps behind a stateful step: their only channel ends with the stage. */
  readonly inner: EventTimeOrigin[] = []
  /** Every event-time step of the stage. */
  readonly origins: EventTimeOrigin[] = []
  readonly inputs: ChannelInput[] = []
  readonly outputs: ExchangeOutput[] = []
  /** The channels behind the outputs; not in batch mode. */
  readonly ways: PacedWriter[] = []
  /** Batch mode: what waits behind an exchange, by its id. */
  readonly collected: Map<number, CollectedRows> = new Map()
  /** Every sender has been heard, so that event time is known. */
  started = false
  /** Steps that were told of the end of all input. */
  stepsEnded = 0
  /** All input is used up, and what followed from that is done. */
  ended = false

  constructor(id: number) {
    this.id = id
  }

  /** A receiver is full, or slow and has enough to do: nothing more should be made here. */
  get blocked(): boolean {
    for (const output of this.outputs) if (output.blocked) return true
    return this.crowded
  }

  /** A slow receiver has enough to do. It does not say when it has less. */
  get crowded(): boolean {
    for (const way of this.ways) if (way.crowded) return true
    return false
  }

  /** Every sender has used up its input. Stage 0 has sources instead of senders. */
  get usedUp(): boolean {
    return this.inputs.every((input) => input.ended)
  }

  /** A call of the chain has taken so long: slow user code gets fewer rows at once, so that other work of the thread has its turn. */
  took(rows: number, ms: number): void {
    if (ms > callMsMax) this.rowsPerCall = Math.max(1, Math.floor((rows * callMsMax) / ms))
    else if (ms < callMsMax / 4 && rows === this.rowsPerCall)
      this.rowsPerCall = Math.min(rowsPerCallMax, this.rowsPerCall * 2)
  }

  /** A barrier has come in by a channel. True when all channels have brought it: the stage is aligned. */
  barrier(input: ChannelInput, epoch: number): boolean {
    input.behind = epoch
    // Whoever still waits behind an older barrier waits for an attempt that was given up.
    for (const other of this.inputs) if ((other.behind ?? epoch) < epoch) other.behind = undefined
    return this.inputs.every((other) => other.behind === epoch)
  }

  /** Channels that wait behind a barrier up to this epoch go on. */
  passed(epoch: number): void {
    for (const input of this.inputs) {
      if (input.behind !== undefined && input.behind <= epoch) input.behind = undefined
    }
  }
}
