/** Messages of a channel as a snapshot keeps them, and back (decision 0047). */
import { assert } from '../base/assert.ts'
import { timestampMin } from '../base/time.ts'
import type { InFlight, InFlightRows } from '../checkpoint/in-flight.ts'
import type { StoredChannel } from '../checkpoint/manifest.ts'
import type { Message, RowBatch } from '../exchange/contract.ts'
import { keyHash } from '../schema/key.ts'
import type { CapturedMessage, ChannelInput } from './channel-input.ts'
import type { EventTimeOrigin } from './event-time.ts'
import type { Stage } from './stage.ts'

/** Where the stage stands on each of its channels. */
export function channelsOf(
  stage: Stage,
  originOf: (exchange: number) => EventTimeOrigin | undefined,
): readonly StoredChannel[] {
  return stage.inputs.map(({ edge, from, channel, heard, ended }) => {
    const origin = originOf(edge.id)
    const at = origin?.channelAt(channel)
    return {
      exchange: edge.id,
      from,
      owners: edge.owners,
      heard,
      state: ended ? 'ended' : (at?.state ?? 'active'),
      watermarkMs: at?.watermark ?? timestampMin,
      eventTimeMs: origin?.watermark() ?? timestampMin,
    }
  })
}

/** The rows of a message that were not processed, each as many as it stands for. */
export function rowsLeft(message: CapturedMessage): number {
  if (message.kind !== 'rows') return 0
  const { rows, from } = message
  if (!rows.partial) return rows.length - from
  let count = 0
  for (let i = from; i < rows.length; i++) count += partialRows(rowAt(rows, i))
  return count
}

export function storedMessage(
  { edge, from: sender, fields }: Pick<ChannelInput, 'edge' | 'from' | 'fields'>,
  message: CapturedMessage,
): InFlight {
  const of = { exchange: edge.id, from: sender }
  if (message.kind !== 'rows') return { ...of, ...message }
  const { rows, from } = message
  const left = Array.from({ length: rows.length - from }, (_, i) => rowAt(rows, from + i))
  return {
    ...of,
    kind: 'rows',
    partial: rows.partial,
    count: rowsLeft(message),
    fields,
    keys: Array.from(rows.keys).slice(from),
    times: Array.from(rows.times.subarray(from)),
    marks: Array.from(rows.marks.subarray(from)),
    rows: left,
  }
}

export function receivedMessage(stored: InFlight): Message {
  switch (stored.kind) {
    case 'rows':
      return { kind: 'rows', rows: batchOf(stored) }
    case 'watermark':
      return { kind: 'watermark', watermark: stored.watermark }
    case 'idle':
    case 'end':
      return { kind: stored.kind }
  }
}

function batchOf({ partial, keys, times, marks, rows }: InFlightRows): RowBatch {
  const numbers = keys.every((key) => typeof key === 'number')
  return {
    length: rows.length,
    partial,
    frame: undefined,
    rows,
    keys: numbers ? Float64Array.from(keys as readonly number[]) : keys,
    times: Float64Array.from(times),
    marks: Float64Array.from(marks),
    hashes: keys.length === 0 ? undefined : Int32Array.from(keys, (key) => keyHash(key)),
  }
}

/** Plain: a view would go with the buffer of its message. */
function rowAt({ frame, rows }: RowBatch, index: number): unknown {
  return frame === undefined ? rows?.[index] : frame.layout.plain(frame, index)
}

function partialRows(row: unknown): number {
  // `as`: the form of every partial.
  const { n } = row as { readonly n?: unknown }
  assert(typeof n === 'number', 'a partial aggregate does not say how many rows it stands for')
  return n
}
