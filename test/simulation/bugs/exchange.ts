/** Mistakes in what several subtasks do together. */
import { ChannelInput } from '../../../src/runtime/channel-input.ts'
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
