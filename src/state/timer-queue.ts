/**
 * Pending timers of one kind, ordered by (time, canonical key bytes, rank of the timer).
 *
 * 1. Entries go to coarse buckets of 256 ms, unsorted. A small heap orders the buckets.
 * 2. The first bucket is sorted when it becomes due ("the run"). Entries for its time or earlier that come later go to a
 *    heap beside it, so that a timer set while others fire takes its place among them.
 * 3. Nothing is ever searched for: a timer that was cleared or moved leaves its entry behind, and the owner, who knows
 *    which entry id is valid for a reference, skips it when it comes up. When stale entries outnumber the others,
 *    `compact` drops them.
 *
 * `reference` and `id` are whole numbers of the owner.
 */
import { compareKeys } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'

const bucketMs = 256

/** What the owner knows about the entries it pushes. */
export interface TimerOwner {
  /** Whether entry `id` is still the one of `reference`. */
  isValid(reference: number, id: number): boolean
  /** The key of a valid reference. */
  keyOf(reference: number): Key
  /** Orders the timers of one key. */
  rankOf(reference: number): number
}

/** Holds its key, because the slot behind a stale reference may belong to another key by now. */
interface LateEntry {
  readonly at: number
  readonly reference: number
  readonly id: number
  readonly key: Key
}

interface Bucket {
  number: number
  /** Earliest time inside. */
  first: number
  count: number
  /** Time, reference, id of each entry. */
  words: Float64Array
}

export class TimerQueue {
  /** Entries, stale ones included. */
  size = 0
  /** The entry that `pop` took. */
  at = 0
  reference = 0
  id = 0
  private readonly buckets: Map<number, Bucket> = new Map()
  /** Heap of bucket numbers. */
  private readonly numbers: number[] = []
  private run: Float64Array = new Float64Array(0)
  private cursor = 0
  private runEnd = 0
  private runBucket = Number.NEGATIVE_INFINITY
  /** Binary heap. */
  private readonly late: LateEntry[] = []
  private readonly owner: TimerOwner

  constructor(owner: TimerOwner) {
    this.owner = owner
  }

  push(at: number, reference: number, id: number): void {
    this.size++
    const number = Math.floor(at / bucketMs)
    if (number <= this.runBucket) {
      this.pushLate(at, reference, id)
      return
    }
    let bucket = this.buckets.get(number)
    if (bucket === undefined) {
      bucket = { number, first: at, count: 0, words: new Float64Array(12) }
      this.buckets.set(number, bucket)
      this.pushNumber(number)
    }
    const end = bucket.count * 3
    if (end === bucket.words.length) {
      const words = new Float64Array(end * 2)
      words.set(bucket.words)
      bucket.words = words
    }
    bucket.words[end] = at
    bucket.words[end + 1] = reference
    bucket.words[end + 2] = id
    bucket.count++
    if (at < bucket.first) bucket.first = at
  }

  /** The earliest time of any entry, stale or not; +Infinity when there is none. */
  next(): number {
    const run = this.cursor < this.runEnd ? this.run[this.cursor]! : Number.POSITIVE_INFINITY
    const late = this.late.length > 0 ? this.late[0]!.at : Number.POSITIVE_INFINITY
    if (run < late) return run
    if (late !== Number.POSITIVE_INFINITY) return late
    return this.numbers.length === 0
      ? Number.POSITIVE_INFINITY
      : this.buckets.get(this.numbers[0]!)!.first
  }

  /** Takes the first valid entry into `at`, `reference` and `id`; false when none is due at `uptoMs`. */
  pop(uptoMs: number): boolean {
    while (this.next() <= uptoMs) {
      this.skipStale()
      const hasRun = this.cursor < this.runEnd
      const first = this.late[0]
      if (!hasRun && first === undefined) {
        if (this.numbers.length > 0 && this.next() <= uptoMs) this.openBucket()
        continue
      }
      if (hasRun && (first === undefined || this.runIsFirst(first))) {
        if (this.run[this.cursor]! > uptoMs) return false
        this.load(this.run[this.cursor]!, this.run[this.cursor + 1]!, this.run[this.cursor + 2]!)
        this.cursor += 3
      } else if (first !== undefined) {
        if (first.at > uptoMs) return false
        this.load(first.at, first.reference, first.id)
        this.popLate()
      }
      return true
    }
    return false
  }

  /** Drops stale entries of buckets. */
  compact(): void {
    for (const bucket of this.buckets.values()) this.keepValid(bucket)
  }

  private load(at: number, reference: number, id: number): void {
    this.at = at
    this.reference = reference
    this.id = id
    this.size--
  }

  private skipStale(): void {
    while (
      this.cursor < this.runEnd &&
      !this.owner.isValid(this.run[this.cursor + 1]!, this.run[this.cursor + 2]!)
    ) {
      this.cursor += 3
      this.size--
    }
    for (let first = this.late[0]; first !== undefined; first = this.late[0]) {
      if (this.owner.isValid(first.reference, first.id)) return
      this.popLate()
      this.size--
    }
  }

  /** The head of the run is valid, so its key can be asked for. */
  private runIsFirst(late: LateEntry): boolean {
    const at = this.run[this.cursor]!
    if (at !== late.at) return at < late.at
    const reference = this.run[this.cursor + 1]!
    const order = compareKeys(this.owner.keyOf(reference), late.key)
    return (order || this.owner.rankOf(reference) - this.owner.rankOf(late.reference)) <= 0
  }

  private isBefore(a: LateEntry, b: LateEntry): boolean {
    if (a.at !== b.at) return a.at < b.at
    return (
      (compareKeys(a.key, b.key) ||
        this.owner.rankOf(a.reference) - this.owner.rankOf(b.reference)) < 0
    )
  }

  private openBucket(): void {
    const number = this.popNumber()
    const bucket = this.buckets.get(number)!
    this.buckets.delete(number)
    this.keepValid(bucket)
    this.run = this.sorted(bucket)
    this.cursor = 0
    this.runEnd = bucket.count * 3
    this.runBucket = number
  }

  /** By time with the typed array's own sort, which needs no comparator; then runs of equal times by `compare`. */
  private sorted({ number, count, words }: Bucket): Float64Array {
    const places = new Float64Array(count)
    const start = number * bucketMs
    let whole = Number.isSafeInteger(start)
    for (let i = 0; i < count; i++) {
      const offset = words[i * 3]! - start
      if (!Number.isInteger(offset)) whole = false
      places[i] = offset * 0x1_0000_0000 + i
    }
    let order: Float64Array
    if (whole) {
      order = places.sort()
      for (let i = 0; i < count; i++) order[i] = order[i]! % 0x1_0000_0000
    } else {
      order = Float64Array.from(places.keys()).sort((a, b) => words[a * 3]! - words[b * 3]!)
    }
    for (let from = 0; from < count; ) {
      const at = words[order[from]! * 3]!
      let to = from + 1
      while (to < count && words[order[to]! * 3] === at) to++
      if (to - from > 1) this.sortTies(words, order.subarray(from, to))
      from = to
    }
    const run = new Float64Array(count * 3)
    for (let i = 0; i < count; i++) {
      const from = order[i]! * 3
      run[i * 3] = words[from]!
      run[i * 3 + 1] = words[from + 1]!
      run[i * 3 + 2] = words[from + 2]!
    }
    return run
  }

  private sortTies(words: Float64Array, order: Float64Array): void {
    const { owner } = this
    const ties = Array.from(order, (place) => {
      const reference = words[place * 3 + 1]!
      return { place, key: owner.keyOf(reference), rank: owner.rankOf(reference) }
    })
    ties.sort((a, b) => compareKeys(a.key, b.key) || a.rank - b.rank)
    for (let i = 0; i < ties.length; i++) order[i] = ties[i]!.place
  }

  private keepValid(bucket: Bucket): void {
    const { words } = bucket
    let kept = 0
    for (let from = 0; from < bucket.count * 3; from += 3) {
      if (!this.owner.isValid(words[from + 1]!, words[from + 2]!)) continue
      if (kept !== from) words.copyWithin(kept, from, from + 3)
      kept += 3
    }
    this.size -= bucket.count - kept / 3
    bucket.count = kept / 3
  }

  private pushLate(at: number, reference: number, id: number): void {
    const heap = this.late
    const entry: LateEntry = { at, reference, id, key: this.owner.keyOf(reference) }
    let hole = heap.push(entry) - 1
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (!this.isBefore(entry, heap[parent]!)) break
      heap[hole] = heap[parent]!
      hole = parent
    }
    heap[hole] = entry
  }

  private popLate(): void {
    const heap = this.late
    const last = heap.pop()!
    const count = heap.length
    if (count === 0) return
    let hole = 0
    for (let child = 1; child < count; child = 2 * hole + 1) {
      if (child + 1 < count && this.isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!this.isBefore(heap[child]!, last)) break
      heap[hole] = heap[child]!
      hole = child
    }
    heap[hole] = last
  }

  private pushNumber(number: number): void {
    const heap = this.numbers
    let hole = heap.push(number) - 1
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (heap[parent]! <= number) break
      heap[hole] = heap[parent]!
      hole = parent
    }
    heap[hole] = number
  }

  private popNumber(): number {
    const heap = this.numbers
    const first = heap[0]!
    const last = heap.pop()!
    const count = heap.length
    if (count === 0) return first
    let hole = 0
    for (let child = 1; child < count; child = 2 * hole + 1) {
      if (child + 1 < count && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[hole] = heap[child]!
      hole = child
    }
    heap[hole] = last
    return first
  }
}
