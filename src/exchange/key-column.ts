/** The keys of a batch as a column: doubles, one heap of text, or self-describing values. */
import { FRAME_ROWS_MAX, type Region } from '../frame/frame.ts'
import { Reader, Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import { readText } from '../schema/text.ts'
import type { Key } from '../schema/types.ts'
import { KEYS, MIXED_KEYS, TEXT_KEYS } from './format.ts'
import type { MessageBuffer } from './message-buffer.ts'
import { pad8 } from '../frame/format.ts'
import { padZeros } from '../frame/room.ts'
import { writeUtf8 } from '../base/ascii.ts'

const writer = new Writer(1024)
const reader = new Reader()

export class KeyColumn {
  private readonly numbers: Float64Array
  private readonly ends: Int32Array
  /** Keys that are not numbers; where a key is a number, a stale one or nothing. */
  private readonly others: (Exclude<Key, number> | undefined)[]
  private otherCount: number
  private textCount: number

  constructor() {
    this.numbers = new Float64Array(FRAME_ROWS_MAX)
    this.ends = new Int32Array(FRAME_ROWS_MAX + 1)
    this.others = []
    this.otherCount = 0
    this.textCount = 0
  }

  set(i: number, key: Key): void {
    if (typeof key === 'number') {
      this.numbers[i] = key
      if (this.otherCount > 0) this.others[i] = undefined
      return
    }
    if (this.otherCount === 0) for (let k = 0; k < i; k++) this.others[k] = undefined
    this.others[i] = key
    this.otherCount++
    if (typeof key === 'string') this.textCount++
  }

  clear(): void {
    this.otherCount = 0
    this.textCount = 0
  }

  /** Appends the keys of rows `[start, end)` and returns the flags that say how. */
  write(to: MessageBuffer, start: number, end: number): number {
    const count = end - start
    if (this.otherCount === 0) {
      to.doubles(this.numbers, start, count)
      return KEYS
    }
    if (this.textCount === this.otherCount && this.isText(start, end)) {
      this.writeTexts(to, start, end)
      return KEYS | TEXT_KEYS
    }
    writer.clear()
    for (let i = start; i < end; i++) dynamic.write(this.others[i] ?? this.numbers[i], writer)
    to.words(writer.position, 0, 0, 0)
    to.bytes(writer.bytes, 0, writer.position)
    return KEYS | MIXED_KEYS
  }

  private isText(start: number, end: number): boolean {
    if (this.textCount === end && start === 0) return true
    for (let i = start; i < end; i++) if (typeof this.others[i] !== 'string') return false
    return true
  }

  private writeTexts(to: MessageBuffer, start: number, end: number): void {
    const count = end - start
    let text = ''
    this.ends[0] = 0
    for (let i = start; i < end; i++) {
      // `as`: all keys of these rows are text.
      text += this.others[i] as string
      this.ends[i - start + 1] = text.length
    }
    const head = to.at
    to.words(0, 0, 0, 0)
    to.ints(this.ends, 0, count + 1)
    to.reserve(text.length * 3 + 8)
    const bytes = writeUtf8(text, to.u8, to.at)
    to.i32[head >>> 2] = bytes
    to.at = padZeros(to.u8, to.at + bytes)
  }
}

/** Reads the keys that `write` appended. */
export function readKeys(
  { u8, i32 }: Region,
  at: number,
  rows: number,
  flags: number,
): ArrayLike<Key> {
  if ((flags & (TEXT_KEYS | MIXED_KEYS)) === 0) return new Float64Array(u8.buffer, at, rows)
  const bytes = i32[at >>> 2]!
  const start = at + 16
  const keys: Key[] = []
  if ((flags & TEXT_KEYS) !== 0) {
    const ends = start >>> 2
    const heapAt = start + pad8((rows + 1) * 4)
    const heap = readText(u8, heapAt, heapAt + bytes)
    for (let i = 0; i < rows; i++) keys.push(heap.slice(i32[ends + i], i32[ends + i + 1]))
    return keys
  }
  reader.reset(u8, start, start + bytes)
  // `as`: keys were written.
  for (let i = 0; i < rows; i++) keys.push(dynamic.read(reader) as Key)
  reader.finish()
  return keys
}
