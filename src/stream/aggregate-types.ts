/** The types of aggregates in specs: what goes in, what comes out, how results become fields. */
import type { AggregateDefinition } from '../graph/aggregate.ts'

declare const rowType: unique symbol
declare const resultType: unique symbol

/**
 * One aggregate of a step over rows of type `Row`. Made by `sum`, `count` and their kin, or by `aggregate` for your own.
 * Plain data, so it can be shared between steps.
 *
 * @since 0.1.0
 * @stability experimental
 */
export interface Aggregate<Row, Result> {
  readonly definition: AggregateDefinition
  /** Carry types to the compiler; never present. */
  readonly [rowType]?: (row: Row) => void
  readonly [resultType]?: Result
}

/** The result of each aggregate of a spec, by name. */
export type AggregateResults<Spec> = {
  readonly [Name in keyof Spec]: Spec[Name] extends Aggregate<never, infer Result> ? Result : never
}

/** Selects the rows that take part in an aggregate. */
export interface CountOptions<Row> {
  readonly where?: (row: Row) => boolean
}

export interface WhereOptions<Row> {
  readonly where: (row: Row) => boolean
}
