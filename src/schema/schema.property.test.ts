import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTidemillError } from '../base/errors.ts'
import { anySchema, anyText, anyType, valuesOf } from './arbitraries.test-support.ts'
import { Reader, Writer } from './bytes.ts'
import { generateCodec } from './codec-generated.ts'
import { interpretCodec } from './codec-interpreted.ts'
import { dynamic, ownDynamic } from './dynamic.ts'
import { json } from './json.ts'
import { schemaOf } from './schema.ts'
import { flatText, readText, textBytes } from './text.ts'

const typeAndValue = anyType.chain((type) => fc.tuple(fc.constant(type), valuesOf(type)))
const runs = { numRuns: 200 }

/** Coded errors are an answer; anything else a decoder throws is a fault. */
function decodes(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!isTidemillError(error)) throw error
  }
}

describe('value codec', () => {
  it('returns what was written, generated equal to interpreted', () => {
    fc.assert(
      fc.property(typeAndValue, ([type, value]) => {
        const [generated, interpreted] = [generateCodec(type), interpretCodec(type)]
        const [a, b] = [new Writer(), new Writer()]
        generated.write(value, a)
        interpreted.write(value, b)
        expect(a.finish()).toEqual(b.finish())
        const reader = new Reader(a.finish())
        const back = generated.read(reader)
        reader.finish()
        expect(back).toEqual(value)
        expect(interpreted.read(new Reader(a.finish()))).toEqual(back)
        const schema = schemaOf(type)
        expect(schema.check(value)).toBeUndefined()
        expect(schema.own(value)).toEqual(value)
      }),
      runs,
    )
  })

  it('answers hostile bytes with coded errors, both makers alike', () => {
    fc.assert(
      fc.property(
        typeAndValue,
        fc.nat(),
        fc.nat(255),
        fc.uint8Array({ maxLength: 40 }),
        ([type, value], at, byte, noise) => {
          const schema = schemaOf(type)
          const good = schema.encode(value)
          const changed = good.slice()
          if (changed.length > 0) changed[at % changed.length] = byte
          for (const bytes of [changed, good.slice(0, at % (good.length + 1)), noise]) {
            decodes(() => schema.decode(bytes))
            const outcome = (read: () => unknown): unknown => {
              try {
                return read()
              } catch (error) {
                return isTidemillError(error) ? error.message : error
              }
            }
            expect(outcome(() => generateCodec(type).read(new Reader(bytes)))).toEqual(
              outcome(() => interpretCodec(type).read(new Reader(bytes))),
            )
          }
        },
      ),
      runs,
    )
  })

  it('refuses unfit values the same way in both makers', () => {
    fc.assert(
      fc.property(anyType, fc.anything(), (type, value) => {
        const outcome = (maker: typeof generateCodec): unknown => {
          const writer = new Writer()
          try {
            maker(type).write(value, writer)
            return writer.finish()
          } catch (error) {
            return isTidemillError(error) ? error.message : error
          }
        }
        expect(outcome(generateCodec)).toEqual(outcome(interpretCodec))
      }),
      runs,
    )
  })

  it('goes through JSON at the edge', () => {
    fc.assert(
      fc.property(
        anySchema.chain((schema) => fc.tuple(fc.constant(schema), valuesOf(schema.type))),
        ([schema, value]) => {
          const codec = json(schema)
          // JSON has one zero, and puts names such as "0" first.
          const same = (v: unknown): string =>
            JSON.stringify(v, (_, x: unknown) =>
              typeof x === 'bigint'
                ? `${x}`
                : x instanceof Map
                  ? [...x].map((pair) => same(pair)).sort()
                  : x,
            )
          expect(same(codec.decode(codec.encode(value)))).toEqual(same(value))
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('text', () => {
  it('keeps every string', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = textBytes(text)
        expect(readText(bytes, 0, bytes.length)).toBe(text)
        expect(flatText(text)).toBe(text)
        if ((text as unknown as { isWellFormed(): boolean }).isWellFormed())
          expect(bytes).toEqual(new TextEncoder().encode(text))
      }),
    )
  })
})

describe('dynamic codec', () => {
  const data = fc.anything({
    withBigInt: true,
    withMap: true,
    withSet: true,
    withTypedArray: false,
    withNullPrototype: false,
    withSparseArray: false,
    values: [
      fc.boolean(),
      fc.double(),
      fc.integer(),
      anyText,
      fc.constant(null),
      fc.constant(undefined),
      fc.bigInt(),
      fc.uint8Array({ maxLength: 5 }),
    ],
    key: fc.oneof(fc.constantFrom('__proto__', 'constructor'), anyText),
  })
  it('keeps data and copies it', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(dynamic.decode(dynamic.encode(value))).toEqual(value)
        expect(ownDynamic(value)).toEqual(value)
      }),
      runs,
    )
  })
  it('answers hostile bytes with coded errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) =>
        decodes(() => dynamic.decode(bytes)),
      ),
      runs,
    )
    fc.assert(
      fc.property(data, fc.nat(), fc.nat(255), (value, at, byte) => {
        const bytes = dynamic.encode(value)
        bytes[at % bytes.length] = byte
        decodes(() => dynamic.decode(bytes))
      }),
      runs,
    )
    const deep = new Uint8Array(100_000).fill(9).map((b, i) => (i % 2 === 0 ? 9 : 1))
    expect(() => dynamic.decode(deep)).toThrow(/nested deeper/)
  })
})
