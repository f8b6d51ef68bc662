/**
 * How sessions are written to and read from a snapshot.
 *
 * Sessions end while a snapshot is written and their places are used again, so all of them are copied at the barrier:
 * in columns, a few words per session. Only custom values and distinct sets cost objects.
 */
import { assert } from '../base/assert.ts'
import { type Reader, Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import type { FrozenState, KeyGroupRange } from '../state/contract.ts'
import type { DistinctSet } from './distinct.ts'
import { frozenBlocks, GroupSort, type Place } from './frozen-blocks.ts'
import type { AggregateKernel } from './kernel.ts'
import { codecOf } from './table-picture.ts'

/** What a session has beside its words. */
interface Extras {
  /** Encoded at the barrier, since user functions may change them with the next row. */
  readonly objects: readonly Uint8Array[]
  readonly sets: readonly {
    readonly set: DistinctSet
    readonly count: number
    readonly masks: Int32Array
  }[]
}

/** Sessions as they were at the barrier. */
export class SessionPicture {
  readonly #kernel: AggregateKernel
  readonly #keys: Key[] = []
  readonly #starts: Float64Array
  readonly #ends: Float64Array
  readonly #fired: Uint8Array
  readonly #words: Float64Array
  /** Empty for kernels without custom values and distinct sets. */
  readonly #extras: Extras[] = []

  /** For exactly `count` sessions. */
  constructor(kernel: AggregateKernel, count: number) {
    this.#kernel = kernel
    this.#starts = new Float64Array(count)
    this.#ends = new Float64Array(count)
    this.#fired = new Uint8Array(count)
    this.#words = new Float64Array(count * kernel.stride)
  }

  // hot: once per session at a barrier, while nothing else goes on
  add(
    key: Key,
    start: number,
    end: number,
    fired: number,
    words: Float64Array,
    at: number,
    objects: readonly unknown[],
    objectAt: number,
    sets: readonly DistinctSet[],
  ): void {
    const { stride, custom, distincts } = this.#kernel
    const i = this.#keys.length
    this.#keys.push(key)
    this.#starts[i] = start
    this.#ends[i] = end
    this.#fired[i] = fired
    for (let word = 0; word < stride; word++) this.#words[i * stride + word] = words[at + word]!
    if (custom.length === 0 && distincts.length === 0) return
    this.#extras.push({
      objects: custom.map((definition, index) =>
        codecOf(definition.accumulator).encode(objects[objectAt + index]),
      ),
      sets: sets.map((set) => ({ set, count: set.size, masks: set.copyMasks() })),
    })
  }

  frozen(range: KeyGroupRange): FrozenState {
    assert(this.#keys.length === this.#fired.length, 'a picture has all sessions')
    const writer = new Writer()
    return frozenBlocks(writer, this.#places(range.total, writer), () => {})
  }

  *#places(total: number, writer: Writer): Generator<Place> {
    const count = this.#keys.length
    const slice = new GroupSort(Math.min(sliceSessions, count), total)
    const groups = new Uint16Array(slice.order.length)
    for (let from = 0; from < count; from += sliceSessions) {
      const members = Math.min(sliceSessions, count - from)
      for (let i = 0; i < members; i++)
        groups[i] = keyGroupOf(keyHash(this.#keys[from + i]!), total)
      slice.sort(members, (member) => groups[member]!)
      for (const { keyGroup, first, end } of slice.groups()) {
        const start = writer.position
        for (let i = first; i < end; i++) this.#write(from + slice.order[i]!, writer)
        yield { section: 'sessions', keyGroup, start, end: writer.position }
      }
    }
  }

  #write(i: number, writer: Writer): void {
    const { stride } = this.#kernel
    const block = writer.beginBlock()
    dynamic.write(this.#keys[i], writer)
    writer.endBlock(block)
    writer.f64(this.#starts[i]!)
    writer.f64(this.#ends[i]!)
    writer.u8(this.#fired[i]!)
    writer.f64s(this.#words, i * stride, stride)
    const extras = this.#extras[i]
    if (extras === undefined) return
    for (const object of extras.objects) writer.blob(object)
    for (const { set, count, masks } of extras.sets) {
      writer.varint(count)
      for (let entry = 0; entry < count; entry++) {
        writer.varint(masks[entry]!)
        const value = writer.beginBlock()
        dynamic.write(set.valueAt(entry), writer)
        writer.endBlock(value)
      }
    }
  }
}

/** Sessions that are sorted together. */
const sliceSessions = 16_384

/** What a session begins with; its words, custom values and sets follow. */
export interface StoredBounds {
  readonly key: Key
  readonly start: number
  readonly end: number
  readonly fired: number
}

export function readBounds(reader: Reader): StoredBounds {
  const outer = reader.enterBlock()
  const key = dynamic.read(reader) as Key
  reader.leaveBlock(outer)
  return { key, start: reader.f64(), end: reader.f64(), fired: reader.u8() }
}

/** Reads the custom values of a session to `objects` and the entries of its sets. */
export function readExtras(
  reader: Reader,
  kernel: AggregateKernel,
  objects: unknown[],
  objectAt: number,
  sets: readonly DistinctSet[],
): void {
  kernel.custom.forEach((definition, index) => {
    objects[objectAt + index] = codecOf(definition.accumulator).decode(reader.blob())
  })
  kernel.distincts.forEach((_, index) => {
    for (let left = reader.varint(); left > 0; left--) {
      const mask = reader.varint()
      const outer = reader.enterBlock()
      const value = dynamic.read(reader) as string | number | bigint | boolean
      reader.leaveBlock(outer)
      sets[index]?.add(0, value, mask)
    }
  })
}
