/**
 * What was on its way to a stage when the stage was cut before it had seen everything in front of the barrier
 * (`docs/formats/snapshot.md`): blocks of the section `in-flight`, held by `exchange N`, in the object of the receiving
 * subtask, per channel in the order in which the messages were sent. Where the receivers stood is in the manifest.
 *
 * What inferred forms say of rows lives as long as a channel and is never stored, so rows are values that describe
 * themselves.
 */
import { TidemillError } from '../base/errors.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Key } from '../schema/types.ts'
import type { SnapshotBlock } from '../state/contract.ts'
import { checkpointErrors } from './errors.ts'

export const inFlightSection = 'in-flight'

const version = 1

/** One block. */
export type InFlight = InFlightRows | InFlightWatermark | InFlightState

interface OfChannel {
  readonly exchange: number
  /** The sending subtask; the receiving one is that of the object. */
  readonly from: number
}

export interface InFlightRows extends OfChannel {
  readonly kind: 'rows'
  /** Each stands for several: it is what the sender has added up for a key. */
  readonly partial: boolean
  /** Rows that these are, or stand for. */
  readonly count: number
  /** The only fields of a row that the program read; undefined for whole rows. */
  readonly fields: readonly string[] | undefined
  /** One per row, or none in an exchange without keys. */
  readonly keys: readonly Key[]
  /** Event time per row, NaN without. */
  readonly times: readonly number[]
  /** The sender's watermark before each row. */
  readonly marks: readonly number[]
  readonly rows: readonly unknown[]
}

export interface InFlightWatermark extends OfChannel {
  readonly kind: 'watermark'
  readonly watermark: number
}

/** The sender has nothing for now, or for ever. */
export interface InFlightState extends OfChannel {
  readonly kind: 'idle' | 'end'
}

export function inFlightBlock(one: InFlight): {
  readonly holder: string
  readonly block: SnapshotBlock
} {
  const bytes = dynamic.encode({ version, ...one })
  return {
    holder: `exchange ${one.exchange}`,
    block: { section: inFlightSection, keyGroup: -1, bytes },
  }
}

/** Reads a block whose bytes were verified; a newer form is TM1504. */
export function readInFlight(bytes: Uint8Array): InFlight {
  // `as`: whoever wrote a block that verifies was `inFlightBlock`, of this version or a newer one.
  const stored = dynamic.decode(bytes.slice()) as InFlight & { readonly version: number }
  if (stored.version === version) {
    const { version: _, ...one } = stored
    return one
  }
  throw new TidemillError(checkpointErrors.formatUnknown, {
    message: `rows in flight have form ${stored.version}, this version reads form ${version}`,
    details: { found: stored.version, supported: version },
  })
}

/** What one channel holds, in numbers. */
export interface InFlightSummary {
  readonly exchange: number
  readonly from: number
  readonly to: number
  readonly rows: number
  readonly sizeBytes: number
}

/** Adds up the blocks of channels, by exchange, sender and receiver. */
export class InFlightCount {
  readonly #channels: Map<string, { -readonly [Name in keyof InFlightSummary]: number }> = new Map()

  add(bytes: Uint8Array, to: number): void {
    const one = readInFlight(bytes)
    const { exchange, from } = one
    const name = `${exchange}/${from}/${to}`
    const channel = this.#channels.get(name) ?? { exchange, from, to, rows: 0, sizeBytes: 0 }
    this.#channels.set(name, channel)
    if (one.kind === 'rows') channel.rows += one.count
    channel.sizeBytes += bytes.length
  }

  /** By exchange, then receiver, then sender. */
  get channels(): readonly InFlightSummary[] {
    return [...this.#channels.values()].sort(
      (a, b) => a.exchange - b.exchange || a.to - b.to || a.from - b.from,
    )
  }
}
