/** The keys of a batch as a column: doubles, one heap of text, or self-describing values. */
import { FRAME_ROWS_MAX } from '../frame/frame.ts'
import { Reader, Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import { readText, writeText } from '../schema/text.ts'
import type { Key } from '../schema/types.ts'
import { KEYS, MIXED_KEYS, TEXT_KEYS } from './format.ts'
import type { MessageBuffer } from './message-buffer.ts'
import { pad8 } from '../frame/format.ts'

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
      to.doubles(start === 0 ? this.numbers : this.numbers.subarray(start), count)
      return KEYS
    }
    if (this.textCount === this.otherCount && this.isText(start, end)) {
      this.writeTexts(to, start, end)
      return KEYS | TEXT_KEYS
    }
    writer.clear()
    for (let i = start; i < end; i++) dynamic.write(this.others[i] ?? this.numbers[i], writer)
    to.words(writer.position, 0, 0, 0)
    to.bytes(writer.bytes, writer.position)
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
    to.ints(this.ends, count + 1)
    to.reserve(pad8(text.length * 3))
    const bytes = writeText(text, to.u8, to.at)
    to.i32[head >>> 2] = bytes
    to.at += pad8(bytes)
  }
}

/** Reads what `write` appended; `after` is where it ends. */
export function readKeys(
  message: Uint8Array<ArrayBuffer>,
  at: number,
  rows: number,
  flags: number,
): { readonly keys: ArrayLike<Key>; readonly after: number } {
  if ((flags & (TEXT_KEYS | MIXED_KEYS)) === 0)
    return { keys: new Float64Array(message.buffer, at, rows), after: at + rows * 8 }
  const bytes = new Int32Array(message.buffer, at, 1)[0]!
  const keys: Key[] = []
  if ((flags & TEXT_KEYS) !== 0) {
    const ends = new Int32Array(message.buffer, at + 16, rows + 1)
    const start = at + 16 + pad8((rows + 1) * 4)
    const heap = readText(message, start, start + bytes)
    for (let i = 0; i < rows; i++) keys.push(heap.slice(ends[i], ends[i + 1]))
    return { keys, after: start + pad8(bytes) }
  }
  reader.reset(message, at + 16, at + 16 + bytes)
  // `as`: keys were written.
  for (let i = 0; i < rows; i++) keys.push(dynamic.read(reader) as Key)
  reader.finish()
  return { keys, after: at + 16 + pad8(bytes) }
}
