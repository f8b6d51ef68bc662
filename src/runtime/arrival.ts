/**
 * A life in which rows that were in flight arrive (decision 0047). Its subtasks stand exactly where those of the snapshot
 * stood: each has its own event time instead of what all had reached, and its channels begin with what was in them. The
 * sources are not opened; what is known of their partitions goes into the next snapshot as it came out of the last one.
 */
import { assert, present } from '../base/assert.ts'
import { TidemillError } from '../base/errors.ts'
import { type InFlight, inFlightSection, readInFlight } from '../checkpoint/in-flight.ts'
import type {
  SourcePosition,
  StoredChannel,
  StoredWatermark,
  SubtaskSnapshot,
} from '../checkpoint/manifest.ts'
import type { Message } from '../exchange/contract.ts'
import type { SnapshotBlock } from '../state/contract.ts'
import type { ChannelInput } from './channel-input.ts'
import { runtimeErrors } from './errors.ts'
import { receivedMessage } from './rows-in-flight.ts'
import type { SliceParts } from './slice-parts.ts'
import type { Stage } from './stage.ts'

export class Arrival {
  readonly #slice: SliceParts
  readonly #snapshot: SubtaskSnapshot
  readonly #messages: Map<ChannelInput, Message[]> = new Map()

  constructor(slice: SliceParts) {
    const { manifest, subtask, subtasks } = slice.options
    assert(
      manifest?.subtasks.length === subtasks,
      'rows in flight arrive in a life with as many subtasks as the one before',
    )
    this.#slice = slice
    this.#snapshot = present(
      manifest.subtasks.find((one) => one.subtask === subtask),
      'the snapshot of a subtask',
    )
  }

  /** Takes a block of this subtask; false when it is none of rows in flight. */
  take({ section, bytes }: SnapshotBlock): boolean {
    if (section !== inFlightSection) return false
    const stored = readInFlight(bytes)
    const input = this.#input(stored)
    const messages = this.#messages.get(input)
    if (messages === undefined) this.#messages.set(input, [receivedMessage(stored)])
    else messages.push(receivedMessage(stored))
    if (stored.kind === 'rows') {
      this.#assertFields(input, stored.fields)
      const { restored } = this.#slice
      restored.set(stored.exchange, (restored.get(stored.exchange) ?? 0) + stored.count)
    }
    return true
  }

  /** After the state was restored. */
  begin(): void {
    const { built, stages } = this.#slice
    const { watermarks, channels } = this.#snapshot
    const [first, ...others] = stages
    for (const origin of others.flatMap((stage) => stage.origins)) {
      origin.seal()
      origin.restoreWatermarks([watermarks.filter(({ node }) => node === origin.id)])
    }
    for (const stored of present(channels, 'where the channels of a subtask stood')) {
      const input = this.#input(stored)
      this.#assertOwners(input, stored)
      input.heard = stored.heard
      input.ended = stored.state === 'ended'
      const origin = built.exchangeOrigins.get(stored.exchange)
      origin?.raiseFloor(stored.eventTimeMs)
      origin?.restoreChannel(input.channel, {
        watermark: stored.watermarkMs,
        state: stored.state,
      })
    }
    for (const [input, messages] of this.#messages) input.restore(messages)
    // What it sent before its barrier has arrived or was in flight.
    for (const output of first?.outputs ?? []) output.hush()
  }

  get positions(): readonly SourcePosition[] {
    return this.#snapshot.positions
  }

  /** Of a stage that nothing came to, as they were: partitions that have said nothing yet are not among them. */
  watermarks({ id, origins }: Stage): readonly StoredWatermark[] | undefined {
    if (id > 0) return undefined
    return this.#snapshot.watermarks.filter(({ node }) => origins.some((one) => one.id === node))
  }

  #input({ exchange, from }: Pick<InFlight, 'exchange' | 'from'>): ChannelInput {
    const inputs = this.#slice.stages.flatMap((stage) => stage.inputs)
    return present(
      inputs.find((input) => input.edge.id === exchange && input.from === from),
      'the channel of rows in flight',
    )
  }

  /** A bound of parallelism may have changed since: state and rows would have other owners. */
  #assertOwners({ edge }: ChannelInput, { owners }: StoredChannel): void {
    if (edge.owners === owners) return
    throw new TidemillError(runtimeErrors.planMismatch, {
      message: `rows in flight were shared by ${owners} subtasks, and now it would be ${edge.owners}: start the job once with the parallelism that its steps had and stop it, then nothing is in flight`,
      details: { exchange: edge.id },
    })
  }

  /** The same steps may have other functions since. */
  #assertFields({ edge, fields }: ChannelInput, stored: readonly string[] | undefined): void {
    if (stored === undefined) return
    const missing = fields?.filter((field) => !stored.includes(field))
    if (missing?.length === 0) return
    throw new TidemillError(runtimeErrors.planMismatch, {
      message: `rows in flight have the fields ${stored.join(', ')} only, and the program reads ${missing?.join(', ') ?? 'whole rows'}: start it once as it was and stop it, then nothing is in flight`,
      details: { exchange: edge.id },
    })
  }
}
