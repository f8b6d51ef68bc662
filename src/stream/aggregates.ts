/**
 * Typed constructors of aggregates. `sum`, `min`, `max` and `mean` work on doubles; with `where` a window may have rows
 * of which none takes part, so those that then have no value say so in their type.
 *
 * There is no `first` or `last`: windows merge partial results in no particular order, and a batch run replays records
 * in another order than they arrived, so their answer would depend on how the job was run.
 */
import { TidemillError } from '../base/errors.ts'
import type { AggregateDefinition, RowNumber, RowTest } from '../graph/aggregate.ts'
import type { Schema } from '../schema/types.ts'
import {
  addValue,
  bucketWidth,
  createSketch,
  defaultAccuracy,
  mergeSketches,
  type QuantileSketch,
  quantileOf,
  quantileSketch,
} from '../window/quantile.ts'
import type { Aggregate, CountOptions, WhereOptions } from './aggregate-types.ts'
import { checkFunction, typeName } from './arguments.ts'
import { streamErrors } from './errors.ts'

/**
 * The number of rows, or of those that `where` selects. State: one number.
 *
 * @example
 * ```ts
 * import { count, type WindowedStream } from 'tidemill'
 * declare const visits: WindowedStream<string, { readonly status: number }>
 * visits.aggregate('visits', { all: count(), failed: count({ where: (v) => v.status >= 500 }) })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function count<Row>(options: CountOptions<Row> = {}): Aggregate<Row, number> {
  return described({ kind: 'count', where: testOf(options.where, 'count') })
}

/**
 * The sum of a number of each row; 0 when no row takes part. Added as doubles in order of arrival. State: one number.
 *
 * @example
 * ```ts
 * import { sum, type WindowedStream } from 'tidemill'
 * declare const orders: WindowedStream<number, { readonly amount: number }>
 * orders.aggregate('revenue', { total: sum((o) => o.amount) })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function sum<Row>(
  of: (row: Row) => number,
  options: CountOptions<Row> = {},
): Aggregate<Row, number> {
  return described({ kind: 'sum', ...numberOf(of, options, 'sum') })
}

/**
 * The smallest number of the rows. State: one number.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function min<Row>(
  of: (row: Row) => number,
  options: WhereOptions<Row>,
): Aggregate<Row, number | undefined>
export function min<Row>(of: (row: Row) => number): Aggregate<Row, number>
export function min<Row>(
  of: (row: Row) => number,
  options: CountOptions<Row> = {},
): Aggregate<Row, number | undefined> {
  return described({ kind: 'min', ...numberOf(of, options, 'min') })
}

/**
 * The largest number of the rows. State: one number.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function max<Row>(
  of: (row: Row) => number,
  options: WhereOptions<Row>,
): Aggregate<Row, number | undefined>
export function max<Row>(of: (row: Row) => number): Aggregate<Row, number>
export function max<Row>(
  of: (row: Row) => number,
  options: CountOptions<Row> = {},
): Aggregate<Row, number | undefined> {
  return described({ kind: 'max', ...numberOf(of, options, 'max') })
}

/**
 * The arithmetic mean of a number of each row. State: two numbers.
 *
 * @example
 * ```ts
 * import { mean, type WindowedStream } from 'tidemill'
 * declare const samples: WindowedStream<string, { readonly rsrp: number | undefined }>
 * samples.aggregate('signal', {
 *   rsrp: mean((s) => s.rsrp ?? 0, { where: (s) => s.rsrp !== undefined }),
 * })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function mean<Row>(
  of: (row: Row) => number,
  options: WhereOptions<Row>,
): Aggregate<Row, number | undefined>
export function mean<Row>(of: (row: Row) => number): Aggregate<Row, number>
export function mean<Row>(
  of: (row: Row) => number,
  options: CountOptions<Row> = {},
): Aggregate<Row, number | undefined> {
  return described({ kind: 'mean', ...numberOf(of, options, 'mean') })
}

/**
 * The exact number of different values. State grows with every value seen in a window; several of these over the same
 * function (the same reference) share one set.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function countDistinct<Row>(
  of: (row: Row) => string | number | bigint | boolean,
  options: CountOptions<Row> = {},
): Aggregate<Row, number> {
  checkFunction(of, 'the first argument of countDistinct')
  return described({
    kind: 'count-distinct',
    of,
    where: testOf(options.where, 'countDistinct'),
  })
}

/** How exact a quantile is, and which rows take part. */
export interface QuantileOptions<Row> extends CountOptions<Row> {
  /** Largest relative error of the result, between 0.0001 and 0.5. Default 0.01, i.e. 1 %. */
  readonly accuracy?: number
}

/**
 * The value below which the fraction `q` of the rows lies, within a relative error of 1 % (DDSketch): the value at rank
 * floor(q * (n - 1)). The answer does not depend on the order of rows. State: one count per bucket, about 114 per power
 * of ten that the values span.
 *
 * Errors: TM1356 for a `q` outside of 0 to 1; TM1357 for a value that is not finite.
 *
 * @example
 * ```ts
 * import { quantile, type WindowedStream } from 'tidemill'
 * declare const requests: WindowedStream<string, { readonly ms: number }>
 * requests.aggregate('latency', { p50: quantile((r) => r.ms, 0.5), p99: quantile((r) => r.ms, 0.99) })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function quantile<Row>(
  of: (row: Row) => number,
  q: number,
  options: QuantileOptions<Row> & WhereOptions<Row>,
): Aggregate<Row, number | undefined>
export function quantile<Row>(
  of: (row: Row) => number,
  q: number,
  options?: { readonly accuracy?: number },
): Aggregate<Row, number>
export function quantile<Row>(
  of: (row: Row) => number,
  q: number,
  options: QuantileOptions<Row> = {},
): Aggregate<Row, number | undefined> {
  checkFunction(of, 'the first argument of quantile')
  const accuracy = options.accuracy ?? defaultAccuracy
  if (typeof q !== 'number' || !(q >= 0 && q <= 1)) {
    throw unusable(`quantile got ${String(q)} as the fraction, expected 0 to 1`)
  }
  if (!(accuracy >= 0.0001 && accuracy <= 0.5)) {
    throw unusable(`quantile got ${String(accuracy)} as its accuracy, expected 0.0001 to 0.5`)
  }
  const width = bucketWidth(accuracy)
  const { where } = options
  return aggregate<Row, QuantileSketch, number | undefined>({
    label: `quantile(${q}, ${accuracy})`,
    create: createSketch,
    add(sketch, row) {
      // `where` and `of` run before the sketch changes, so a throw leaves it as it was.
      if (where !== undefined && !where(row)) return sketch
      const value = of(row)
      if (!Number.isFinite(value)) {
        throw new TidemillError(streamErrors.aggregatedValue, {
          message: `quantile got ${String(value)}`,
        })
      }
      return addValue(sketch, value, width)
    },
    merge: mergeSketches,
    result: (sketch) => quantileOf(sketch, q, width),
    accumulator: quantileSketch,
    decomposable: true,
  })
}

/** An aggregate of your own, as four functions over an accumulator. They are called without `this`. */
export interface AggregateFunctions<Row, Accumulator, Result> {
  /** The accumulator of no rows. */
  create(): Accumulator
  /** With one more row. May change and return `accumulator`; must not have changed it when it throws. */
  add(accumulator: Accumulator, row: Row): Accumulator
  /** Both together. May change and return `left`, never `right`. The order of merging is not defined. */
  merge(left: Accumulator, right: Accumulator): Accumulator
  /** What a result row shows; must not change the accumulator. */
  result(accumulator: Accumulator): Result
  /** How the accumulator is stored; without it, as JSON-like data in the self-describing codec. */
  readonly accumulator?: Schema<Accumulator>
  /** What `explain` calls it. Default `custom`. Part of the plan's fingerprint. */
  readonly label?: string
  /**
   * Promises the same result, to the last bit, however rows are grouped and in whatever order groups are merged. It is not
   * true of sums of fractions, nor of lists that show the order of rows. With several subtasks each one then adds up its own
   * rows and sends accumulators instead, up to 100 ms later, so that one frequent key does not limit how far a job scales
   * (local-global aggregation in Flink; `explain` says `two-phase`). Default `false`.
   */
  readonly decomposable?: boolean
}

/**
 * An aggregate of your own. `merge(add(a, x), b)` must equal `add(merge(a, b), x)`, since rows are spread over slices and
 * threads. Accumulators are copied into checkpoints: keep them small, and plain data unless a schema is given.
 *
 * Errors: TM1351 when one of the functions is missing.
 *
 * @example
 * ```ts
 * import { aggregate, text } from 'tidemill'
 * const longer = (a: string, b: string): string => (b.length > a.length ? b : a)
 * const longest = aggregate<string, string, string>({
 *   create: () => '',
 *   add: longer,
 *   merge: longer,
 *   result: (word) => word,
 *   accumulator: text,
 * })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function aggregate<Row, Accumulator, Result>(
  functions: AggregateFunctions<Row, Accumulator, Result>,
): Aggregate<Row, Result> {
  for (const name of ['create', 'add', 'merge', 'result'] as const) {
    checkFunction(functions[name], `${name} of an aggregate`)
  }
  // The functions themselves, not wrappers: the runtime reads their text to learn which fields of a row they need.
  return described({
    kind: 'custom',
    label: functions.label ?? 'custom',
    create: functions.create,
    add: functions.add,
    merge: functions.merge,
    result: functions.result,
    accumulator: functions.accumulator,
    decomposable: functions.decomposable === true,
  })
}

function described<Row, Result>(definition: AggregateDefinition): Aggregate<Row, Result> {
  return Object.freeze({ definition: Object.freeze(definition) })
}

function numberOf<Row>(
  of: (row: Row) => number,
  options: CountOptions<Row>,
  what: string,
): { readonly of: RowNumber; readonly where: RowTest | undefined } {
  checkFunction(of, `the first argument of ${what}`)
  return { of, where: testOf(options.where, what) }
}

function testOf<Row>(
  where: ((row: Row) => boolean) | undefined,
  what: string,
): RowTest | undefined {
  if (where === undefined) return undefined
  checkFunction(where, `where of ${what}`)
  return where
}

/** The definitions of a spec, in its order. Throws TM1356 for what is not an aggregate. */
export function aggregateSpec(
  spec: Readonly<Record<string, Aggregate<never, unknown>>>,
  owner: string,
): Readonly<Record<string, AggregateDefinition>> {
  if (typeof spec !== 'object' || spec === null) {
    throw unusable(`${JSON.stringify(owner)} got ${typeName(spec)}, expected aggregates by name`)
  }
  const definitions: [string, AggregateDefinition][] = []
  for (const [name, one] of Object.entries(spec)) {
    if (typeof one?.definition?.kind !== 'string') {
      throw unusable(
        `${JSON.stringify(name)} of ${JSON.stringify(owner)} is ${typeName(one)}, expected sum(…), count() or the like`,
      )
    }
    definitions.push([name, one.definition])
  }
  return Object.fromEntries(definitions)
}

function unusable(message: string): TidemillError {
  return new TidemillError(streamErrors.aggregate, { message })
}
