/**
 * Walks the verified batches of a partition across segments, up to a given end, while a writer appends, rolls, retires
 * and compacts beside it.
 *
 * It keeps one segment open and one chunk of it in memory. The list of segments is read again when the open one ends
 * before the allowed end, when a file has vanished, and when a new generation appears (which may have sealed the open
 * segment at a lower offset). A failed check below the durable mark is corruption; above it the cursor just stops.
 */
import type { DiskFile, Env } from '../base/env.ts'
import { readFully } from '../base/disk-io.ts'
import { TidemillError } from '../base/errors.ts'
import { corrupt, logErrors } from './errors.ts'
import {
  type BatchCheck,
  batchHeaderBytes,
  batchKind,
  checkBatch,
  checkBatchShape,
  describeCheck,
  field,
  getU53,
  viewOf,
} from './format.ts'
import {
  type Extent,
  type HeaderCache,
  isMissing,
  listPartition,
  type PartitionPlace,
} from './layout.ts'
import { readIndex } from './segment-index.ts'
import type { TransactionId } from './types.ts'
import type { VisibleEnd } from './visible-end.ts'

/** Bound of the search for the segment that holds the next offset while a writer changes the directory. */
const listAttempts = 10
/** Fruitless attempts with an unchanged listing before missing data is called missing. */
const judgeAttempts = 3
const empty = new Uint8Array(0)

/** `full`: the next batch needs another chunk, and the caller still holds batches of this one. */
export type CursorStep = 'batch' | 'end' | 'gap' | 'full'

export class BatchCursor {
  readonly #env: Env
  readonly #place: PartitionPlace
  readonly #chunkBytes: number
  readonly #reuse: boolean
  /** Checks data batches only by shape and place: enough to find markers, which are always checked fully. */
  readonly #markersOnly: boolean
  readonly #cache: HeaderCache = new Map()
  #extents: readonly Extent[] = []
  #startOffset = 0
  #generation = -1
  #extent: Extent | undefined
  #file: DiskFile | undefined
  #filePosition = 0
  #count = 0
  /** The chunk, and the batch in it after a step that returned `batch`. */
  bytes = empty
  view = viewOf(empty)
  at = 0
  length = 0
  /** Offset that the next step returns, or of the batch it just returned. */
  offset: number
  nextOffset: number

  constructor(
    env: Env,
    place: PartitionPlace,
    from: number,
    options: {
      readonly chunkBytes: number
      readonly reuse: boolean
      readonly markersOnly: boolean
    },
  ) {
    this.#env = env
    this.#place = place
    this.#chunkBytes = options.chunkBytes
    this.#reuse = options.reuse
    this.#markersOnly = options.markersOnly
    this.offset = from
    this.nextOffset = from
  }

  get startOffset(): number {
    return this.#startOffset
  }

  /**
   * Goes to the batch that holds `nextOffset`, when it lies below the end. TM1206 for damage. `gap` tells that the log
   * now starts behind the position; the caller decides. With `keep` a cursor that reuses its chunk leaves it as it is.
   */
  async step(end: VisibleEnd, keep: boolean = false): Promise<CursorStep> {
    this.#keep = keep && this.#reuse
    if (this.nextOffset >= end.visible) return 'end'
    if (end.generation > this.#generation) {
      await this.#relist()
      this.#generation = end.generation
    }
    for (let attempt = 0; ; attempt++) {
      if (this.nextOffset < this.#startOffset) return 'gap'
      const found = await this.#tryStep()
      if (found === 'batch' || found === 'full') return found
      // The open segment holds no more: it was sealed, replaced or retired, or this is damage.
      const before = this.#extent
      await this.#relist()
      const same = this.#extent?.stem === before?.stem && this.#extent?.to === before?.to
      if (same && attempt >= judgeAttempts) {
        if (this.nextOffset < end.durable) throw this.#damage(found)
        return 'end'
      }
      if (attempt >= listAttempts) return 'end'
    }
  }

  /** Forgets the open segment, so that a compacted one is taken instead. */
  async reopen(): Promise<void> {
    await this.#relist()
  }

  /** Moves to an offset; the batch that holds it comes next. */
  async seek(offset: number): Promise<void> {
    this.nextOffset = offset
    await this.#closeFile()
  }

  async close(): Promise<void> {
    await this.#closeFile()
  }

  /** Makes the batch of the last step come again. */
  unstep(): void {
    this.nextOffset = this.offset
    this.#expected = this.offset
    this.length = 0
  }

  /** Goes to where another cursor of this partition stands: its current batch comes next. */
  async adopt(other: BatchCursor): Promise<void> {
    await this.#closeFile()
    this.#extents = other.#extents
    this.#startOffset = other.#startOffset
    this.#generation = other.#generation
    this.nextOffset = other.offset
    const extent = other.#extent
    if (extent === undefined) return
    try {
      this.#file = await this.#env.disk.open(extent.path, 'read')
    } catch (error) {
      // Replaced by compaction meanwhile: the next step finds the new segment.
      if (isMissing(error)) return
      throw error
    }
    this.#extent = extent
    this.#filePosition = other.#filePosition + other.at
    this.#expected = other.offset
  }

  /**
   * How a transaction with data in the batch of the last step ended: true for committed, undefined when the log that is known to be
   * visible does not tell without being read. The headers of later segments say what was decided before them.
   */
  decided({ producerId, epoch }: TransactionId, end: VisibleEnd): boolean | undefined {
    for (const { from, header } of this.#extents) {
      if (from <= this.offset) continue
      if (from > end.visible) return undefined
      const { decided, open } = header.state
      const outcomes = decided.find(([id]) => id === producerId)?.[1]
      const outcome = outcomes?.find(([known]) => known === epoch)?.[1]
      if (outcome !== undefined) return outcome === 1
      // Neither decided nor open: so long ago that the table has forgotten it.
      if (!open.some(([id, one]) => id === producerId && one === epoch)) return undefined
    }
    return undefined
  }

  async #tryStep(): Promise<CheckResult> {
    if (
      this.#extent === undefined ||
      this.nextOffset >= this.#extent.to ||
      this.nextOffset < this.#extent.from
    ) {
      const opened = await this.#openAt(this.nextOffset)
      if (opened !== 'batch') return opened
    }
    for (;;) {
      const result = await this.#parse()
      if (result !== 'batch') return result
      if (this.#after > this.nextOffset) break
      // A batch before the position: only when the cursor was placed by the index.
      this.#expected = this.#after
      this.at += this.length
      this.length = 0
    }
    this.offset = this.#expected
    this.nextOffset = this.#after
    this.#expected = this.#after
    return 'batch'
  }

  /** Base offset that the next batch of the file must have, and where it ends. */
  #expected = 0
  #after = 0
  #keep = false

  async #parse(): Promise<CheckResult> {
    this.at += this.length
    this.length = 0
    const extent = this.#extent!
    let fresh = false
    let grown = false
    for (;;) {
      if (this.#expected >= extent.to) return 'end'
      const check = this.#check(extent)
      if (check === 'ok') {
        this.length = this.view.getUint32(this.at + field.length, true)
        this.#after = this.#expected + this.view.getUint32(this.at + field.span, true)
        return 'batch'
      }
      // What is in memory may be older than what the writer has put there since: read once more before judging.
      const partial =
        check === 'short' || (check === 'end' && this.#count - this.at < batchHeaderBytes)
      if (fresh && !(partial && grown)) return check
      if (this.#keep) return 'full'
      grown = await this.#refill()
      fresh = true
    }
  }

  #check(extent: Extent): CheckResult {
    const { bytes, view, at } = this
    const end = this.#count
    const { seed } = this.#place
    if (this.#markersOnly) {
      const shape = checkBatchShape(bytes, view, at, end)
      if (shape !== 'ok') return shape
      if (view.getUint8(at + field.kind) === batchKind.data) {
        const fits =
          getU53(view, at + field.baseOffset) === this.#expected &&
          view.getUint32(at + field.generation, true) === extent.header.generation &&
          view.getUint32(at + field.span, true) > 0
        return fits ? 'ok' : 'place'
      }
    }
    return checkBatch(bytes, view, at, end, seed, this.#expected, extent.header.generation)
  }

  /** Reads the chunk that begins at the current batch. False when the file has no more than is already here. */
  async #refill(): Promise<boolean> {
    const have = this.#count - this.at
    let size = this.#chunkBytes
    if (
      have >= batchHeaderBytes &&
      checkBatchShape(this.bytes, this.view, this.at, this.#count) === 'short'
    ) {
      // The length was found plausible and is at most 16 MiB.
      size = Math.max(size, this.view.getUint32(this.at + field.length, true))
    }
    this.#filePosition += this.at
    // Nothing is in memory until the read has succeeded.
    this.at = 0
    this.#count = 0
    // A new chunk costs the system its pages and their clearing, twice the reading of what is in the page cache.
    if (!this.#reuse || this.bytes.length < size) {
      this.bytes = new Uint8Array(size)
      this.view = viewOf(this.bytes)
    }
    // One large batch must not make every later read as large.
    const target = this.bytes.length > size ? this.bytes.subarray(0, size) : this.bytes
    this.#count = await readFully(this.#file!, target, this.#filePosition)
    const grown = this.#count > have
    return grown
  }

  async #openAt(offset: number): Promise<CheckResult> {
    await this.#closeFile()
    const extent = this.#extents.find(
      (candidate) => offset >= candidate.from && offset < candidate.to,
    )
    if (extent === undefined) return 'end'
    try {
      this.#file = await this.#env.disk.open(extent.path, 'read')
    } catch (error) {
      if (isMissing(error)) return 'end'
      throw error
    }
    this.#extent = extent
    const place = offset > extent.from ? await this.#floor(extent, offset) : undefined
    this.#filePosition = place?.position ?? extent.header.headerBytes
    this.#expected = place?.offset ?? extent.from
    this.at = 0
    this.length = 0
    this.#count = 0
    return 'batch'
  }

  async #floor(
    extent: Extent,
    offset: number,
  ): Promise<{ offset: number; position: number } | undefined> {
    if (extent.to === Number.POSITIVE_INFINITY) return undefined
    const index = await readIndex(this.#env.disk, extent, this.#place.seed)
    return index?.floor(offset)
  }

  async #closeFile(): Promise<void> {
    this.#extent = undefined
    this.at = 0
    this.length = 0
    this.#count = 0
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  /** Lists the segments again and drops the open one when it is no longer the live one for the position. */
  async #relist(): Promise<void> {
    const files = await listPartition(this.#env, this.#place, this.#cache)
    this.#extents = files.extents
    this.#startOffset = files.startOffset
    const open = this.#extent
    if (open === undefined) return
    const now = files.extents.find((extent) => extent.stem === open.stem)
    if (now === undefined || this.nextOffset >= now.to) await this.#closeFile()
    else {
      this.#extent = now
      // What is in memory may lie past a new seal, or be older than what the writer has put there since.
      this.#filePosition += this.at + this.length
      this.at = 0
      this.length = 0
      this.#count = 0
    }
  }

  #damage(found: BatchCheck): TidemillError {
    const extent = this.#extent
    const file = extent?.path ?? `${this.#place.directory}/`
    const position = this.#filePosition + this.at
    if (found === 'end' || found === 'short' || extent === undefined) {
      return new TidemillError(logErrors.endsEarly, {
        message: `the data ends at offset ${this.nextOffset}`,
        details: { file, offset: position, record: this.nextOffset },
      })
    }
    return corrupt(file, position, describeCheck(found), { record: this.nextOffset })
  }
}

type CheckResult = BatchCheck | 'batch' | 'full'
