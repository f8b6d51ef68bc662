/**
 * What a schema says, as data. Codecs, frame layouts, views, fingerprints and migrations are all derived from these
 * nodes; nothing else in the project interprets a schema.
 */

/** The structure of a value. Frozen, comparable, printable; field ids are what survives a rename. */
export type SchemaType =
  | { readonly kind: 'bool' }
  /** Any JavaScript string, lone surrogates included. */
  | { readonly kind: 'text' }
  /** One of a fixed list of strings. Stored by its text, so the list may be reordered and extended. */
  | { readonly kind: 'literals'; readonly values: readonly string[] }
  | { readonly kind: 'bytes' }
  /** A safe integer: |n| <= 2^53 - 1. */
  | { readonly kind: 'int' }
  /** A bigint of any size. */
  | { readonly kind: 'int64' }
  /** Any number, NaN and infinities included. */
  | { readonly kind: 'float' }
  /** An exact decimal as text, `-12.340`; at most `precision` digits, `scale` of them after the point. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  /** Epoch milliseconds, a {@link Timestamp}. */
  | { readonly kind: 'instant' }
  /** A calendar day as text, `2026-11-22`. */
  | { readonly kind: 'date' }
  /** Any value made of null, booleans, finite numbers, strings, arrays and records of these. */
  | { readonly kind: 'json' }
  /** Any plain data, `undefined` and bigints included, in its self-describing form; never inferred for stored values. */
  | { readonly kind: 'dynamic' }
  | { readonly kind: 'list'; readonly item: SchemaType }
  | { readonly kind: 'map'; readonly key: SchemaType; readonly value: SchemaType }
  /** The value or `undefined`. */
  | { readonly kind: 'optional'; readonly of: SchemaType }
  | StructType
  /** A union of structs told apart by the text in field `tag`. */
  | {
      readonly kind: 'variant'
      readonly name: string
      readonly tag: string
      readonly cases: readonly VariantCase[]
    }

export interface StructType {
  readonly kind: 'struct'
  readonly name: string
  readonly fields: readonly StructField[]
}

export interface StructField {
  readonly name: string
  /** 1 or more, unique inside the struct, never reused. */
  readonly id: number
  readonly type: SchemaType
}

export interface VariantCase {
  readonly tag: string
  readonly struct: StructType
}

/** Turns values into bytes and back; the content type says which bytes. */
export interface Codec<Value> {
  readonly contentType: string
  encode(value: Value): Uint8Array
  /** Throws a coded error when the bytes are not an encoding of a `Value`. */
  decode(bytes: Uint8Array): Value
}

/**
 * A codec that also knows its structure. Everything stored - state, log, snapshots - is described by one of these.
 * Also a Standard Schema, so that form libraries and routers accept it.
 */
export interface Schema<Value> extends Codec<Value> {
  readonly type: SchemaType
  /** 16 hex digits over field ids and types, not over names: a rename keeps it. */
  readonly hash: string
  /** Undefined when `value` fits, else a sentence that names the path: `amount: expected a number, got "x"`. */
  check(value: unknown): string | undefined
  /** A deep, frozen copy that shares nothing with its argument and keeps no frame alive. Throws TM1001 if unfit. */
  own(value: Value): Value
  readonly '~standard': StandardProps<Value>
}

/** The part of the Standard Schema v1 contract that a schema provides. */
export interface StandardProps<Value> {
  readonly version: 1
  readonly vendor: 'tidemill'
  readonly validate: (value: unknown) =>
    | { readonly value: Value }
    | {
        readonly issues: readonly {
          readonly message: string
          readonly path?: readonly PropertyKey[]
        }[]
      }
  readonly types?: { readonly input: Value; readonly output: Value } | undefined
}

/** What a key may be: text, a finite number, a bigint, a boolean, or a tuple of these. */
export type KeyAtom = string | number | bigint | boolean
export type Key = KeyAtom | readonly KeyAtom[]
