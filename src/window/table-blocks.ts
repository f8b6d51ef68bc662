/**
 * How rows of an accumulator table lie in a block (docs/formats/state.md): words in one piece, then keys, then slot
 * numbers, and what has no fixed width at the end. Section `rows` is written; `table`, which has all of a row together,
 * is what earlier versions wrote and is still read.
 *
 * | bytes | content of a block of section `rows` |
 * | --- | --- |
 * | 8 | namespace, a double |
 * | 4, 4, 4 | number of rows n, number of the slice's first slot, words per row |
 * | 4 | form of keys: 0 doubles, 1 signed 32-bit integers, 2 with their length in front, 3 tuples of one width; 2 and 3 after the slots |
 * | 8 n words | the words of the rows |
 * | 8 n, 4 n, 0 | keys of forms 0 and 1 |
 * | 2 n | slots, from the slice's first |
 * | | keys of form 2 |
 * | 4 | keys of form 3: their width, then column by column: |
 * | 4 | form of the column: 0, 1 or 2 |
 * | 8 n, 4 n, | its values |
 * | | custom values row by row, each with its length in front |
 */
import type { Reader, Writer } from '../schema/bytes.ts'
import { dynamic } from '../schema/dynamic.ts'
import type { Key } from '../schema/types.ts'
import type { TablePicture } from './table-picture.ts'

/** A slice has slots of 16 bits. */
export const sliceSlotsMax = 65_536

const keyForms = { double: 0, integer: 1, other: 2, tuple: 3 } as const
type KeyForm = (typeof keyForms)[keyof typeof keyForms]

/** Wider ones are stored one by one. */
const tupleWidthMax = 16

/** Writes blocks to one buffer. */
export class RowBlocks {
  readonly writer: Writer
  /** The writer's bytes as doubles, until it grows. */
  #doubles: Float64Array = new Float64Array(0)
  readonly #keys: Key[] = []
  readonly #column: Key[] = []
  /** The two numbers of each key, where all are such pairs. */
  readonly #pairs: readonly [Key[], Key[]] = [[], []]

  constructor(writer: Writer) {
    this.writer = writer
  }

  /** One block with the slots `from + order[start, end)`, which ascend; returns where it begins. */
  write(
    namespace: number,
    picture: TablePicture,
    from: number,
    order: Uint16Array,
    start: number,
    end: number,
  ): number {
    const { writer } = this
    const { stride, objects } = picture.table.kernel
    const count = end - start
    const keys = this.#keys
    const pairs = this.#collectPairs(picture, from, order, start, end)
    if (!pairs) this.#collectKeys(picture, from, order, start, end)
    const width = pairs ? 2 : tupleWidth(keys, count)
    const form = width > 0 ? keyForms.tuple : columnForm(keys, count)
    // Words can be copied as words only where a word begins.
    writer.position = (writer.position + 7) & ~7
    const begin = writer.position
    writer.f64(namespace)
    writer.u32(count)
    writer.u32(from)
    writer.u32(stride)
    writer.u32(form)
    writer.reserve(count * (stride * 8 + 10))
    picture.copyWords(from, order, start, end, this.#words(), writer.position / 8)
    writer.position += count * stride * 8
    if (form < keyForms.other) writeColumn(keys, count, form, writer)
    for (let i = start; i < end; i++) writer.u16(order[i]!)
    if (form === keyForms.other) writeColumn(keys, count, form, writer)
    else if (form === keyForms.tuple) this.#writeTuples(count, width, pairs)
    if (objects > 0)
      for (let i = start; i < end; i++) picture.writeObjects(from + order[i]!, writer)
    return begin
  }

  /** Without a tuple of its own for each key; false when some key is no pair of numbers. */
  #collectPairs(
    picture: TablePicture,
    from: number,
    order: Uint16Array,
    start: number,
    end: number,
  ): boolean {
    const { table } = picture
    const [firsts, seconds] = this.#pairs
    for (let i = start; i < end; i++)
      if (!table.pairAt(from + order[i]!, firsts, seconds, i - start)) return false
    return end > start
  }

  #collectKeys(
    picture: TablePicture,
    from: number,
    order: Uint16Array,
    start: number,
    end: number,
  ): void {
    const { table } = picture
    const keys = this.#keys
    for (let i = start; i < end; i++) keys[i - start] = table.keyAt(from + order[i]!)
  }

  #writeTuples(count: number, width: number, pairs: boolean): void {
    const { writer } = this
    const keys = this.#keys
    writer.u32(width)
    for (let part = 0; part < width; part++) {
      const column = pairs ? this.#pairs[part]! : this.#column
      if (!pairs) for (let i = 0; i < count; i++) column[i] = (keys[i] as readonly Key[])[part]!
      const form = columnForm(column, count)
      writer.u32(form)
      writeColumn(column, count, form, writer)
    }
  }

  #words(): Float64Array {
    const { buffer } = this.writer.bytes
    if (this.#doubles.buffer !== buffer)
      this.#doubles = new Float64Array(buffer, 0, buffer.byteLength >> 3)
    return this.#doubles
  }
}

/** Of all tuples; 0 when some key is none, or they differ. */
function tupleWidth(keys: readonly Key[], count: number): number {
  const [first] = keys
  const width = Array.isArray(first) ? first.length : 0
  if (width === 0 || width > tupleWidthMax) return 0
  for (let i = 0; i < count; i++) {
    const key = keys[i]
    if (!Array.isArray(key) || key.length !== width) return 0
  }
  return width
}

function columnForm(keys: readonly Key[], count: number): KeyForm {
  let integers = true
  for (let i = 0; i < count; i++) {
    const key = keys[i]
    if (typeof key !== 'number') return keyForms.other
    if ((key | 0) !== key) integers = false
  }
  return integers ? keyForms.integer : keyForms.double
}

function writeColumn(keys: readonly Key[], count: number, form: KeyForm, writer: Writer): void {
  if (form === keyForms.double) for (let i = 0; i < count; i++) writer.f64(keys[i] as number)
  else if (form === keyForms.integer) for (let i = 0; i < count; i++) writer.u32(keys[i] as number)
  else for (let i = 0; i < count; i++) writeKey(keys[i]!, writer)
}

function writeKey(key: Key, writer: Writer): void {
  const block = writer.beginBlock()
  dynamic.write(key, writer)
  writer.endBlock(block)
}

/** What of a row is known when its block is read: the slot it had, its key, and where its words and values are. */
export type TakeRow = (ordinal: number, key: Key, words: number, objects: number) => void

/** Reads a block of section `rows` from its number of rows on. Places are positions of `reader`. */
export function readRows(
  reader: Reader,
  stride: number,
  blobs: number,
  take: TakeRow,
  fail: (message: string) => Error,
): void {
  const count = reader.u32()
  const first = reader.u32()
  const width = reader.u32()
  const form = reader.u32()
  if (width !== stride) throw fail(`rows have ${width} words and not ${stride}`)
  if (form > keyForms.tuple) throw fail(`${form} is not a form of keys`)
  const keyBytes = form === keyForms.double ? 8 : form === keyForms.integer ? 4 : 0
  if (count > sliceSlotsMax || count * (stride * 8 + keyBytes + 2) > reader.remaining)
    throw fail(`${count} rows in ${reader.remaining} bytes`)
  const words = reader.position
  reader.skip(count * stride * 8)
  const inFront = form < keyForms.other ? readColumn(reader, count, form) : undefined
  const slots = reader.position
  reader.skip(count * 2)
  const keys =
    inFront ??
    (form === keyForms.tuple ? readTuples(reader, count, fail) : readColumn(reader, count, form))
  const { bytes } = reader
  for (let i = 0; i < count; i++) {
    const ordinal = first + bytes[slots + 2 * i]! + 256 * bytes[slots + 2 * i + 1]!
    take(ordinal, keys[i]!, words + i * stride * 8, reader.position)
    for (let blob = 0; blob < blobs; blob++) reader.skip(reader.varint())
  }
  if (reader.remaining > 0) throw fail(`${reader.remaining} bytes are left over`)
}

function readTuples(
  reader: Reader,
  count: number,
  fail: (message: string) => Error,
): readonly Key[] {
  const width = reader.u32()
  if (width === 0 || width > tupleWidthMax) throw fail(`${width} is not a width of tuples`)
  const tuples: Key[][] = Array.from({ length: count }, () => [])
  for (let part = 0; part < width; part++) {
    const form = reader.u32()
    if (form > keyForms.other) throw fail(`${form} is not a form of parts of keys`)
    const column = readColumn(reader, count, form)
    for (let i = 0; i < count; i++) tuples[i]!.push(column[i]!)
  }
  // `as`: what was written were keys.
  return tuples as Key[]
}

function readColumn(reader: Reader, count: number, form: number): readonly Key[] {
  const keys: Key[] = []
  if (form === keyForms.double) for (let i = 0; i < count; i++) keys.push(reader.f64())
  else if (form === keyForms.integer) for (let i = 0; i < count; i++) keys.push(reader.u32() | 0)
  else for (let i = 0; i < count; i++) keys.push(readKey(reader))
  return keys
}

/** Reads the rows of a block of section `table`. */
export function readWholeRows(reader: Reader, stride: number, blobs: number, take: TakeRow): void {
  while (reader.remaining > 0) {
    const ordinal = reader.varint()
    const key = readKey(reader)
    const words = reader.position
    reader.skip(stride * 8)
    take(ordinal, key, words, reader.position)
    for (let blob = 0; blob < blobs; blob++) reader.skip(reader.varint())
  }
}

function readKey(reader: Reader): Key {
  const outer = reader.enterBlock()
  const key = dynamic.read(reader) as Key
  reader.leaveBlock(outer)
  return key
}
