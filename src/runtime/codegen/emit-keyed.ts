/**
 * The part of the chain that has keys: `keyBy`, steps that move rows between subtasks, and stateful steps. Windows and
 * running aggregates with accumulators in a table are written out as look-up plus kernel call; other stateful steps are
 * a call of `record`.
 */
import { type Code, code, empty, join, name } from '../../base/codegen.ts'
import type { PlanNode } from '../../graph/plan.ts'
import { twoPhaseStep } from '../../graph/two-phase.ts'
import { checkKey } from '../../schema/key.ts'
import { type AggregateKernel, undoesItself } from '../../window/kernel.ts'
import { type ChainOutput, type ChainParts, type Consumers, countIn, edgeKey } from '../chain.ts'
import { keyCheck } from '../key-check.ts'
import { readsFieldsOnly } from '../views.ts'

/** A row in scope: as it is, which may be a view of a frame, and as plain data. Only loops over frames have views. */
export interface Row {
  readonly variable: Code
  readonly plain: Code
}

/** What the rest of the chain gives to this part. */
export interface ChainWriter {
  readonly parts: ChainParts
  readonly consumers: Consumers
  /** Rows whose functions throw are left out of the job. */
  readonly drops: boolean
  /** A hook for the row and what a function of `node` has thrown at it; `lost` as in `ChainHooks.userError`. */
  dropped(node: PlanNode, lost?: PlanNode): Code
  constant(value: unknown): Code
  /** A counter as something to add to. */
  count(id: number, which: number): Code
  /** A call of a user function with the row. */
  call(fn: unknown, r: Row): Code
  /** Code that gives a row to every consumer of an output. */
  feed(id: number, output: string, r: Row, t: Code): Code
}

export function asPlain(r: Row, views: boolean): Code {
  return views ? r.variable : r.plain
}

export class KeyedEmitter {
  readonly #chain: ChainWriter

  constructor(chain: ChainWriter) {
    this.#chain = chain
  }

  keyBy(node: PlanNode & { readonly kind: 'key-by' }, r: Row, t: Code): Code {
    const k = name('k', node.id)
    const consumers = this.#chain.consumers.get(edgeKey(node.id, 'out')) ?? []
    const output = this.#outputBehind(node)
    const steps =
      output === undefined
        ? consumers.map((step) => this.keyed(step, r, k, t))
        : [this.#send(node, output, r, k, t)]
    return this.#withKey(node, node.fn, r, k, join(steps))
  }

  /** A row that changes hands; within one subtask it goes on, and its key is checked all the same. */
  partition(node: PlanNode & { readonly kind: 'partition' }, r: Row, t: Code): Code {
    const k = name('k', node.id)
    const output = this.#outputBehind(node)
    const keyed = (rest: Code): Code =>
      node.fn === undefined ? rest : this.#withKey(node, node.fn, r, k, rest)
    if (output === undefined) return keyed(this.#chain.feed(node.id, 'out', r, t))
    const to = this.#chain.constant(output)
    const sent = asPlain(r, output.views)
    return node.fn === undefined
      ? code`at = ${node.id}; ${to}.forward(${sent}, ${t});`
      : keyed(code`${to}.send(${k}, ${sent}, ${t});`)
  }

  #outputBehind(node: PlanNode): ChainOutput | undefined {
    const edge = this.#chain.parts.exchanges.stages.behind(node.id)
    return edge && this.#chain.parts.exchanges.outputs.get(edge.id)
  }

  /** Calls a key function; `rest` has the key. One that throws or gives no key is a user error. */
  #withKey(node: PlanNode, fn: unknown, r: Row, k: Code, rest: Code): Code {
    const bad = this.#chain.constant((input: unknown, key: unknown) =>
      this.#chain.parts.hooks.badKey(node, input, key),
    )
    const check = keyCheck(node)
    const wrong =
      check === checkKey
        ? code`typeof ${k} === 'number' ? ${k} - ${k} !== 0 : typeof ${k} !== 'string' && ${this.#chain.constant(check)}(${k}) !== undefined`
        : code`${this.#chain.constant(check)}(${k}) !== undefined`
    const checked = code`if (${wrong}) ${bad}(${asPlain(r, false)}, ${k});`
    const told = this.#chain.call(fn, r)
    if (!this.#chain.drops) return code`at = ${node.id}; const ${k} = ${told}; ${checked} ${rest}`
    const ok = name('ok', node.id)
    return code`at = ${node.id}; let ${k}, ${ok} = true;
      try { ${k} = ${told}; ${checked} } catch (e) { ${ok} = false; ${this.#chain.dropped(node)}(${asPlain(r, false)}, e); }
      if (${ok}) { ${rest} }`
  }

  /** Asks the functions of an aggregate before the row changes anything; one that throws leaves `block`. */
  #checkRow(kernel: AggregateKernel, node: PlanNode, r: Row, block: Code, lost?: PlanNode): Code {
    if (!this.#chain.drops || kernel.check === undefined) return empty
    const check = this.#chain.constant(kernel.check)
    const ok = name('ok', node.id)
    return code`let ${ok} = true;
      try { ${check}(${r.plain}); } catch (e) { ${ok} = false; ${this.#chain.dropped(node, lost)}(${r.plain}, e); }
      if (!${ok}) break ${block};`
  }

  /** A row for the owner of its key, or for what adds rows up in front of the exchange. */
  #send(keyBy: PlanNode, output: ChainOutput, r: Row, k: Code, t: Code): Code {
    const send = code`${this.#chain.constant(output)}.send(${k}, ${asPlain(r, output.views)}, ${t});`
    if (output.local === undefined) return send
    const local = this.#chain.constant(output.local)
    const { kernel } = output.local
    const step = twoPhaseStep(this.#chain.parts.plan, keyBy.id) ?? keyBy
    const views = kernel.functions.every(({ fn, parameter }) => readsFieldsOnly(fn, parameter))
    const table = name('p', keyBy.id)
    const slot = name('s', keyBy.id)
    const added = name('b', keyBy.id)
    const alone = name('x', keyBy.id)
    const inexact = code`${local}.inexact(); break ${alone};`
    const after = output.local.afterAdd ? code`${local}.added(${slot}, ${t});` : empty
    const check = this.#checkRow(kernel, step, r, added, keyBy)
    const add = this.#add(kernel, table, slot, asPlain(r, views), inexact)
    return code`${added}: { ${alone}: {
      if (!(${t} >= ${local}.from && ${t} < ${local}.to) && !${local}.roll(${t})) break ${alone};
      at = ${step.id}; ${check}
      const ${table} = ${local}.table;
      const ${slot} = typeof ${k} === 'number' ? ${table}.numberSlot(${k} + 0) : ${table}.slot(${k});
      const ${name('i', keyBy.id)} = ${table}.inserted;
      ${check !== empty && undoesItself(kernel) ? this.#attempt(step, add, r, added, keyBy) : add}
      ${after} if (${name('i', keyBy.id)}) ${local}.grew();
      break ${added}; }
      at = ${keyBy.id}; ${send} }`
  }

  /** A stateful step: counted, then given the key, the row and its time. */
  keyed(node: PlanNode, r: Row, k: Code, t: Code): Code {
    const operator = this.#chain.constant(this.#chain.parts.operators.get(node.id))
    const arrived = code`at = ${node.id}; ${this.#chain.count(node.id, countIn)} += 1;`
    const tables = this.#chain.parts.operators.get(node.id) as {
      readonly kernel?: AggregateKernel
      readonly afterAdd?: boolean
    }
    if (tables.kernel === undefined) {
      const views =
        node.kind === 'process' &&
        this.#keepsNoRow(node) &&
        readsFieldsOnly(node.definition.onRecord)
      return code`${arrived} ${operator}.record(${k}, ${asPlain(r, views)}, ${t});`
    }
    const views = tables.kernel.functions.every(({ fn, parameter }) =>
      readsFieldsOnly(fn, parameter),
    )
    // A step without table sets late rows aside itself, so it must not be given views then.
    const asides = !('table' in tables) && this.#chain.consumers.has(edgeKey(node.id, 'late'))
    const variable = asPlain(r, views && !asides)
    const { kernel } = tables
    const block = name('b', node.id)
    const check = this.#checkRow(kernel, node, r, block)
    if (!('table' in tables)) {
      const record = code`${operator}.record(${k}, ${variable}, ${t});`
      return check === empty
        ? code`${arrived} ${record}`
        : code`${arrived} ${block}: { ${check} ${record} }`
    }
    const table = name('p', node.id)
    const slot = name('s', node.id)
    const late =
      node.kind === 'window'
        ? code`if (!(${t} >= ${operator}.from && ${t} < ${operator}.to) && !${operator}.roll(${t})) { ${operator}.tooLate(${r.plain}, ${t}); break ${block}; }`
        : empty
    const after = tables.afterAdd === true ? code`${operator}.added(${k}, ${slot}, ${t});` : empty
    const add = this.#add(kernel, table, slot, variable)
    return code`${arrived} ${block}: { ${late} ${check}
      const ${table} = ${operator}.table;
      const ${slot} = typeof ${k} === 'number' ? ${table}.numberSlot(${k} + 0) : ${table}.slot(${k});
      ${check !== empty && undoesItself(kernel) ? this.#attempt(node, add, r, block) : add}
      ${after} }`
  }

  #attempt(node: PlanNode, add: Code, r: Row, block: Code, lost?: PlanNode): Code {
    const ok = name('done', node.id)
    return code`let ${ok} = true;
      try { ${add} } catch (e) { ${ok} = false; ${this.#chain.dropped(node, lost)}(${r.plain}, e); }
      if (!${ok}) break ${block};`
  }

  /** The arithmetic of a row, in place: `at` means the accumulators inside of this block. */
  #add(kernel: AggregateKernel, table: Code, slot: Code, variable: Code, inexact?: Code): Code {
    if (kernel.addCode === undefined)
      return code`${this.#chain.constant(kernel.add)}(${table}.words, ${slot} * ${kernel.stride}, ${table}.objects, ${slot} * ${kernel.objects}, ${table}.sets, ${slot}, ${variable});`
    return code`{ const w = ${table}.words, at = ${slot} * ${kernel.stride}, o = ${table}.objects, objectAt = ${slot} * ${kernel.objects};
        const sets = ${table}.sets, slot = ${slot}, row = ${variable};
        ${kernel.addCode((value) => this.#chain.constant(value), inexact)} }`
  }

  /** Under other policies than `fail` a row that throws is stored as it is. */
  #keepsNoRow(node: PlanNode & { readonly kind: 'process' }): boolean {
    return (node.definition.onError ?? this.#chain.parts.plan.options.onError.user) === 'fail'
  }
}
