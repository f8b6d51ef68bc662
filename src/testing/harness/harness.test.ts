import { describe, expect, test } from 'vitest'
import { milliseconds, minutes, seconds, type Timestamp, timestamp } from '../../base/time.ts'
import { int, text } from '../../schema/scalars.ts'
import { field, struct } from '../../schema/struct.ts'
import type { TypeOf } from '../../schema/schema.ts'
import { sum } from '../../stream/aggregates.ts'
import { listState, mapState, valueState } from '../../stream/state.ts'
import type { Stream } from '../../stream/types.ts'
import { session, tumbling, tumblingProcessingTime } from '../../stream/window-assigners.ts'
import { harness } from './harness.ts'

const alert = struct('alert', { user: field(1, text), orders: field(2, int) })
interface Order {
  readonly user: string
  readonly at: Timestamp
  readonly cents: number
}
const orderBy = (user: string, at: number, cents = 1): Order => ({ user, at: timestamp(at), cents })

const idleUsers = (orders: Stream<Order>) =>
  orders
    .withEventTime({ timestamp: (o) => o.at, maxOutOfOrderness: seconds(5) })
    .keyBy((o) => o.user)
    .process('idle-user', {
      state: { seen: valueState(int, { initial: 0 }), cents: listState(int) },
      timers: { idle: 'event-time', flush: 'processing-time' },
      output: alert,
      onRecord(o, ctx) {
        ctx.state.seen.set(ctx.state.seen.get() + 1)
        ctx.state.cents.add(o.cents)
        ctx.timers.idle.setAfter(minutes(30))
        ctx.timers.flush.setAfter(minutes(1))
      },
      onTimer: {
        idle(ctx) {
          ctx.emit({ user: ctx.key, orders: ctx.state.seen.get() })
        },
        flush(ctx) {
          ctx.emit({
            user: `flush ${ctx.key} ${ctx.now()}`,
            orders: ctx.state.cents.all().reduce((a, b) => a + b, 0),
          })
        },
      },
    })

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'nothing'
  } catch (error) {
    const { code, message } = error as { readonly code: string; readonly message: string }
    return `${code} ${message}`
  }
}

describe('harness', () => {
  test('fires event-time timers by watermark and processing-time timers by advance, in no real time', async () => {
    await using h = await harness(idleUsers, { seed: 42 })
    h.send(orderBy('u1', 0))
    expect(h.take()).toEqual([])
    h.watermark(timestamp(31 * 60_000))
    expect(h.take()).toEqual([{ user: 'u1', orders: 1 }])
    h.advance(seconds(59))
    expect(h.take()).toEqual([])
    h.advance(minutes(10))
    expect(h.take()).toEqual([{ user: 'flush u1 60000', orders: 1 }])
  })

  test('goes on from a snapshot with state, timers, watermark and time, as often as asked', async () => {
    await using h = await harness(idleUsers)
    h.send(orderBy('u1', 0, 5))
    h.advance(seconds(30))
    const snapshot = await h.snapshot()
    h.send(orderBy('u1', 10, 100))
    for (let i = 0; i < 2; i++) {
      await using again = await harness(idleUsers, { restoreFrom: snapshot })
      again.send(orderBy('u2', 1_000))
      again.advance(seconds(30))
      expect(again.take()).toEqual([{ user: 'flush u1 60000', orders: 5 }])
      again.watermark(timestamp(31 * 60_000))
      expect(again.take()).toEqual([
        { user: 'u1', orders: 1 },
        { user: 'u2', orders: 1 },
      ])
    }
    const other = (orders: Stream<Order>) => orders.keyBy((o) => o.user).count('orders')
    expect(await codeOf(() => harness(other, { restoreFrom: snapshot }))).toMatch(
      /^TM2111 .*other steps/,
    )
  })

  test('windows: results by watermark, late rows where the program sends them', async () => {
    const perMinute = (orders: Stream<Order, 'event-time'>) => {
      const windows = orders
        .keyBy((o) => o.user)
        .window(tumbling(minutes(1)))
        .aggregate('cents', { cents: sum((o: Order) => o.cents) })
      const late = windows.late
        .map(({ record }) => ({ key: `late ${record.user}`, cents: record.cents }))
        .withEventTime({ timestamp: () => timestamp(0), maxOutOfOrderness: seconds(0) })
      return windows.results.map(({ key, cents }) => ({ key, cents })).union(late)
    }
    await using h = await harness(perMinute, { time: 'event-time' })
    h.send(orderBy('u1', 0, 3), timestamp(10_000))
    h.send(orderBy('u1', 0, 4), timestamp(59_999))
    h.send(orderBy('u1', 0, 5), timestamp(60_000))
    h.watermark(timestamp(59_998))
    expect(h.take()).toEqual([])
    h.watermark(timestamp(59_999))
    expect(h.take()).toEqual([{ key: 'u1', cents: 7 }])
    h.send(orderBy('u1', 0, 9), timestamp(30_000))
    expect(h.take()).toEqual([{ key: 'late u1', cents: 9 }])
    h.watermark(timestamp(0))
    h.watermark(timestamp(1e9))
    expect(h.take()).toEqual([{ key: 'u1', cents: 5 }])
    expect(await codeOf(() => h.send(orderBy('u1', 0)))).toMatch(/^TM2111 .*time of the record/)
  })

  test('sessions and windows in processing time', async () => {
    const sessions = (orders: Stream<Order>) =>
      orders
        .withEventTime({ timestamp: (o) => o.at, maxOutOfOrderness: milliseconds(0) })
        .keyBy((o) => o.user)
        .window(session(seconds(10)))
        .count('sessions')
        .dropLate('a test')
        .map(({ count, window }) => [window.start, window.end, count])
    await using h = await harness(sessions)
    for (const at of [0, 4_000, 30_000]) h.send(orderBy('u', at))
    expect(h.take()).toEqual([[0, 14_000, 2]])
    const arrivals = (orders: Stream<Order>) =>
      orders
        .keyBy((o) => o.user)
        .window(tumblingProcessingTime(seconds(10)))
        .count('arrivals')
    await using p = await harness(arrivals, { startAt: timestamp(5_000) })
    p.send(orderBy('u', 0))
    p.send(orderBy('u', 0), timestamp(8_000))
    p.send(orderBy('u', 0), timestamp(12_000))
    expect(p.take().map(({ count }) => count)).toEqual([2])
    expect(await codeOf(() => p.send(orderBy('u', 0), timestamp(0)))).toMatch(/^TM2111 /)
    expect(await codeOf(() => p.watermark(timestamp(0)))).toMatch(
      /^TM2111 .*no step has event time/,
    )
  })

  test('rows of untimed input carry processing time; ctx.random follows the seed', async () => {
    const stamped = (names: Stream<string>) =>
      names
        .keyBy((name) => name)
        .process('stamp', {
          state: { rolls: mapState(text, int) },
          output: struct('stamp', { name: field(1, text), at: field(2, int), roll: field(3, int) }),
          onRecord(name, ctx) {
            ctx.emit({ name, at: ctx.timestamp, roll: Math.floor(ctx.random() * 1e9) })
          },
        })
    const runs: TypeOf<typeof alert>[][] = []
    for (const seed of [1, 1, 2]) {
      await using h = await harness(stamped, { seed, startAt: timestamp(7) })
      h.send('a')
      h.send('a', timestamp(9))
      const rows = h.take()
      expect(rows.map(({ at }) => at)).toEqual([7, 9])
      runs.push(rows.map(({ name, roll }) => ({ user: name, orders: roll })))
    }
    expect(runs[0]).toEqual(runs[1])
    expect(runs[0]).not.toEqual(runs[2])
  })

  test.each([
    ['Date.now()', () => Date.now()],
    // biome-ignore lint/complexity/useDateNow: this spelling is what the test is about
    ['new Date()', () => new Date().getTime()],
    ['Math.random()', () => Math.random()],
  ])(
    'a user function that calls %s is refused by name (R7), also under a policy that skips',
    async (name, fn) => {
      const step = (onError: 'fail' | 'skip') => (input: Stream<string>) =>
        input
          .keyBy((s) => s)
          .process('clocked', {
            output: int,
            onError,
            onRecord(_, ctx) {
              ctx.emit(Math.floor(fn()))
            },
          })
      for (const policy of ['fail', 'skip'] as const) {
        await using h = await harness(step(policy))
        const failure = await codeOf(() => h.send('a'))
        expect(failure).toMatch(/^TM2110 /)
        expect(failure).toContain(`step "clocked" calls ${name}`)
        expect(await codeOf(() => h.send('b'))).toMatch(/^TM2111 .*failed before/)
      }
      expect(Date.now()).toBeGreaterThan(0)
      expect(new Date(5).getTime()).toBe(5)
    },
  )

  test('errors of user functions name the step and the record, and end the harness', async () => {
    const broken = (input: Stream<string>) =>
      input.try('parse', (s): string => JSON.parse(s)).orFail()
    const h = await harness(broken)
    h.send('"fine"')
    const failure = await codeOf(() => h.send('{'))
    expect(failure).toMatch(/^TM19\d\d /)
    expect(await codeOf(() => h.send('"fine"'))).toContain('failed before')
    expect(h.take()).toEqual(['fine'])
    await h[Symbol.asyncDispose]()
  })
})
