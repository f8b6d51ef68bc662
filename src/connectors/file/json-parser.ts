/**
 * Writes, for a struct or variant schema, a function that reads one line of JSON from its bytes straight into the
 * columns of a frame. It knows one way to write a row: fields in the order it was made for, the tag of a variant first,
 * numbers that a double holds exactly. Every byte of the line is checked, also in fields that nobody reads, so a line
 * that is taken is one that the ordinary way takes with the same result; all other lines are left to it.
 *
 * A value is stored behind the rows that count; the row counts once its line is known to be good.
 */
import { type Code, code, compile, empty, join, name } from '../../base/codegen.ts'
import { codesOf } from '../../frame/builder-generated.ts'
import { type Column, fixedBytes, hasHeap } from '../../frame/columns.ts'
import { FRAME_BYTES_MAX } from '../../frame/frame.ts'
import type { RawBuilder } from '../../frame/raw-builder.ts'
import { isInherited } from '../../schema/row.ts'
import { isDate, isDecimal, required } from '../../schema/structure.ts'
import type { SchemaType, StructType } from '../../schema/types.ts'
import * as scan from './json-scan.ts'
import { needsDigits } from './json-text.ts'

/** What a parser gives instead of the index behind the line. */
export const parsed = {
  /** The line is for the ordinary way. */
  other: -1,
  /** The row does not fit into the frame, which has others. */
  full: -2,
  /** A heap has grown: once more. */
  again: -3,
} as const

/** Reads the line at `at`, which has at most `bytesMax` bytes and must end with a line feed. */
export type LineParser = (bytes: Uint8Array, at: number, bytesMax: number) => number

/** Names in the order in which lines have them, by case; of a struct under `''`. Names that no field has are passed over. */
export type FieldOrder = ReadonlyMap<string, readonly string[]>

/** The order in which fields are declared, which is that of lines written by this program. */
export function declaredOrder(type: SchemaType): FieldOrder {
  const names = (struct: StructType): readonly string[] => struct.fields.map((field) => field.name)
  if (type.kind === 'struct') return new Map([['', names(type)]])
  if (type.kind !== 'variant') return new Map()
  return new Map(type.cases.map((one) => [one.tag, names(one.struct)]))
}

/** Whether rows of the type can be read from bytes: records, without names that every object has. */
export function isParsable(type: SchemaType): boolean {
  if (type.kind === 'struct') return type.fields.every((field) => !isInherited(field.name))
  if (type.kind !== 'variant' || isInherited(type.tag)) return false
  return type.cases.every(
    ({ struct }) => isParsable(struct) && struct.fields.every((field) => field.name !== type.tag),
  )
}

/** A parser that fills `builder`, whose layout is that of `type` or has fewer columns. */
export function emitLineParser(
  type: SchemaType,
  order: FieldOrder,
  builder: RawBuilder,
): LineParser {
  const constants: (readonly [Code, unknown])[] = []
  const constant = (value: unknown): Code => {
    const known = constants.find(([, other]) => other === value)
    if (known) return known[0]
    const made = name('k', constants.length)
    constants.push([made, value])
    return made
  }
  const body = new Emitter(type, order, builder, constant).program()
  return compile<LineParser>(constants, body)
}

/** Where `i` is between two fields: behind a value, or at the key that is to come, or at the closing brace. */
type Place = 'value' | 'key'

const backOut = code`return ${parsed.other}`

class Emitter {
  readonly #type: SchemaType
  readonly #order: FieldOrder
  readonly #builder: RawBuilder
  readonly #constant: (value: unknown) => Code
  readonly #exact: boolean

  constructor(
    type: SchemaType,
    order: FieldOrder,
    builder: RawBuilder,
    constant: (value: unknown) => Code,
  ) {
    this.#type = type
    this.#order = order
    this.#builder = builder
    this.#constant = constant
    this.#exact = needsDigits(type)
  }

  program(): Code {
    const { columns } = this.#builder.layout
    const structs =
      this.#type.kind === 'variant'
        ? columns.parts.map((part) => this.#structOf(part.tag ?? ''))
        : [this.#structOf('')]
    const parts = structs.map((struct, index) => this.#part(struct, index))
    // The bytes of a reader change their place seldom, and a view of them costs more than a line.
    const viewed = code`let seen, words`
    const open = code`if (u8 !== seen) { seen = u8; words = new DataView(u8.buffer, u8.byteOffset, u8.byteLength) }
if (u8[start] !== 0x7b) ${backOut}
let i = start + 1
${this.#space()}`
    if (this.#type.kind !== 'variant') {
      return code`${join(parts)}\n${viewed}
return (u8, start, max) => {\n${open}\nreturn ${name('part', 0)}(u8, words, start, max, i)\n}`
    }
    const cases = columns.parts.map((part, index) => {
      const tag = bytesOf(part.tag ?? '')
      return code`if (${matches(tag)}) { i += ${tag.length}; return ${name('part', index)}(u8, words, start, max, i) }`
    })
    return code`${join(parts)}
${viewed}
return (u8, start, max) => {
${open}
${this.#lead(this.#type.tag, 'key')}
${join(cases)}
${backOut}
}`
  }

  #structOf(tag: string): StructType {
    const type = this.#type
    if (type.kind === 'variant') return type.cases.find((one) => one.tag === tag)!.struct
    return type as StructType // the caller asked `isParsable`
  }

  /** A function for the fields of one case; of a variant it begins behind the tag, else behind the opening brace. */
  #part(struct: StructType, index: number): Code {
    const { columns } = this.#builder.layout
    const part = columns.parts[index]!
    const variant = columns.rows === 'variant'
    const raws = part.columns.map(
      (one) =>
        code`const ${name('s', one.index)} = ${this.#constant(this.#builder.columns[one.index])}`,
    )
    const heaps = part.columns.filter((one) => hasHeap(one.storage))
    const lets = heaps.map((one) => {
      const k = one.index
      return code`let ${name('h', k)} = ${name('s', k)}.used, ${name('n', k)} = 0`
    })
    const known = new Map(struct.fields.map((field) => [field.name, field.type]))
    const listed = this.#order.get(variant ? (part.tag ?? '') : '') ?? []
    // What lines of that order lack may be optional: it is looked for at the end and not found.
    const names = [...new Set([...listed, ...known.keys()])]
    let place: Place = variant ? 'value' : 'key'
    const fields: Code[] = []
    for (const field of names) {
      const type = known.get(field)
      const column = part.columns.find((one) => one.field === field)
      if (type !== undefined && type.kind !== 'optional') {
        fields.push(code`${this.#lead(field, place)}\n${this.#value(type, column)}`)
        place = 'value'
        continue
      }
      if (place === 'value') fields.push(this.#separator())
      fields.push(
        type === undefined ? this.#foreign(field) : this.#optional(field, type.of, column),
      )
      place = 'key'
    }
    if (place === 'value') fields.push(this.#space())
    const grown = heaps.map(
      (one) =>
        code`if (${name('h', one.index)} > ${name('s', one.index)}.heap.length) { ${name('s', one.index)}.reserve(${name('h', one.index)} - ${name('s', one.index)}.used); return ${parsed.again} }`,
    )
    const sizes = heaps.map(
      (one) => code` + ${name('h', one.index)} - ${name('s', one.index)}.used`,
    )
    const counted = heaps.map((one) => {
      const s = name('s', one.index)
      return code`${s}.ends[j + 1] = ${s}.ends[j] + ${name('n', one.index)}; ${s}.used = ${name('h', one.index)}`
    })
    const placed = variant
      ? code`${this.#constant(this.#builder.columns[0]!.u8)}[b.length] = ${index}
${this.#constant(this.#builder.columns[1]!.u8)}[b.length] = j`
      : empty
    // hot: npm run bench -- micro --only jsonl
    return code`function ${name('part', index)}(u8, words, start, max, from) {
const b = ${this.#constant(this.#builder)}, j = b.counts[${index}], plain = ${this.#constant(scan.plainBytes)}
let i = from, c = 0, d = 0, q = 0, v = 0, w = 0, z = 0, k = 0, minus = false
${join(raws)}
${join(lets)}
${variant ? empty : code`if (u8[i] !== 0x22 && u8[i] !== 0x7d) ${backOut}`}
${join(fields)}
if (u8[i] !== 0x7d) ${backOut}
i = ${this.#constant(scan.skipSpace)}(u8, i + 1)
if (u8[i] !== 0x0a || i - start > max) ${backOut}
${join(grown)}
const size = ${fixedBytes(part)}${join(sizes, empty)}
if (b.size + size > ${FRAME_BYTES_MAX} && b.length > 0) return ${parsed.full}
${join(counted)}
${placed}
b.counts[${index}] = j + 1
b.length++
b.size += size
return i + 1
}`
  }

  /** Up to the value of a required field: in one comparison where nothing stands between comma, key and colon. */
  #lead(field: string, place: Place): Code {
    const key = bytesOf(field)
    const compact = encoder.encode(`${place === 'value' ? ',' : ''}${JSON.stringify(field)}:`)
    return code`if (${matches(compact)}) i += ${compact.length}
else {
${place === 'value' ? this.#separator() : empty}
if (!(${matches(key)})) ${backOut}
${this.#toColon(key.length)}
}
${this.#space()}`
  }

  #optional(field: string, type: SchemaType, column: Column | undefined): Code {
    const key = bytesOf(field)
    const none = column === undefined ? empty : this.#noValue(column)
    const mark =
      column === undefined
        ? empty
        : code`${name('s', column.index)}.absent[j >> 3] &= ~(1 << (j & 7))`
    const isNull = code`u8[i] === 0x6e && u8[i + 1] === 0x75 && u8[i + 2] === 0x6c && u8[i + 3] === 0x6c`
    // A null that is JSON data of its own is a value.
    const value =
      type.kind === 'json'
        ? code`${mark}\n${this.#value(type, column)}`
        : code`if (${isNull}) { i += 4; ${none} } else { ${mark}\n${this.#value(required(type), column)} }`
    return code`if (${matches(key)}) {
${this.#afterKey(key.length)}
${value}
${this.#separator()}
} else { ${none} }`
  }

  /** Passes over a member that the schema does not declare; one that looks like another is not this one. */
  #foreign(field: string): Code {
    const key = bytesOf(field)
    const cell = code`${this.#constant(scan.readCell)}(u8, i, undefined, ${this.#constant(anything)}, ${this.#constant(this.#exact)})`
    return code`if (${matches(key)}) {
${this.#afterKey(key.length)}
if (u8[i] === 0x22) { ${this.#skipText()} } else { i = ${cell}; if (i < 0) ${backOut} }
${this.#separator()}
}`
  }

  #afterKey(length: number): Code {
    return code`${this.#toColon(length)}\n${this.#space()}`
  }

  /** Past a key and its colon. */
  #toColon(length: number): Code {
    return code`i += ${length}
${this.#space()}
if (u8[i] !== 0x3a) ${backOut}
i++`
  }

  #space(): Code {
    return code`if (u8[i] <= 0x20) i = ${this.#constant(scan.skipSpace)}(u8, i)`
  }

  /** Behind a value: a comma and the quote of the next key, or the closing brace, where `i` stays. */
  #separator(): Code {
    return code`if (u8[i] === 0x2c && u8[i + 1] === 0x22) i++
else {
${this.#space()}
if (u8[i] === 0x2c) {
i++
${this.#space()}
if (u8[i] !== 0x22) ${backOut}
} else if (u8[i] !== 0x7d) ${backOut}
}`
  }

  #noValue(column: Column): Code {
    const s = name('s', column.index)
    const mark = code`${s}.absent[j >> 3] |= 1 << (j & 7)`
    if (column.storage === 'number') return code`${mark}; ${s}.f64[j] = 0`
    return hasHeap(column.storage) ? mark : code`${mark}; ${s}.u8[j] = 0`
  }

  /** Reads a value, checks it and stores it if it has a column. */
  #value(type: SchemaType, column: Column | undefined): Code {
    switch (type.kind) {
      case 'bool':
        return this.#bool(column)
      case 'int':
        return code`${this.#digits()}
if (minus) { if (v === 0) ${backOut}; v = -v }
${this.#number(column)}`
      case 'float':
        return code`${this.#decimalNumber()}\n${this.#number(column)}`
      case 'instant':
        return code`if (u8[i] === 0x22) {
i = ${this.#constant(scan.readIsoTime)}(u8, i + 1)
if (i < 0) ${backOut}
v = ${this.#constant(() => scan.found)}()
} else {
${this.#decimalNumber()}
}
${this.#number(column)}`
      case 'text':
        return column === undefined
          ? code`if (u8[i] !== 0x22) ${backOut}\n${this.#skipText()}`
          : this.#storeText(column)
      case 'literals':
        return this.#literals(type.values, column)
      case 'date':
        return this.#readText(isDate, column)
      case 'decimal': {
        const { precision, scale } = type
        return this.#readText((text: unknown) => isDecimal(text, precision, scale), column, true)
      }
      default:
        return this.#cell(type, column)
    }
  }

  #number(column: Column | undefined): Code {
    return column === undefined ? empty : code`${name('s', column.index)}.f64[j] = v`
  }

  #bool(column: Column | undefined): Code {
    const store = (value: number): Code =>
      column === undefined ? empty : code`${name('s', column.index)}.u8[j] = ${value}`
    return code`if (u8[i] === 0x74 && u8[i + 1] === 0x72 && u8[i + 2] === 0x75 && u8[i + 3] === 0x65) { i += 4; ${store(1)} }
else if (u8[i] === 0x66 && u8[i + 1] === 0x61 && u8[i + 2] === 0x6c && u8[i + 3] === 0x73 && u8[i + 4] === 0x65) { i += 5; ${store(0)} }
else ${backOut}`
  }

  /**
   * The digits before a point as `v`, at most 15 of them from `z` on, and the sign. Up to eight make one small integer, the
   * others a second one: doubles are several times slower to add to.
   */
  #digits(): Code {
    // Digits, or none, up to the next other byte: without a branch, as lengths differ from line to line.
    const four = code`d = words.getInt32(i, true) ^ 0x30303030
k = (d + 0x76767676 | d) & 0x80808080
k = 32 - Math.clz32(~k & k - 1) >> 3
d = Math.imul(d, ${this.#constant(scan.digitShifts)}[k])
d = Math.imul(d, 10) + (d >>> 8) | 0
w = Math.imul(w, ${this.#constant(scan.digitPowers)}[k]) + Math.imul(d & 0xff, 100) + (d >>> 16 & 0xff) | 0
i += k`
    return code`minus = u8[i] === 0x2d
if (minus) i++
z = i
w = 0
${four}
${four}
v = w
if (i - z === 8) {
w = 0
${four}
${four}
v = v * ${this.#constant(scan.powersOfTen)}[i - z - 8] + w
}
if (i === z || i - z > 15 || u8[z] === 0x30 && i - z > 1) ${backOut}`
  }

  /** A number without exponent and of at most 15 digits: what is divided and the power of ten are exact. */
  #decimalNumber(): Code {
    return code`${this.#digits()}
if (u8[i] === 0x2e) {
q = i + 1
for (d = u8[++i] - 0x30; d >= 0 && d <= 9; d = u8[++i] - 0x30) v = v * 10 + d
if (i === q || i - z > 16) ${backOut}
v = v / ${this.#constant(scan.powersOfTen)}[i - q]
}
if (minus) v = -v`
  }

  #skipText(): Code {
    return code`q = ++i
for (;;) {
while (d = words.getInt32(i, true), (w = ${specialIn(code`d`)}) === 0) i += 4
i += ${firstByte}
c = u8[i]
if (c === 0x22) { i++; break }
if (c === 0x5c && ${this.#constant(scan.escapes)}[u8[i + 1]] !== 0) { i += 2; continue }
i = ${this.#constant(scan.skipString)}(u8, q, i)
if (i < 0) ${backOut}
break
}`
  }

  /** Copies a text into its heap; other characters than ASCII, and rare escapes, go through a string. */
  #storeText(column: Column): Code {
    const k = column.index
    const [s, h, n] = [name('s', k), name('h', k), name('n', k)]
    return code`if (u8[i] !== 0x22) ${backOut}
q = ++i
{
const heap = ${s}.heap, to = ${s}.words, last = heap.length - 4
for (;;) {
w = 0
while (${h} <= last) {
d = words.getInt32(i, true)
to.setInt32(${h}, d, true)
if ((w = ${specialIn(code`d`)}) !== 0) break
i += 4
${h} += 4
}
if (w !== 0) {
w = ${firstByte}
i += w
${h} += w
c = u8[i]
} else for (c = u8[i]; plain[c] === 1; c = u8[++i]) heap[${h}++] = c
if (c === 0x22) { i++; ${n} = ${h} - ${s}.used; break }
d = c === 0x5c ? ${this.#constant(scan.escapes)}[u8[i + 1]] : 0
if (d !== 0) { heap[${h}++] = d; i += 2; continue }
i = ${this.#constant(scan.putString)}(u8, q, ${s})
if (i < 0) ${backOut}
${h} = ${s}.pending; ${n} = ${s}.units
break
}
}`
  }

  /** One of a few texts is compared byte by byte, one of many is looked up. */
  #literals(values: readonly string[], column: Column | undefined): Code {
    if (values.length > 16 || (column !== undefined && column.storage !== 'code')) {
      const known = new Set<unknown>(values)
      return this.#readText((text) => known.has(text), column)
    }
    const cases = values.map((value) => {
      const text = bytesOf(value)
      const store =
        column === undefined
          ? empty
          : code`; ${name('s', column.index)}.u8[j] = ${codesOf(column).get(value) ?? 0}`
      return code`if (${matches(text)}) { i += ${text.length}${store} } else `
    })
    return code`${join(cases, empty)}${backOut}`
  }

  /** A text that has to be a string to be checked; a decimal may be written as a number. */
  #readText(
    fits: (text: unknown) => boolean,
    column: Column | undefined,
    digits: boolean = false,
  ): Code {
    const found = this.#constant(() => scan.found)
    const bare = digits
      ? code`else i = ${this.#constant(scan.readDigits)}(u8, i)`
      : code`else ${backOut}`
    const check = code`if (u8[i] === 0x22) { i = ${this.#constant(scan.readString)}(u8, i + 1); if (i < 0) ${backOut} } ${bare}
if (!${this.#constant(fits)}(${found}())) ${backOut}`
    if (column === undefined) return check
    const s = name('s', column.index)
    if (column.storage === 'code')
      return code`${check}\n${s}.u8[j] = ${this.#constant(codesOf(column))}.get(${found}())`
    return code`${check}\nif (!${s}.putText(${found}())) ${backOut}\n${this.#pending(column)}`
  }

  #cell(type: SchemaType, column: Column | undefined): Code {
    const s = column === undefined ? code`undefined` : name('s', column.index)
    const call = code`i = ${this.#constant(scan.readCell)}(u8, i, ${s}, ${this.#constant(type)}, ${this.#constant(this.#exact)})
if (i < 0) ${backOut}`
    return column === undefined ? call : code`${call}\n${this.#pending(column)}`
  }

  #pending(column: Column): Code {
    const k = column.index
    return code`${name('h', k)} = ${name('s', k)}.pending; ${name('n', k)} = ${name('s', k)}.units`
  }
}

/** The type of what is passed over. */
const anything: SchemaType = Object.freeze({ kind: 'json' })

const encoder = new TextEncoder()

/** A text as JSON writes it, with its quotes. */
function bytesOf(text: string): Uint8Array {
  return encoder.encode(JSON.stringify(text))
}

/**
 * A condition: these bytes are at `i`, compared by words. A word begins behind bytes that are no line feed, so it begins
 * inside of the line at the latest with the feed, and bytes behind it can be read.
 */
function matches(bytes: Uint8Array): Code {
  const tests: Code[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = (k: number): void =>
    void tests.push(code`words.getInt32(i + ${k}, true) === ${view.getInt32(k, true)}`)
  let k = 0
  for (; k + 4 <= bytes.length; k += 4) word(k)
  if (k > 0 && k < bytes.length) word(bytes.length - 4)
  else for (; k < bytes.length; k++) tests.push(code`u8[i + ${k}] === ${bytes[k]!}`)
  return join(tests, code` && `)
}

/**
 * The high bits of the bytes of `w` that do not stand for themselves in a string: set by what is beyond ASCII, and by
 * subtraction from quotes, backslashes and control characters. What is carried on comes from such a byte, so the lowest of
 * the bits is right; 0 if there is none.
 */
function specialIn(w: Code): Code {
  return code`((${w} ^ 0x22222222) - 0x01010101 | (${w} ^ 0x5c5c5c5c) - 0x01010101 | ${w} - 0x20202020 | ${w}) & 0x80808080`
}

/** Which byte the lowest high bit of `w` belongs to. */
const firstByte = code`31 - Math.clz32(w & -w) >> 3`
