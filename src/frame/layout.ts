/**
 * What a schema's frames look like and how to read them: one layout per schema, made once. A layout owns a class for its
 * frames, a class of lazy row views and a function that makes plain rows - generated, with interpreted twins of equal
 * results for hosts that forbid code generation.
 */
import type { Code } from '../base/codegen.ts'
import { canGenerateCode } from '../base/codegen.ts'
import { keyHash } from '../schema/key.ts'
import { schemaOf } from '../schema/schema.ts'
import type { Key, Schema, SchemaType, StructType } from '../schema/types.ts'
import type { FrameBuilder } from './builder.ts'
import { type Column, type Columns, columnsOfType, hasHeap } from './columns.ts'
import { emitReaders, fieldCode } from './emit.ts'
import type { Frame, FrameHead, Region } from './frame.ts'
import { interpretReaders } from './interpret.ts'

/** A row that lives in its frame: getters read the columns, nothing is copied until asked for, writing throws. */
export type ViewClass = new (frame: Frame, i: number) => object

/** What is generated, or interpreted, per layout. */
export interface Readers {
  readonly FrameClass: new (
    layout: FrameLayout,
    region: Region,
    head: FrameHead,
    slots: Int32Array,
  ) => Frame
  readonly View: ViewClass
  readonly plain: (frame: Frame, i: number) => unknown
}

export class FrameLayout {
  readonly schema: Schema<unknown>
  readonly columns: Columns
  /** The schema's fingerprint as two words, as headers hold it. */
  readonly fingerprintLow: number
  readonly fingerprintHigh: number
  /** Pairs of words in the directory of a frame. */
  readonly directoryEntries: number
  /** `new View(frame, i)`: V8 removes it when it does not escape. Not for rows that are single values, see {@link view}. */
  readonly View: ViewClass
  /** Row `i` as plain data: all shown fields as own properties, `undefined` where absent; frozen in debug mode. */
  readonly plain: (frame: Frame, i: number) => unknown
  private readonly FrameClass: Readers['FrameClass']
  private readonly subsets = new Map<string, FrameLayout>()
  /** Made by `builder.ts` at the first builder of this layout. */
  builderClass: (new (layout: FrameLayout) => FrameBuilder) | undefined

  /** `readersOf`: other rows than those of the schema, made of the same frames. */
  constructor(
    schema: Schema<unknown>,
    readersOf: (own: Readers, columns: Columns) => Readers = (own) => own,
  ) {
    this.schema = schema
    this.columns = columnsOfType(schema.type)
    this.fingerprintHigh = Number.parseInt(schema.hash.slice(0, 8), 16) | 0
    this.fingerprintLow = Number.parseInt(schema.hash.slice(8), 16) | 0
    this.directoryEntries =
      this.columns.all.filter((column) => hasHeap(column.storage)).length +
      (this.columns.rows === 'variant' ? this.columns.parts.length : 0)
    const own = canGenerateCode() ? emitReaders(this.columns) : interpretReaders(this.columns)
    const readers = readersOf(own, this.columns)
    this.FrameClass = readers.FrameClass
    this.View = readers.View
    this.plain = readers.plain
    this.builderClass = undefined
  }

  /** Field names in the order rows show them; for a variant the tag and the fields of all cases; none for single values. */
  get fields(): readonly string[] {
    const names = new Set(this.columns.rows === 'variant' ? [this.columns.tag] : [])
    if (this.columns.rows !== 'value')
      for (const part of this.columns.parts) for (const one of part.shown) names.add(one.field)
    return [...names]
  }

  /** The row as user functions get it: a view of a record, or the value itself when rows are single values. */
  view(frame: Frame, i: number): unknown {
    return this.columns.rows === 'value' ? this.plain(frame, i) : new this.View(frame, i)
  }

  /**
   * Program text that reads `field` of row `i` of `frame` without a view, or undefined when there is no such field. Both
   * must be names or constants, since they are repeated; `constants` receives what the text refers to.
   */
  read(field: string, frame: Code, i: Code, constants: (value: unknown) => Code): Code | undefined {
    return fieldCode(this.columns, field, frame, i, constants)
  }

  /** The column of a field of a struct, or of the value itself (`''`) when rows are single values. */
  column(field: string): Column | undefined {
    return this.columns.rows === 'variant'
      ? undefined
      : this.columns.all.find((one) => one.field === field)
  }

  /** The layout that keeps only the named fields (and a variant's tag); names that do not exist are ignored. */
  pruned(fields: Iterable<string>): FrameLayout {
    const wanted = new Set(fields)
    const names = this.fields.filter((name) => wanted.has(name))
    if (this.columns.rows === 'value' || names.length === this.fields.length) return this
    const key = JSON.stringify(names)
    let subset = this.subsets.get(key)
    if (subset === undefined) {
      subset = new FrameLayout(schemaOf(subsetOf(this.schema.type, wanted)))
      this.subsets.set(key, subset)
    }
    return subset
  }

  /** For `decode.ts`: makes the frame object; `slots` is read before this returns. */
  open(region: Region, head: FrameHead, slots: Int32Array): Frame {
    return new this.FrameClass(this, region, head, slots)
  }

  /** The hash of a key; here so that generated code finds it beside the columns. */
  hash(key: Key): number {
    return keyHash(key)
  }
}

const layouts = new WeakMap<SchemaType, FrameLayout>()

/** The layout of a schema, made at its first use. */
export function layoutOf(schema: Schema<never> | Schema<unknown>): FrameLayout {
  let layout = layouts.get(schema.type)
  if (layout === undefined) {
    layout = new FrameLayout(schema as Schema<unknown>)
    layouts.set(schema.type, layout)
  }
  return layout
}

function subsetOf(type: SchemaType, wanted: ReadonlySet<string>): SchemaType {
  const keep = (struct: StructType): StructType => ({
    ...struct,
    fields: struct.fields.filter((field) => wanted.has(field.name)),
  })
  if (type.kind === 'struct') return keep(type)
  if (type.kind !== 'variant') return type
  return { ...type, cases: type.cases.map((one) => ({ tag: one.tag, struct: keep(one.struct) })) }
}
