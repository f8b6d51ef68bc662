/**
 * Bars of keyed state: counting by key against a Map of objects (11), and how long a snapshot stops the work (15, 16).
 * Variants take turns round by round in one process; medians of ratios. Run alone: `npx tsx benchmarks/micro/state.ts`.
 */
import { readFileSync } from 'node:fs'
import { serialize } from 'node:v8'
import { FixedRows } from '../../src/state/accumulators.ts'
import type { StateDefinition, ValueState } from '../../src/graph/process.ts'
import { float, int, text } from '../../src/schema/scalars.ts'
import { field, struct } from '../../src/schema/struct.ts'
import type { Schema } from '../../src/schema/types.ts'
import type { FrozenState } from '../../src/state/contract.ts'
import { KeyTable } from '../../src/state/key-table.ts'
import { openKeyedStore } from '../../src/state/keyed-store.ts'
import type { KeyedStore } from '../../src/state/keyed-store-contract.ts'

export interface Bar {
  readonly bar: string
  readonly measured: number
  readonly required: string
  readonly holds: boolean
}

const batch = 1024

export async function stateBars(): Promise<Bar[]> {
  const bars = [countByKey()]
  await breathe()
  bars.push(...fixedWidthSnapshot())
  await breathe()
  bars.push(objectSnapshot())
  return bars
}

/** Bar 11. */
function countByKey(): Bar {
  const keys = 1_000_000
  const rows = 2_000_000
  const input = uniform(rows, keys)
  const map = new Map<number, { count: number; sum: number }>()
  const table = new KeyTable()
  const accumulators = new FixedRows(2)
  const byMap = (): void => {
    for (let i = 0; i < rows; i++) {
      const key = input[i]!
      let one = map.get(key)
      if (one === undefined) {
        one = { count: 0, sum: 0 }
        map.set(key, one)
      }
      one.count++
      one.sum += i
    }
  }
  const byTable = (): void => {
    for (let i = 0; i < rows; i++) {
      const slot = table.numberSlot(input[i]!)
      if (table.inserted) accumulators.ensure(slot)
      else if (accumulators.freezing) accumulators.touch(slot)
      const { values } = accumulators
      values[slot * 2]! += 1
      values[slot * 2 + 1]! += i
    }
  }
  byMap()
  byTable()
  const measured = medianRatio(5, byTable, byMap)
  return {
    bar: '11 keyed count and sum, 1 M numeric keys: engine / one Map of objects',
    measured,
    required: '<= 0.8',
    holds: measured <= 0.8,
  }
}

/** Bar 15. */
function fixedWidthSnapshot(): Bar[] {
  const keys = 5_000_000
  const shape = struct('totals', {
    count: field(1, int),
    sum: field(2, float),
    last: field(3, float),
  })
  const store = openStore({
    totals: { kind: 'value', value: any(shape), initial: undefined, options: {} },
  })
  const totals = store.handles['totals'] as ValueState<{ count: number; sum: number; last: number }>
  for (let key = 0; key < keys; key++) {
    store.setKey(key)
    totals.set({ count: key, sum: key / 2, last: 0 })
  }
  const input = uniform(1 << 20, keys)
  let at = 0
  const update = (): void => {
    for (let i = 0; i < batch; i++, at++) {
      const key = input[at & (input.length - 1)]!
      store.setKey(key)
      const old = totals.get()
      totals.set({ count: old.count + 1, sum: old.sum + i, last: at })
    }
  }
  const rounds = Array.from({ length: 3 }, () => pauses(store, update, 256 << 10))
  const extra = median(rounds.map((round) => round.longestMs - round.usualMs))

  const map = new Map<number, { count: number; sum: number; last: number }>()
  for (let key = 0; key < 1_000_000; key++) map.set(key, { count: key, sum: key / 2, last: 0 })
  const stopMs = timed(() => serialize(map)) * (keys / 1_000_000)
  map.clear()
  const ratio = extra / stopMs
  const steady = trackingCost()
  return [
    {
      bar: '15 snapshot of 5 M fixed-width keys: longest extra pause in ms (and as a share of stop-the-world over a Map)',
      measured: extra,
      required: `<= 10 ms, or <= 1/50 of ${stopMs.toFixed(0)} ms`,
      holds: extra <= 10 || ratio <= 1 / 50,
    },
    {
      bar: '15 steady cost of being ready for a snapshot: rows with the check / without',
      measured: steady,
      required: '<= 1.15',
      holds: steady <= 1.15,
    },
  ]
}

/** The loop of a keyed aggregate with and without the question whether a picture is being taken. */
function trackingCost(): number {
  const rows = 2_000_000
  const keys = 1_000_000
  const input = uniform(rows, keys)
  const make = (): { table: KeyTable; rows: FixedRows } => {
    const made = { table: new KeyTable(), rows: new FixedRows(3) }
    for (let i = 0; i < keys; i++) made.rows.ensure(made.table.numberSlot(i))
    return made
  }
  const a = make()
  const b = make()
  const plain = (): void => {
    for (let i = 0; i < rows; i++) {
      const at = a.table.numberSlot(input[i]!) * 3
      const { values } = a.rows
      values[at]! += 1
      values[at + 1]! += i
    }
  }
  const tracked = (): void => {
    for (let i = 0; i < rows; i++) {
      const slot = b.table.numberSlot(input[i]!)
      if (b.rows.freezing) b.rows.touch(slot)
      const at = slot * 3
      const { values } = b.rows
      values[at]! += 1
      values[at + 1]! += i
    }
  }
  plain()
  tracked()
  return medianRatio(7, tracked, plain)
}

/** Bar 16. */
function objectSnapshot(): Bar {
  const keys = 1_000_000
  const shape = struct('user', { name: field(1, text), count: field(2, int), at: field(3, float) })
  const store = openStore({
    user: { kind: 'value', value: any(shape), initial: undefined, options: {} },
  })
  const users = store.handles['user'] as ValueState<{ name: string; count: number; at: number }>
  const map = new Map<number, { name: string; count: number; at: number }>()
  for (let key = 0; key < keys; key++) {
    const user = { name: `user ${key}`, count: key, at: key / 3 }
    store.setKey(key)
    users.set(user)
    map.set(key, user)
  }
  const stopMs = median([1, 2, 3].map(() => timed(() => serialize(map))))
  map.clear()
  const input = uniform(1 << 20, keys)
  let at = 0
  const update = (): void => {
    for (let i = 0; i < batch; i++, at++) {
      const key = input[at & (input.length - 1)]!
      store.setKey(key)
      const old = users.get()
      users.set({ name: old.name, count: old.count + 1, at })
    }
  }
  const measured = median([1, 2, 3].map(() => pauses(store, update, 256 << 10).longestMs)) / stopMs
  return {
    bar: '16 snapshot of 1 M object-state keys: longest pause / v8.serialize of a Map',
    measured,
    required: '<= 0.1',
    holds: measured <= 0.1,
  }
}

/** Batches with a slice of a picture after each: the longest of them, and the usual length without a picture. */
function pauses(
  store: KeyedStore,
  update: () => void,
  budgetBytes: number,
): { longestMs: number; usualMs: number } {
  const usual: number[] = []
  for (let i = 0; i < 200; i++) usual.push(timed(update))
  let picture: FrozenState | undefined
  let longestMs = timed(() => {
    picture = store.freeze()
  })
  for (let more = true; more; ) {
    longestMs = Math.max(
      longestMs,
      timed(() => {
        update()
        more = picture!.next(budgetBytes) !== undefined
      }),
    )
  }
  return { longestMs, usualMs: median(usual) }
}

function openStore(states: Readonly<Record<string, StateDefinition>>): KeyedStore {
  return openKeyedStore({
    operator: 'bench',
    states,
    timers: {},
    range: { first: 0, end: 128, total: 128 },
    processingTimeNow: () => 0,
  })
}

function any<Value>(schema: Schema<Value>): Schema<unknown> {
  return schema as unknown as Schema<unknown>
}

function uniform(count: number, keys: number): Float64Array {
  const values = new Float64Array(count)
  let state = 0x2545f491
  for (let i = 0; i < count; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    values[i] = (state >>> 0) % keys
  }
  return values
}

/** Milliseconds, without the time in which the machine ran something else instead of this thread. */
function timed(run: () => unknown): number {
  const waitedBefore = waitedMs()
  const start = process.hrtime.bigint()
  run()
  const wallMs = Number(process.hrtime.bigint() - start) / 1e6
  return wallMs - Math.max(0, waitedMs() - waitedBefore)
}

/** Time in the run queue so far, where the system tells it. */
function waitedMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

/** Median over rounds of (time of `a` / time of `b`), taking turns. */
function medianRatio(rounds: number, a: () => void, b: () => void): number {
  return median(Array.from({ length: rounds }, () => timed(a) / timed(b)))
}

function median(values: readonly number[]): number {
  return [...values].sort((x, y) => x - y)[values.length >> 1] ?? Number.NaN
}

function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

if (process.argv[1]?.endsWith('micro/state.ts')) {
  for (const { bar, measured, required, holds } of await stateBars()) {
    console.log(`${holds ? 'holds' : 'FAILS'}  ${measured.toFixed(3)}  (${required})  ${bar}`)
  }
}
