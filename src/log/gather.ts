/**
 * The batches that wait for the next group commit, laid out in one buffer as they will be written.
 *
 * A writer has two: one is filled while the other is on its way to the disk, so one write call takes a whole group and
 * no buffer is allocated per append. Offset, marks, times and checksum are put in when the group's turn comes.
 */
import {
  batchHeaderBytes,
  batchLength,
  batchMagic,
  batchVersion,
  field,
  putU53,
  viewOf,
} from './format.ts'
import type { Appended } from './types.ts'

/** Starts with room for about 100 small batches and grows by doubling. */
const initialBytes = 32 * 1024
/** A buffer that once held a huge group is given back. */
const keptBytes = 8 * 1024 * 1024

/** One batch in the buffer. */
export class Pending {
  readonly at: number
  readonly length: number
  readonly span: number
  readonly kind: number
  readonly producerId: number
  readonly epoch: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
  baseOffset = -1

  constructor(
    at: number,
    length: number,
    span: number,
    kind: number,
    producerId: number,
    epoch: number,
    resolve: (appended: Appended) => void,
    reject: (error: unknown) => void,
  ) {
    this.at = at
    this.length = length
    this.span = span
    this.kind = kind
    this.producerId = producerId
    this.epoch = epoch
    this.resolve = resolve
    this.reject = reject
  }
}

/** What a caller knows about a batch. -1 as producer: outside transactions. NaN as a time: the append time. */
export interface BatchFields {
  readonly kind: number
  readonly payloadKind: number
  readonly payload: Uint8Array
  readonly recordCount: number
  readonly minTimestamp: number
  readonly maxTimestamp: number
  readonly fingerprint: bigint
  readonly producerId: number
  readonly epoch: number
}

export class Gather {
  bytes = new Uint8Array(initialBytes)
  view = viewOf(this.bytes)
  used = 0
  readonly pending: Pending[] = []

  add(
    batch: BatchFields,
    resolve: (appended: Appended) => void,
    reject: (error: unknown) => void,
  ): void {
    const length = batchLength(batch.payload.length)
    const at = this.used
    if (at + length > this.bytes.length) this.#grow(at + length)
    const { bytes, view } = this
    bytes.set(batch.payload, at + batchHeaderBytes)
    // The padding: the buffer is pooled and may hold old bytes here.
    for (let i = at + batchHeaderBytes + batch.payload.length; i < at + length; i++) bytes[i] = 0
    view.setUint32(at + field.magic, batchMagic, true)
    view.setUint8(at + field.version, batchVersion)
    view.setUint8(at + field.kind, batch.kind)
    view.setUint8(at + field.payloadKind, batch.payloadKind)
    view.setUint8(at + field.flags, batch.producerId >= 0 ? 1 : 0)
    view.setUint32(at + field.length, length, true)
    view.setUint32(at + field.payloadLength, batch.payload.length, true)
    view.setUint32(at + field.recordCount, batch.recordCount, true)
    const span = Math.max(1, batch.recordCount)
    view.setUint32(at + field.span, span, true)
    view.setFloat64(at + field.minTimestamp, batch.minTimestamp, true)
    view.setFloat64(at + field.maxTimestamp, batch.maxTimestamp, true)
    const { producerId } = batch
    putU53(view, at + field.producerId, Math.max(0, producerId))
    putU53(view, at + field.epoch, Math.max(0, batch.epoch))
    view.setUint32(at + field.fingerprint, Number(batch.fingerprint & 0xffff_ffffn), true)
    view.setUint32(at + field.fingerprint + 4, Number(batch.fingerprint >> 32n), true)
    this.used = at + length
    this.pending.push(
      new Pending(at, length, span, batch.kind, producerId, batch.epoch, resolve, reject),
    )
  }

  clear(): void {
    this.pending.length = 0
    this.used = 0
    if (this.bytes.length <= keptBytes) return
    this.bytes = new Uint8Array(initialBytes)
    this.view = viewOf(this.bytes)
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, needed))
    grown.set(this.bytes.subarray(0, this.used))
    this.bytes = grown
    this.view = viewOf(grown)
  }
}
