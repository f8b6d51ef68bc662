/** Bad records as typed outputs. */
import { json, pipeline, type Rejected, seconds, type Stream } from 'tidemill'
import { expectTypeOf } from 'vitest'
import { app, deadLetters, type Order, order, stdout, topic } from './model.ts'

declare const priceList: { net(o: Order): number }

const input = app.tryFrom('orders', topic({ topic: 'orders', value: json(order) }))
const priced = input.results.try('price', (o) => ({ ...o, net: priceList.net(o) }))
input.rejected.to('orders-dead', deadLetters())
priced.rejected.to('price-dead', deadLetters())
const must = input.results.try('check', (o) => o).orFail()
expectTypeOf(must).toEqualTypeOf<Stream<Order>>()
expectTypeOf(input.rejected).toEqualTypeOf<Stream<Rejected<string | Uint8Array>>>()
expectTypeOf(priced.rejected).toEqualTypeOf<Stream<Rejected<Order>>>()
// @ts-expect-error: an outcome is not a stream
input.to('all', stdout())
// @ts-expect-error: an outcome is not a stream
priced.map((o) => o)

const shop = pipeline('shop', { onError: { decode: 'dead-letter', user: 'fail', sink: 'pause' } })
expectTypeOf(shop.name).toEqualTypeOf<string>()
// @ts-expect-error: no such policy
pipeline('shop', { onError: { decode: 'retry' } })

const timed = input.results.tryWithEventTime('order-time', {
  timestamp: (o) => o.placedAt,
  maxOutOfOrderness: seconds(5),
})
expectTypeOf(timed.results).toEqualTypeOf<Stream<Order, 'event-time'>>()
expectTypeOf(timed.rejected).toEqualTypeOf<Stream<Rejected<Order>>>()
// @ts-expect-error: a number is not a Timestamp
input.results.withEventTime({ timestamp: (o) => o.amount, maxOutOfOrderness: seconds(5) })
// @ts-expect-error: a number is not a Duration
input.results.withEventTime({ timestamp: (o) => o.placedAt, maxOutOfOrderness: 5 })

// Declared rows are checked against their schema, and literals keep their type.
expectTypeOf(input.results.map((o) => ({ ...o, amount: 1 }), { row: order })).toEqualTypeOf<
  Stream<Order>
>()
// @ts-expect-error: the row has no amount
input.results.map((o) => ({ orderId: o.orderId }), { row: order })
