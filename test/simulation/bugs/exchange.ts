/** Mistakes in what several subtasks do together. */
import { inFlightSection } from '../../../src/checkpoint/in-flight.ts'
import { Standings } from '../../../src/exchange/standings.ts'
import { Arrival } from '../../../src/runtime/arrival.ts'
import { ChannelInput } from '../../../src/runtime/channel-input.ts'
import { EventTimeOrigin } from '../../../src/runtime/event-time.ts'
import { ExchangeOutput } from '../../../src/runtime/exchange-output.ts'
import { Stage } from '../../../src/runtime/stage.ts'
import { onMethod, type PlantedBug } from './support.ts'

export const exchangeBugs: readonly PlantedBug[] = [
  {
    name: 'a stage takes a barrier when the first channel brings it',
    budget: 100,
    plant: onMethod(Stage.prototype, 'barrier', (original) => {
      return function (this: Stage, input, epoch) {
        original.call(this, input, epoch)
        return this.inputs.filter(({ behind }) => behind === epoch).length === 1
      }
    }),
  },
  {
    name: 'a channel is read on behind its barrier',
    budget: 100,
    plant: onMethod(Stage.prototype, 'barrier', (original) => {
      const brought = new WeakMap<Stage, Map<number, Set<ChannelInput>>>()
      return function (this: Stage, input, epoch) {
        original.call(this, input, epoch)
        input.behind = undefined
        const epochs = brought.get(this) ?? new Map<number, Set<ChannelInput>>()
        brought.set(this, epochs)
        const channels = epochs.get(epoch) ?? new Set<ChannelInput>()
        epochs.set(epoch, channels.add(input))
        return channels.size === this.inputs.length
      }
    }),
  },
  {
    name: 'a stage does not wait to hear every sender',
    job: 'sales',
    budget: 200,
    plant: onMethod(ChannelInput.prototype, 'listen', () => {
      return function (this: ChannelInput) {
        this.heard = true
        return true
      }
    }),
  },
  {
    name: 'partitions wait for those that have ended',
    job: 'sales',
    // Found in a few seeds; that a job does not end takes long to see, so it is one of those for `--planted`.
    budget: 100,
    plant: onMethod(Standings.prototype, 'tell', (original) => {
      return function (this: Standings, group, watermark) {
        if (watermark < Number.POSITIVE_INFINITY) original.call(this, group, watermark)
      }
    }),
  },
  {
    name: 'a capture ends before the barrier has come',
    budget: 100,
    plant: onMethod(ChannelInput.prototype, 'captured', (original) => {
      return function (this: ChannelInput) {
        return original.call(this)?.slice(0, 1)
      }
    }),
  },
  {
    name: 'rows in flight are forgotten, and nobody counts them',
    budget: 100,
    plant: onMethod(Arrival.prototype, 'take', (original) => {
      return function (this: Arrival, block) {
        return block.section === inFlightSection || original.call(this, block)
      }
    }),
  },
  {
    name: 'rows in flight arrive twice',
    budget: 100,
    plant: onMethod(ChannelInput.prototype, 'restore', (original) => {
      return function (this: ChannelInput, messages) {
        original.call(this, messages)
        original.call(this, messages)
      }
    }),
  },
  {
    name: 'rows in flight arrive in another order',
    job: 'visits',
    budget: 100,
    plant: onMethod(ChannelInput.prototype, 'restore', (original) => {
      return function (this: ChannelInput, messages) {
        original.call(this, messages.toReversed())
      }
    }),
  },
  {
    name: 'a life in which rows arrive stands at the time that all had reached',
    job: 'visits',
    budget: 100,
    plant: onMethod(EventTimeOrigin.prototype, 'restoreChannel', () => {
      return () => {}
    }),
  },
  ...(['sales', 'spread'] as const).map((job) => ({
    name: `partial aggregates of ${job} are not sent before the barrier`,
    job,
    budget: 100,
    plant: onMethod(ExchangeOutput.prototype, 'barrier', (original) => {
      return function (this: ExchangeOutput, epoch) {
        const { local } = this
        const kept = local && Object.assign(local, { flush: () => {} })
        original.call(this, epoch)
        if (kept !== undefined) Reflect.deleteProperty(kept, 'flush')
      }
    }),
  })),
]
