/** The types of expressions: which operations a value has, and what comes out. */
import type { Literal } from '../expression/nodes.ts'

declare const valueType: unique symbol

/** An expression, or a constant of its type. */
export type Operand<Value> = Value | ValueExpression<Value>

/** Carries the type of an expression's value to the compiler. */
export interface ValueExpression<Value> {
  readonly [valueType]: Value
}

/**
 * An expression with the operations of its type. A value that may be `null` or missing has those of `AnyOperations` only:
 * `coalesce` gives it the others.
 */
export type ExpressionFor<Value> = AnyOperations<Value> &
  ([Value] extends [number]
    ? NumberOperations
    : [Value] extends [string]
      ? TextOperations
      : [Value] extends [boolean]
        ? BooleanOperations
        : unknown)

export interface AnyOperations<Value> extends ValueExpression<Value> {
  /** True for equal values as `===` has it: NaN is equal to nothing, a missing field is not `null`. */
  eq(other: Operand<Value>): ExpressionFor<boolean>
  ne(other: Operand<Value>): ExpressionFor<boolean>
  /** True for `null` and for what is missing. */
  isNull(): ExpressionFor<boolean>
  /** The value, or the other one where it is `null` or missing. */
  coalesce<Other extends Literal>(other: Operand<Other>): ExpressionFor<NonNullable<Value> | Other>
}

/** Doubles; a whole number stays one as long as it is safe. */
export interface NumberOperations {
  add(other: Operand<number>): ExpressionFor<number>
  sub(other: Operand<number>): ExpressionFor<number>
  mul(other: Operand<number>): ExpressionFor<number>
  div(other: Operand<number>): ExpressionFor<number>
  /** The remainder, with the sign of this number. */
  mod(other: Operand<number>): ExpressionFor<number>
  neg(): ExpressionFor<number>
  lt(other: Operand<number>): ExpressionFor<boolean>
  le(other: Operand<number>): ExpressionFor<boolean>
  gt(other: Operand<number>): ExpressionFor<boolean>
  ge(other: Operand<number>): ExpressionFor<boolean>
  /** Of a time in milliseconds, in UTC: 0 to 23. */
  hour(): ExpressionFor<number>
  /** Of a time: 0 to 59. */
  minute(): ExpressionFor<number>
  /** Of a time: whole days since 1970-01-01. */
  day(): ExpressionFor<number>
}

/** Positions and lengths count UTF-16 units, as in JavaScript. */
export interface TextOperations {
  lower(): ExpressionFor<string>
  length(): ExpressionFor<number>
  concat(other: Operand<string>): ExpressionFor<string>
  /** -1 where it is not found. */
  indexOf(part: Operand<string>): ExpressionFor<number>
  contains(part: Operand<string>): ExpressionFor<boolean>
  startsWith(part: Operand<string>): ExpressionFor<boolean>
  /** Part number `index` between separators, from 0; `null` where there are fewer. */
  part(separator: Operand<string>, index: Operand<number>): ExpressionFor<string | null>
}

export interface BooleanOperations {
  and(other: Operand<boolean>): ExpressionFor<boolean>
  or(other: Operand<boolean>): ExpressionFor<boolean>
  not(): ExpressionFor<boolean>
  /** The first where this is true, else the second; they may be chosen in turn. */
  choose<Then extends Literal, Else extends Literal>(
    then: Operand<Then>,
    otherwise: Operand<Else>,
  ): ExpressionFor<Widened<Then> | Widened<Else>>
}

/** The fields of a row as expressions. */
export type Columns<Row> = { readonly [Name in keyof Row]-?: ExpressionFor<Row[Name]> }

/** The rows that `select` makes. */
export type Selected<Fields> = {
  readonly [Name in keyof Fields]: Fields[Name] extends ValueExpression<infer Value>
    ? Value
    : Widened<Fields[Name]>
}

/** `number` of `1`: a constant stands for its type. */
type Widened<Value> = Value extends number
  ? number
  : Value extends string
    ? string
    : Value extends boolean
      ? boolean
      : Value
