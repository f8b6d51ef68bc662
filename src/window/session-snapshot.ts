/** How sessions are written to and read from a snapshot. */
import { Reader, Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Codec, Key } from '../schema/types.ts'
import type { FrozenState, KeyGroupRange, SnapshotBlock } from '../state/contract.ts'
import type { DistinctSet } from './distinct.ts'
import type { AggregateKernel } from './kernel.ts'

/** A session as it was at the barrier. Custom values are encoded there and then. */
export interface StoredSession {
  readonly key: Key
  readonly start: number
  readonly end: number
  readonly fired: number
  readonly words: Float64Array
  readonly objects: readonly unknown[]
  readonly sets: readonly {
    readonly set: DistinctSet
    readonly count: number
    readonly masks: Int32Array
  }[]
}

export interface RestoredSession extends Omit<StoredSession, 'sets'> {
  readonly entries: readonly (readonly {
    readonly value: string | number | bigint | boolean
    readonly mask: number
  }[])[]
}

/** Sessions per slice, before blocks are cut by key group. */
const sliceSessions = 8_192

export function freezeSessions(
  sessions: readonly StoredSession[],
  kernel: AggregateKernel,
  range: KeyGroupRange,
): FrozenState {
  // User functions may change custom values in place, so they are encoded before the next row.
  const encoded = sessions.map((s) =>
    s.objects.map((value, index) => codec(kernel, index).encode(value)),
  )
  let at = 0
  return {
    next(budgetBytes) {
      if (at >= sessions.length) return undefined
      const writers = new Map<number, Writer>()
      let bytes = 0
      for (
        const limit = at + sliceSessions;
        at < sessions.length && at < limit && bytes < budgetBytes;
        at++
      ) {
        const session = sessions[at]!
        const group = keyGroupOf(keyHash(session.key), range.total)
        const writer = writers.get(group) ?? new Writer()
        writers.set(group, writer)
        const before = writer.position
        write(session, encoded[at] ?? [], writer)
        bytes += writer.position - before
      }
      return [...writers]
        .sort(([a], [b]) => a - b)
        .map(([keyGroup, writer]) => ({
          section: 'sessions',
          keyGroup,
          bytes: writer.finish().slice(),
        }))
    },
    abandon() {
      at = sessions.length
    },
  }
}

function write(session: StoredSession, objects: readonly Uint8Array[], writer: Writer): void {
  writer.blob(dynamic.encode(session.key))
  writer.f64(session.start)
  writer.f64(session.end)
  writer.u8(session.fired)
  for (const word of session.words) writer.f64(word)
  for (const object of objects) writer.blob(object)
  for (const { set, count, masks } of session.sets) {
    writer.varint(count)
    for (let entry = 0; entry < count; entry++) {
      writer.varint(masks[entry] ?? 0)
      writer.blob(dynamic.encode(set.valueAt(entry)))
    }
  }
}

export function readSessions(
  block: SnapshotBlock,
  kernel: AggregateKernel,
): readonly RestoredSession[] {
  const reader = new Reader(block.bytes)
  const sessions: RestoredSession[] = []
  while (reader.remaining > 0) {
    const key = dynamic.decode(reader.blob()) as Key
    const start = reader.f64()
    const end = reader.f64()
    const fired = reader.u8()
    const words = new Float64Array(kernel.stride)
    for (let i = 0; i < words.length; i++) words[i] = reader.f64()
    const objects = kernel.custom.map((_, index) => codec(kernel, index).decode(reader.blob()))
    const entries = kernel.distincts.map(() => {
      const list: { value: string | number | bigint | boolean; mask: number }[] = []
      for (let left = reader.varint(); left > 0; left--) {
        const mask = reader.varint()
        list.push({
          mask,
          value: dynamic.decode(reader.blob()) as string | number | bigint | boolean,
        })
      }
      return list
    })
    sessions.push({ key, start, end, fired, words, objects, entries })
  }
  return sessions
}

function codec(kernel: AggregateKernel, index: number): Codec<unknown> {
  return kernel.custom[index]?.accumulator ?? (dynamic as Codec<unknown>)
}
