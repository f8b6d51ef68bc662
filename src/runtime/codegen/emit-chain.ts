/**
 * Emits the chain of a plan as one closure of generated functions.
 *
 * 1. Every source becomes two loops, one over plain rows and one over the lazy views of a frame; the steps after it are
 *    written into the loop body one inside the other, so that V8 inlines user functions and removes the objects
 *    between them.
 * 2. A node with several inputs (union), and every output of a stateful step, becomes a function of its own.
 * 3. Steps with keys are written by `emit-keyed.ts`.
 * 4. `at` holds the id of the node whose user function runs, so that an escaping error can be attributed without a
 *    try block per row. A loop has an `at` of its own; the shared one says which step of a function called from it
 *    runs, and is put back when that function returns.
 *
 * Nothing of the plan enters the text: functions, operators and counters are constants passed by value.
 */
import { type Code, code, compile, empty, join, name } from '../../base/codegen.ts'
import { timestampMin } from '../../base/time.ts'
import { emitExpression } from '../../expression/emit.ts'
import { expressionOf } from '../../expression/function.ts'
import type { Input, PlanNode } from '../../graph/plan.ts'
import type { Emit } from '../../operators/contract.ts'
import { readsFieldsOnly } from '../views.ts'
import type { Frame } from '../../frame/frame.ts'
import { rampUp } from './ramp-up.ts'
import {
  type Chain,
  type ChainParts,
  type ChainRoot,
  type Consumers,
  type CounterLayout,
  type ExchangeRoot,
  counterLayout,
  consumersOf,
  countAside,
  countersPerNode,
  countIn,
  countOut,
  edgeKey,
} from '../chain.ts'
import { outputNames } from '../outputs.ts'
import { asPlain, type ChainWriter, KeyedEmitter, type Row } from './emit-keyed.ts'
import { rejectedRow, rejectedTime } from '../rejected.ts'
import { type ExchangeEdge, isInFront } from '../stages.ts'

/** Counters of a loop: code that declares them and code that adds them up. */
interface Counts {
  readonly declared: Code
  readonly added: Code
}

interface Generated {
  readonly outputs: Readonly<Record<string, Emit>>
  readonly replay: Readonly<Record<string, Emit>>
  readonly exchanges: Readonly<Record<string, ExchangeRoot['batch']>>
  readonly deliver: Readonly<Record<string, ExchangeRoot['deliver']>>
  readonly at: () => number
}

export function emitChain(parts: ChainParts): Chain {
  return new ChainEmitter(parts).emit()
}

class ChainEmitter implements ChainWriter {
  readonly #keyed: KeyedEmitter = new KeyedEmitter(this)
  readonly parts: ChainParts
  readonly consumers: Consumers
  readonly #constants: (readonly [Code, unknown])[] = []
  readonly #byValue: Map<unknown, Code> = new Map()
  /** Functions for nodes with several inputs, by node id. */
  readonly #shared: Map<number, Code> = new Map()
  readonly #functions: Code[] = []
  readonly #layout: CounterLayout
  /** While a loop is written: its counters. */
  #tally: Map<number, Code> | undefined
  #onFailed: Code | undefined

  constructor(parts: ChainParts) {
    this.parts = parts
    this.consumers = consumersOf(parts.plan)
    this.#layout = counterLayout(parts.plan)
  }

  emit(): Chain {
    const { plan, operators } = this.parts
    const loops: Code[] = []
    const outputs: Code[] = []
    const replays: Code[] = []
    const { exchanges } = this.parts.exchanges.stages
    const batches = exchanges.map((edge) => this.#exchangeLoop(edge))
    const deliver = exchanges.map(
      (edge) =>
        code`${name('x', edge.id)}: (k, r, t) => { ${this.#behind(edge, row(code`r`), code`t`)} },`,
    )
    for (const node of plan.nodes) {
      if (node.kind === 'source') loops.push(this.#loops(node.id))
      if (operators.has(node.id)) outputs.push(this.#outputsOf(node))
      if (node.kind === 'source' && node.rejects) outputs.push(this.#output(node, 'rejected'))
      if (node.kind === 'event-time' && this.#collects) {
        replays.push(
          code`${name('n', node.id)}: (r, t) => { ${this.feed(node.id, 'out', row(code`r`), code`t`)} },`,
        )
      }
    }
    const made = compile<Generated>(
      this.#constants,
      code`let at = -1;
        const enter = () => { at = -1; };
        const leave = (own) => { if (at < 0) at = own; return at; };
        ${join(this.#functions)}
        return { ${join(loops)}
          outputs: { ${join(outputs)} }, replay: { ${join(replays)} },
          exchanges: { ${join(batches)} }, deliver: { ${join(deliver)} }, at: () => at }`,
    )
    return this.#link(made as Generated & Record<string, never>)
  }

  #link(made: Generated & Readonly<Record<string, unknown>>): Chain {
    const { plan, operators } = this.parts
    const current = (): PlanNode | undefined => plan.nodes[made.at()]
    const roots = new Map<number, ChainRoot>()
    const replay = new Map<number, Emit>()
    for (const node of plan.nodes) {
      if (node.kind === 'source') {
        const rows = rampUp(made[`rows${node.id}`] as ChainRoot['rows'])
        const views = rampUp(made[`frame${node.id}`] as ChainRoot['frame'])
        const frame: ChainRoot['frame'] = (batch, from, to) => {
          if (batch.layout.columns.rows === 'value') rows(plainRows(batch, from, to), from, to)
          else views(batch, from, to)
        }
        roots.set(node.id, { rows, frame, rejected: made.outputs[`n${node.id}x0`] })
      }
      const operator = operators.get(node.id)
      if (operator) {
        outputNames(node).forEach((output, index) => {
          const emit = made.outputs[`n${node.id}x${index}`]
          if (emit) operator.connect(output, emit)
        })
      }
      const deliver = made.replay[`n${node.id}`]
      if (deliver) replay.set(node.id, deliver)
    }
    const exchanges = new Map<number, ExchangeRoot>()
    for (const { id } of this.parts.exchanges.stages.exchanges) {
      const batch = made.exchanges[`x${id}`]
      const deliver = made.deliver[`x${id}`]
      if (batch && deliver) exchanges.set(id, { batch: rampUp(batch), deliver })
    }
    return { roots, replay, exchanges, current }
  }

  /** Batch mode within one subtask: event-time steps collect. Across subtasks the exchanges do. */
  get #collects(): boolean {
    return this.parts.batch && this.parts.exchanges.stages.exchanges.length === 0
  }

  /** A loop whose counters and running node are variables; an error leaves it by the policies. */
  #loop(id: number, counts: Counts, each: Code): Code {
    return code`
      let i = from, at = ${id}; ${counts.declared} enter();
      try { for (; i < to; i++) { ${this.#place(code`i`)} ${each} } } catch (e) { ${this.#failed()}(e, leave(at), i); } finally { ${counts.added} }
      leave(at);`
  }

  /** The loops over rows that came through an exchange, each row with the watermark before it. */
  #exchangeLoop(edge: ExchangeEdge): Code {
    const input = this.parts.exchanges.inputs.get(edge.id)
    const lazy: Row = { variable: code`r`, plain: code`(plain ??= layout.plain(frame, i))` }
    const collect = input?.collect && this.constant(input.collect)
    const origin = input?.origin && this.constant(input.origin)
    const ranked = input?.ranked?.map((output) => code`${this.constant(output)}.rank = marks[i];`)
    const time =
      origin === undefined || collect !== undefined
        ? join(ranked ?? [])
        : code`const m = marks[i];
            if (m > ${origin}.max) { if (m >= ${origin}.gate) ${origin}.fireAt(m); else ${origin}.max = m; }`
    const step = (r: Row): Code =>
      collect === undefined
        ? this.#behind(edge, r, code`t`)
        : code`${collect}(k, ${r.plain}, t, marks[i]);`
    const [views, viewCounts] = this.#counted(() => step(lazy))
    const [rows, rowCounts] = this.#counted(() => step(row(code`r`)))
    const head = code`${time} const k = keys[i]; const t = times[i];`
    return code`${name('x', edge.id)}: (batch, from, to) => {
        const { frame, rows, keys, times, marks } = batch;
        if (frame !== undefined) {
          const layout = frame.layout; const View = layout.View;
          ${this.#loop(edge.node, viewCounts, code`${head} let plain; const r = new View(frame, i); ${views}`)}
        } else {
          ${this.#loop(edge.node, rowCounts, code`${head} const r = rows[i]; ${rows}`)}
        }
      },`
  }

  /** The steps that an exchange feeds, with key `k` in scope. */
  #behind(edge: ExchangeEdge, r: Row, t: Code): Code {
    if (edge.kind === 'hash') {
      const consumers = this.consumers.get(edgeKey(edge.node, 'out')) ?? []
      return join(consumers.map((step) => this.#keyed.keyed(step, r, code`k`, t)))
    }
    const node = this.parts.plan.nodes[edge.node]
    if (node === undefined) return empty
    return isInFront(edge) ? this.#enterHere(node, r, t) : this.feed(node.id, 'out', r, t)
  }

  #failed(): Code {
    this.#onFailed ??= this.constant((error: unknown, at: number, index: number) =>
      this.parts.hooks.failed(this.parts.plan.nodes[at], error, index),
    )
    return this.#onFailed
  }

  /**
   * The two loops of a source. Inside of one, counters and the id of the running node are variables of the loop: a row
   * costs no store for them, and a chain of ten steps takes 0.75 times as long (bar 1 of `bench -- micro`).
   */
  #loops(id: number): Code {
    const [rows, rowCounts] = this.#counted(() => this.feed(id, 'out', row(code`r`), code`t`))
    const lazy: Row = {
      variable: code`r`,
      plain: code`(plain ??= layout.plain(frame, i))`,
    }
    const [views, viewCounts] = this.#counted(() => this.feed(id, 'out', lazy, code`t`))
    const out = this.count(id, countOut)
    const loop = (counts: Counts, each: Code): Code =>
      code`${this.#loop(id, counts, each)} ${out} += to - from;`
    return code`
      ${name('rows', id)}(rows, from, to) {
        const t = NaN; ${loop(rowCounts, code`const r = rows[i]; ${rows}`)}
      },
      ${name('frame', id)}(frame, from, to) {
        const layout = frame.layout; const View = layout.View; const t = NaN;
        ${loop(viewCounts, code`let plain; const r = new View(frame, i); ${views}`)}
      },`
  }

  /** What `emit` gives, with counters as variables. */
  #counted(emit: () => Code): readonly [Code, Counts] {
    const before = this.#tally
    const tally = new Map<number, Code>()
    this.#tally = tally
    const emitted = emit()
    this.#tally = before
    const counters = this.constant(this.parts.counters)
    const each = [...tally]
    const counts: Counts = {
      declared: join(each.map(([, variable]) => code`let ${variable} = 0;`)),
      added: join(each.map(([index, variable]) => code`${counters}[${index}] += ${variable};`)),
    }
    return [emitted, counts]
  }

  #outputsOf(node: PlanNode): Code {
    return join(
      outputNames(node).map((_, index) =>
        this.#output(node, outputNames(node)[index] ?? 'out', index),
      ),
    )
  }

  /** A function for rows that leave a stateful step (or a source's rejects). */
  #output(node: PlanNode, output: string, index: number = 0): Code {
    const { id } = node
    const consumers = this.consumers.get(edgeKey(id, output)) ?? []
    const counter = code`${this.constant(this.parts.counters)}[${this.#layout.output(node, output)}]`
    if (consumers.length === 0)
      return code`${name('n', id)}${name('x', index)}: (r, t) => { ${counter} += 1; },`
    const body = this.feed(id, output, row(code`r`), code`t`)
    const place = this.parts.hooks.row && this.constant(this.parts.hooks.row)
    const [before, after] =
      place === undefined
        ? [empty, empty]
        : [
            code`const origin = ${place}.index; ${place}.index = -1;`,
            code`${place}.index = origin;`,
          ]
    return code`${name('n', id)}${name('x', index)}: (r, t) => { const was = at; ${counter} += 1; ${before} ${body} ${after} at = was; },`
  }

  /** Remembers which row of its batch is on its way, where a letter may name it. */
  #place(index: Code): Code {
    const { row: place } = this.parts.hooks
    return place === undefined ? empty : code`${this.constant(place)}.index = ${index};`
  }

  /** Code that gives a row to every consumer of an output. */
  feed(id: number, output: string, r: Row, t: Code): Code {
    const consumers = this.consumers.get(edgeKey(id, output)) ?? []
    return join(consumers.map((node) => this.#enter(node, { node: id, output }, r, t)))
  }

  /** A row on its way to a step, which may be in a later stage. */
  #enter(node: PlanNode, from: Input, r: Row, t: Code): Code {
    const edge = this.parts.exchanges.stages.inFrontOf(from, node.id)
    if (edge === undefined) return this.#enterHere(node, r, t)
    const output = this.constant(this.parts.exchanges.outputs.get(edge.id))
    // A sink tells the partition of a row by code of the user.
    const running = node.kind === 'sink' ? code`at = ${node.id};` : empty
    return code`${running} ${output}.forward(${r.plain}, ${t});`
  }

  #enterHere(node: PlanNode, r: Row, t: Code): Code {
    if (node.inputs.length === 1) return code`{ ${this.#node(node, r, t)} }`
    let shared = this.#shared.get(node.id)
    if (shared === undefined) {
      shared = name('u', node.id)
      this.#shared.set(node.id, shared)
      const tally = this.#tally
      this.#tally = undefined
      const body = this.#node(node, row(code`r`), code`t`)
      this.#tally = tally
      this.#functions.push(code`function ${shared}(r, t) { const was = at; ${body} at = was; }`)
    }
    return code`${shared}(${r.plain}, ${t});`
  }

  #node(node: PlanNode, r: Row, t: Code): Code {
    const id = node.id
    const made = name('r', id)
    switch (node.kind) {
      case 'map': {
        const rest = this.feed(id, 'out', row(made), t)
        return this.#user(node, code`const ${made} = ${this.call(node.fn, r)};`, made, rest, r)
      }
      case 'filter': {
        const rest = this.feed(id, 'out', r, t)
        return this.#user(
          node,
          code`const ${made} = ${this.call(node.fn, r)};`,
          made,
          code`if (${made}) { ${this.count(id, countOut)} += 1; ${rest} }`,
          r,
        )
      }
      case 'flat-map': {
        const item = name('x', id)
        const each = code`${this.count(id, countOut)} += 1; ${this.feed(id, 'out', row(item), t)}`
        const loop = code`if (Array.isArray(${made})) { for (let j = 0; j < ${made}.length; j++) { const ${item} = ${made}[j]; ${each} } }
          else { for (const ${item} of ${made}) { ${each} } }`
        return this.#user(node, code`const ${made} = ${this.call(node.fn, r)};`, made, loop, r)
      }
      case 'try':
        return this.#try(node, r, t)
      case 'event-time':
        return this.#eventTime(node, r)
      case 'union':
        return this.feed(id, 'out', r, t)
      case 'key-by':
        return this.#keyed.keyBy(node, r, t)
      case 'partition':
        return this.#keyed.partition(node, r, t)
      case 'sink':
        return code`at = ${id}; ${this.count(id, countIn)} += 1; ${this.constant(this.parts.sinks.get(id))}.write(${asPlain(r, node.sink.acceptsViews === true)}, ${t});`
      default:
        throw new TypeError(`a ${node.kind} step is fed by its key-by`)
    }
  }

  /** A user function under the job-wide policy: policy `fail` needs no try block. */
  #user(node: PlanNode, call: Code, made: Code, rest: Code, r: Row): Code {
    if (!this.drops) return code`at = ${node.id}; ${call} ${rest}`
    const hook = this.dropped(node)
    const ok = name('ok', node.id)
    const assign = code`{ ${call} value = ${made}; }`
    return code`at = ${node.id}; let ${made}, ${ok} = true;
      try { let value; ${assign} ${made} = value; } catch (e) { ${ok} = false; ${hook}(${asPlain(r, false)}, e); }
      if (${ok}) { ${rest} }`
  }

  #try(node: PlanNode & { readonly kind: 'try' }, r: Row, t: Code): Code {
    const id = node.id
    const made = name('r', id)
    const rest = code`${this.count(id, countOut)} += 1; ${this.feed(id, 'out', row(made), t)}`
    if (!node.rejects) return code`at = ${id}; const ${made} = ${this.call(node.fn, r)}; ${rest}`
    const ok = name('ok', id)
    const reject = this.constant((input: unknown, error: unknown) =>
      rejectedRow(node.name, input, error, this.parts.hooks.position?.()),
    )
    const bad = name('bad', id)
    const aside = code`${this.count(id, countAside)} += 1; ${this.feed(id, 'rejected', row(bad), t)}`
    return code`at = ${id}; let ${made}, ${ok} = true, ${bad};
      try { ${made} = ${this.call(node.fn, r)}; } catch (e) { ${ok} = false; ${bad} = ${reject}(${asPlain(r, false)}, e); }
      if (${ok}) { ${rest} } else { ${aside} }`
  }

  #eventTime(node: PlanNode & { readonly kind: 'event-time' }, r: Row): Code {
    const id = node.id
    const t = name('t', id)
    const most = name('m', id)
    const origin = this.constant(this.parts.origins.get(id))
    const lag = this.parts.origins.get(id)?.lag ?? 0
    const usable = code`typeof ${t} === 'number' && ${t} > ${timestampMin} && ${t} < ${origin}.bound`
    const counted = code`${this.count(id, countOut)} += 1;`
    const rest = this.#collects
      ? code`${this.constant(collector(this.parts, id))}(${r.plain}, ${t});`
      : code`${this.feed(id, 'out', r, t)}
        const ${most} = ${t} > ${origin}.max ? ${t} : ${origin}.max;
        if (${most} - ${lag} >= ${origin}.gate) ${origin}.fireAt(${most}); else ${origin}.max = ${most};`
    const told = this.call(node.timestamp, r)
    // A function that throws is a row without usable time, unless such a row stops the job anyway.
    const policy = node.onError ?? this.parts.plan.options.onError.time
    const read =
      node.rejects || policy !== 'fail'
        ? code`let ${t}; try { ${t} = ${told}; } catch (e) { ${t} = e; }`
        : code`const ${t} = ${told};`
    return code`at = ${id}; ${read}
      if (${usable}) { ${counted} ${rest} } else { ${this.#badTime(node, r, t)} }`
  }

  #badTime(node: PlanNode & { readonly kind: 'event-time' }, r: Row, t: Code): Code {
    if (!node.rejects) {
      const hook = this.constant((input: unknown, value: unknown) =>
        this.parts.hooks.badTime(node, input, value),
      )
      return code`${hook}(${asPlain(r, false)}, ${t});`
    }
    const bad = name('bad', node.id)
    const reject = this.constant((input: unknown, value: unknown) =>
      rejectedTime(node, input, value, this.parts.hooks.position?.()),
    )
    return code`const ${bad} = ${reject}(${asPlain(r, false)}, ${t}); ${this.count(node.id, countAside)} += 1;
      ${this.feed(node.id, 'rejected', row(bad), code`NaN`)}`
  }

  /** Rows whose functions throw are left out of the job. */
  get drops(): boolean {
    return this.parts.plan.options.onError.user !== 'fail'
  }

  dropped(node: PlanNode, lost: PlanNode = node): Code {
    return this.constant((input: unknown, error: unknown) =>
      this.parts.hooks.userError(node, input, error, lost),
    )
  }

  /** A call of a user function with the row, as a view where that is safe; an expression is written out. */
  call(fn: unknown, r: Row): Code {
    const expression = expressionOf(fn)
    if (expression !== undefined)
      return emitExpression(expression, r.variable, (value) => this.constant(value))
    return code`${this.constant(fn)}(${asPlain(r, readsFieldsOnly(fn))})`
  }

  /** A counter as something to add to: a variable inside of the loops, which add it up when they end. */
  count(id: number, which: number): Code {
    const index = id * countersPerNode + which
    if (this.#tally === undefined) return code`${this.constant(this.parts.counters)}[${index}]`
    const variable = name('q', index)
    this.#tally.set(index, variable)
    return variable
  }

  constant(value: unknown): Code {
    let known = this.#byValue.get(value)
    if (known === undefined) {
      known = name('c', this.#constants.length)
      this.#constants.push([known, value])
      this.#byValue.set(value, known)
    }
    return known
  }
}

/** A frame of values that are no objects has no views. */
function plainRows(frame: Frame, from: number, to: number): readonly unknown[] {
  const rows: unknown[] = []
  for (let i = from; i < to; i++) rows[i] = frame.layout.plain(frame, i)
  return rows
}

function row(variable: Code): Row {
  return { variable, plain: variable }
}

function collector(parts: ChainParts, id: number): (row: unknown, t: number) => void {
  const into = parts.collected?.get(id)
  if (into === undefined) throw new TypeError(`no collection for event-time step ${id}`)
  const { rows, times } = into
  return (row, t) => {
    rows.push(row)
    times.push(t)
  }
}
