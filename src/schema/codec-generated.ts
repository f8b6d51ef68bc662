/**
 * The value codec as generated code: one flat function that writes and one that reads per schema, with the types of
 * all fields known, so that V8 sees one shape per call site. Names of fields, tags and literals enter as quoted
 * literals or constants only (see `base/codegen.ts`). Equal to `codec-interpreted.ts`, by property test.
 */
import { type Code, code, compile, empty, join, literal, name } from '../base/codegen.ts'
import { damaged, type Reader } from './bytes.ts'
import { unfit } from './check.ts'
import type { ValueCodec } from './codec.ts'
import {
  missing,
  readDate,
  readDecimal,
  readFlag,
  readInstant,
  readLiteral,
  skipField,
  wireMismatch,
} from './codec-interpreted.ts'
import { dynamic, isJson, readJson, writeJson } from './dynamic.ts'
import { isInherited, readField } from './row.ts'
import { fieldsById, isDate, isDecimal, isSelfSized, wireOf } from './structure.ts'
import type { SchemaType, StructField, StructType } from './types.ts'

export function generateCodec(type: SchemaType): ValueCodec<unknown> {
  const emitter = new Emitter()
  const value = emitter.fresh()
  const write = emitter.write(type, value, '')
  const result = emitter.fresh()
  const read = emitter.read(type, result)
  return compile<ValueCodec<unknown>>(
    emitter.constants,
    code`return Object.freeze({
write(${value}, w) {
${write}
},
read(r) {
let ${result}
${read}
return ${result}
}
})`,
  )
}

class Emitter {
  readonly constants: (readonly [Code, unknown])[] = []
  private names = 0

  fresh(): Code {
    return name('v', this.names++)
  }

  constant(value: unknown): Code {
    const found = this.constants.find(([, known]) => known === value)
    if (found !== undefined) return found[0]
    const constant = name('k', this.constants.length)
    this.constants.push([constant, value])
    return constant
  }

  /** Statements that append the value of variable `v` to writer `w`. */
  write(type: SchemaType, v: Code, path: string): Code {
    const unless = (condition: Code): Code =>
      code`if (!(${condition})) throw ${this.constant(unfit)}(${this.constant(type)}, ${v}, ${literal(path)})`
    switch (type.kind) {
      case 'bool':
        return code`${unless(code`typeof ${v} === 'boolean'`)}\nw.u8(${v} ? 1 : 0)`
      case 'int':
        return code`${unless(code`Number.isSafeInteger(${v})`)}\nw.int(${v})`
      case 'float':
        return code`${unless(code`typeof ${v} === 'number'`)}\nw.f64(${v})`
      case 'instant':
        return code`${unless(code`Number.isFinite(${v})`)}\nw.f64(${v})`
      case 'int64':
        return code`${unless(code`typeof ${v} === 'bigint'`)}\nw.bigint(${v})`
      case 'bytes':
        return code`${unless(code`${v} instanceof Uint8Array`)}\nw.blob(${v})`
      case 'text':
        return code`${unless(code`typeof ${v} === 'string'`)}\nw.text(${v})`
      case 'literals':
        return code`${unless(code`${this.constant(new Set(type.values))}.has(${v})`)}\nw.text(${v})`
      case 'decimal':
        return code`${unless(code`${this.constant(isDecimal)}(${v}, ${type.precision}, ${type.scale})`)}\nw.text(${v})`
      case 'date':
        return code`${unless(code`${this.constant(isDate)}(${v})`)}\nw.text(${v})`
      case 'json':
        return code`${unless(code`${this.constant(isJson)}(${v})`)}\n${this.constant(writeJson)}(${v}, w)`
      case 'dynamic':
        return code`${this.constant(dynamic)}.write(${v}, w)`
      case 'optional':
        return code`if (${v} === undefined) w.u8(0)\nelse {\nw.u8(1)\n${this.write(type.of, v, path)}\n}`
      case 'list': {
        const i = this.fresh()
        const item = this.fresh()
        return code`${unless(code`Array.isArray(${v})`)}
w.varint(${v}.length)
for (let ${i} = 0; ${i} < ${v}.length; ${i}++) {
const ${item} = ${v}[${i}]
${this.write(type.item, item, `${path}[]`)}
}`
      }
      case 'map': {
        const key = this.fresh()
        const item = this.fresh()
        return code`${unless(code`${v} instanceof Map`)}
w.varint(${v}.size)
for (const [${key}, ${item}] of ${v}) {
${this.write(type.key, key, `${path}{key}`)}
${this.write(type.value, item, `${path}{}`)}
}`
      }
      case 'struct':
        return code`${unless(isRecord(v))}\n${this.writeStruct(type, v, path)}`
      case 'variant': {
        const cases = type.cases.map(
          (one) =>
            code`case ${literal(one.tag)}: {\nw.text(${literal(one.tag)})\n${this.writeStruct(one.struct, v, path)}\nbreak\n}`,
        )
        return code`${unless(isRecord(v))}
switch (${this.property(v, type.tag)}) {
${join(cases)}
default: throw ${this.constant(unfit)}(${this.constant(type)}, ${v}, ${literal(path)})
}`
      }
    }
  }

  /** Statements that read from reader `r` into variable `target`. */
  read(type: SchemaType, target: Code): Code {
    const set = (value: Code): Code => code`${target} = ${value}`
    switch (type.kind) {
      case 'bool':
        return set(code`${this.constant(readFlag)}(r)`)
      case 'int':
        return set(code`r.int()`)
      case 'float':
        return set(code`r.f64()`)
      case 'instant':
        return set(code`${this.constant(readInstant)}(r)`)
      case 'int64':
        return set(code`r.bigint()`)
      case 'bytes':
        return set(code`r.blob()`)
      case 'text':
        return set(code`r.text()`)
      case 'literals':
        return set(code`${this.constant(readLiteral)}(r, ${this.constant(type.values)})`)
      case 'decimal':
        return set(code`${this.constant(readDecimal)}(r, ${type.precision}, ${type.scale})`)
      case 'date':
        return set(code`${this.constant(readDate)}(r)`)
      case 'json':
        return set(code`${this.constant(readJson)}(r)`)
      case 'dynamic':
        return set(code`${this.constant(dynamic)}.read(r)`)
      case 'optional':
        return code`if (${this.constant(readFlag)}(r)) {\n${this.read(type.of, target)}\n} else ${set(code`undefined`)}`
      case 'list': {
        const [count, i, item, items] = [this.fresh(), this.fresh(), this.fresh(), this.fresh()]
        return code`{
const ${count} = r.count(), ${items} = []
for (let ${i} = 0; ${i} < ${count}; ${i}++) {
let ${item}
${this.read(type.item, item)}
${items}.push(${item})
}
${set(items)}
}`
      }
      case 'map': {
        const [count, i, key, item, map] = [
          this.fresh(),
          this.fresh(),
          this.fresh(),
          this.fresh(),
          this.fresh(),
        ]
        return code`{
const ${count} = r.count(2), ${map} = new Map()
for (let ${i} = 0; ${i} < ${count}; ${i}++) {
let ${key}, ${item}
${this.read(type.key, key)}
${this.read(type.value, item)}
${map}.set(${key}, ${item})
}
${set(map)}
}`
      }
      case 'struct':
        return this.readStruct(type, target, empty)
      case 'variant': {
        const tag = this.fresh()
        const cases = type.cases.map((one) => {
          const first = code`${key(type.tag)}: ${literal(one.tag)}, `
          return code`case ${literal(one.tag)}: ${this.readStruct(one.struct, target, first)}\nbreak`
        })
        const refuse = this.constant((text: string) =>
          damaged(`${type.tag} ${JSON.stringify(text)} is not a case of ${type.name}`),
        )
        return code`{
const ${tag} = r.text()
switch (${tag}) {
${join(cases)}
default: throw ${refuse}(${tag})
}
}`
      }
    }
  }

  private property(v: Code, field: string): Code {
    if (isInherited(field)) return code`${this.constant(readField)}(${v}, ${literal(field)})`
    return code`${v}[${literal(field)}]`
  }

  private writeStruct(type: StructType, v: Code, path: string): Code {
    const fields = fieldsById(type).map((field) => ({ field, variable: this.fresh() }))
    const reads = fields.map(
      ({ field, variable }) => code`const ${variable} = ${this.property(v, field.name)}`,
    )
    const always = fields.filter(({ field }) => field.type.kind !== 'optional').length
    const sometimes = fields
      .filter(({ field }) => field.type.kind === 'optional')
      .map(({ variable }) => code` + (${variable} === undefined ? 0 : 1)`)
    const writes = fields.map(({ field, variable }) => this.writeField(field, variable, path))
    return code`{\n${join(reads)}\nw.varint(${always}${join(sometimes, empty)})\n${join(writes)}\n}`
  }

  private writeField(field: StructField, variable: Code, path: string): Code {
    const inner = field.type.kind === 'optional' ? field.type.of : field.type
    const where = path === '' ? field.name : `${path}.${field.name}`
    const head = code`w.varint(${field.id * 4 + wireOf(inner)})`
    let body: Code
    if (isSelfSized(inner)) body = code`${head}\n${this.write(inner, variable, where)}`
    else {
      const start = this.fresh()
      body = code`${head}\nconst ${start} = w.beginBlock()\n${this.write(inner, variable, where)}\nw.endBlock(${start})`
    }
    return field.type.kind === 'optional'
      ? code`if (${variable} !== undefined) {\n${body}\n}`
      : code`{\n${body}\n}`
  }

  private readStruct(type: StructType, target: Code, first: Code): Code {
    const variables = new Map(type.fields.map((field) => [field, this.fresh()] as const))
    const [count, i, head] = [this.fresh(), this.fresh(), this.fresh()]
    const cases = fieldsById(type).map((field) => {
      const inner = field.type.kind === 'optional' ? field.type.of : field.type
      const variable = variables.get(field)!
      const at = code`case ${field.id * 4 + wireOf(inner)}:`
      if (isSelfSized(inner)) return code`${at} ${this.read(inner, variable)}\nbreak`
      const outer = this.fresh()
      return code`${at} {\nconst ${outer} = r.enterBlock()\n${this.read(inner, variable)}\nr.leaveBlock(${outer})\nbreak\n}`
    })
    const checks = type.fields
      .filter((field) => field.type.kind !== 'optional')
      .map(
        (field) =>
          code`if (${variables.get(field)!} === undefined) throw ${this.constant(missing)}(${this.constant(type)}, ${this.constant(field)})`,
      )
    const properties = type.fields.map(
      (field) => code`${key(field.name)}: ${variables.get(field)!}`,
    )
    const ids = new Set(type.fields.map((field) => field.id))
    const otherwise = this.constant((r: Reader, found: number): void => {
      const id = Math.floor(found / 4)
      if (ids.has(id)) throw wireMismatch(type, id)
      skipField(r, found)
    })
    const declare =
      variables.size === 0 ? empty : code`let ${join([...variables.values()], code`, `)}`
    return code`{
${declare}
const ${count} = r.count()
for (let ${i} = 0; ${i} < ${count}; ${i}++) {
const ${head} = r.varint()
switch (${head}) {
${join(cases)}
default: ${otherwise}(r, ${head})
}
}
${join(checks)}
${target} = { ${first}${join(properties, code`, `)} }
}`
  }
}

function isRecord(v: Code): Code {
  return code`typeof ${v} === 'object' && ${v} !== null && !Array.isArray(${v})`
}

/** A property name of an object literal; `__proto__` in plain form would set the prototype. */
export function key(text: string): Code {
  return text === '__proto__' ? code`[${literal(text)}]` : literal(text)
}
