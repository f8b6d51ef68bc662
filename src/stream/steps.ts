/**
 * The streams behind the interfaces of `types.ts`: each knows its builder, the step it comes from and that step's
 * output. Methods check their arguments, add a step and return a stream of it. Row types live in the interfaces alone;
 * here rows are `unknown`, and the one cast per method is the place where the compiler hands over to the plan.
 */
import { TidemillError } from '../base/errors.ts'
import { days, minutes, type Timestamp } from '../base/time.ts'
import type { Sink } from '../connectors/contract.ts'
import { functionOf } from '../expression/function.ts'
import type { AggregateSpec } from '../graph/aggregate.ts'
import type { PlanBuilder } from '../graph/builder.ts'
import type { Alignment, Input, OutputName, Partitioning, WindowNode } from '../graph/plan.ts'
import type { Key, Schema } from '../schema/types.ts'
import type { Aggregate, CountOptions } from './aggregate-types.ts'
import { aggregate, aggregateSpec, count } from './aggregates.ts'
import {
  checkFunction,
  checkSchema,
  durationMs,
  parallelismOf,
  typeName,
  wrongArgument,
} from './arguments.ts'
import { streamErrors } from './errors.ts'
import { expressionIn, rowIn } from './expressions.ts'
import { isCodec, processDefinition, schemaOf, type UntypedProcessSpec } from './process.ts'
import type { EventTime, TimeMode } from './process-types.ts'
import type { ParallelismOptions, RowOptions, StepOptions, Stream } from './types.ts'
import type { EventTimeWindow, ProcessingTimeWindow } from './window-assigners.ts'
import type { Duration } from '../base/time.ts'

/** Default of `idleAfter`. */
const idleAfterDefault = minutes(5)
const maxFutureDefault = days(1)
/** Default of `alignment.group`. */
const groupDefault = 'default'

type Row = unknown
type Fn = (row: Row) => unknown
type Spec = Readonly<Record<string, Aggregate<never, unknown>>>
type ReduceOptions = StepOptions & { readonly value?: Schema<Row> }
type AnyWindow = EventTimeWindow | ProcessingTimeWindow

/** Where a stream comes from. */
export class Origin {
  readonly builder: PlanBuilder
  readonly input: Input
  readonly time: TimeMode
  /** How the rows are described, when they are. */
  readonly schema: Schema<unknown> | undefined

  constructor(builder: PlanBuilder, node: number, output: OutputName, time: TimeMode) {
    this.builder = builder
    this.input = Object.freeze({ node, output })
    this.time = time
    const from = builder.node(node)
    const codec = from.kind === 'process' ? from.definition.outputCodecs[output] : undefined
    this.schema = output === 'out' ? (from.schema ?? schemaOf(codec)) : schemaOf(codec)
  }
}

/** Typed view of a stream of step `node`. `Out` is what its rows are, which only the caller's signature knows. */
export function streamOf<Out, Mode extends TimeMode>(
  builder: PlanBuilder,
  node: number,
  output: OutputName,
  time: Mode,
): Stream<Out, Mode> {
  return new NodeStream(new Origin(builder, node, output, time)) as unknown as Stream<Out, Mode>
}

/** A stream's origin, for `union`; `undefined` for what is not one of our streams. */
function originOf(stream: unknown): Origin | undefined {
  return stream instanceof NodeStream ? stream.origin : undefined
}

class NodeStream {
  readonly #origin: Origin

  constructor(origin: Origin) {
    this.#origin = origin
  }

  get origin(): Origin {
    return this.#origin
  }

  get time(): TimeMode {
    return this.#origin.time
  }

  map(fn: Fn, options?: RowOptions<Row>): NodeStream {
    checkFunction(fn, 'the argument of map')
    return this.#next({
      kind: 'map',
      name: undefined,
      inputs: [this.#origin.input],
      schema: rowSchema(options, 'map'),
      fn,
    })
  }

  filter(fn: (row: Row) => boolean): NodeStream {
    checkFunction(fn, 'the argument of filter')
    const { input, schema } = this.#origin
    return this.#next({ kind: 'filter', name: undefined, inputs: [input], schema, fn })
  }

  where(build: unknown): NodeStream {
    return this.filter(functionOf(expressionIn(build, 'where')) as (row: Row) => boolean)
  }

  select(build: unknown, options?: RowOptions<Row>): NodeStream {
    return this.map(functionOf(rowIn(build, 'select')), options)
  }

  flatMap(fn: (row: Row) => Iterable<unknown>, options?: RowOptions<Row>): NodeStream {
    checkFunction(fn, 'the argument of flatMap')
    return this.#next({
      kind: 'flat-map',
      name: undefined,
      inputs: [this.#origin.input],
      schema: rowSchema(options, 'flatMap'),
      fn,
    })
  }

  try(name: string, fn: Fn, options?: RowOptions<Row>): Rejecting {
    checkFunction(fn, `the function of try ${JSON.stringify(name)}`)
    const { builder, input, time } = this.#origin
    const id = builder.add({
      kind: 'try',
      name,
      inputs: [input],
      schema: rowSchema(options, 'try'),
      fn,
      rejects: true,
    })
    return rejecting(builder, id, time)
  }

  withEventTime(time: EventTime<never>): NodeStream {
    return new NodeStream(
      new Origin(this.#origin.builder, this.#addEventTime(undefined, time), 'out', 'event-time'),
    )
  }

  tryWithEventTime(name: string, time: EventTime<never>): Rejecting {
    return rejecting(this.#origin.builder, this.#addEventTime(name, time, true), 'event-time')
  }

  union(...others: readonly unknown[]): NodeStream {
    if (others.length === 0) throw wrongArgument('union got no stream, expected at least one')
    const { builder, time } = this.#origin
    const origins = [this.#origin, ...others.map((other) => this.#sibling(other))]
    const untimed = origins.find((origin) => origin.time !== time)
    if (untimed !== undefined) {
      throw wrongArgument(
        'union got streams with and without event time: call withEventTime on each of them, or after the union',
      )
    }
    const first = origins[0]?.schema
    const schema = origins.every((origin) => origin.schema?.hash === first?.hash)
      ? first
      : undefined
    const id = builder.add({
      kind: 'union',
      name: undefined,
      inputs: origins.map((origin) => origin.input),
      schema,
    })
    return new NodeStream(new Origin(builder, id, 'out', time))
  }

  keyBy(fn: (row: Row) => Key, options: ParallelismOptions = {}): KeyedNode {
    checkFunction(fn, 'the argument of keyBy')
    const { builder, input, time, schema } = this.#origin
    return new KeyedNode(
      builder,
      builder.add({
        kind: 'key-by',
        name: undefined,
        inputs: [input],
        schema,
        fn,
        ...parallelismOf(options, 'keyBy'),
      }),
      time,
    )
  }

  rebalance(options: ParallelismOptions = {}): NodeStream {
    return this.#partition('rebalance', parallelismOf(options, 'rebalance'))
  }

  global(): NodeStream {
    return this.#partition('global', { parallelism: 1 })
  }

  broadcast(): NodeStream {
    return this.#partition('broadcast', {})
  }

  partitionBy(
    fn: Fn,
    options: ParallelismOptions & { readonly partitions?: number } = {},
  ): NodeStream {
    checkFunction(fn, 'the argument of partitionBy')
    const bound = parallelismOf(options, 'partitionBy')
    const { partitions } = options
    return this.#partition(partitions === undefined ? 'by-key' : 'by-number', bound, fn, partitions)
  }

  apply<Result>(fn: (self: this) => Result): Result {
    checkFunction(fn, 'the argument of apply')
    return fn(this)
  }

  to(name: string, sink: Sink<unknown>, options: ParallelismOptions = {}): void {
    if (sink?.role !== 'sink') {
      throw wrongArgument(
        `to ${JSON.stringify(name)} got ${typeName(sink)}, expected a sink such as stdout()`,
      )
    }
    const { builder, input, schema } = this.#origin
    const bound = parallelismOf(options, `to ${JSON.stringify(name)}`)
    builder.add({ kind: 'sink', name, inputs: [input], schema, sink, ...bound })
  }

  #partition(
    how: Partitioning,
    bound: ParallelismOptions,
    fn?: Fn,
    partitions?: number | undefined,
  ): NodeStream {
    const { input, schema } = this.#origin
    return this.#next({
      kind: 'partition',
      name: undefined,
      inputs: [input],
      schema,
      how,
      fn,
      partitions,
      ...bound,
    })
  }

  #next(draft: Parameters<PlanBuilder['add']>[0]): NodeStream {
    const { builder, time } = this.#origin
    return new NodeStream(new Origin(builder, builder.add(draft), 'out', time))
  }

  #addEventTime(
    name: string | undefined,
    time: EventTime<never>,
    rejects: boolean = false,
  ): number {
    if (typeof time !== 'object' || time === null) {
      throw wrongArgument(
        `withEventTime got ${typeName(time)}, expected { timestamp, maxOutOfOrderness }`,
      )
    }
    checkFunction(time.timestamp, 'timestamp of withEventTime')
    durationMs(time.maxOutOfOrderness, 'maxOutOfOrderness', 0)
    const idleAfter = time.idleAfter ?? idleAfterDefault
    durationMs(idleAfter, 'idleAfter', 1)
    const { maxFuture = maxFutureDefault, notAfter } = time
    if (maxFuture !== 'unlimited') durationMs(maxFuture, 'maxFuture', 0)
    if (notAfter !== undefined && !Number.isFinite(notAfter))
      throw wrongArgument(`notAfter is ${String(notAfter)}, expected epoch milliseconds`)
    const alignment = alignmentOf(time.alignment)
    const { builder, input, schema } = this.#origin
    // A step that rejects must be named, also when the program forgot it: the empty name is reported.
    return builder.add({
      kind: 'event-time',
      name: rejects ? (name ?? '') : undefined,
      inputs: [input],
      schema,
      timestamp: time.timestamp as (row: Row) => Timestamp, // only rows of this stream reach it
      maxOutOfOrderness: time.maxOutOfOrderness,
      maxFuture: maxFuture === 'unlimited' ? undefined : maxFuture,
      notAfter,
      idleAfter,
      alignment,
      rejects,
      onError: undefined,
    })
  }

  #sibling(stream: unknown): Origin {
    const origin = originOf(stream)
    if (origin === undefined)
      throw wrongArgument(`union got ${typeName(stream)}, expected a stream`)
    const { builder } = this.#origin
    if (origin.builder !== builder) {
      throw new TidemillError(streamErrors.foreignStream, {
        message: `union of a stream of ${JSON.stringify(builder.job)} with one of ${JSON.stringify(origin.builder.job)}`,
      })
    }
    return origin
  }
}

class KeyedNode {
  readonly #builder: PlanBuilder
  readonly #node: number
  readonly time: TimeMode

  constructor(builder: PlanBuilder, node: number, time: TimeMode) {
    this.#builder = builder
    this.#node = node
    this.time = time
  }

  process(
    name: string,
    spec: UntypedProcessSpec,
  ): NodeStream | Readonly<Record<string, NodeStream>> {
    const definition = processDefinition(name, spec)
    const schema = isCodec(spec.output) ? schemaOf(spec.output) : undefined
    const builder = this.#builder
    const id = builder.add({
      kind: 'process',
      name,
      ...formerly(spec),
      inputs: this.#inputs(),
      schema,
      definition,
    })
    if (definition.outputs === undefined) return this.#stream(id)
    const streams = definition.outputs.map((output) => [
      output,
      new NodeStream(new Origin(builder, id, output, this.time)),
    ])
    return Object.freeze(Object.fromEntries(streams))
  }

  reduce(
    name: string,
    fn: (previous: Row, row: Row) => Row,
    options: ReduceOptions = {},
  ): NodeStream {
    checkFunction(fn, `the function of reduce ${JSON.stringify(name)}`)
    const value = valueSchema(options) ?? this.#builder.node(this.#node).schema
    return this.#stream(
      this.#builder.add({
        kind: 'keyed-reduce',
        name,
        ...formerly(options),
        inputs: this.#inputs(),
        schema: value,
        reduce: fn,
        value,
      }),
    )
  }

  aggregate(
    name: string,
    spec: Spec,
    options: StepOptions & { readonly emit?: 'every-change' | 'latest' } = {},
  ): NodeStream {
    const emit = options.emit ?? 'every-change'
    if (emit !== 'every-change' && emit !== 'latest') {
      throw wrongArgument(
        `emit of ${JSON.stringify(name)} is ${JSON.stringify(emit)}, expected 'every-change' or 'latest'`,
      )
    }
    return this.#stream(this.#addAggregate(name, aggregateSpec(spec, name), emit, options))
  }

  count(name: string, options: StepOptions = {}): NodeStream {
    return this.#stream(
      this.#addAggregate(name, { count: count().definition }, 'every-change', options),
    )
  }

  window(assigner: AnyWindow): WindowedNode {
    if (assigner?.time !== 'event-time' && assigner?.time !== 'processing-time') {
      throw wrongArgument(
        `window got ${typeName(assigner)}, expected tumbling(…), sliding(…), session(…) or tumblingProcessingTime(…)`,
      )
    }
    return new WindowedNode(this.#builder, this.#node, assigner, 0, 'once')
  }

  #addAggregate(
    name: string,
    aggregates: AggregateSpec,
    emit: 'every-change' | 'latest',
    options: StepOptions,
  ): number {
    return this.#builder.add({
      kind: 'keyed-aggregate',
      name,
      ...formerly(options),
      inputs: this.#inputs(),
      schema: undefined,
      aggregates,
      emit,
    })
  }

  #inputs(): readonly Input[] {
    return [{ node: this.#node, output: 'out' }]
  }

  #stream(id: number): NodeStream {
    return new NodeStream(new Origin(this.#builder, id, 'out', this.time))
  }
}

class WindowedNode {
  readonly #builder: PlanBuilder
  readonly #node: number
  readonly #assigner: AnyWindow
  readonly #latenessMs: number
  readonly #emit: WindowNode['emit']

  constructor(
    builder: PlanBuilder,
    node: number,
    assigner: AnyWindow,
    latenessMs: number,
    emit: WindowNode['emit'],
  ) {
    this.#builder = builder
    this.#node = node
    this.#assigner = assigner
    this.#latenessMs = latenessMs
    this.#emit = emit
  }

  allowedLateness(lateness: Duration): WindowedNode {
    if (this.#assigner.time === 'processing-time')
      throw wrongArgument('windows in processing time have no late records')
    const latenessMs = durationMs(lateness, 'allowedLateness', 0)
    return new WindowedNode(this.#builder, this.#node, this.#assigner, latenessMs, 'updates')
  }

  emitOnce(): WindowedNode {
    return new WindowedNode(this.#builder, this.#node, this.#assigner, this.#latenessMs, 'once')
  }

  aggregate(name: string, spec: Spec, options: StepOptions = {}): unknown {
    return this.#add(name, aggregateSpec(spec, name), options)
  }

  count(name: string, options: StepOptions & CountOptions<Row> = {}): unknown {
    const { where } = options
    return this.#add(
      name,
      { count: count(where === undefined ? {} : { where }).definition },
      options,
    )
  }

  reduce(name: string, fn: (left: Row, right: Row) => Row, options: ReduceOptions = {}): unknown {
    checkFunction(fn, `the function of reduce ${JSON.stringify(name)}`)
    const value = valueSchema(options) ?? this.#builder.node(this.#node).schema
    // `undefined` stands for "no row yet"; a slice exists only once it has a row, so it is never stored.
    const combine = (left: Row, right: Row): Row =>
      left === undefined ? right : right === undefined ? left : fn(left, right)
    const reduced = aggregate<Row, Row, Row>({
      label: 'reduce',
      create: () => undefined,
      add: combine,
      merge: combine,
      result: (current) => current,
      ...(value === undefined ? {} : { accumulator: value }),
    })
    return this.#add(name, { value: reduced.definition }, options)
  }

  #add(name: string, aggregates: AggregateSpec, options: StepOptions): unknown {
    const assigner = this.#assigner
    const builder = this.#builder
    const id = builder.add({
      kind: 'window',
      name,
      ...formerly(options),
      inputs: [{ node: this.#node, output: 'out' }],
      schema: undefined,
      window: assigner.definition,
      allowedLatenessMs: this.#latenessMs,
      emit: this.#emit,
      closeAfterQuietMs: assigner.time === 'event-time' ? assigner.closeAfterQuietMs : 0,
      aggregates,
      dropLate: undefined,
    })
    if (assigner.time === 'processing-time')
      return new NodeStream(new Origin(builder, id, 'out', 'untimed'))
    const rows = new NodeStream(new Origin(builder, id, 'out', 'event-time'))
    const results = this.#emit === 'updates' ? new NodeChanges(rows) : rows
    return Object.freeze({
      results,
      late: new NodeStream(new Origin(builder, id, 'late', 'untimed')),
      dropLate(reason: string) {
        builder.dropLate(id, reason)
        return results
      },
    })
  }
}

/** The step already emits changes; this view only keeps them from being taken for records. */
class NodeChanges {
  readonly #rows: NodeStream

  constructor(rows: NodeStream) {
    this.#rows = rows
  }

  changes(): NodeStream {
    return this.#rows
  }
}

interface Rejecting {
  readonly results: NodeStream
  readonly rejected: NodeStream
  orFail(): NodeStream
}

function rejecting(builder: PlanBuilder, id: number, time: TimeMode): Rejecting {
  const results = new NodeStream(new Origin(builder, id, 'out', time))
  return Object.freeze({
    results,
    rejected: new NodeStream(new Origin(builder, id, 'rejected', 'untimed')),
    orFail() {
      builder.failOnReject(id)
      return results
    },
  })
}

/** Typed view of the outcome of step `id`. */
export function rejectingOf<Outcome>(builder: PlanBuilder, id: number, time: TimeMode): Outcome {
  return rejecting(builder, id, time) as Outcome // rows are proven by the caller's signature
}

function formerly(options: { readonly was?: string | undefined }): { readonly was?: string } {
  return options.was === undefined ? {} : { was: options.was }
}

function rowSchema(
  options: RowOptions<Row> | undefined,
  what: string,
): Schema<unknown> | undefined {
  checkSchema(options?.row, `row of ${what}`)
  return options?.row
}

function valueSchema(options: ReduceOptions): Schema<unknown> | undefined {
  checkSchema(options.value, 'value of reduce')
  return options.value
}

function alignmentOf(asked: EventTime<never>['alignment']): Alignment | undefined {
  if (asked === undefined) return undefined
  if (typeof asked !== 'object' || asked === null)
    throw wrongArgument(`alignment is ${typeName(asked)}, expected { maxDrift }`)
  const { group = groupDefault, maxDrift } = asked
  if (typeof group !== 'string' || group === '')
    throw wrongArgument(`group of alignment is ${typeName(group)}, expected a name`)
  durationMs(maxDrift, 'maxDrift of alignment', 1)
  return { group, maxDrift }
}
