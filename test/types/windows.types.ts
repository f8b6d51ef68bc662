/** Windows: what exists depends on the kind of stream, and results are flat records. */
import {
  type Aggregate,
  aggregate,
  type Change,
  count,
  countDistinct,
  type Late,
  max,
  mean,
  minutes,
  quantile,
  seconds,
  session,
  sliding,
  type Stream,
  sum,
  type TimeWindow,
  tumbling,
  tumblingProcessingTime,
  type WindowKey,
} from 'tidemill'
import { expectTypeOf } from 'vitest'
import { deadLetters, type Order, orders, stdout, timed } from './model.ts'

const perMinute = timed
  .keyBy((o) => o.shopId)
  .window(tumbling(minutes(1), { closeAfterQuiet: seconds(30) }))
  .allowedLateness(minutes(5))
  .emitOnce()
  .aggregate('revenue', {
    total: sum((o) => o.amount),
    orders: count(),
    p95: quantile((o) => o.amount, 0.95),
  })

perMinute.results.to('revenue', stdout())
perMinute.late.to('late-orders', deadLetters())
// @ts-expect-error: say what happens to late records first
perMinute.to('revenue', stdout())
// @ts-expect-error: this stream has no event time
orders.keyBy((o) => o.shopId).window(tumbling(minutes(1)))

interface Revenue {
  readonly key: number
  readonly window: TimeWindow
  readonly total: number
  readonly orders: number
  readonly p95: number
}
expectTypeOf(perMinute.results).toEqualTypeOf<Stream<Revenue, 'event-time'>>()
expectTypeOf(perMinute.late).toEqualTypeOf<Stream<Late<Order>>>()
expectTypeOf(perMinute.dropLate('dashboard only')).toEqualTypeOf<Stream<Revenue, 'event-time'>>()
// @ts-expect-error: a reason is required
perMinute.dropLate()

// With allowed lateness and without emitOnce, results are changes.
const updating = timed
  .keyBy((o) => o.shopId)
  .window(sliding(minutes(5), minutes(1)))
  .allowedLateness(minutes(5))
  .count('updating')
interface Counted {
  readonly key: number
  readonly window: TimeWindow
  readonly count: number
}
expectTypeOf(updating.results.changes()).toEqualTypeOf<
  Stream<Change<Counted, WindowKey<number>>, 'event-time'>
>()
// @ts-expect-error: a stream of changes has no `to`
updating.results.to('counts', stdout())

const sessions = timed
  .keyBy((o) => o.userId)
  .window(session(minutes(30)))
  .reduce('largest', (a, b) => (a.amount > b.amount ? a : b))
expectTypeOf(sessions.results).toEqualTypeOf<
  Stream<{ readonly key: string; readonly window: TimeWindow; readonly value: Order }, 'event-time'>
>()

// Windows in processing time: on any stream, without late records, and their results have no event time.
const now = orders
  .keyBy((o) => o.shopId)
  .window(tumblingProcessingTime(seconds(10)))
  .count('now')
expectTypeOf(now).toEqualTypeOf<Stream<Counted>>()
const byArrival = timed.keyBy((o) => o.shopId).window(tumblingProcessingTime(seconds(10)))
// @ts-expect-error: nothing is late in processing time
byArrival.allowedLateness(seconds(1))
// @ts-expect-error: the results have no event time
now.keyBy((r) => r.key).window(tumbling(minutes(1)))

// Numbers are not durations.
// @ts-expect-error: a number is not a Duration
tumbling(60_000)
const bySession = timed.keyBy((o) => o.shopId).window(session(minutes(1)))
// @ts-expect-error: a number is not a Duration
bySession.allowedLateness(5)

// With `where`, a window may have no row that takes part.
const shares = timed
  .keyBy((o) => o.shopId)
  .window(tumbling(minutes(1)))
  .aggregate('shares', {
    users: countDistinct((o) => o.userId),
    large: max((o) => o.amount, { where: (o) => o.amount > 100 }),
    average: mean((o) => o.amount),
    longest: aggregate<Order, string, string>({
      create: () => '',
      add: (a, o) => (o.orderId.length > a.length ? o.orderId : a),
      merge: (a, b) => (b.length > a.length ? b : a),
      result: (a) => a,
    }),
  })
  .dropLate('a trend only')
expectTypeOf(shares).toEqualTypeOf<
  Stream<
    {
      readonly key: number
      readonly window: TimeWindow
      readonly users: number
      readonly large: number | undefined
      readonly average: number
      readonly longest: string
    },
    'event-time'
  >
>()
const totals = timed
  .keyBy((o) => o.shopId)
  .aggregate('totals', { total: sum((o) => o.amount) }, { emit: 'latest' })
expectTypeOf(totals).toEqualTypeOf<
  Stream<{ readonly key: number; readonly total: number }, 'event-time'>
>()
// @ts-expect-error: orders have no field price
sum<Order>((o) => o.price)
// @ts-expect-error: text cannot be summed
timed.keyBy((o) => o.shopId).aggregate('wrong', { total: sum((o) => o.userId) })
const bySize: Aggregate<string, number> = sum((word) => word.length)
// @ts-expect-error: an aggregate of words, not of orders
timed.keyBy((o) => o.shopId).aggregate('wrong', { total: bySize })
