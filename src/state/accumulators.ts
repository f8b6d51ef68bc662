/**
 * Rows of doubles by slot number: what fixed-width state and accumulators are made of.
 *
 * All words of a slot lie together (one cache line), so generated code works on `values` at `slot * stride`. The array
 * is replaced when it grows, never keep it across `ensure`. Growing copies everything, about 1 ms per 10 MB.
 *
 * A picture ({@link FixedRows.freeze}) costs one byte per page of 128 rows at first. While it exists, a writer calls
 * `touch(slot)` before its first write to a row: `if (rows.freezing) rows.touch(slot)`. The first touch of a page that
 * the picture has not been asked for yet copies it to a pooled buffer.
 */
import { assert } from '../base/assert.ts'

export const pageShift = 7
export const pageRows = 128

/** Buffers for copies of pages, cut from slabs of 32 so that a copy costs little more than moving its bytes. */
export class PagePool {
  private readonly words: number
  private readonly free: Float64Array[] = []

  constructor(stride: number) {
    this.words = pageRows * stride
  }

  take(): Float64Array {
    if (this.free.length === 0) {
      const slab = new Float64Array(32 * this.words)
      for (let i = 0; i < 32; i++)
        this.free.push(slab.subarray(i * this.words, (i + 1) * this.words))
    }
    return this.free.pop()!
  }

  giveBack(copy: Float64Array): void {
    this.free.push(copy)
  }

  /** After a picture: what is beyond `pages` goes to the garbage collector. */
  trim(pages: number): void {
    if (this.free.length > pages) this.free.length = pages
  }
}

export class FixedRows {
  readonly stride: number
  values: Float64Array
  /** True while a picture wants to know of writes. */
  freezing = false
  private readonly fill: number
  private picture: RowsPicture | undefined
  private readonly pool: PagePool

  constructor(
    stride: number,
    fill: number = 0,
    rows: number = 16,
    pool: PagePool = new PagePool(stride),
  ) {
    this.stride = stride
    this.pool = pool
    this.fill = fill
    this.values = new Float64Array(rows * stride)
    if (fill !== 0) this.values.fill(fill)
  }

  /** Makes room for the row of `slot`; new rows hold the fill value. */
  ensure(slot: number): void {
    if ((slot + 1) * this.stride > this.values.length) this.grow(slot)
  }

  /** Sets the words of a row back to the fill value. */
  reset(slot: number): void {
    const at = slot * this.stride
    for (let i = at; i < at + this.stride; i++) this.values[i] = this.fill
  }

  /** Called before a row is written while `freezing`. */
  touch(slot: number): void {
    this.picture?.keep(slot >> pageShift)
  }

  /** A picture of the first `count` rows. One at a time. */
  freeze(count: number): RowsPicture {
    assert(this.picture === undefined, 'rows are in one picture at a time')
    this.picture = new RowsPicture(this, count)
    this.freezing = true
    return this.picture
  }

  /** Ends the picture. */
  thaw(): void {
    this.picture = undefined
    this.freezing = false
    this.pool.trim(64)
  }

  /** A copy of the 128 rows of a page (fewer at the end) in a buffer from the pool; give it to {@link giveBack}. */
  copyPage(page: number): Float64Array {
    const words = pageRows * this.stride
    const copy = this.pool.take()
    const start = page * words
    copy.set(this.values.subarray(start, Math.min(start + words, this.values.length)))
    return copy
  }

  giveBack(copy: Float64Array): void {
    this.pool.giveBack(copy)
  }

  private grow(slot: number): void {
    let rows = Math.max(16, this.values.length / this.stride)
    while (rows <= slot) rows *= 2
    const values = new Float64Array(rows * this.stride)
    values.set(this.values)
    if (this.fill !== 0) values.fill(this.fill, this.values.length)
    this.values = values
  }
}

/** Rows as they were at the freeze, page by page. */
export class RowsPicture {
  /** Rows in the picture. */
  readonly count: number
  readonly pages: number
  private readonly rows: FixedRows
  /** 0 untouched, 1 copied, 2 given out. */
  private readonly states: Uint8Array
  private readonly copies: Map<number, Float64Array> = new Map()

  constructor(rows: FixedRows, count: number) {
    this.rows = rows
    this.count = count
    this.pages = (count + pageRows - 1) >> pageShift
    this.states = new Uint8Array(this.pages)
  }

  keep(page: number): void {
    if (page >= this.pages || this.states[page] !== 0) return
    this.states[page] = 1
    this.copies.set(page, this.rows.copyPage(page))
  }

  /** The words of a page, for `read` only and during the call only. Each page once. */
  take<Result>(
    page: number,
    read: (words: Float64Array, at: number, rows: number) => Result,
  ): Result {
    assert(page < this.pages && this.states[page] !== 2, 'a page of a picture is taken once')
    const rows = Math.min(pageRows, this.count - page * pageRows)
    this.states[page] = 2
    const copy = this.copies.get(page)
    if (copy === undefined) return read(this.rows.values, page * pageRows * this.rows.stride, rows)
    this.copies.delete(page)
    const result = read(copy, 0, rows)
    this.rows.giveBack(copy)
    return result
  }
}
