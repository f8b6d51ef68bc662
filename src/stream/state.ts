/** Typed state descriptors. Each declares how the state is stored; the handle is what `ctx.state` offers. */
import type {
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  SortedMapState,
  StateDefinition,
  StateOptions as StoredOptions,
  ValueState,
} from '../graph/process.ts'
import type { Duration } from '../base/time.ts'
import type { Schema } from '../schema/types.ts'
import { checkFunction, checkSchema, durationMs, wrongArgument } from './arguments.ts'
import type { StateDescriptor } from './process-types.ts'

/** What every kind of state may say. */
export interface StateOptions {
  /**
   * Forgets a value this long after its last write, in processing time. Expired values are never returned; their
   * memory is freed in the background. Default: kept for ever.
   */
  readonly ttl?: Duration
  /** The state's former name, when it was renamed: its values go on. */
  readonly was?: string
}

/**
 * One value per key. With `initial`, `get()` never returns `undefined`.
 *
 * @example
 * ```ts
 * import { int, type KeyedStream, text, valueState } from 'tidemill'
 * declare const words: KeyedStream<string, string>
 * words.process('changes', {
 *   state: { seen: valueState(int, { initial: 0 }), last: valueState(text) },
 *   output: int,
 *   onRecord(word, ctx) {
 *     if (ctx.state.last.get() === word) return // string | undefined: it has no initial value
 *     ctx.state.last.set(word)
 *     ctx.state.seen.set(ctx.state.seen.get() + 1)
 *     ctx.emit(ctx.state.seen.get())
 *   },
 * })
 * ```
 * @since 0.1.0
 * @stability experimental
 */
export function valueState<Value>(
  schema: Schema<Value>,
  options: StateOptions & { readonly initial: NoInfer<Value> },
): StateDescriptor<ValueState<Value>>
export function valueState<Value>(
  schema: Schema<Value>,
  options?: StateOptions,
): StateDescriptor<ValueState<Value | undefined>>
export function valueState<Value>(
  schema: Schema<Value>,
  options: StateOptions & { readonly initial?: Value } = {},
): StateDescriptor<ValueState<Value | undefined>> {
  const value = stored(schema, 'valueState')
  const initial: unknown = options.initial
  if (initial !== undefined) {
    const problem = schema.check(initial)
    if (problem !== undefined)
      throw wrongArgument(`initial of valueState does not fit its schema: ${problem}`)
  }
  return descriptor({ kind: 'value', value, initial, options: storedOptions(options) })
}

/**
 * A list of items per key, in the order they were added. Reading all of it costs its length: for large collections
 * with lookups take {@link mapState} or {@link sortedMapState}.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function listState<Item>(
  item: Schema<Item>,
  options: StateOptions = {},
): StateDescriptor<ListState<Item>> {
  return descriptor({
    kind: 'list',
    item: stored(item, 'listState'),
    options: storedOptions(options),
  })
}

/**
 * A map per key; each entry is stored, read and expired by itself.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function mapState<MapKey, Value>(
  key: Schema<MapKey>,
  value: Schema<Value>,
  options: StateOptions = {},
): StateDescriptor<MapState<MapKey, Value>> {
  return descriptor({
    kind: 'map',
    key: stored(key, 'the key of mapState'),
    value: stored(value, 'mapState'),
    options: storedOptions(options),
  })
}

/**
 * A map per key whose entries are in ascending order of their keys, for ranges such as "everything before this time".
 *
 * @since 0.1.0
 * @stability experimental
 */
export function sortedMapState<MapKey, Value>(
  key: Schema<MapKey>,
  value: Schema<Value>,
  options: StateOptions = {},
): StateDescriptor<SortedMapState<MapKey, Value>> {
  return descriptor({
    kind: 'sorted-map',
    key: stored(key, 'the key of sortedMapState'),
    value: stored(value, 'sortedMapState'),
    options: storedOptions(options),
  })
}

/**
 * One value per key to which others are added: `add(x)` stores `reduce(value, x)`, or `x` when there is none.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function reducingState<Value>(
  value: Schema<Value>,
  reduce: (left: Value, right: Value) => Value,
  options: StateOptions = {},
): StateDescriptor<ReducingState<Value>> {
  checkFunction(reduce, 'the second argument of reducingState')
  return descriptor({
    kind: 'reducing',
    value: stored(value, 'reducingState'),
    reduce: reduce as (left: unknown, right: unknown) => unknown, // only values of `value` reach it
    options: storedOptions(options),
  })
}

/** How an aggregating state grows and what it shows. */
export interface AggregatingFunctions<Value, Accumulator, Result> {
  create(): Accumulator
  add(accumulator: Accumulator, value: Value): Accumulator
  result(accumulator: Accumulator): Result
}

/**
 * An accumulator per key to which values are added, and which shows a result of another type.
 *
 * @since 0.1.0
 * @stability experimental
 */
export function aggregatingState<Value, Accumulator, Result>(
  accumulator: Schema<Accumulator>,
  functions: AggregatingFunctions<Value, NoInfer<Accumulator>, Result>,
  options: StateOptions = {},
): StateDescriptor<AggregatingState<Value, Result>> {
  for (const name of ['create', 'add', 'result'] as const) {
    checkFunction(functions[name], `${name} of aggregatingState`)
  }
  return descriptor({
    kind: 'aggregating',
    accumulator: stored(accumulator, 'aggregatingState'),
    create: () => functions.create(),
    add: (current, value) => functions.add(current as Accumulator, value as Value), // as stored above
    result: (current) => functions.result(current as Accumulator),
    options: storedOptions(options),
  })
}

function descriptor<Handle>(definition: StateDefinition): StateDescriptor<Handle> {
  return Object.freeze({ definition: Object.freeze(definition) })
}

function stored<Value>(schema: Schema<Value>, what: string): Schema<unknown> {
  if (schema === undefined)
    throw wrongArgument(`${what} needs a schema: state outlives the code that wrote it`)
  checkSchema(schema, `the schema of ${what}`)
  return schema as Schema<unknown> // only values of this schema reach it
}

function storedOptions(options: StateOptions): StoredOptions {
  if (options.ttl !== undefined) durationMs(options.ttl, 'ttl of a state', 1)
  return Object.freeze({
    ...(options.ttl === undefined ? {} : { ttl: options.ttl }),
    ...(options.was === undefined ? {} : { was: options.was }),
  })
}
