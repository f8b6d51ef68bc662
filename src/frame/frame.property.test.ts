import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Code, code, compile, forbidCodeGeneration } from '../base/codegen.ts'
import { isTidemillError } from '../base/errors.ts'
import { rowType, valuesOf } from '../schema/arbitraries.test-support.ts'
import { keyHash } from '../schema/key.ts'
import { schemaOf } from '../schema/schema.ts'
import type { SchemaType } from '../schema/types.ts'
import { createFrameBuilder } from './create-builder.ts'
import { decodeFrame } from './decode.ts'
import { constantsIn } from './emit.ts'
import type { Frame } from './frame.ts'
import { FrameLayout } from './layout.ts'
import { pruneFrame } from './prune.ts'

const batch = rowType.chain((type) =>
  fc.tuple(fc.constant(type), fc.array(valuesOf(type), { minLength: 1, maxLength: 20 })),
)

function build(layout: FrameLayout, rows: readonly unknown[]): Frame {
  const builder = createFrameBuilder(layout)
  rows.forEach((row, i) => {
    builder.append(row, i % 3 === 0 ? Number.NaN : i, keyHash(i))
  })
  return builder.build()
}

const twin = (type: SchemaType): FrameLayout => {
  forbidCodeGeneration(true)
  try {
    const layout = new FrameLayout(schemaOf(type))
    createFrameBuilder(layout)
    return layout
  } finally {
    forbidCodeGeneration(false)
  }
}

describe('frames', () => {
  it('return their rows; views, plain rows, code and both makers agree', () => {
    fc.assert(
      fc.property(batch, ([type, rows]) => {
        const layout = new FrameLayout(schemaOf(type))
        const frame = build(layout, rows)
        const other = build(twin(type), rows)
        expect(other.bytes).toEqual(frame.bytes)
        const reopened = decodeFrame(layout, frame.bytes.slice())
        rows.forEach((row, i) => {
          expect(layout.plain(frame, i)).toEqual(row)
          expect(reopened.row(i)).toEqual(row)
          expect(other.row(i)).toEqual(row)
          if (layout.columns.rows === 'value') return
          const [view, otherView] = [layout.view(frame, i), other.layout.view(other, i)] as Record<
            string,
            unknown
          >[]
          for (const field of layout.fields) {
            const wanted = Object.hasOwn(row as object, field)
              ? (row as Record<string, unknown>)[field]
              : undefined
            expect([field, view![field]]).toEqual([field, wanted])
            expect([field, otherView![field]]).toEqual([field, wanted])
          }
        })
        const constants: (readonly [Code, unknown])[] = []
        const constant = constantsIn(constants)
        for (const field of layout.fields) {
          const text = layout.read(field, code`f`, code`i`, constant)!
          const read = compile<(f: Frame, i: number) => unknown>(
            constants,
            code`return (f, i) => ${text}`,
          )
          rows.forEach((row, i) => {
            const wanted = Object.hasOwn(row as object, field)
              ? (row as Record<string, unknown>)[field]
              : undefined
            expect(read(frame, i)).toEqual(wanted)
          })
        }
      }),
      { numRuns: 60 },
    )
  })

  it('copy rows, roll back and prune without changing anything else', () => {
    fc.assert(
      fc.property(
        batch,
        fc.nat(),
        fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
        ([type, rows], at, keep) => {
          for (const layout of [new FrameLayout(schemaOf(type)), twin(type)]) {
            const frame = build(layout, rows)
            const builder = createFrameBuilder(layout)
            for (let i = 0; i < frame.length; i++)
              builder.appendFrom(frame, i, frame.timestampAt(i), frame.hashAt(i))
            const mark = builder.mark()
            for (let i = 0; i < frame.length; i++) builder.appendFrom(frame, i)
            builder.rollback(mark)
            const cut = at % (frame.length + 1)
            builder.rollback(cut)
            for (let i = cut; i < frame.length; i++)
              builder.append(rows[i], frame.timestampAt(i), frame.hashAt(i))
            expect(builder.build().bytes).toEqual(frame.bytes)
            const names = layout.fields.filter((_, i) => keep[i % 6])
            const small = layout.pruned(names)
            const pruned = pruneFrame(frame, small)
            expect(build(small, rows).bytes).toEqual(pruned.bytes)
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  it('answer hostile bytes with coded errors', () => {
    const read = (layout: FrameLayout, bytes: Uint8Array): void => {
      try {
        const frame = decodeFrame(layout, bytes)
        for (let i = 0; i < frame.length; i++) frame.row(i)
      } catch (error) {
        if (!isTidemillError(error)) throw error
      }
    }
    fc.assert(
      fc.property(
        batch,
        fc.array(
          fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 127, 128, 255))),
          { minLength: 1, maxLength: 3 },
        ),
        fc.nat(),
        ([type, rows], changes, cut) => {
          const layout = new FrameLayout(schemaOf(type))
          const bytes = build(layout, rows).bytes.slice()
          read(layout, bytes.slice(0, cut % bytes.length))
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          read(layout, bytes)
          const header = bytes.slice()
          for (const [at, byte] of changes) header[at % Math.min(header.length, 120)] = byte
          read(layout, header)
        },
      ),
      { numRuns: 150 },
    )
  })
})
