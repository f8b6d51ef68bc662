/** The objects that user code holds: each acts on one declared state of the current key. */
import type {
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  SortedMapState,
  StateDefinition,
  ValueState,
} from '../graph/process.ts'
import type { StoreCore, ValueColumn } from './column.ts'
import { ownFor } from './complaints.ts'
import type { StateHandle } from './keyed-store-contract.ts'
import type { ListColumn } from './list-column.ts'
import type { MapColumn } from './map-column.ts'
import type { SortedColumn } from './sorted-column.ts'

/** The handle of state number `index`, whose column is made from the same definition. */
export function handleOf(
  core: StoreCore,
  name: string,
  index: number,
  definition: StateDefinition,
): StateHandle {
  switch (definition.kind) {
    case 'value':
      return new ValueHandle(core, index, initialOf(core, name, definition))
    case 'list':
      return new ListHandle(core, index)
    case 'map':
      return new MapHandle(core, index)
    case 'sorted-map':
      return new SortedMapHandle(core, index)
    case 'reducing':
      return new ReducingHandle(core, index, definition.reduce)
    case 'aggregating':
      return new AggregatingHandle(core, index, definition)
  }
}

function initialOf(
  core: StoreCore,
  name: string,
  definition: StateDefinition & { readonly kind: 'value' },
): unknown {
  return definition.initial === undefined
    ? undefined
    : ownFor(core, name, definition.value, definition.initial, ' (initial)')
}

/** Where a handle's values lie. The casts say what {@link handleOf} and the store's columns agree on. */
abstract class Handle<OfColumn> {
  protected readonly core: StoreCore
  protected readonly index: number

  constructor(core: StoreCore, index: number) {
    this.core = core
    this.index = index
  }

  protected column(): OfColumn {
    return this.core.shard.columns[this.index] as OfColumn
  }
}

class ValueHandle extends Handle<ValueColumn> implements ValueState<unknown> {
  private readonly initial: unknown

  constructor(core: StoreCore, index: number, initial: unknown) {
    super(core, index)
    this.initial = initial
  }

  get(): unknown {
    const { slot } = this.core
    if (slot < 0) return this.initial
    const value = this.column().get(slot)
    return value === undefined ? this.initial : value
  }

  set(value: unknown): void {
    const slot = this.core.writeSlot()
    this.column().set(slot, value)
  }

  clear(): void {
    if (this.core.slot >= 0) this.column().remove(this.core.writeSlot())
  }
}

class ReducingHandle extends Handle<ValueColumn> implements ReducingState<unknown> {
  private readonly reduce: (left: unknown, right: unknown) => unknown

  constructor(core: StoreCore, index: number, reduce: (left: unknown, right: unknown) => unknown) {
    super(core, index)
    this.reduce = reduce
  }

  get(): unknown {
    return this.core.slot < 0 ? undefined : this.column().get(this.core.slot)
  }

  add(value: unknown): void {
    const old = this.get()
    const next = old === undefined ? value : this.reduce(old, value)
    const slot = this.core.writeSlot()
    this.column().set(slot, next)
  }

  clear(): void {
    if (this.core.slot >= 0) this.column().remove(this.core.writeSlot())
  }
}

class AggregatingHandle extends Handle<ValueColumn> implements AggregatingState<unknown, unknown> {
  private readonly definition: StateDefinition & { readonly kind: 'aggregating' }

  constructor(
    core: StoreCore,
    index: number,
    definition: StateDefinition & { readonly kind: 'aggregating' },
  ) {
    super(core, index)
    this.definition = definition
  }

  get(): unknown {
    const accumulator = this.core.slot < 0 ? undefined : this.column().get(this.core.slot)
    return accumulator === undefined ? undefined : this.definition.result(accumulator)
  }

  add(value: unknown): void {
    const old = this.core.slot < 0 ? undefined : this.column().get(this.core.slot)
    const next = this.definition.add(old === undefined ? this.definition.create() : old, value)
    const slot = this.core.writeSlot()
    this.column().set(slot, next)
  }

  clear(): void {
    if (this.core.slot >= 0) this.column().remove(this.core.writeSlot())
  }
}

class ListHandle extends Handle<ListColumn> implements ListState<unknown> {
  add(item: unknown): void {
    const slot = this.core.writeSlot()
    this.column().add(slot, item)
  }

  all(): readonly unknown[] {
    return this.core.slot < 0 ? [] : this.column().listAt(this.core.slot).slice()
  }

  get length(): number {
    return this.core.slot < 0 ? 0 : this.column().listAt(this.core.slot).length
  }

  clear(): void {
    if (this.core.slot >= 0) this.column().remove(this.core.writeSlot())
  }
}

/** Iteration goes over a copy of the references, so that it does not depend on what is written meanwhile. */
class MapHandle extends Handle<MapColumn> implements MapState<unknown, unknown> {
  get(key: unknown): unknown {
    return this.core.slot < 0 ? undefined : this.column().get(this.core.slot, key)?.value
  }

  set(key: unknown, value: unknown): void {
    const slot = this.core.writeSlot()
    this.column().set(slot, key, value)
  }

  has(key: unknown): boolean {
    return this.core.slot >= 0 && this.column().get(this.core.slot, key) !== undefined
  }

  delete(key: unknown): void {
    if (this.core.slot >= 0) this.column().delete(this.core.writeSlot(), key)
  }

  get size(): number {
    return this.core.slot < 0 ? 0 : this.column().size(this.core.slot)
  }

  keys(): Iterable<unknown> {
    return this.core.slot < 0
      ? []
      : this.column()
          .list(this.core.slot)
          .map((entry) => entry.key)
  }

  values(): Iterable<unknown> {
    return this.core.slot < 0
      ? []
      : this.column()
          .list(this.core.slot)
          .map((entry) => entry.value)
  }

  entries(): Iterable<readonly [unknown, unknown]> {
    if (this.core.slot < 0) return []
    return this.column()
      .list(this.core.slot)
      .map((entry) => [entry.key, entry.value] as const)
  }

  clear(): void {
    if (this.core.slot >= 0) this.column().remove(this.core.writeSlot())
  }
}

class SortedMapHandle extends Handle<SortedColumn> implements SortedMapState<unknown, unknown> {
  get(key: unknown): unknown {
    return this.core.slot < 0 ? undefined : this.column().get(this.core.slot, key)?.value
  }

  set(key: unknown, value: unknown): void {
    const slot = this.core.writeSlot()
    this.column().set(slot, key, value)
  }

  has(key: unknown): boolean {
    return this.core.slot >= 0 && this.column().get(this.core.slot, key) !== undefined
  }

  delete(key: unknown): void {
    if (this.core.slot >= 0) this.column().delete(this.core.writeSlot(), key)
  }

  deleteBefore(to: unknown): void {
    if (this.core.slot >= 0) this.column().deleteBefore(this.core.writeSlot(), to)
  }

  get size(): number {
    return this.core.slot < 0 ? 0 : this.column().size(this.core.slot)
  }

  keys(): Iterable<unknown> {
    return this.range().map(([key]) => key)
  }

  values(): Iterable<unknown> {
    return this.range().map(([, value]) => value)
  }

  entries(): Iterable<readonly [unknown, unknown]> {
    return this.range()
  }

  range(from?: unknown, to?: unknown): readonly (readonly [unknown, unknown])[] {
    return this.core.slot < 0 ? [] : this.column().range(this.core.slot, from, to)
  }

  first(): readonly [unknown, unknown] | undefined {
    return this.core.slot < 0 ? undefined : this.column().edge(this.core.slot, 1)
  }

  last(): readonly [unknown, unknown] | undefined {
    return this.core.slot < 0 ? undefined : this.column().edge(this.core.slot, -1)
  }

  clear(): void {
    if (this.core.slot >= 0) this.column().remove(this.core.writeSlot())
  }
}
