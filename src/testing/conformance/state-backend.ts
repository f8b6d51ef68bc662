/**
 * What every backend of keyed state must do, as tests:
 *
 *     stateBackendConformance({ describe, test }, { name: 'my backend', open: (options) => openMyStore(options) })
 *
 * The laws are those of `state/keyed-store-contract.ts`. Order, pictures and undo are held against a plain model.
 */
import type { Duration } from '../../base/time.ts'
import type {
  ListState,
  MapState,
  SortedMapState,
  StateDefinition,
  ValueState,
} from '../../graph/process.ts'
import { keyGroupOf, keyHash } from '../../schema/key.ts'
import { int, text } from '../../schema/scalars.ts'
import type { Schema } from '../../schema/types.ts'
import type { FrozenState, SnapshotBlock } from '../../state/contract.ts'
import type { KeyedStore, KeyedStoreOptions } from '../../state/keyed-store-contract.ts'
import { type ConformanceHost, expectEqual, expectTrue } from './host.ts'

export interface StateBackendUnderTest {
  readonly name: string
  /** An empty store. */
  readonly open: (options: KeyedStoreOptions) => KeyedStore
}

const groups = 8
const ttlMs = 60_000 as Duration
const of = <Value>(schema: Schema<Value>): Schema<unknown> => schema as unknown as Schema<unknown>

const states: Readonly<Record<string, StateDefinition>> = {
  n: { kind: 'value', value: of(int), initial: 0, options: {} },
  name: { kind: 'value', value: of(text), initial: undefined, options: {} },
  items: { kind: 'list', item: of(int), options: {} },
  map: { kind: 'map', key: of(text), value: of(int), options: {} },
  sorted: { kind: 'sorted-map', key: of(int), value: of(text), options: {} },
  young: { kind: 'value', value: of(int), initial: undefined, options: { ttl: ttlMs } },
}

/** A store with typed access to the states above. */
class Subject {
  readonly store: KeyedStore
  nowMs = 0

  constructor({ open }: StateBackendUnderTest, first: number = 0, end: number = groups) {
    this.store = open({
      operator: 'step',
      states,
      timers: { soon: 'event-time', also: 'event-time', clock: 'processing-time' },
      range: { first, end, total: groups },
      processingTimeNow: () => this.nowMs,
    })
  }

  at(key: string): this {
    this.store.setKey(key)
    return this
  }

  get n(): ValueState<number> {
    return this.store.handles['n'] as ValueState<number>
  }

  get young(): ValueState<number> {
    return this.store.handles['young'] as ValueState<number>
  }

  get name(): ValueState<string> {
    return this.store.handles['name'] as ValueState<string>
  }

  get items(): ListState<number> {
    return this.store.handles['items'] as ListState<number>
  }

  get map(): MapState<string, number> {
    return this.store.handles['map'] as MapState<string, number>
  }

  get sorted(): SortedMapState<number, string> {
    return this.store.handles['sorted'] as SortedMapState<number, string>
  }

  timer(name: string): KeyedStore['timers'][string] {
    const timer = this.store.timers[name]
    expectTrue(timer !== undefined, `timer "${name}" is declared and has no handle`)
    return timer
  }

  fill(key: string, n: number): void {
    this.at(key).n.set(n)
    this.name.set(`name ${n}`)
    this.items.add(n)
    this.items.add(-n)
    this.map.set(`m${n}`, n)
    this.sorted.set(n, 'high')
    this.sorted.set(-n, 'low')
    this.timer('soon').setAt(n)
  }

  /** Everything that the key holds, as data. */
  picture(key: string): unknown {
    this.at(key)
    return [
      this.n.get(),
      this.name.get(),
      this.items.all(),
      [...this.map.entries()],
      [...this.sorted.range()],
      this.timer('soon').at(),
    ]
  }
}

const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`)
const groupOf = (key: string): number => keyGroupOf(keyHash(key), groups)

/** All blocks of a picture in small portions, with `between` after each of them. */
function drain(frozen: FrozenState, between: () => void = () => {}): SnapshotBlock[] {
  const blocks: SnapshotBlock[] = []
  for (let more = frozen.next(256); more !== undefined; more = frozen.next(256)) {
    for (const block of more) blocks.push({ ...block, bytes: block.bytes.slice() })
    between()
  }
  return blocks
}

/** Pictures of all keys. */
function all(subject: Subject, which: readonly string[] = keys): unknown {
  return which.map((key) => subject.picture(key))
}

function due(subject: Subject, kind: 'event-time' | 'processing-time', uptoMs: number): string[] {
  const fired: string[] = []
  for (
    let one = subject.store.takeDue(kind, uptoMs);
    one;
    one = subject.store.takeDue(kind, uptoMs)
  )
    fired.push(`${one.at} ${String(subject.store.key)} ${one.name}`)
  return fired
}

export function stateBackendConformance(
  host: ConformanceHost,
  backend: StateBackendUnderTest,
): void {
  const test = (name: string, run: (subject: Subject) => void): void =>
    host.test(name, async () => run(new Subject(backend)))

  host.describe(`state backend: ${backend.name}`, () => {
    test('keeps what each key was given, and forgets what was cleared', (subject) => {
      for (const [i, key] of keys.entries()) subject.at(key).n.set(i)
      expectEqual(
        keys.map((key) => subject.at(key).n.get()),
        keys.map((_, i) => i),
        'values',
      )
      for (const key of keys.slice(0, 100)) subject.at(key).n.clear()
      expectEqual(subject.at(keys[0]!).n.get(), 0, 'the initial value after clear')
      expectEqual(subject.at(keys[100]!).n.get(), 100, 'a key that was left alone')
      subject.at('another')
      expectEqual(subject.store.counts().keys, 100, 'keys that hold something')
    })

    test('scans lists as they were added to and sorted maps by key', (subject) => {
      subject.at('k')
      for (const n of [3, 1, 2]) subject.items.add(n)
      expectEqual(subject.items.all(), [3, 1, 2], 'list')
      for (const n of [30, -5, 12, 7, 100]) subject.sorted.set(n, `v${n}`)
      subject.sorted.set(12, 'again')
      subject.sorted.delete(7)
      const ascending = [...subject.sorted.entries()].map(([n]) => n)
      expectEqual(ascending, [-5, 12, 30, 100], 'entries')
      const range = [...subject.sorted.range(-5, 30)]
      expectEqual(
        range,
        [
          [-5, 'v-5'],
          [12, 'again'],
        ],
        'from <= key < to',
      )
      expectEqual(
        [subject.sorted.first(), subject.sorted.last()],
        [
          [-5, 'v-5'],
          [100, 'v100'],
        ],
        'ends',
      )
      subject.sorted.deleteBefore(30)
      expectEqual(
        [...subject.sorted.entries()].map(([n]) => n),
        [30, 100],
        'deleteBefore',
      )
      subject.at('other')
      expectEqual([subject.items.all(), subject.sorted.first()], [[], undefined], 'another key')
    })

    test('freezes a moment: writes between its portions do not reach the picture', (subject) => {
      for (const [i, key] of keys.entries()) subject.fill(key, i + 1)
      const before = all(subject)
      let step = 0
      const blocks = drain(subject.store.freeze(), () => {
        step++
        for (const key of [keys[(step * 7) % 200]!, keys[199 - (step % 200)]!]) {
          subject.fill(key, 1_000 + step)
          if (step % 3 === 0) for (const state of [subject.n, subject.name]) state.clear()
          if (step % 4 === 0) subject.items.clear()
          subject.timer('soon').clear()
        }
        subject.fill(`new ${step}`, step)
      })
      expectTrue(step > 1, 'a picture of 200 keys came in one portion of 256 bytes')
      const copy = new Subject(backend)
      for (const block of blocks) copy.store.restore(block)
      expectEqual(all(copy), before, 'restored')
      expectEqual(copy.store.counts().keys, keys.length, 'keys')
      expectEqual(subject.at(`new ${step}`).n.get(), step, 'what was written meanwhile')
    })

    test('takes a picture again after one that was given up', (subject) => {
      for (const [i, key] of keys.entries()) subject.fill(key, i + 1)
      const first = subject.store.freeze()
      first.next(256)
      first.abandon()
      subject.fill(keys[0]!, 5_000)
      const before = all(subject)
      const copy = new Subject(backend)
      for (const block of drain(subject.store.freeze())) copy.store.restore(block)
      expectEqual(all(copy), before, 'restored')
    })

    test('restores the key groups it was given and no others', (subject) => {
      for (const [i, key] of keys.entries()) subject.fill(key, i + 1)
      const before = all(subject)
      const blocks = drain(subject.store.freeze())
      for (const { keyGroup } of blocks)
        expectTrue(keyGroup >= 0 && keyGroup < groups, `a block of key group ${keyGroup}`)
      const parts = [new Subject(backend, 0, 3), new Subject(backend, 3, groups)]
      for (const part of parts) for (const block of blocks) part.store.restore(block)
      const partOf = (key: string): Subject => parts[groupOf(key) < 3 ? 0 : 1]!
      expectEqual(
        keys.map((key) => partOf(key).picture(key)),
        before,
        'both parts together',
      )
      const counts = parts.map(({ store }) => store.counts().keys)
      const low = keys.filter((key) => groupOf(key) < 3).length
      expectEqual(counts, [low, keys.length - low], 'keys of each part')
    })

    test('undoes what followed a mark, and keeps it after release', (subject) => {
      for (const key of ['a', 'b']) subject.fill(key, 1)
      const before = all(subject, ['a', 'b', 'c'])
      const change = (): void => {
        subject.at('a').n.set(2)
        subject.items.add(7)
        subject.sorted.set(0, 'new')
        subject.map.delete('m1')
        subject.timer('soon').setAt(99)
        subject.at('b').name.clear()
        subject.items.clear()
        subject.timer('soon').clear()
        subject.fill('c', 3)
      }
      subject.store.mark()
      change()
      subject.store.rollback()
      expectEqual(all(subject, ['a', 'b', 'c']), before, 'after rollback')
      subject.at('d')
      expectEqual(subject.store.counts().keys, 2, 'keys after rollback')
      expectEqual(due(subject, 'event-time', 1_000), ['1 a soon', '1 b soon'], 'timers')
      subject.store.mark()
      change()
      subject.store.release()
      expectEqual([subject.at('a').n.get(), subject.at('c').n.get()], [2, 3], 'after release')
    })

    test('never shows what has outlived its time, also in a picture', (subject) => {
      subject.at('old').young.set(1)
      subject.nowMs = ttlMs - 1
      subject.at('new').young.set(2)
      expectEqual(subject.at('old').young.get(), 1, 'a millisecond before the end')
      subject.nowMs = ttlMs
      const copy = new Subject(backend)
      copy.nowMs = ttlMs
      for (const block of drain(subject.store.freeze())) copy.store.restore(block)
      const shown = [subject, copy].map((one) =>
        ['old', 'new'].map((key) => one.at(key).young.get()),
      )
      expectEqual(
        shown,
        [
          [undefined, 2],
          [undefined, 2],
        ],
        'store and copy',
      )
      subject.at('none')
      let removed = 0
      for (let i = 0; i < 10; i++) removed += subject.store.sweepExpired(1_000)
      expectEqual([removed, subject.store.counts().keys], [1, 1], 'swept')
    })

    test('fires timers by time, key and name, each once, also those set meanwhile', (subject) => {
      for (const [key, at] of [
        ['b', 20],
        ['a', 20],
        ['c', 10],
        ['d', 40],
      ] as const) {
        subject.at(key).timer('soon').setAt(at)
        subject.timer('also').setAt(at)
        subject.timer('clock').setAt(at)
      }
      subject.at('c').timer('also').clear()
      expectTrue(subject.store.nextDue('event-time') <= 10, 'nextDue is later than the first timer')
      const first = subject.store.takeDue('event-time', 30)
      expectEqual([first?.name, first?.at, subject.store.key], ['soon', 10, 'c'], 'the first')
      expectEqual(subject.timer('soon').at(), undefined, 'a timer that has fired')
      subject.timer('soon').setAt(15)
      const expected = ['15 c soon', '20 a also', '20 a soon', '20 b also', '20 b soon']
      expectEqual(due(subject, 'event-time', 30), expected, 'up to 30')
      expectEqual(due(subject, 'processing-time', 10), ['10 c clock'], 'the other kind of time')
      const copy = new Subject(backend)
      for (const block of drain(subject.store.freeze())) copy.store.restore(block)
      expectEqual(due(copy, 'event-time', 1_000), ['40 d also', '40 d soon'], 'restored')
      expectEqual(copy.store.nextDue('event-time'), Number.POSITIVE_INFINITY, 'none is pending')
    })
  })
}
