import { describe, expect, it } from 'vitest'
import { forbidCodeGeneration } from '../base/codegen.ts'
import { isTidemillError } from '../base/errors.ts'
import { minutes } from '../base/time.ts'
import type {
  ListState,
  MapState,
  SortedMapState,
  StateDefinition,
  ValueState,
} from '../graph/process.ts'
import { list } from '../schema/collections.ts'
import { decimal, float, int, literals, text } from '../schema/scalars.ts'
import { field, struct } from '../schema/struct.ts'
import type { Key, Schema } from '../schema/types.ts'
import type { FrozenState, SnapshotBlock } from './contract.ts'
import { openKeyedStore } from './keyed-store.ts'
import type { KeyedStore, KeyedStoreOptions, LimitWarning } from './keyed-store-contract.ts'

const any = <Value>(schema: Schema<Value>): Schema<unknown> => schema as unknown as Schema<unknown>
const value = (
  schema: Schema<never>,
  options: StateDefinition['options'] = {},
  initial?: unknown,
): StateDefinition => ({
  kind: 'value',
  value: any(schema),
  initial,
  options,
})
const of = <Value>(schema: Schema<Value>): Schema<never> => schema as unknown as Schema<never>

function open(options: Partial<KeyedStoreOptions>): KeyedStore {
  return openKeyedStore({
    operator: 'step',
    states: {},
    timers: {},
    range: { first: 0, end: 4, total: 4 },
    processingTimeNow: () => 0,
    ...options,
  })
}

function drain(picture: FrozenState): SnapshotBlock[] {
  const blocks: SnapshotBlock[] = []
  for (let more = picture.next(500); more !== undefined; more = picture.next(500)) {
    for (const block of more) blocks.push({ ...block, bytes: block.bytes.slice() })
  }
  return blocks
}

function codeOf(run: () => void): string {
  try {
    run()
  } catch (error) {
    if (isTidemillError(error))
      return `${error.code} ${error.message} ${JSON.stringify(error.details)}`
    throw error
  }
  return 'nothing thrown'
}

const number = (store: KeyedStore, name: string): ValueState<number> =>
  store.handles[name] as ValueState<number>

describe('values', () => {
  it('returns the initial value until something is written, and again after clear', () => {
    const store = open({ states: { seen: value(of(int), {}, 7) } })
    store.setKey('a')
    expect(number(store, 'seen').get()).toBe(7)
    number(store, 'seen').set(1)
    store.setKey('b')
    expect(number(store, 'seen').get()).toBe(7)
    store.setKey('a')
    expect(number(store, 'seen').get()).toBe(1)
    number(store, 'seen').clear()
    expect(number(store, 'seen').get()).toBe(7)
    store.setKey('b')
    expect(store.counts().keys).toBe(0)
  })

  it('cannot be changed behind its back', () => {
    const row = struct('row', { tags: field(1, list(text)) })
    const store = open({
      states: { row: value(of(row)), items: { kind: 'list', item: any(row), options: {} } },
    })
    store.setKey(1)
    const mine = { tags: ['a'] }
    const rows = store.handles['row'] as ValueState<{ tags: string[] }>
    rows.set(mine)
    mine.tags.push('b')
    expect(rows.get()).toEqual({ tags: ['a'] })
    expect(() => rows.get().tags.push('c')).toThrow(TypeError)
    const items = store.handles['items'] as ListState<unknown>
    items.add(mine)
    ;(items.all() as unknown[]).push('other')
    expect(items.all()).toEqual([{ tags: ['a', 'b'] }])
  })

  it('names step, state and key when a value does not fit, and keeps the old one', () => {
    const store = open({
      states: { n: value(of(int)), row: value(of(struct('p', { x: field(1, float) }))) },
    })
    store.setKey(['shop', 3])
    number(store, 'n').set(1)
    expect(codeOf(() => number(store, 'n').set(1.5))).toMatch(
      /^TM1401 .*state "n".*1\.5.*"operator":"step".*\[\\"shop\\", 3\]/,
    )
    expect(codeOf(() => (store.handles['row'] as ValueState<unknown>).set({ x: '1' }))).toMatch(
      /^TM1401 .*x: expected a number/,
    )
    expect(number(store, 'n').get()).toBe(1)
  })

  it('works the same without code generation', () => {
    forbidCodeGeneration(true)
    try {
      const row = struct('row', { a: field(2, int), b: field(1, literals('x', 'y')) })
      const store = open({ states: { row: value(of(row)) } })
      const handle = store.handles['row'] as ValueState<unknown>
      store.setKey(1)
      handle.set({ a: 1, b: 'y' })
      expect(handle.get()).toEqual({ a: 1, b: 'y' })
      expect(Object.keys(handle.get() as object)).toEqual(['a', 'b'])
      expect(codeOf(() => handle.set({ a: 1, b: 'z' }))).toMatch(/^TM1401/)
    } finally {
      forbidCodeGeneration(false)
    }
  })
})

describe('time to live', () => {
  const states: Record<string, StateDefinition> = {
    n: value(of(int), { ttl: minutes(1) }, 0),
    name: value(of(text), { ttl: minutes(1) }),
    items: { kind: 'list', item: any(int), options: { ttl: minutes(1) } },
    map: { kind: 'map', key: any(text), value: any(int), options: { ttl: minutes(1) } },
    sorted: { kind: 'sorted-map', key: any(int), value: any(int), options: { ttl: minutes(1) } },
  }

  it('never shows what expired, leaves it out of pictures and sweeps it', () => {
    let now = 1_000
    const store = open({ states, processingTimeNow: () => now })
    for (const key of ['a', 'b']) {
      store.setKey(key)
      number(store, 'n').set(1)
      ;(store.handles['name'] as ValueState<string>).set('x')
      ;(store.handles['items'] as ListState<number>).add(1)
      ;(store.handles['map'] as MapState<string, number>).set('k', 1)
      ;(store.handles['sorted'] as SortedMapState<number, number>).set(1, 1)
    }
    now += 59_999
    store.setKey('a')
    expect(number(store, 'n').get()).toBe(1)
    ;(store.handles['map'] as MapState<string, number>).set('young', 2)
    now += 1
    expect(number(store, 'n').get()).toBe(0)
    expect((store.handles['name'] as ValueState<string>).get()).toBeUndefined()
    expect((store.handles['items'] as ListState<number>).all()).toEqual([])
    expect([...(store.handles['map'] as MapState<string, number>).entries()]).toEqual([
      ['young', 2],
    ])
    expect((store.handles['map'] as MapState<string, number>).size).toBe(1)
    expect((store.handles['sorted'] as SortedMapState<number, number>).first()).toBeUndefined()
    const copy = open({ states, processingTimeNow: () => now })
    for (const block of drain(store.freeze())) copy.restore(block)
    expect(copy.counts()).toMatchObject({ keys: 1, entries: 1 })
    store.setKey('c')
    expect(store.sweepExpired(1_000)).toBe(10)
    expect(store.counts()).toMatchObject({ keys: 1, entries: 1, expired: 10 })
  })
})

describe('pictures', () => {
  const states: Record<string, StateDefinition> = {
    n: value(of(int)),
    name: value(of(text)),
    items: { kind: 'list', item: any(int), options: {} },
    map: { kind: 'map', key: any(int), value: any(text), options: {} },
    sorted: { kind: 'sorted-map', key: any(int), value: any(int), options: {} },
  }

  it('hold thousands of keys as they were, while keys come, change and go', () => {
    const store = open({ states, timers: { t: 'event-time' } })
    const put = (key: Key, n: number): void => {
      store.setKey(key)
      number(store, 'n').set(n)
      ;(store.handles['name'] as ValueState<string>).set(`name ${n}`)
      store.timers['t']!.setAt(n)
    }
    for (let n = 0; n < 3_000; n++) put(n % 3 === 0 ? `key ${n}` : n, n)
    const picture = store.freeze()
    const blocks: SnapshotBlock[] = []
    let random = 7
    for (let more = picture.next(3_000); more !== undefined; more = picture.next(3_000)) {
      for (const block of more) blocks.push({ ...block, bytes: block.bytes.slice() })
      for (let i = 0; i < 50; i++) {
        random = (Math.imul(random, 1103515245) + 12345) >>> 0
        const n = random % 3_000
        if (i % 3 === 0) {
          store.setKey(n % 3 === 0 ? `key ${n}` : n)
          number(store, 'n').clear()
          ;(store.handles['name'] as ValueState<string>).clear()
          store.timers['t']!.clear()
        } else put(i % 3 === 1 ? `new ${random % 500}` : n, -random)
      }
    }
    const copy = open({ states, timers: { t: 'event-time' } })
    for (const block of blocks) copy.restore(block)
    expect(copy.counts()).toMatchObject({ keys: 3_000, entries: 6_000, timers: 3_000 })
    let wrong = 0
    for (let n = 0; n < 3_000; n++) {
      copy.setKey(n % 3 === 0 ? `key ${n}` : n)
      if (number(copy, 'n').get() !== n || copy.timers['t']!.at() !== n) wrong++
      if ((copy.handles['name'] as ValueState<string>).get() !== `name ${n}`) wrong++
    }
    expect(wrong).toBe(0)
  })

  it('write large collections in parts', () => {
    const store = open({ states })
    store.setKey('big')
    const items = store.handles['items'] as ListState<number>
    const map = store.handles['map'] as MapState<number, string>
    const sorted = store.handles['sorted'] as SortedMapState<number, number>
    for (let n = 0; n < 2_000; n++) {
      items.add(n)
      map.set(n * 7, `${n}`)
      sorted.set(n, n)
    }
    const picture = store.freeze()
    const first = picture.next(1)
    const blocks = first!.map((block) => ({ ...block, bytes: block.bytes.slice() }))
    items.clear()
    map.delete(0)
    sorted.set(0, -1)
    sorted.deleteBefore(1_500)
    for (let more = picture.next(1); more !== undefined; more = picture.next(1)) {
      expect(more.reduce((sum, block) => sum + block.bytes.length, 0)).toBeLessThan(20_000)
      for (const block of more) blocks.push({ ...block, bytes: block.bytes.slice() })
    }
    expect(blocks.length).toBeGreaterThan(8)
    const copy = open({ states })
    for (const block of blocks) copy.restore(block)
    copy.setKey('big')
    const all = Array.from({ length: 2_000 }, (_, n) => n)
    expect((copy.handles['items'] as ListState<number>).all()).toEqual(all)
    expect([...(copy.handles['map'] as MapState<number, string>).keys()]).toEqual(
      all.map((n) => n * 7),
    )
    expect([...(copy.handles['sorted'] as SortedMapState<number, number>).values()]).toEqual(all)
  })

  it('can be given up and taken again', () => {
    const store = open({ states })
    store.setKey(1)
    number(store, 'n').set(1)
    store.freeze().abandon()
    number(store, 'n').set(2)
    const copy = open({ states })
    for (const block of drain(store.freeze())) copy.restore(block)
    copy.setKey(1)
    expect(number(copy, 'n').get()).toBe(2)
  })
})

describe('restore under another declaration', () => {
  const snapshot = (
    states: Record<string, StateDefinition>,
    write: (store: KeyedStore) => void,
    timers = {},
  ): SnapshotBlock[] => {
    const store = open({ states, timers })
    store.setKey('k')
    write(store)
    return drain(store.freeze())
  }
  const restore = (
    blocks: readonly SnapshotBlock[],
    options: Partial<KeyedStoreOptions>,
  ): KeyedStore => {
    const store = open(options)
    for (const block of blocks) store.restore(block)
    store.setKey('k')
    return store
  }

  it('maps a former name and allows new state', () => {
    const blocks = snapshot({ old: value(of(int)) }, (store) => number(store, 'old').set(5))
    const store = restore(blocks, {
      states: { fresh: value(of(text)), now: value(of(int), { was: 'old' }) },
    })
    expect(number(store, 'now').get()).toBe(5)
  })

  it('refuses state that nothing declares, unless it is dropped on purpose', () => {
    const blocks = snapshot({ old: value(of(text)), n: value(of(int)) }, (store) => {
      ;(store.handles['old'] as ValueState<string>).set('x')
      number(store, 'n').set(5)
    })
    const states = { n: value(of(int)) }
    expect(codeOf(() => restore(blocks, { states }))).toMatch(/^TM1402 .*state "old" of "step"/)
    expect(number(restore(blocks, { states, drop: ['old'] }), 'n').get()).toBe(5)
  })

  it('refuses another schema, another kind and another kind of timer', () => {
    const blocks = snapshot({ n: value(of(int)) }, (store) => number(store, 'n').set(5), {})
    expect(codeOf(() => restore(blocks, { states: { n: value(of(float)) } }))).toMatch(
      /^TM1403 .*state "n": its schema was/,
    )
    expect(
      codeOf(() =>
        restore(blocks, { states: { n: { kind: 'list', item: any(int), options: {} } } }),
      ),
    ).toMatch(/^TM1403 .*stored as value/)
    const timed = snapshot({}, (store) => store.timers['t']!.setAt(5), { t: 'event-time' })
    expect(codeOf(() => restore(timed, { timers: { t: 'processing-time' } }))).toMatch(
      /^TM1403 .*timer "t"/,
    )
    expect(codeOf(() => restore(timed, {}))).toMatch(/^TM1402 .*timer "t"/)
  })

  it('keeps literals by text when their order changes', () => {
    const blocks = snapshot({ c: value(of(literals('red', 'green', 'blue'))) }, (store) =>
      (store.handles['c'] as ValueState<string>).set('green'),
    )
    const store = restore(blocks, { states: { c: value(of(literals('blue', 'red', 'green'))) } })
    expect((store.handles['c'] as ValueState<string>).get()).toBe('green')
  })

  it('refuses declarations that cannot be', () => {
    expect(
      codeOf(() => open({ states: { a: value(of(int)), b: value(of(int), { was: 'a' }) } })),
    ).toMatch(/^TM1408/)
    expect(codeOf(() => open({ states: { a: value(of(int), { ttl: minutes(0) }) } }))).toMatch(
      /^TM1408/,
    )
    const bad: StateDefinition = {
      kind: 'sorted-map',
      key: any(list(int)),
      value: any(int),
      options: {},
    }
    expect(codeOf(() => open({ states: { bad } }))).toMatch(/^TM1407 .*list/)
  })
})

describe('timers', () => {
  const timers = { b: 'event-time', a: 'event-time' } as const

  it('fire by time, then key, then name, also those set while others fire', () => {
    const store = open({ timers })
    for (const key of [2, 'x', 10, 1]) {
      store.setKey(key)
      store.timers['b']!.setAt(100)
      store.timers['a']!.setAt(100)
    }
    const fired: string[] = []
    for (
      let due = store.takeDue('event-time', 100);
      due !== undefined;
      due = store.takeDue('event-time', 100)
    ) {
      fired.push(`${String(store.key)}${due.name}${due.at}`)
      if (fired.length === 1) store.timers['b']!.setAt(50)
      if (fired.length === 3) store.timers['a']!.setAt(100)
    }
    expect(fired).toEqual([
      '1a100',
      '1b50',
      '2a100',
      '2a100',
      '2b100',
      '10a100',
      '10b100',
      'xa100',
      'xb100',
    ])
    expect(store.nextDue('event-time')).toBe(Number.POSITIVE_INFINITY)
    store.setKey('other')
    expect(store.counts().keys).toBe(0)
  })

  it('move without growing, and take fractions and times before 1970', () => {
    const store = open({ timers })
    store.setKey('session')
    for (let n = 0; n < 50_000; n++) store.timers['a']!.setAt(n)
    expect(store.counts().approximateBytes).toBeLessThan(10_000)
    for (let n = 0; n < 50_000; n++) store.timers['b']!.setAt(-n - 0.5)
    expect(store.counts().approximateBytes).toBeLessThan(1_000_000)
    expect(store.takeDue('event-time', -50_000)).toBeUndefined()
    expect(store.takeDue('event-time', 49_998)).toEqual({ name: 'b', at: -49_999.5 })
    expect(store.takeDue('event-time', 49_998)).toBeUndefined()
    expect(store.takeDue('event-time', 49_999)).toEqual({ name: 'a', at: 49_999 })
  })

  it('are refused for what is no point in time', () => {
    const store = open({ timers })
    store.setKey(1)
    expect(codeOf(() => store.timers['a']!.setAt(Number.NaN))).toMatch(/^TM1406 .*timer "a".*NaN/)
    expect(codeOf(() => store.timers['a']!.setAt(Number.POSITIVE_INFINITY))).toMatch(/^TM1406/)
  })
})

it('warns at 80 % of a limit and refuses beyond it', () => {
  const warnings: LimitWarning[] = []
  const store = open({
    states: { n: value(of(int)) },
    timers: { t: 'event-time' },
    limits: { keysMax: 10, timersMax: 2 },
    onWarning: (warning) => warnings.push(warning),
  })
  for (let key = 0; key < 10; key++) {
    store.setKey(key)
    number(store, 'n').set(key)
  }
  expect(warnings).toEqual([{ operator: 'step', what: 'keys', used: 8, limit: 10 }])
  store.setKey(10)
  expect(codeOf(() => number(store, 'n').set(1))).toMatch(/^TM1405 .*10 keys/)
  store.setKey(0)
  store.timers['t']!.setAt(1)
  store.setKey(1)
  store.timers['t']!.setAt(1)
  store.setKey(2)
  expect(codeOf(() => store.timers['t']!.setAt(1))).toMatch(/^TM1405 .*2 timers/)
})

it('orders sorted maps by the value of decimals and by code point of text', () => {
  const states: Record<string, StateDefinition> = {
    price: { kind: 'sorted-map', key: any(decimal(10, 3)), value: any(int), options: {} },
    name: { kind: 'sorted-map', key: any(text), value: any(int), options: {} },
  }
  const store = open({ states })
  store.setKey(1)
  const price = store.handles['price'] as SortedMapState<string, number>
  for (const key of ['10', '9.5', '-0.25', '-3', '9.50', '0']) price.set(key, 1)
  expect([...price.keys()]).toEqual(['-3', '-0.25', '0', '9.5', '9.50', '10'])
  const name = store.handles['name'] as SortedMapState<string, number>
  for (const key of ['\u{1F600}', '\uFFFF', 'ä', 'z']) name.set(key, 1)
  expect([...name.keys()]).toEqual(['z', 'ä', '\uFFFF', '\u{1F600}'])
})
