/**
 * A window over the bytes of an input: `bytes[start, end)` is read and not yet consumed, `offset` is where `start` lies
 * in the file. Up to `printBytes` consumed bytes stay in front of `start`: a checksum over them goes into positions, so
 * that a file with other content is recognised when reading goes on there.
 */
import { crc32 } from '../../base/crc32.ts'
import type { ByteInput } from './byte-input.ts'

/** Bytes that can always be read behind the last one that was filled: parsers look at whole words. */
const spareBytes = 8

/** Enough to tell two files of one format apart, little enough to cost nothing per position. */
export const printBytes = 64

export class ByteBuffer {
  bytes: Uint8Array
  start = 0
  end = 0
  offset = 0
  /** The input has no more bytes than those in the buffer. */
  ended = false
  readonly #input: ByteInput
  readonly #chunkBytes: number

  constructor(input: ByteInput, chunkBytes: number) {
    this.#input = input
    this.#chunkBytes = chunkBytes
    this.bytes = new Uint8Array(chunkBytes * 2 + spareBytes)
  }

  consume(count: number): void {
    this.start += count
    this.offset += count
  }

  /** Reads at least one more byte, or sets `ended`. */
  async fill(): Promise<void> {
    this.#makeRoom()
    const room = this.bytes.subarray(
      this.end,
      Math.min(this.bytes.length - spareBytes, this.end + this.#chunkBytes),
    )
    const count = await this.#input.read(room)
    if (count === 0) this.ended = true
    this.end += count
  }

  /** Length and checksum of the bytes in front of `start`. */
  print(): { readonly length: number; readonly crc: number } {
    const length = Math.min(printBytes, this.start)
    return { length, crc: crc32(this.bytes.subarray(this.start - length, this.start)) }
  }

  #makeRoom(): void {
    const keepFrom = Math.max(0, this.start - printBytes)
    const kept = this.end - keepFrom
    const capacity = this.bytes.length - spareBytes
    if (capacity - this.end >= this.#chunkBytes) return
    if (kept + this.#chunkBytes <= capacity) {
      this.bytes.copyWithin(0, keepFrom, this.end)
    } else {
      const larger = new Uint8Array(Math.max(capacity * 2, kept + this.#chunkBytes) + spareBytes)
      larger.set(this.bytes.subarray(keepFrom, this.end))
      this.bytes = larger
    }
    this.start -= keepFrom
    this.end = kept
  }
}
