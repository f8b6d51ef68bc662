/**
 * A channel between two threads: one producer, one consumer, one piece of shared memory.
 *
 * Control words, each group on a cache line of its own: `head` counts what was written and `tail` what was read, both in
 * units of 8 bytes and modulo 2^32; `refused` is 1 while the producer waits for room. A record is
 *
 *   i32 bytes of this piece, i32 bytes of the whole message, payload, padding to a multiple of 8
 *
 * and may wrap around the end of the memory. Steps, which every ordering argument below rests on:
 * 1. the producer writes the payload, then stores `head`, then wakes the consumer's bell;
 * 2. the consumer loads `head`, copies the payload, then stores `tail`, then looks at `refused`;
 * 3. whoever finds nothing to do raises its flag first and looks again after that, so that no wake-up is lost.
 *
 * A message of more than half the ring travels in pieces: the first is taken at once, the others as room comes, and the
 * consumer puts them together. Room is told when half of the ring is free, not at each record: a wake-up costs more than
 * a copy.
 */
import { assert } from '../base/assert.ts'
import type { MessageReader, MessageWriter } from './contract.ts'

const HEAD = 0
const TAIL = 16
const REFUSED = 32
const CONTROL_WORDS = 48
export const CONTROL_BYTES: number = CONTROL_WORDS * 4
const RECORD_HEAD = 8
/** Small messages are copied into chunks of this size, one after the other: a buffer each would cost more than the copy. */
const CHUNK_BYTES = 1 << 16
const SHARED_BYTES_MAX = 1 << 13

/** Wakes the other end. */
export interface Waker {
  ring(): void
}

/** One end's own bell: to be armed before it looks a second time. */
export interface Armed {
  arm(): void
}

class RingEnd {
  protected readonly control: Int32Array<SharedArrayBuffer>
  protected readonly u8: Uint8Array<SharedArrayBuffer>
  protected readonly i32: Int32Array<SharedArrayBuffer>
  readonly size: number
  protected readonly peer: Waker
  protected readonly own: Armed

  constructor(memory: SharedArrayBuffer, offset: number, bytes: number, peer: Waker, own: Armed) {
    assert(bytes >= 64 && (bytes & (bytes - 1)) === 0, 'the size of a ring is no power of two', {
      bytes,
    })
    this.control = new Int32Array(memory, offset, CONTROL_WORDS)
    this.u8 = new Uint8Array(memory, offset + CONTROL_BYTES, bytes)
    this.i32 = new Int32Array(memory, offset + CONTROL_BYTES, bytes >>> 2)
    this.size = bytes
    this.peer = peer
    this.own = own
  }

  get fill(): number {
    const units = (Atomics.load(this.control, HEAD) - Atomics.load(this.control, TAIL)) | 0
    return (units * 8) / this.size
  }
}

export class RingWriter extends RingEnd implements MessageWriter {
  private head: number
  /** As last seen: the true tail is there or further. */
  private tail: number
  /** What is left of a message that goes in pieces. */
  private rest: Uint8Array | undefined
  private restTotal: number

  constructor(memory: SharedArrayBuffer, offset: number, bytes: number, peer: Waker, own: Armed) {
    super(memory, offset, bytes, peer, own)
    this.head = Atomics.load(this.control, HEAD)
    this.tail = Atomics.load(this.control, TAIL)
    this.rest = undefined
    this.restTotal = 0
  }

  override get fill(): number {
    return this.rest === undefined ? super.fill : 1
  }

  write(message: Uint8Array): boolean {
    if (this.rest !== undefined && !this.pump()) return false
    const length = message.length
    if (length > this.pieceMax) {
      // `slice` of a Buffer would share its memory.
      this.rest = new Uint8Array(message)
      this.restTotal = length
      this.pump()
      return true
    }
    if (!this.hasRoom(length) && !this.hasRoomAfterArming(length)) return false
    this.put(message, length)
    this.publish()
    return true
  }

  /** Writes more of a message that goes in pieces. True when none of it is left. */
  pump(): boolean {
    let rest = this.rest
    while (rest !== undefined) {
      const length = Math.min(rest.length, this.pieceMax)
      if (!this.hasRoom(length) && !this.hasRoomAfterArming(length)) break
      this.put(rest.subarray(0, length), this.restTotal)
      this.publish()
      rest = length === rest.length ? undefined : rest.subarray(length)
    }
    this.rest = rest
    return rest === undefined
  }

  /** Two such records fit. */
  private get pieceMax(): number {
    return (this.size >>> 1) - RECORD_HEAD
  }

  private hasRoom(length: number): boolean {
    const needed = (RECORD_HEAD + length + 7) >>> 3
    const units = this.size >>> 3
    if (units - ((this.head - this.tail) | 0) >= needed) return true
    this.tail = Atomics.load(this.control, TAIL)
    return units - ((this.head - this.tail) | 0) >= needed
  }

  private hasRoomAfterArming(length: number): boolean {
    this.own.arm()
    Atomics.store(this.control, REFUSED, 1)
    if (!this.hasRoom(length)) return false
    Atomics.store(this.control, REFUSED, 0)
    return true
  }

  private put(piece: Uint8Array, total: number): void {
    const { size } = this
    const mask = size - 1
    const at = (this.head << 3) & mask
    this.i32[at >>> 2] = piece.length
    this.i32[(at >>> 2) + 1] = total
    const start = (at + RECORD_HEAD) & mask
    const first = Math.min(piece.length, size - start)
    if (first === piece.length) this.u8.set(piece, start)
    else {
      this.u8.set(piece.subarray(0, first), start)
      this.u8.set(piece.subarray(first), 0)
    }
    this.head = (this.head + ((RECORD_HEAD + piece.length + 7) >>> 3)) | 0
  }

  private publish(): void {
    Atomics.store(this.control, HEAD, this.head)
    this.peer.ring()
  }
}

export class RingReader extends RingEnd implements MessageReader {
  private tail: number
  private head: number
  private partial: Uint8Array<ArrayBuffer> | undefined
  private filled: number
  private chunk: ArrayBuffer | undefined
  private chunkAt: number

  constructor(memory: SharedArrayBuffer, offset: number, bytes: number, peer: Waker, own: Armed) {
    super(memory, offset, bytes, peer, own)
    this.tail = Atomics.load(this.control, TAIL)
    this.head = this.tail
    this.partial = undefined
    this.filled = 0
    this.chunk = undefined
    this.chunkAt = 0
  }

  read(): Uint8Array<ArrayBuffer> | undefined {
    while (this.hasRecord()) {
      const { size } = this
      const mask = size - 1
      const at = (this.tail << 3) & mask
      const length = this.i32[at >>> 2]!
      const total = this.i32[(at >>> 2) + 1]!
      const message = this.partial ?? this.room(total)
      const start = (at + RECORD_HEAD) & mask
      const first = Math.min(length, size - start)
      message.set(this.u8.subarray(start, start + first), this.filled)
      if (first < length) message.set(this.u8.subarray(0, length - first), this.filled + first)
      this.filled += length
      this.release((RECORD_HEAD + length + 7) >>> 3)
      if (this.filled === total) {
        this.partial = undefined
        this.filled = 0
        return message
      }
      this.partial = message
    }
    return undefined
  }

  /** Where a message of so many bytes goes. It is never used again. */
  private room(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > SHARED_BYTES_MAX) return new Uint8Array(bytes)
    let at = this.chunkAt
    if (this.chunk === undefined || at + bytes > CHUNK_BYTES) {
      this.chunk = new ArrayBuffer(CHUNK_BYTES)
      at = 0
    }
    this.chunkAt = (at + bytes + 7) & ~7
    return new Uint8Array(this.chunk, at, bytes)
  }

  private hasRecord(): boolean {
    if (this.head !== this.tail) return true
    this.head = Atomics.load(this.control, HEAD)
    if (this.head !== this.tail) return true
    this.own.arm()
    this.head = Atomics.load(this.control, HEAD)
    return this.head !== this.tail
  }

  private release(units: number): void {
    this.tail = (this.tail + units) | 0
    Atomics.store(this.control, TAIL, this.tail)
    if (Atomics.load(this.control, REFUSED) === 0) return
    const used = (Atomics.load(this.control, HEAD) - this.tail) | 0
    if (used * 16 > this.size) return
    if (Atomics.compareExchange(this.control, REFUSED, 1, 0) === 1) this.peer.ring()
  }
}
