/**
 * Quantiles with a bounded relative error from a sketch that merges exactly: DDSketch (Masson, Rim and Lee, "DDSketch:
 * a fast and fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12(12), 2019), with sparse buckets
 * that are never collapsed.
 *
 * With accuracy a and gamma = (1 + a) / (1 - a), value x > 0 falls into bucket i = ceil(log(x) / log(gamma)), which holds
 * (gamma^(i-1), gamma^i]. Its representative 2 * gamma^i / (gamma + 1) differs from every value in it by at most the
 * factor a. Negative values have mirrored buckets, zero a counter of its own.
 *
 * Invariants: a sketch is its bucket counts, so it depends neither on the order of values nor on how they were split
 * and merged - which is what makes a streaming result equal the batch result. Bucket numbers ascend strictly; counts
 * are positive. Buckets are not collapsed, because collapsing would depend on the order; the double range itself bounds
 * them: at a = 0.01 about 114 buckets per power of ten, 71,000 at the very most.
 *
 * A sketch that was read back may be frozen: `addValue` and `mergeSketches` copy it before they change it.
 */
import { assert } from '../base/assert.ts'
import { list } from '../schema/collections.ts'
import { int } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import type { Schema } from '../schema/types.ts'

/** Bucket numbers in ascending order and, beside each, how many values fell into it. */
export interface Buckets {
  readonly at: number[]
  readonly counts: number[]
}

export interface QuantileSketch {
  zeros: number
  readonly positive: Buckets
  /** Buckets of the absolute values. */
  readonly negative: Buckets
}

const buckets = struct('quantile-buckets', { at: field(1, list(int)), counts: field(2, list(int)) })

/** How sketches are stored. The schema's type has read-only lists, which is how they come back. */
export const quantileSketch: Schema<QuantileSketch> = struct('quantile-sketch', {
  zeros: field(1, int),
  positive: field(2, buckets),
  negative: field(3, buckets),
}) as unknown as Schema<QuantileSketch>

export const defaultAccuracy = 0.01

/** The natural logarithm of gamma, computed once per aggregate. */
export function bucketWidth(accuracy: number): number {
  assert(accuracy > 0 && accuracy < 1, 'the accuracy of a quantile is between 0 and 1')
  return Math.log1p((2 * accuracy) / (1 - accuracy))
}

export function createSketch(): QuantileSketch {
  return { zeros: 0, positive: { at: [], counts: [] }, negative: { at: [], counts: [] } }
}

/** Adds a finite value, in place unless the sketch is frozen. */
export function addValue(sketch: QuantileSketch, value: number, width: number): QuantileSketch {
  const own = writable(sketch)
  if (value > 0) addCount(own.positive, bucketOf(value, width), 1)
  else if (value < 0) addCount(own.negative, bucketOf(-value, width), 1)
  else own.zeros++
  return own
}

/** Adds the counts of `right` to `left`, in place unless `left` is frozen; `right` stays as it is. */
export function mergeSketches(left: QuantileSketch, right: QuantileSketch): QuantileSketch {
  const own = writable(left)
  own.zeros += right.zeros
  addBuckets(own.positive, right.positive)
  addBuckets(own.negative, right.negative)
  return own
}

/** The number of values in the sketch. */
export function sketchCount(sketch: QuantileSketch): number {
  return sketch.zeros + total(sketch.positive) + total(sketch.negative)
}

/**
 * The value at rank floor(q * (n - 1)) of the n sorted values, within the relative accuracy; `undefined` for no values.
 */
export function quantileOf(sketch: QuantileSketch, q: number, width: number): number | undefined {
  const negatives = total(sketch.negative)
  const count = negatives + sketch.zeros + total(sketch.positive)
  if (count === 0) return undefined
  let rank = Math.floor(q * (count - 1))
  if (rank < negatives) {
    // The smallest value has the largest absolute value, so the mirrored buckets are walked from their end.
    return -representative(bucketAtRank(sketch.negative, negatives - 1 - rank), width)
  }
  rank -= negatives
  if (rank < sketch.zeros) return 0
  return representative(bucketAtRank(sketch.positive, rank - sketch.zeros), width)
}

function bucketOf(magnitude: number, width: number): number {
  // Adding 0 turns -0 into 0: a bucket has one name, also after it was stored.
  return Math.ceil(Math.log(magnitude) / width) + 0
}

/** 2 * gamma^i / (gamma + 1), in a form that does not overflow for the largest doubles. */
function representative(bucket: number, width: number): number {
  return Math.exp((bucket - 1) * width) * (2 / (1 + Math.exp(-width)))
}

function bucketAtRank(buckets: Buckets, rank: number): number {
  let seen = 0
  for (let i = 0; i < buckets.at.length; i++) {
    seen += buckets.counts[i] ?? 0
    if (rank < seen) return buckets.at[i] ?? 0
  }
  assert(false, 'a rank is smaller than the number of values')
}

function addCount(buckets: Buckets, bucket: number, count: number): void {
  const { at, counts } = buckets
  let low = 0
  let high = at.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at[middle]! < bucket)
      low = middle + 1 // middle < high <= length
    else high = middle
  }
  if (at[low] === bucket) {
    counts[low]! += count // low is the index of an existing bucket
    return
  }
  at.splice(low, 0, bucket)
  counts.splice(low, 0, count)
}

function addBuckets(into: Buckets, from: Buckets): void {
  for (let i = 0; i < from.at.length; i++) addCount(into, from.at[i]!, from.counts[i]!) // parallel arrays
}

function total(buckets: Buckets): number {
  let sum = 0
  for (const count of buckets.counts) sum += count
  return sum
}

function writable(sketch: QuantileSketch): QuantileSketch {
  const { positive, negative } = sketch
  const isFrozen =
    Object.isFrozen(sketch) || Object.isFrozen(positive.at) || Object.isFrozen(negative.at)
  if (!isFrozen) return sketch
  return {
    zeros: sketch.zeros,
    positive: { at: [...positive.at], counts: [...positive.counts] },
    negative: { at: [...negative.at], counts: [...negative.counts] },
  }
}
