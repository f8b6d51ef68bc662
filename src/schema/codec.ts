/**
 * The binary form of values that have a schema (docs/formats/values.md), and the choice between its two makers: a
 * generated function pair per schema, and an interpreted pair of equal results for hosts that forbid code generation.
 */
import { canGenerateCode } from '../base/codegen.ts'
import type { Reader, Writer } from './bytes.ts'
import { generateCodec } from './codec-generated.ts'
import { interpretCodec } from './codec-interpreted.ts'
import type { Schema, SchemaType } from './types.ts'

/** Writes and reads values inside larger encodings: state tables, frames, snapshots. */
export interface ValueCodec<Value> {
  /** Appends one value. TM1001 if it does not fit; the writer then holds a part of it, so restore its position. */
  write(value: Value, writer: Writer): void
  /** Reads one value and leaves the reader behind it. TM1010, TM1011. */
  read(reader: Reader): Value
}

const codecs = new WeakMap<SchemaType, ValueCodec<unknown>>()

/** The value codec of a schema, made at its first use. */
export function valueCodec<Value>(schema: Pick<Schema<Value>, 'type'>): ValueCodec<Value> {
  let codec = codecs.get(schema.type)
  if (codec === undefined) {
    codec = canGenerateCode() ? generateCodec(schema.type) : interpretCodec(schema.type)
    codecs.set(schema.type, codec)
  }
  // `as`: the type of the schema's values is known to the caller only.
  return codec as ValueCodec<Value>
}
