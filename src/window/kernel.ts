/**
 * The arithmetic of an aggregate step: how one row changes the accumulators of one key, how two sets of accumulators
 * merge, and what the result row looks like. Emitted as code for each step, so that V8 sees one shape and one set of
 * user functions per call site; the interpreted twin below has the same meaning for hosts without code generation.
 *
 * Accumulators of a slot are `stride` doubles at `slot * stride` of one array (one cache line), plus, for custom
 * aggregates, `objects` values at `slot * objects` of a plain array. Exact distinct counts keep their sets in
 * {@link DistinctSet}s beside the table; their counters are ordinary doubles.
 */
import { TidemillError } from '../base/errors.ts'
import {
  canGenerateCode,
  type Code,
  code,
  compile,
  empty,
  join,
  literal,
  name,
} from '../base/codegen.ts'
import type { AggregateDefinition, AggregateSpec } from '../graph/aggregate.ts'
import type { Key } from '../schema/types.ts'
import type { DistinctSet } from './distinct.ts'
import { windowErrors } from './errors.ts'

/** Where the accumulators of one aggregate live and what they need. */
interface Field {
  readonly field: string
  readonly definition: AggregateDefinition
  /** First double of this aggregate in a slot. */
  readonly word: number
  /** Index among the custom accumulators, or -1. */
  readonly object: number
  /** Which distinct set and which bit of its mask, or -1. */
  readonly set: number
  readonly bit: number
}

export interface DistinctLayout {
  readonly of: (row: never) => string | number | bigint | boolean
  /** Word of the counter for each bit. */
  readonly words: readonly number[]
}

/** How a double of an accumulator merges: counts are whole numbers, sums may be anything. */
export type WordMerge = 'count' | 'sum' | 'min' | 'max'

/** A window as result rows show it: start inclusive, end exclusive, epoch milliseconds. */
export interface WindowBounds {
  readonly start: number
  readonly end: number
}

export interface RowFunction {
  readonly fn: unknown
  readonly parameter: number
}

export interface AggregateKernel {
  readonly stride: number
  /** Doubles in use: the stride, or none where there is one for the sake of the arithmetic. */
  readonly numbers: number
  readonly objects: number
  readonly distincts: readonly DistinctLayout[]
  /** Labels of custom aggregates by object index, for messages and codecs. */
  readonly custom: readonly (AggregateDefinition & { readonly kind: 'custom' })[]
  /** Every user function and which parameter is the row, for the analysis of which fields they read. */
  readonly functions: readonly RowFunction[]
  /** How each double merges; undefined with custom aggregates or distinct counts, which are more than doubles. */
  readonly merging: readonly WordMerge[] | undefined
  /**
   * Calls every user function of a row as `add` would, custom aggregates with a new accumulator, and changes nothing.
   * Where a row that throws is to leave no trace, it is asked first. Undefined when there are no functions.
   */
  readonly check: ((row: unknown) => void) | undefined
  /** Writes the initial accumulators of a new slot. */
  readonly init: (words: Float64Array, at: number, objects: unknown[], objectAt: number) => void
  readonly add: (
    words: Float64Array,
    at: number,
    objects: unknown[],
    objectAt: number,
    sets: readonly DistinctSet[],
    slot: number,
    row: unknown,
  ) => void
  /**
   * The body of `add` for a loop to contain: over the names of its parameters, with constants named by the caller. A
   * call would not be inlined there, and every row would become an object to be handed over. Undefined without code
   * generation. `inexact` runs before anything was added when a sum would take something else than a whole number.
   */
  readonly addCode: ((constant: (value: unknown) => Code, inexact?: Code) => Code) | undefined
  /** Adds the right accumulators to the left ones; distinct counters are left alone (sets are merged by the table). */
  readonly merge: (
    words: Float64Array,
    at: number,
    objects: unknown[],
    objectAt: number,
    fromWords: Float64Array,
    fromAt: number,
    fromObjects: readonly unknown[],
    fromObjectAt: number,
  ) => void
  /** The result row: `key`, `window` when there is one, and the aggregates in declared order. */
  readonly result: (
    words: Float64Array,
    at: number,
    objects: readonly unknown[],
    objectAt: number,
    key: Key,
    window: WindowBounds | undefined,
  ) => object
}

/** Compiles (or interprets) the kernel of `spec`. `windowed` says whether result rows carry `window`. */
export function aggregateKernel(spec: AggregateSpec, windowed: boolean): AggregateKernel {
  const { fields, stride, numbers, objects, distincts } = layOut(spec)
  const functions: RowFunction[] = []
  for (const { definition } of fields) {
    if (definition.kind !== 'custom' && definition.where)
      functions.push({ fn: definition.where, parameter: 0 })
    if ('of' in definition) functions.push({ fn: definition.of, parameter: 0 })
    if (definition.kind === 'custom') functions.push({ fn: definition.add, parameter: 1 })
  }
  const custom = fields.flatMap((f) => (f.definition.kind === 'custom' ? [f.definition] : []))
  const generates = canGenerateCode()
  const body = generates
    ? generated(fields, distincts, windowed)
    : interpreted(fields, distincts, windowed)
  const addCode = generates
    ? (constant: Constant, inexact?: Code): Code => addition(fields, distincts, constant, inexact)
    : undefined
  const merging = mergingOf(fields)
  const check = functions.length === 0 ? undefined : rowCheck(fields)
  return {
    stride,
    numbers,
    objects,
    distincts,
    custom,
    functions,
    merging,
    check,
    addCode,
    ...body,
  }
}

/**
 * Whether `add` leaves everything as it was when it throws for a row that `check` has let pass: then only a custom
 * aggregate can throw, because of what its accumulator holds, and it has changed nothing unless another came before it.
 */
export function undoesItself({ custom }: AggregateKernel): boolean {
  return custom.length === 1
}

function rowCheck(fields: readonly Field[]): (row: unknown) => void {
  return (row) => {
    for (const { definition: d } of fields) {
      if (d.kind === 'custom') d.add(d.create() as never, row as never)
      else if (takes(d, row) && 'of' in d) d.of(row as never)
    }
  }
}

function takes(d: AggregateDefinition, row: unknown): boolean {
  return d.kind === 'custom' || d.where === undefined || d.where(row as never)
}

function layOut(spec: AggregateSpec): {
  fields: readonly Field[]
  stride: number
  numbers: number
  objects: number
  distincts: readonly DistinctLayout[]
} {
  const fields: Field[] = []
  const sets: { of: DistinctLayout['of']; words: number[] }[] = []
  let word = 0
  let object = 0
  for (const [field, definition] of Object.entries(spec)) {
    if (field === '__proto__' || field === 'key' || field === 'window') {
      throw new TidemillError(windowErrors.reservedField, { message: `"${field}"` })
    }
    let set = -1
    let bit = -1
    if (definition.kind === 'count-distinct') {
      // A set serves up to 30 aggregates over the same function; its mask must stay a small integer.
      set = sets.findIndex((s) => s.of === definition.of && s.words.length < 30)
      if (set < 0) set = sets.push({ of: definition.of, words: [] }) - 1
      const words = sets[set]?.words ?? []
      bit = words.push(word) - 1
    }
    fields.push({
      field,
      definition,
      word,
      object: definition.kind === 'custom' ? object++ : -1,
      set,
      bit,
    })
    word += definition.kind === 'mean' ? 2 : definition.kind === 'custom' ? 0 : 1
  }
  return { fields, stride: Math.max(word, 1), numbers: word, objects: object, distincts: sets }
}

function mergingOf(fields: readonly Field[]): readonly WordMerge[] | undefined {
  const words: WordMerge[] = []
  for (const { definition } of fields) {
    const { kind } = definition
    if (kind === 'custom' || kind === 'count-distinct') return undefined
    words.push(...(kind === 'mean' ? (['sum', 'count'] as const) : [kind]))
  }
  return words
}

/** Stands for "every row" where a test could be. */
const none = Symbol('every row')

type KernelBody = Pick<AggregateKernel, 'init' | 'add' | 'merge' | 'result'>
type Constant = (value: unknown) => Code

const at = (f: Field, more: number = 0): Code => code`w[at + ${f.word + more}]`
const object = (f: Field): Code => code`o[objectAt + ${f.object}]`

function generated(
  fields: readonly Field[],
  distincts: readonly DistinctLayout[],
  windowed: boolean,
): KernelBody {
  const constants: (readonly [Code, unknown])[] = []
  const constant: Constant = (value) => {
    const known = constants.find(([, other]) => other === value)
    if (known) return known[0]
    const made = name('k', constants.length)
    constants.push([made, value])
    return made
  }
  const init = fields.map((f) => {
    const d = f.definition
    if (d.kind === 'custom') return code`${object(f)} = ${constant(d.create)}();`
    if (d.kind === 'min' || d.kind === 'max') return code`${at(f)} = NaN;`
    return d.kind === 'mean' ? code`${at(f)} = 0; ${at(f, 1)} = 0;` : code`${at(f)} = 0;`
  })
  const merge = fields.map((f) => {
    const d = f.definition
    const from = code`x[from + ${f.word}]`
    switch (d.kind) {
      case 'count':
      case 'sum':
        return code`${at(f)} += ${from};`
      case 'mean':
        return code`${at(f)} += ${from}; ${at(f, 1)} += x[from + ${f.word + 1}];`
      case 'min':
        return code`if (!(${at(f)} <= ${from}) && ${from} === ${from}) ${at(f)} = ${from};`
      case 'max':
        return code`if (!(${at(f)} >= ${from}) && ${from} === ${from}) ${at(f)} = ${from};`
      case 'custom':
        return code`${object(f)} = ${constant(d.merge)}(${object(f)}, p[fromObject + ${f.object}]);`
      case 'count-distinct':
        return empty
    }
  })
  const result = fields.map((f) => code`${literal(f.field)}: ${resultOf(f)},`)
  function resultOf(f: Field): Code {
    const d = f.definition
    if (d.kind === 'custom') return code`${constant(d.result)}(${object(f)})`
    if (d.kind === 'min' || d.kind === 'max')
      return code`(${at(f)} === ${at(f)} ? ${at(f)} : undefined)`
    return d.kind === 'mean'
      ? code`(${at(f, 1)} === 0 ? undefined : ${at(f)} / ${at(f, 1)})`
      : at(f)
  }
  return compile<KernelBody>(
    constants,
    code`return {
      init(w, at, o, objectAt) { ${join(init)} },
      add(w, at, o, objectAt, sets, slot, row) { ${addition(fields, distincts, constant)} },
      merge(w, at, o, objectAt, x, from, p, fromObject) { ${join(merge)} },
      result(w, at, o, objectAt, key, window) { return { key, ${windowed ? code`window,` : empty} ${join(result)} } },
    }`,
  )
}

/** How one row changes the accumulators at `at` of `w`. */
function addition(
  fields: readonly Field[],
  distincts: readonly DistinctLayout[],
  constant: Constant,
  inexact?: Code,
): Code {
  // User functions come first, each once per row however many aggregates use it: one that throws leaves nothing half
  // done, and the sums that follow are plain arithmetic.
  const calls: Code[] = []
  const called = new Map<unknown, Map<unknown, Code>>()
  const call = (fn: unknown, where: unknown, made: () => Code): Code => {
    let byTest = called.get(fn)
    if (byTest === undefined) {
      byTest = new Map()
      called.set(fn, byTest)
    }
    let known = byTest.get(where)
    if (known === undefined) {
      known = name('v', calls.length)
      byTest.set(where, known)
      calls.push(code`const ${known} = ${made()};`)
    }
    return known
  }
  const test = (where: unknown): Code | undefined =>
    where === undefined ? undefined : call(where, undefined, () => code`${constant(where)}(row)`)
  const numberOf = (of: unknown, where: unknown): Code => {
    const taken = test(where)
    return call(of, where ?? none, () =>
      taken ? code`${taken} ? ${constant(of)}(row) : NaN` : code`${constant(of)}(row)`,
    )
  }
  const guarded = (where: unknown, statement: Code): Code => {
    const taken = test(where)
    return taken ? code`if (${taken}) { ${statement} }` : statement
  }

  const checks = fields.map((f) => {
    const d = f.definition
    if (inexact === undefined || (d.kind !== 'sum' && d.kind !== 'mean')) return empty
    const v = numberOf(d.of, d.where)
    const whole = code`${v} === (${v} | 0) || ${constant(Number.isSafeInteger)}(${v})`
    return guarded(d.where, code`if (!(${whole})) { ${inexact} }`)
  })
  const add = fields.map((f) => {
    const d = f.definition
    switch (d.kind) {
      case 'count':
        return guarded(d.where, code`${at(f)} += 1;`)
      case 'sum':
        return guarded(d.where, code`${at(f)} += ${numberOf(d.of, d.where)};`)
      case 'mean':
        return guarded(d.where, code`${at(f)} += ${numberOf(d.of, d.where)}; ${at(f, 1)} += 1;`)
      // A row that takes no part has NaN here, and so does no row yet: neither comparison is true of NaN.
      case 'min': {
        const v = numberOf(d.of, d.where)
        return code`if (!(${at(f)} <= ${v}) && ${v} === ${v}) ${at(f)} = ${v};`
      }
      case 'max': {
        const v = numberOf(d.of, d.where)
        return code`if (!(${at(f)} >= ${v}) && ${v} === ${v}) ${at(f)} = ${v};`
      }
      case 'custom':
        return code`${object(f)} = ${call(f, none, () => code`${constant(d.add)}(${object(f)}, row)`)};`
      case 'count-distinct':
        return empty
    }
  })
  const distinct = distincts.map((layout, set) => {
    const members = fields.filter((f) => f.set === set)
    const bits = members.map((f) => {
      const taken = test('where' in f.definition ? f.definition.where : undefined)
      return taken ? code`(${taken} ? ${1 << f.bit} : 0)` : code`${1 << f.bit}`
    })
    const mask = call(layout, 'mask', () => join(bits, code` | `))
    const value = call(layout, 'value', () => code`${mask} !== 0 ? ${constant(layout.of)}(row) : 0`)
    const counters = members.map((f) => code`if (n & ${1 << f.bit}) ${at(f)} += 1;`)
    return code`if (${mask} !== 0) { const n = sets[${set}].add(slot, ${value}, ${mask});
        if (n !== 0) { ${join(counters)} } }`
  })
  return join([...calls, ...checks, ...add, ...distinct])
}

function interpreted(
  fields: readonly Field[],
  distincts: readonly DistinctLayout[],
  windowed: boolean,
): KernelBody {
  const number = (words: Float64Array, index: number): number => words[index] ?? Number.NaN
  return {
    init(words, at, objects, objectAt) {
      for (const f of fields) {
        const d = f.definition
        if (d.kind === 'custom') objects[objectAt + f.object] = d.create()
        else words[at + f.word] = d.kind === 'min' || d.kind === 'max' ? Number.NaN : 0
        if (d.kind === 'mean') words[at + f.word + 1] = 0
      }
    },
    add(words, at, objects, objectAt, sets, slot, row) {
      for (const f of fields) {
        const d = f.definition
        const i = at + f.word
        if (d.kind === 'custom') {
          objects[objectAt + f.object] = d.add(objects[objectAt + f.object] as never, row as never)
        } else if (d.kind !== 'count-distinct' && takes(d, row)) {
          const value = d.kind === 'count' ? 1 : d.of(row as never)
          const old = number(words, i)
          if (d.kind === 'count' || d.kind === 'sum' || d.kind === 'mean') words[i] = old + value
          else if (d.kind === 'min' ? !(old <= value) : !(old >= value))
            words[i] = Number.isNaN(value) ? old : value
          if (d.kind === 'mean') words[i + 1] = number(words, i + 1) + 1
        }
      }
      distincts.forEach((layout, set) => {
        const members = fields.filter((f) => f.set === set)
        const mask = members.reduce((m, f) => (takes(f.definition, row) ? m | (1 << f.bit) : m), 0)
        if (mask === 0) return
        const fresh = sets[set]?.add(slot, layout.of(row as never), mask) ?? 0
        for (const f of members)
          if (fresh & (1 << f.bit)) words[at + f.word] = number(words, at + f.word) + 1
      })
    },
    merge(words, at, objects, objectAt, from, fromAt, fromObjects, fromObjectAt) {
      for (const f of fields) {
        const d = f.definition
        const i = at + f.word
        const value = number(from, fromAt + f.word)
        const old = number(words, i)
        if (d.kind === 'custom') {
          objects[objectAt + f.object] = d.merge(
            objects[objectAt + f.object] as never,
            fromObjects[fromObjectAt + f.object] as never,
          )
        } else if (d.kind === 'count' || d.kind === 'sum' || d.kind === 'mean')
          words[i] = old + value
        else if (d.kind === 'min' && !(old <= value) && !Number.isNaN(value)) words[i] = value
        else if (d.kind === 'max' && !(old >= value) && !Number.isNaN(value)) words[i] = value
        if (d.kind === 'mean')
          words[i + 1] = number(words, i + 1) + number(from, fromAt + f.word + 1)
      }
    },
    result(words, at, objects, objectAt, key, window) {
      const row: Record<string, unknown> = windowed ? { key, window } : { key }
      for (const f of fields) {
        const d = f.definition
        const value = number(words, at + f.word)
        if (d.kind === 'custom') row[f.field] = d.result(objects[objectAt + f.object] as never)
        else if (d.kind === 'min' || d.kind === 'max')
          row[f.field] = Number.isNaN(value) ? undefined : value
        else if (d.kind === 'mean') {
          const n = number(words, at + f.word + 1)
          row[f.field] = n === 0 ? undefined : value / n
        } else row[f.field] = value
      }
      return row
    },
  }
}
