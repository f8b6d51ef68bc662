/** The keyed process step: state, timers and outputs are typed by what is declared. */
import {
  days,
  field,
  int,
  listState,
  literals,
  mapState,
  minutes,
  seconds,
  type Stream,
  struct,
  text,
  type Timestamp,
  valueState,
} from 'tidemill'
import { expectTypeOf } from 'vitest'
import {
  type Alert,
  alert,
  app,
  memorySink,
  order,
  orders,
  timed,
  topic,
  topicSink,
} from './model.ts'

const alerts = orders
  .withEventTime({ timestamp: (o) => o.placedAt, maxOutOfOrderness: seconds(5) })
  .keyBy((o) => o.userId)
  .process('idle-user', {
    state: {
      seen: valueState(int, { initial: 0 }),
      last: valueState(text),
      cart: listState(order, { ttl: days(7) }),
    },
    timers: { idle: 'event-time' },
    output: alert,
    onRecord(o, ctx) {
      ctx.state.seen.set(ctx.state.seen.get() + 1)
      const last = ctx.state.last.get()
      expectTypeOf(last).toEqualTypeOf<string | undefined>()
      expectTypeOf(ctx.key).toEqualTypeOf<string>()
      expectTypeOf(ctx.timestamp).toEqualTypeOf<Timestamp>()
      if (last !== o.orderId) ctx.state.cart.add(o)
      ctx.state.last.set(o.orderId)
      ctx.timers.idle.setAfter(minutes(30))
      // @ts-expect-error: no timer of that name
      ctx.timers.idel.setAfter(minutes(30))
      // @ts-expect-error: a number is not a Duration
      ctx.timers.idle.setAfter(30_000)
      // @ts-expect-error: no state of that name
      ctx.state.sen.get()
      // @ts-expect-error: the field is missing
      ctx.emit({ user: ctx.key })
    },
    onTimer: {
      idle(ctx) {
        ctx.emit({ user: ctx.key, orders: ctx.state.seen.get() })
      },
    },
  })
expectTypeOf(alerts).toEqualTypeOf<Stream<Alert, 'event-time'>>()

const byUser = timed.keyBy((o) => o.userId)
// @ts-expect-error: timer idle has no function in onTimer
byUser.process('no-handler', {
  timers: { idle: 'event-time' },
  output: alert,
  onRecord() {},
})
timed
  .keyBy((o) => o.userId)
  .process('half-handled', {
    timers: { idle: 'event-time', gone: 'event-time' },
    output: alert,
    onRecord() {},
    // @ts-expect-error: timer gone has no function
    onTimer: { idle() {} },
  })
timed
  .keyBy((o) => o.userId)
  .process('too-many', {
    output: alert,
    onRecord() {},
    // @ts-expect-error: there is no timer to handle
    onTimer: { idle() {} },
  })
orders
  .keyBy((o) => o.userId)
  .process('untimed', {
    // @ts-expect-error: this stream has no event time
    timers: { idle: 'event-time' },
    output: alert,
    onRecord() {},
    onTimer: { idle() {} },
  })
timed
  .keyBy((o) => o.userId)
  .process('map', {
    state: { totals: mapState(text, int) },
    output: alert,
    onRecord(o, ctx) {
      expectTypeOf(ctx.state.totals.get(o.orderId)).toEqualTypeOf<number | undefined>()
      // @ts-expect-error: the map's keys are text
      ctx.state.totals.get(1)
    },
  })
// @ts-expect-error: the initial value does not fit the schema
valueState(int, { initial: 'none' })
// @ts-expect-error: a number is not a Duration
listState(order, { ttl: 7 })

// Event-driven: several outputs, literals, processing time.
const orderCommand = struct('command', {
  orderId: field(1, text),
  kind: field(2, literals('place', 'pay')),
  amount: field(3, int),
})
const orderEvent = struct('order-event', {
  orderId: field(1, text),
  kind: field(2, literals('expired', 'paid')),
})
const refund = struct('refund', { orderId: field(1, text), amount: field(2, int) })
const commands = topic({ topic: 'commands', value: orderCommand })
const { events, refunds } = app
  .from('commands', commands)
  .keyBy((c) => c.orderId)
  .process('order', {
    state: { status: valueState(literals('new', 'placed', 'paid', 'expired'), { initial: 'new' }) },
    timers: { unpaid: 'processing-time' },
    output: { events: orderEvent, refunds: refund },
    onRecord(c, ctx) {
      const status = ctx.state.status.get()
      if (c.kind === 'place' && status === 'new') {
        ctx.state.status.set('placed')
        ctx.timers.unpaid.setAfter(minutes(30))
      } else if (c.kind === 'pay' && status === 'expired')
        ctx.emit('refunds', { orderId: ctx.key, amount: c.amount })
      // @ts-expect-error: not one of the literals
      else if (c.kind === 'pay') ctx.state.status.set('payed')
      // @ts-expect-error: no output of that name
      ctx.emit('refund', { orderId: ctx.key, amount: 1 })
      // @ts-expect-error: a row of the other output
      ctx.emit('events', { orderId: ctx.key, amount: 1 })
    },
    onTimer: {
      unpaid(ctx) {
        ctx.state.status.set('expired')
        ctx.emit('events', { orderId: ctx.key, kind: 'expired' })
      },
    },
  })
expectTypeOf(refunds).toEqualTypeOf<Stream<{ readonly orderId: string; readonly amount: number }>>()
events.to('order-events', topicSink({ topic: 'order-events', value: orderEvent }))
refunds.to('refunds', memorySink())
// @ts-expect-error: the sink takes other rows
events.to('refunds', topicSink({ topic: 'refunds', value: refund }))
