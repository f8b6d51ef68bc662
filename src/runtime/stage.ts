/** One stage of a subtask: the steps between two exchanges, which a barrier passes as one. */
import type { KeyedOperator } from './chain.ts'
import type { ChannelInput } from './channel-input.ts'
import type { CollectedRows } from './collected-rows.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { ExchangeOutput } from './exchange-output.ts'
import type { PacedWriter } from './paced-writer.ts'

export class Stage {
  readonly id: number
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
