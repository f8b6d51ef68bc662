/**
 * Aggregates as data. Built-in ones are described by their kind so that the runtime can keep their accumulators in
 * typed tables and emit their code; `custom` carries the four functions of the general case.
 */
import type { Schema } from '../schema/types.ts'

/** Named aggregates of one step, in the order of the result's fields. */
export type AggregateSpec = Readonly<Record<string, AggregateDefinition>>

/** Reads the number (or value) to aggregate; `where` selects the rows that take part. */
export type AggregateDefinition =
  | { readonly kind: 'count'; readonly where: RowTest | undefined }
  | { readonly kind: 'sum'; readonly of: RowNumber; readonly where: RowTest | undefined }
  /** `undefined` when no row took part. */
  | { readonly kind: 'min'; readonly of: RowNumber; readonly where: RowTest | undefined }
  | { readonly kind: 'max'; readonly of: RowNumber; readonly where: RowTest | undefined }
  /** Arithmetic mean of finite doubles; `undefined` when no row took part. */
  | { readonly kind: 'mean'; readonly of: RowNumber; readonly where: RowTest | undefined }
  /** Exact number of distinct values; state grows with them. Equal `of` functions share one set. */
  | {
      readonly kind: 'count-distinct'
      readonly of: (row: never) => string | number | bigint | boolean
      readonly where: RowTest | undefined
    }
  | CustomAggregate

/** Fields of the row type are unknown here; the typed constructors in `stream/` check them. */
export type RowNumber = (row: never) => number
export type RowTest = (row: never) => boolean

/**
 * The general case. `add` may change and return its accumulator, `merge` may change and return `left` but never
 * `right`; both leave them as they were when they throw. An accumulator that came out of a snapshot may be frozen.
 */
export interface CustomAggregate {
  readonly kind: 'custom'
  /** What it is called in `explain` and in the fingerprint, parameters included, e.g. `quantile(0.95)`. */
  readonly label: string
  readonly create: () => unknown
  readonly add: (accumulator: never, row: never) => unknown
  readonly merge: (left: never, right: never) => unknown
  readonly result: (accumulator: never) => unknown
  /** How the accumulator is stored; the self-describing codec when absent. */
  readonly accumulator: Schema<unknown> | undefined
  /** The result is the same, to the last bit, however rows are grouped and in whatever order groups are merged. */
  readonly decomposable: boolean
}
