/**
 * Keyed state in memory: the backend behind {@link openKeyedStore}.
 *
 * 1. Keys are split by key group. A key group ("shard") has one table that numbers its keys; all states and timers of
 *    the step are columns by that number. A key is given a slot by its first write and loses it when it holds nothing.
 * 2. Handles act on the current key, `shard` and `slot` below. Every change goes through `writeSlot`, which lets a
 *    running picture copy the page first (store-picture.ts).
 * 3. Timers are deadlines in a column and entries in a queue per kind (timer-queue.ts). A snapshot holds the deadlines
 *    only; the queue is rebuilt from them.
 * 4. Between `mark` and `rollback` every change leaves a function that undoes it. Slots are not given back meanwhile.
 */
import { assert } from '../base/assert.ts'
import { TidemillError } from '../base/errors.ts'
import type { StateDefinition, TimerKind } from '../graph/process.ts'
import { Writer } from '../schema/bytes.ts'
import { keyGroupOf, keyHash } from '../schema/key.ts'
import type { Key } from '../schema/types.ts'
import { PagePool, pageShift } from './accumulators.ts'
import { type Header, storedState, valueSchemaOf } from './block-format.ts'
import type { Column, Shard, StateFacts, StoreCore } from './column.ts'
import type { FrozenState, SnapshotBlock } from './contract.ts'
import { stateErrors } from './errors.ts'
import { FixedColumn } from './fixed-column.ts'
import { type FixedLayout, fixedLayout } from './fixed-layout.ts'
import { handleOf } from './handles.ts'
import { KeyTable } from './key-table.ts'
import type {
  DueTimer,
  KeyedStore,
  KeyedStoreOptions,
  StateHandle,
  StoreCounts,
  StoreTimer,
} from './keyed-store-contract.ts'
import { LimitGuard } from './limit-guard.ts'
import { ListColumn } from './list-column.ts'
import { MapColumn } from './map-column.ts'
import { ObjectColumn } from './object-column.ts'
import { SortedColumn } from './sorted-column.ts'
import { BlockRestore } from './store-restore.ts'
import { StorePicture } from './store-picture.ts'
import { TimerColumn } from './timer-column.ts'
import { TimerQueue } from './timer-queue.ts'

/** Opens an empty store. TM1407, TM1408 for declarations that cannot be. */
export function openKeyedStore(options: KeyedStoreOptions): KeyedStore {
  return new MemoryStore(options)
}

interface DeclaredState {
  readonly name: string
  readonly definition: StateDefinition
  readonly layout: FixedLayout | undefined
  readonly facts: StateFacts
  /** Of all key groups, because a picture takes one after the other. */
  readonly pool: PagePool
}

const kinds: readonly TimerKind[] = ['event-time', 'processing-time']
/** Stale entries of a timer queue are dropped when there are more of them than of valid ones, and this many. */
const staleMin = 4096

class MemoryStore implements KeyedStore, StoreCore {
  readonly operator: string
  readonly handles: Readonly<Record<string, StateHandle>>
  readonly timers: Readonly<Record<string, StoreTimer>>
  key: Key | undefined = undefined
  shard: Shard
  slot = -1
  marked = false
  readonly undo: (() => void)[] = []
  epoch = 1
  picturing = false
  private readonly options: KeyedStoreOptions
  private readonly states: readonly DeclaredState[]
  private readonly timerNames: readonly string[]
  /** By timer: its kind's index, and its place in the order of names. */
  private readonly timerKinds: readonly number[]
  private readonly timerRanks: readonly number[]
  /** Of the range; undefined until the key group has a key. */
  private readonly shards: (Shard | undefined)[]
  private readonly queues: readonly TimerQueue[]
  /** Valid queue entries and set timers, by kind. */
  private readonly queued: number[] = [0, 0]
  private readonly set: number[] = [0, 0]
  private nextId = 1
  private keys = 0
  private picture: StorePicture | undefined
  private readonly buffer: Writer = new Writer(1 << 16)
  /** Key group and slot of keys that held nothing when they were left in a marked region. */
  private readonly doubtful: number[] = []
  private readonly header: Header
  private readonly restoring: BlockRestore
  private readonly keyLimit: LimitGuard
  private readonly timerLimit: LimitGuard
  private sweepGroup = 0
  private sweepSlot = 0
  /** Reused for every due timer. */
  private readonly due: { name: string; at: number } = { name: '', at: 0 }

  constructor(options: KeyedStoreOptions) {
    this.options = options
    this.operator = options.operator
    this.states = Object.entries(options.states).map(([name, definition]) =>
      declare(options.operator, name, definition),
    )
    this.timerNames = Object.keys(options.timers)
    this.timerKinds = this.timerNames.map((name) => kinds.indexOf(options.timers[name]!))
    const sorted = [...this.timerNames].sort((a, b) => (a < b ? -1 : 1))
    this.timerRanks = this.timerNames.map((name) => sorted.indexOf(name))
    this.shards = new Array<Shard | undefined>(options.range.end - options.range.first).fill(
      undefined,
    )
    this.shard = this.makeShard(-1)
    const owner = {
      isValid: (reference: number, id: number) => this.entryId(reference) === id,
      keyOf: (reference: number) => this.shardOf(reference).table.keyAt(this.slotOf(reference)),
      rankOf: (reference: number) => this.timerRanks[this.timerOf(reference)]!,
    }
    this.queues = kinds.map(() => new TimerQueue(owner))
    this.handles = record(
      this.states.map(({ name, definition }, index) => [
        name,
        handleOf(this, name, index, definition),
      ]),
    )
    this.timers = record(
      this.timerNames.map((name, timer) => [name, this.timerHandle(name, timer)]),
    )
    this.header = {
      states: this.states.map(({ name, definition, layout }) =>
        storedState(name, definition, layout),
      ),
      timers: this.timerNames.map((name, timer) => ({
        name,
        kind: kinds[this.timerKinds[timer]!]!,
      })),
    }
    this.restoring = new BlockRestore(options, this.header)
    this.keyLimit = new LimitGuard(options, 'keys', options.limits?.keysMax)
    this.timerLimit = new LimitGuard(options, 'timers', options.limits?.timersMax)
  }

  nowMs(): number {
    return this.options.processingTimeNow()
  }

  currentKey(): Key {
    return this.key ?? ''
  }

  // hot: once per record
  setKey(key: Key, keyGroup?: number): void {
    if (key === this.key && typeof key !== 'object') return
    if (this.slot >= 0 && this.shard.held[this.slot] === 0) this.leave()
    const { range } = this.options
    const group = keyGroup ?? keyGroupOf(keyHash(key), range.total)
    this.key = key
    const shard = this.shards[group - range.first]
    if (shard === undefined) {
      assert(
        group >= range.first && group < range.end,
        `key group ${group} is not one of this subtask`,
      )
      this.enter(this.shardAt(group), -1)
    } else this.enter(shard, shard.table.find(key))
  }

  // hot: once per change
  writeSlot(): number {
    if (this.slot < 0) return this.takeSlot()
    if (this.picture !== undefined) this.protect(this.shard, this.slot)
    return this.slot
  }

  nextDue(kind: TimerKind): number {
    const index = kinds.indexOf(kind)
    return this.set[index] === 0 ? Number.POSITIVE_INFINITY : this.queues[index]!.next()
  }

  takeDue(kind: TimerKind, uptoMs: number): DueTimer | undefined {
    const index = kinds.indexOf(kind)
    const queue = this.queues[index]!
    if (this.set[index] === 0) return undefined
    while (queue.pop(uptoMs)) {
      const { reference } = queue
      const shard = this.shardOf(reference)
      const slot = this.slotOf(reference)
      const timer = this.timerOf(reference)
      const place = slot * shard.timers.count + timer
      shard.timers.queuedId[place] = 0
      this.queued[index]!--
      const at = shard.timers.deadlines[place]!
      if (Number.isNaN(at)) continue
      if (at > queue.at) {
        this.enqueue(shard, slot, timer, at)
        continue
      }
      if (this.slot >= 0 && this.shard.held[this.slot] === 0) this.leave()
      this.key = shard.table.keyAt(slot)
      this.enter(shard, slot)
      this.putTimer(timer, Number.NaN)
      this.due.name = this.timerNames[timer]!
      this.due.at = at
      return this.due
    }
    return undefined
  }

  mark(): void {
    assert(!this.marked, 'a mark ends before the next one begins')
    this.marked = true
  }

  rollback(): void {
    assert(this.marked, 'a rollback ends a mark')
    this.marked = false
    for (let undo = this.undo.pop(); undo !== undefined; undo = this.undo.pop()) undo()
    this.freeDoubtful()
  }

  release(): void {
    this.marked = false
    this.undo.length = 0
    if (this.doubtful.length > 0) this.freeDoubtful()
  }

  freeze(): FrozenState {
    assert(!this.marked, 'a picture is not taken in the middle of a record')
    assert(this.picture === undefined, 'there is one picture at a time')
    this.leaveEmpty()
    const shards = this.shards.filter(
      (shard) => shard !== undefined && shard.table.size > 0,
    ) as Shard[]
    this.epoch++
    this.picturing = true
    this.picture = new StorePicture(shards, this.header, this.nowMs(), this.buffer, () => {
      this.picture = undefined
      this.picturing = false
      for (const { pool } of this.states) pool.trim(256)
    })
    return this.picture
  }

  restore(block: SnapshotBlock): void {
    const { range } = this.options
    if (block.keyGroup < range.first || block.keyGroup >= range.end) return
    this.restoring.read(block, this.shardAt(block.keyGroup), {
      slotOf: (shard, key) => this.restoreSlot(shard, key),
      setTimer: (shard, slot, timer, at) => this.putDeadline(shard, slot, timer, at),
      freeIfEmpty: (shard, slot) => {
        if (shard.held[slot] === 0) this.freeSlot(shard, slot)
      },
    })
  }

  sweepExpired(slotsMax: number): number {
    if (this.marked || this.states.every(({ facts }) => facts.ttlMs === 0)) return 0
    const nowMs = this.nowMs()
    let left = slotsMax
    let removed = 0
    for (let seen = 0; left > 0 && seen <= this.shards.length; ) {
      const shard = this.shards[this.sweepGroup]
      if (shard === undefined || this.sweepSlot >= shard.table.slotEnd) {
        this.sweepGroup = (this.sweepGroup + 1) % this.shards.length
        this.sweepSlot = 0
        seen++
        continue
      }
      removed += this.expireSlot(shard, this.sweepSlot++, nowMs)
      left--
    }
    return removed
  }

  counts(): StoreCounts {
    let entries = 0
    let expired = 0
    let approximateBytes = 0
    for (const { facts } of this.states) {
      entries += facts.entries
      expired += facts.expired
    }
    for (const shard of this.shards) {
      if (shard === undefined) continue
      approximateBytes +=
        shard.table.bytes() + shard.held.byteLength + shard.timers.deadlines.byteLength * 3
      for (const column of shard.columns) approximateBytes += column.bytes()
    }
    for (const queue of this.queues) approximateBytes += queue.size * 24
    return {
      keys: this.keys,
      entries,
      timers: this.set[0]! + this.set[1]!,
      expired,
      approximateBytes: Math.round(approximateBytes),
    }
  }

  private enter(shard: Shard, slot: number): void {
    this.shard = shard
    this.slot = slot
  }

  /** The current key holds nothing: its slot is given back, or looked at again at the end of the mark. */
  private leave(): void {
    if (this.marked) this.doubtful.push(this.shard.group, this.slot)
    else this.freeSlot(this.shard, this.slot)
  }

  private leaveEmpty(): void {
    if (this.slot < 0 || this.shard.held[this.slot] !== 0) return
    this.freeSlot(this.shard, this.slot)
    this.slot = -1
  }

  private freeDoubtful(): void {
    while (this.doubtful.length > 0) {
      const slot = this.doubtful.pop()!
      const shard = this.shardAt(this.doubtful.pop()!)
      const isCurrent = shard === this.shard && slot === this.slot
      if (!isCurrent && shard.table.has(slot) && shard.held[slot] === 0) this.freeSlot(shard, slot)
    }
  }

  private freeSlot(shard: Shard, slot: number): void {
    this.protectKeys(shard, slot)
    this.protect(shard, slot)
    for (let timer = 0; timer < this.timerNames.length; timer++) {
      const place = slot * shard.timers.count + timer
      if (shard.timers.queuedId[place] !== 0) this.queued[this.timerKinds[timer]!]!--
    }
    shard.timers.forget(slot)
    shard.table.remove(slot)
    this.keys--
  }

  private takeSlot(): number {
    assert(this.key !== undefined, 'state is written for a current key')
    this.keyLimit.add(this.keys + 1)
    const { shard } = this
    this.slot = this.addKey(shard, this.key)
    return this.slot
  }

  private restoreSlot(shard: Shard, key: Key): number {
    const found = shard.table.find(key)
    return found >= 0 ? found : this.addKey(shard, key)
  }

  private addKey(shard: Shard, key: Key): number {
    // Before the key is in the table: the page as the picture knows it does not have it.
    this.protectKeys(shard, shard.table.nextSlot())
    const slot = shard.table.slot(key)
    if (slot >= shard.held.length) {
      const held = new Uint16Array(Math.max(16, shard.held.length * 2))
      held.set(shard.held)
      shard.held = held
    }
    for (let i = 0; i < shard.columns.length; i++) shard.columns[i]!.ensure(slot)
    shard.timers.ensure(slot)
    this.keys++
    return slot
  }

  private protect(shard: Shard, slot: number): void {
    const { pending } = shard
    if (pending === undefined) return
    const page = slot >> pageShift
    if (page < pending.length && pending[page] === 1) this.picture!.keep(shard, page)
  }

  private protectKeys(shard: Shard, slot: number): void {
    const { pendingKeys } = shard
    if (pendingKeys === undefined) return
    const page = slot >> pageShift
    if (page < pendingKeys.length && pendingKeys[page] === 1) this.picture!.keepKeys(shard, page)
  }

  private expireSlot(shard: Shard, slot: number, nowMs: number): number {
    if (!shard.table.has(slot) || !shard.columns.some((column) => column.hasExpired(slot, nowMs)))
      return 0
    this.protect(shard, slot)
    let removed = 0
    for (const column of shard.columns) removed += column.expire(slot, nowMs)
    const isCurrent = shard === this.shard && slot === this.slot
    if (shard.held[slot] === 0 && !isCurrent) this.freeSlot(shard, slot)
    return removed
  }

  private timerHandle(name: string, timer: number): StoreTimer {
    return {
      setAt: (ms) => {
        if (!Number.isFinite(ms)) throw this.badTimer(name, ms)
        this.putTimer(timer, ms)
      },
      clear: () => {
        if (this.slot >= 0) this.putTimer(timer, Number.NaN)
      },
      at: () => {
        if (this.slot < 0) return undefined
        const at = this.shard.timers.deadlines[this.slot * this.timerNames.length + timer]!
        return !Number.isNaN(at) ? at : undefined
      },
    }
  }

  /** Sets or (NaN) clears a timer of the current key. */
  private putTimer(timer: number, at: number): void {
    const slot = this.writeSlot()
    const { shard } = this
    const old = shard.timers.deadlines[slot * shard.timers.count + timer]!
    if (at === old || (Number.isNaN(at) && Number.isNaN(old))) return
    if (Number.isNaN(old)) this.timerLimit.add(this.set[0]! + this.set[1]! + 1)
    if (this.marked) this.undo.push(() => this.putDeadline(shard, slot, timer, old))
    this.putDeadline(shard, slot, timer, at)
  }

  private putDeadline(shard: Shard, slot: number, timer: number, at: number): void {
    const place = slot * shard.timers.count + timer
    const old = shard.timers.deadlines[place]!
    const kind = this.timerKinds[timer]!
    shard.timers.put(shard, slot, timer, at)
    this.set[kind]! += (!Number.isNaN(at) ? 1 : 0) - (!Number.isNaN(old) ? 1 : 0)
    if (Number.isNaN(at)) return
    // An entry that comes up earlier will find the deadline and queue it again.
    const isQueued = shard.timers.queuedId[place] !== 0
    if (isQueued && shard.timers.queuedAt[place]! <= at) return
    if (isQueued) this.queued[kind]!--
    this.enqueue(shard, slot, timer, at)
  }

  private enqueue(shard: Shard, slot: number, timer: number, at: number): void {
    const kind = this.timerKinds[timer]!
    const place = slot * shard.timers.count + timer
    const id = this.nextId++
    shard.timers.queuedAt[place] = at
    shard.timers.queuedId[place] = id
    this.queued[kind]!++
    const queue = this.queues[kind]!
    queue.push(
      at,
      (slot * this.timerNames.length + timer) * this.shards.length +
        shard.group -
        this.options.range.first,
      id,
    )
    if (queue.size > 2 * this.queued[kind]! + staleMin) queue.compact()
  }

  private entryId(reference: number): number {
    return this.shardOf(reference).timers.queuedId[Math.floor(reference / this.shards.length)]!
  }

  private shardOf(reference: number): Shard {
    return this.shards[reference % this.shards.length]!
  }

  private slotOf(reference: number): number {
    return Math.floor(Math.floor(reference / this.shards.length) / this.timerNames.length)
  }

  private timerOf(reference: number): number {
    return Math.floor(reference / this.shards.length) % this.timerNames.length
  }

  private shardAt(group: number): Shard {
    const index = group - this.options.range.first
    let shard = this.shards[index]
    if (shard === undefined) {
      shard = this.makeShard(group)
      this.shards[index] = shard
    }
    return shard
  }

  private makeShard(group: number): Shard {
    const columns: Column[] = []
    const timers = new TimerColumn(this.timerNames.length)
    const shard: Shard = {
      group,
      table: new KeyTable(),
      held: new Uint16Array(0),
      columns,
      timers,
      pending: undefined,
      pendingKeys: undefined,
    }
    for (const state of this.states) columns.push(makeColumn(this, shard, state))
    return shard
  }

  private badTimer(name: string, ms: unknown): TidemillError {
    return new TidemillError(stateErrors.badTimer, {
      message: `timer "${name}" was set to ${String(ms)}`,
      details: { operator: this.operator, timer: name },
    })
  }
}

function declare(operator: string, name: string, definition: StateDefinition): DeclaredState {
  const ttlMs = definition.options.ttl ?? 0
  if (definition.options.ttl !== undefined && !(ttlMs > 0 && Number.isFinite(ttlMs))) {
    throw new TidemillError(stateErrors.badDeclaration, {
      message: `the time to live of state "${name}" is ${ttlMs} ms`,
      details: { operator, state: name },
    })
  }
  const single =
    definition.kind === 'value' ||
    definition.kind === 'reducing' ||
    definition.kind === 'aggregating'
  const layout = single ? fixedLayout(valueSchemaOf(definition).type) : undefined
  const facts = { name, ttlMs, entries: 0, expired: 0, samples: 0, sampledBytes: 0, writes: 0 }
  return { name, definition, layout, facts, pool: new PagePool((layout?.words ?? 0) + 1) }
}

function makeColumn(
  core: StoreCore,
  shard: Shard,
  { definition, layout, facts, pool }: DeclaredState,
): Column {
  switch (definition.kind) {
    case 'list':
      return new ListColumn(core, shard, facts, definition.item)
    case 'map':
      return new MapColumn(core, shard, facts, definition.key, definition.value)
    case 'sorted-map':
      return new SortedColumn(core, shard, facts, definition.key, definition.value)
    default: {
      const schema = valueSchemaOf(definition)
      if (layout !== undefined) return new FixedColumn(core, shard, facts, schema, layout, pool)
      return new ObjectColumn(core, shard, facts, schema)
    }
  }
}

function record<Value>(
  pairs: readonly (readonly [string, Value])[],
): Readonly<Record<string, Value>> {
  return Object.freeze(Object.fromEntries(pairs))
}
