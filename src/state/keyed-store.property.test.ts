/** The store against plain Maps: random operations, freezes, restores, rollbacks, splits by key group. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type {
  AggregatingState,
  ListState,
  MapState,
  ReducingState,
  SortedMapState,
  StateDefinition,
  ValueState,
} from '../graph/process.ts'
import { compareKeys, keyBytes } from '../schema/key.ts'
import { list } from '../schema/collections.ts'
import { bool, float, int, literals, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import type { Key, Schema } from '../schema/types.ts'
import type { FrozenState, KeyGroupRange, SnapshotBlock } from './contract.ts'
import { openKeyedStore } from './keyed-store.ts'
import type { KeyedStore } from './keyed-store-contract.ts'

const point = struct('point', {
  x: field(2, int),
  y: field(1, float),
  on: field(3, bool),
  color: field(4, literals('red', 'blue')),
})
const row = struct('row', { name: field(1, text), tags: field(2, list(text)) })
const any = <Value>(schema: Schema<Value>): Schema<unknown> => schema as unknown as Schema<unknown>

const states: Readonly<Record<string, StateDefinition>> = {
  count: { kind: 'value', value: any(int), initial: 0, options: {} },
  point: { kind: 'value', value: any(point), initial: undefined, options: {} },
  row: { kind: 'value', value: any(row), initial: undefined, options: {} },
  items: { kind: 'list', item: any(row), options: {} },
  byName: { kind: 'map', key: any(text), value: any(int), options: {} },
  byRow: { kind: 'map', key: any(row), value: any(int), options: {} },
  sorted: { kind: 'sorted-map', key: any(int), value: any(text), options: {} },
  max: {
    kind: 'reducing',
    value: any(float),
    reduce: (a, b) => Math.max(a as number, b as number),
    options: {},
  },
  mean: {
    kind: 'aggregating',
    accumulator: any(struct('sum', { sum: field(1, float), n: field(2, int) })),
    create: () => ({ sum: 0, n: 0 }),
    add: (acc, value) => {
      const { sum, n } = acc as { sum: number; n: number }
      return { sum: sum + (value as number), n: n + 1 }
    },
    result: (acc) =>
      (acc as { sum: number; n: number }).sum / (acc as { sum: number; n: number }).n,
    options: {},
  },
}
const timers = { idle: 'event-time', due: 'event-time', poll: 'processing-time' } as const
const whole: KeyGroupRange = { first: 0, end: 8, total: 8 }

const open = (range: KeyGroupRange = whole): KeyedStore =>
  openKeyedStore({ operator: 'step', states, timers, range, processingTimeNow: () => 0 })

/** Everything that the public interface shows of one key. */
interface Seen {
  count: number
  point: unknown
  row: unknown
  items: readonly unknown[]
  byName: readonly (readonly [string, number])[]
  byRow: readonly (readonly [unknown, number])[]
  sorted: readonly (readonly [number, string])[]
  max: number | undefined
  sum: number
  n: number
  timers: Record<string, number>
}

const empty = (): Seen => ({
  count: 0,
  point: undefined,
  row: undefined,
  items: [],
  byName: [],
  byRow: [],
  sorted: [],
  max: undefined,
  sum: 0,
  n: 0,
  timers: {},
})

const makeRow = (n: number): { name: string; tags: string[] } => ({
  name: `row ${n % 5}`,
  tags: n % 2 === 0 ? [] : ['a', `${n % 3}`],
})
const makePoint = (n: number): unknown => ({
  x: n,
  y: n / 3,
  on: n % 2 === 0,
  color: n % 3 === 0 ? 'red' : 'blue',
})

type Model = Map<string, { key: Key; seen: Seen }>

/** Operations whose pictures and rollbacks depend on what came before them. */
const often = [
  'name',
  'name-',
  'byRow',
  'byRow-',
  'sort',
  'sort',
  'sort-',
  'item',
  'name',
  'byRow',
  'item',
  'sort',
] as const

interface Op {
  readonly key: Key
  readonly kind: (typeof kinds)[number]
  readonly n: number
}
const kinds = [
  'count',
  'count0',
  'point',
  'point0',
  'row',
  'row0',
  'item',
  'items0',
  'name',
  'name-',
  'names0',
  'byRow',
  'byRow-',
  'sort',
  'sort-',
  'sortBefore',
  'sort0',
  'max',
  'max0',
  'mean',
  'mean0',
  'idle',
  'idle0',
  'due',
  'due0',
  'poll',
  'poll0',
] as const

function upsert<K, V>(
  entries: readonly (readonly [K, V])[],
  key: K,
  value: V,
): readonly (readonly [K, V])[] {
  const id = JSON.stringify(key)
  const at = entries.findIndex(([other]) => JSON.stringify(other) === id)
  return at < 0
    ? [...entries, [key, value] as const]
    : entries.map((entry, i) => (i === at ? ([key, value] as const) : entry))
}

function apply(store: KeyedStore, model: Model, { key, kind, n }: Op): void {
  const id = keyBytes(key).join()
  let entry = model.get(id)
  if (entry === undefined) {
    entry = { key, seen: empty() }
    model.set(id, entry)
  }
  const { seen } = entry
  store.setKey(key)
  const h = store.handles
  const sorted = (): void => {
    seen.sorted = [...seen.sorted].sort(([a], [b]) => a - b)
  }
  switch (kind) {
    case 'count':
      ;(h['count'] as ValueState<number>).set(n)
      seen.count = n
      break
    case 'count0':
      ;(h['count'] as ValueState<number>).clear()
      seen.count = 0
      break
    case 'point':
      ;(h['point'] as ValueState<unknown>).set(makePoint(n) as object)
      seen.point = makePoint(n)
      break
    case 'point0':
      ;(h['point'] as ValueState<unknown>).clear()
      seen.point = undefined
      break
    case 'row':
      ;(h['row'] as ValueState<unknown>).set(makeRow(n))
      seen.row = makeRow(n)
      break
    case 'row0':
      ;(h['row'] as ValueState<unknown>).clear()
      seen.row = undefined
      break
    case 'item':
      ;(h['items'] as ListState<unknown>).add(makeRow(n))
      seen.items = [...seen.items, makeRow(n)]
      break
    case 'items0':
      ;(h['items'] as ListState<unknown>).clear()
      seen.items = []
      break
    case 'name':
      ;(h['byName'] as MapState<string, number>).set(`${n % 6}`, n)
      seen.byName = upsert(seen.byName, `${n % 6}`, n)
      break
    case 'name-':
      ;(h['byName'] as MapState<string, number>).delete(`${n % 6}`)
      seen.byName = seen.byName.filter(([k]) => k !== `${n % 6}`)
      break
    case 'names0':
      ;(h['byName'] as MapState<string, number>).clear()
      seen.byName = []
      break
    case 'byRow':
      ;(h['byRow'] as MapState<unknown, number>).set(makeRow(n), n)
      seen.byRow = upsert(seen.byRow, makeRow(n) as unknown, n)
      break
    case 'byRow-': {
      ;(h['byRow'] as MapState<unknown, number>).delete(makeRow(n))
      seen.byRow = seen.byRow.filter(([k]) => JSON.stringify(k) !== JSON.stringify(makeRow(n)))
      break
    }
    case 'sort':
      ;(h['sorted'] as SortedMapState<number, string>).set(n % 20, `${n}`)
      seen.sorted = upsert(seen.sorted, n % 20, `${n}`)
      sorted()
      break
    case 'sort-':
      ;(h['sorted'] as SortedMapState<number, string>).delete(n % 20)
      seen.sorted = seen.sorted.filter(([k]) => k !== n % 20)
      break
    case 'sortBefore':
      ;(h['sorted'] as SortedMapState<number, string>).deleteBefore(n % 20)
      seen.sorted = seen.sorted.filter(([k]) => k >= n % 20)
      break
    case 'sort0':
      ;(h['sorted'] as SortedMapState<number, string>).clear()
      seen.sorted = []
      break
    case 'max':
      ;(h['max'] as ReducingState<number>).add(n)
      seen.max = Math.max(seen.max ?? n, n)
      break
    case 'max0':
      ;(h['max'] as ReducingState<number>).clear()
      seen.max = undefined
      break
    case 'mean':
      ;(h['mean'] as AggregatingState<number, number>).add(n)
      seen.sum += n
      seen.n++
      break
    case 'mean0':
      ;(h['mean'] as AggregatingState<number, number>).clear()
      seen.sum = 0
      seen.n = 0
      break
    default: {
      const name = kind.replace('0', '')
      if (kind.endsWith('0')) {
        store.timers[name]!.clear()
        delete seen.timers[name]
      } else {
        store.timers[name]!.setAt(n * 50)
        seen.timers[name] = n * 50
      }
    }
  }
}

function look(store: KeyedStore, key: Key): Seen {
  store.setKey(key)
  const h = store.handles
  const mean = h['mean'] as AggregatingState<number, number>
  const at: Record<string, number> = {}
  for (const name of Object.keys(timers)) {
    const due = store.timers[name]!.at()
    if (due !== undefined) at[name] = due
  }
  const sortedMap = h['sorted'] as SortedMapState<number, string>
  const entries = [...sortedMap.entries()]
  expect(sortedMap.first()).toEqual(entries[0])
  expect(sortedMap.last()).toEqual(entries[entries.length - 1])
  expect(sortedMap.size).toBe(entries.length)
  for (const [k, v] of entries) expect(sortedMap.get(k)).toBe(v)
  expect([...sortedMap.range(5, 12)]).toEqual(entries.filter(([k]) => k >= 5 && k < 12))
  expect((h['items'] as ListState<unknown>).length).toBe(
    (h['items'] as ListState<unknown>).all().length,
  )
  return {
    count: (h['count'] as ValueState<number>).get(),
    point: (h['point'] as ValueState<unknown>).get(),
    row: (h['row'] as ValueState<unknown>).get(),
    items: (h['items'] as ListState<unknown>).all(),
    byName: [...(h['byName'] as MapState<string, number>).entries()],
    byRow: [...(h['byRow'] as MapState<unknown, number>).entries()],
    sorted: entries,
    max: (h['max'] as ReducingState<number>).get(),
    sum: mean.get() ?? 0,
    n: mean.get() === undefined ? 0 : 1,
    timers: at,
  }
}

function expectEqual(store: KeyedStore, model: Model): void {
  let held = 0
  for (const { key, seen } of model.values()) {
    const wanted = { ...seen, sum: seen.n === 0 ? 0 : seen.sum / seen.n, n: seen.n === 0 ? 0 : 1 }
    expect(look(store, key)).toEqual(wanted)
    if (JSON.stringify(seen) !== JSON.stringify(empty()) || seen.count !== 0) held++
  }
  store.setKey('no such key')
  // A key whose count was set to 0 holds that 0, so there may be more keys than the model can tell.
  expect(store.counts().keys).toBeGreaterThanOrEqual(held)
  expect(store.counts().keys).toBeLessThanOrEqual(model.size)
}

const copyModel = (model: Model): Model =>
  new Map([...model].map(([id, { key, seen }]) => [id, { key, seen: structuredClone(seen) }]))

function drain(picture: FrozenState, budget: number): SnapshotBlock[] {
  const blocks: SnapshotBlock[] = []
  for (let more = picture.next(budget); more !== undefined; more = picture.next(budget)) {
    for (const block of more) blocks.push({ ...block, bytes: block.bytes.slice() })
  }
  return blocks
}

function fireAll(
  store: KeyedStore,
  model: Model,
  kind: 'event-time' | 'processing-time',
  upto: number,
): void {
  const names = Object.keys(timers).filter((name) => timers[name as keyof typeof timers] === kind)
  const wanted: { key: Key; name: string; at: number }[] = []
  for (const { key, seen } of model.values()) {
    for (const name of names) {
      const at = seen.timers[name]
      if (at === undefined) continue
      expect(store.nextDue(kind)).toBeLessThanOrEqual(at)
      if (at <= upto) {
        wanted.push({ key, name, at })
        delete seen.timers[name]
      }
    }
  }
  wanted.sort((a, b) => a.at - b.at || compareKeys(a.key, b.key) || (a.name < b.name ? -1 : 1))
  const got: typeof wanted = []
  for (let due = store.takeDue(kind, upto); due !== undefined; due = store.takeDue(kind, upto)) {
    got.push({ key: store.key!, name: due.name, at: due.at })
  }
  expect(got).toEqual(wanted)
}

const key: fc.Arbitrary<Key> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 2 }) },
  { weight: 3, arbitrary: fc.constantFrom<Key>('a', ['x', 1]) },
  { weight: 1, arbitrary: fc.constantFrom<Key>(true, 1n, 0.5, ['x', 2], 'b', 7, 8) },
)
const op = fc.record({ key, kind: fc.constantFrom(...kinds, ...often), n: fc.nat(60) })

it('equals plain Maps, and a picture is the store at the moment of the freeze', () => {
  const step = fc.oneof(
    { weight: 40, arbitrary: op.map((one) => ({ step: 'op' as const, ...one })) },
    {
      weight: 4,
      arbitrary: fc.record({
        step: fc.constant('rolled back' as const),
        ops: fc.array(op, { maxLength: 12 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant('kept' as const),
        ops: fc.array(op, { maxLength: 8 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ step: fc.constant('freeze' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ step: fc.constant('next' as const), budget: fc.nat(300) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        step: fc.constant('fire' as const),
        upto: fc.nat(3_000),
        kind: fc.constantFrom('event-time' as const, 'processing-time' as const),
      }),
    },
  )
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 250 }), (steps) => {
      const store = open()
      const model: Model = new Map()
      let picture: { state: FrozenState; model: Model; blocks: SnapshotBlock[] } | undefined
      const finish = (): void => {
        if (picture === undefined) return
        picture.blocks.push(...drain(picture.state, 300))
        const halves = [open({ first: 0, end: 3, total: 8 }), open({ first: 3, end: 8, total: 8 })]
        for (const half of halves) for (const block of picture.blocks) half.restore(block)
        const all = open()
        for (const block of picture.blocks) all.restore(block)
        expectEqual(all, picture.model)
        expect(halves[0]!.counts().keys + halves[1]!.counts().keys).toBe(all.counts().keys)
        fireAll(all, copyModel(picture.model), 'event-time', Number.POSITIVE_INFINITY)
        picture = undefined
      }
      for (const one of steps) {
        if (one.step === 'op') apply(store, model, one)
        else if (one.step === 'fire') fireAll(store, model, one.kind, one.upto)
        else if (one.step === 'freeze') {
          finish()
          picture = { state: store.freeze(), model: copyModel(model), blocks: [] }
        } else if (one.step === 'next' && picture !== undefined) {
          for (const block of picture.state.next(one.budget) ?? [])
            picture.blocks.push({ ...block, bytes: block.bytes.slice() })
        } else if (one.step === 'kept') {
          store.mark()
          for (const inner of one.ops) apply(store, model, inner)
          store.release()
        } else if (one.step === 'rolled back') {
          const before = copyModel(model)
          store.mark()
          for (const inner of one.ops) apply(store, model, inner)
          store.rollback()
          for (const [id, { key: k }] of model)
            if (!before.has(id)) before.set(id, { key: k, seen: empty() })
          model.clear()
          for (const [id, entry] of before) model.set(id, entry)
        }
      }
      expectEqual(store, model)
      finish()
      for (const { key: k } of model.values()) {
        store.setKey(k)
        for (const handle of Object.values(store.handles)) handle.clear()
        for (const timer of Object.values(store.timers)) timer.clear()
      }
      store.setKey('no such key')
      expect(store.counts()).toMatchObject({ keys: 0, entries: 0, timers: 0 })
      expect(store.nextDue('event-time')).toBe(Number.POSITIVE_INFINITY)
    }),
    { numRuns: 80 },
  )
})

it('refuses damaged blocks with a coded error, or reads something that is well formed', () => {
  const store = open()
  const model: Model = new Map()
  for (let n = 0; n < 60; n++)
    for (const kind of kinds)
      if (!/[0-]$|Before/.test(kind)) apply(store, model, { key: n % 11, kind, n })
  const blocks = drain(store.freeze(), 1 << 20)
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (which, where, change, cut) => {
        const block = blocks[which % blocks.length]!
        const bytes = block.bytes.slice(0, cut ? where % block.bytes.length : undefined)
        if (!cut) bytes[where % bytes.length]! ^= change
        try {
          open().restore({ ...block, bytes })
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^TM14/)
        }
      },
    ),
    { numRuns: 800 },
  )
})
